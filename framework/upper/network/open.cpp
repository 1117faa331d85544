#include "open.h"

#include <fstream>
#include <utility>

#include "../../ground/named_pipe.h"
#include "../../ground/spec/spec_text.h"
#include "../../ground/weights/huggingface_folder.h"
#include "../../ground/weights/published_spec.h"
#include "device.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using Note = std::function<void(const std::string&)>;

PipelineSpec read(const SpecFile& text, const OpenOptions& options, const Note& note) {
  const auto tell = [&] {
    for (const auto& [pointer, message] : notes(text)) note(pointer + ": " + message);
  };
  try {
    auto spec = read_spec(PluginIndex(plugin_folders(options.plugin_path, options.spec_plugins ? &text : nullptr)),
                          text, SpecUse::network);
    tell();
    if (!options.metrics) spec.metrics.clear();
    return spec;
  } catch (...) {
    tell();  // a dropped option may explain the error
    throw;
  }
}

Network of_checkpoint(const fs::path& file, const OpenOptions& options, const Note& note) {
  for (const auto& change : options.changes)
    if (const auto pointer = change.substr(0, change.find('='));
        pointer.starts_with("/model/") && pointer.find("/weights") != std::string::npos)
      throw SpecError(pointer, "has no effect on " + file.string() + ", which has its own weights: remove the change");
  const auto checkpoint = load_checkpoint(file);
  EmbeddedSpec about{file, checkpoint.plugins, network_parts(), options.plugin_option};
  if (!options.split.empty()) about.parts.push_back("/data/" + options.split);
  if (!options.split.empty() && options.metrics) about.parts.emplace_back("/metrics");
  const auto text = open_embedded(checkpoint.spec, std::move(about), options.changes);
  return Network::from_checkpoint(read(*text, options, note), checkpoint, file, open_device(options.device));
}

Network of_published(PipelineSpec spec, const OpenOptions& options) {
  return Network::from_weights(std::move(spec), open_device(options.device));
}

Network of_spec(const fs::path& file, const OpenOptions& options, const Note& note) {
  auto spec = read(*open_spec(file, options.changes), options, note);
  const bool has_weights = !spec.model.common().weights.empty();
  if (spec.output.empty() && has_weights) return of_published(std::move(spec), options);
  if (spec.output.empty())
    throw SpecError("/output",
                    "is missing: name the run's folder there, or give its checkpoint instead of the spec; or name "
                    "published weights in /model/weights");
  auto weights = spec.output / "best.pth";
  if (!fs::exists(weights)) {
    weights = spec.output / "last.pth";
    if (fs::exists(weights)) note(spec.output.string() + " has no best.pth: using last.pth");
  }
  if (fs::exists(weights) && has_weights)
    note("using " + weights.string() +
         ", and not /model/weights, which that run started from; remove /output to use "
         "those");
  if (!fs::exists(weights) && has_weights) {
    note(spec.output.string() + " has no run: using /model/weights as they are");
    return of_published(std::move(spec), options);
  }
  if (!fs::exists(weights)) throw DataError(spec.output, "has neither best.pth nor last.pth; train it first");
  return Network::from_checkpoint(std::move(spec), load_checkpoint(weights), weights, open_device(options.device));
}

// A spec, the name of published weights, or a folder of Hugging Face.
std::shared_ptr<const SpecFile> text_of(const fs::path& file, const OpenOptions& options, const Note& note) {
  if (is_huggingface_folder(file)) {
    const auto made = huggingface_spec(file);
    for (const auto& text : made.notes) note(text);
    return open_spec_text(made.text, file.string(), options.changes);
  }
  const auto* entry = published_entry(file.string(), file);
  return entry ? open_spec_text(published_spec(*entry), entry->name, options.changes)
               : open_spec(file, options.changes);
}

// By its first characters: specs may have any suffix, and the suffix .json promises one.
bool is_spec(const fs::path& file) {
  if (file.extension() == ".json") return true;
  std::ifstream in(file);
  char first = 0, second = 0;
  in >> first >> second;  // after white space
  return first == '{' && (second == '"' || second == '}');
}

}  // namespace

Network open_published(const fs::path& file, const OpenOptions& options, const Note& note) {
  auto network = of_published(read(*text_of(file, options, note), options, note), options);
  if (options.fold) network.prepare_for_inference();
  for (const auto& text : network.notes) note(text);
  return network;
}

Network open_network(const fs::path& file, const OpenOptions& options, const Note& note) {
  const bool made_elsewhere = is_huggingface_folder(file);
  if (fs::is_directory(file) && !made_elsewhere)
    throw DataError(file,
                    "is a folder: name the checkpoint in it, such as best.pth; a folder of Hugging Face's transformers "
                    "has a config.json");
  if (is_named_pipe(file)) throw DataError(file, "is a named pipe; expected a file");
  auto network = made_elsewhere || published_entry(file.string(), file)
                     ? of_published(read(*text_of(file, options, note), options, note), options)
                 : is_spec(file) ? of_spec(file, options, note)
                                 : of_checkpoint(file, options, note);
  if (options.fold) network.prepare_for_inference();
  for (const auto& text : network.notes) note(text);
  return network;
}

}  // namespace sectile
