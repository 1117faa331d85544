// A trained network from what the user names: a checkpoint, or the spec of a finished run.
#pragma once

#include <string>

#include "../framework/upper/training/pipeline.h"
#include "command_line.h"

namespace sectile {

// operand: a checkpoint, or a .json spec, whose output folder holds best.pth or, without validation data, last.pth.
// Says what is worth telling about it.
Pipeline open_trained(const std::string& operand, const CommandLine& line, const std::string& device);

}  // namespace sectile
