// A trained network: from a checkpoint, from the spec of a finished run, by the name of published weights, or from a
// folder of Hugging Face.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "network.h"

namespace sectile {

struct OpenOptions {
  std::string device = "cpu";
  std::vector<std::string> changes{};                // to the spec, in order: "/inference/window=[512, 512]"
  std::vector<std::filesystem::path> plugin_path{};  // searched first
  bool spec_plugins = true;                          // also search a spec's own plugin_path; a checkpoint's never is
  std::string plugin_option = "\"plugin_path\"";     // how messages call plugin_path
  std::string split{};                               // whose dataset is needed; empty: none
  bool metrics = true;                               // needed to evaluate on the split; without, to predict it
  bool fold = true;                                  // convert layers to their faster form, which has no gradients
};

// file: a checkpoint, or a spec, whose output folder holds best.pth or, without validation data, last.pth, or which
// names weights in /model/weights, which are told apart by their content; or, if there is no such file, the name of
// published weights, such as "torchvision/fcn_resnet50", whose spec is made from the catalogue; or a folder that
// Hugging Face's transformers saved, whose spec is made from its JSON files. Of a checkpoint, only the plugins of the
// network are needed, and, if there is a split, those of its dataset and of the metrics; a spec's metrics are built if
// they are needed. note: called with notes for the user, even if opening fails later. Throws SpecError, PluginError,
// DataError.
Network open_network(const std::filesystem::path& file, const OpenOptions& options,
                     const std::function<void(const std::string&)>& note);

// The network of a spec, a name or a folder of Hugging Face, with the weights that the spec names, whatever its output
// folder holds.
Network open_published(const std::filesystem::path& spec, const OpenOptions& options,
                       const std::function<void(const std::string&)>& note);

}  // namespace sectile
