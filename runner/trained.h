// Opening trained networks from checkpoints, or from the spec of a finished run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../framework/upper/inference/ensemble.h"
#include "../framework/upper/network/open.h"
#include "command_line.h"

namespace sectile {

struct Trained {
  std::vector<std::unique_ptr<Network>> networks;
  std::unique_ptr<Ensemble> ensemble;

  const LabelMap& labels() const { return *ensemble->first().context.labels; }
};

// --device, and options to combine several networks and views: common to all commands that use trained networks.
void add_network_options(boost::program_options::options_description& options);

// operand: a checkpoint or a spec, as in open_network. options: the split, and whether metrics are needed; the others
// are those of the command line. Prints its notes.
Trained open_trained(const std::string& operand, const CommandLine& line, OpenOptions options);

// For those of these options that join several predictions of an image into one. option: what they do not go with.
void refuse_joined(const CommandLine& line, const std::string& option, const std::string& why);

}  // namespace sectile
