// Reading the text of a spec, for the commands, before its components are known. No JSON types here.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sectile/error.h>

namespace sectile {

struct SpecFile;

// A component and its plugin's version, as a checkpoint lists those that its network needs.
struct PluginVersion {
  std::string kind, name, version;
};

// The spec inside a checkpoint, which may be a stranger's: nothing in it makes the reader search a folder, or read a
// file or the environment.
struct EmbeddedSpec {
  std::filesystem::path checkpoint{};    // named in messages
  std::vector<PluginVersion> plugins{};  // empty in older checkpoints
  std::vector<std::string> parts{};      // JSON pointers: components elsewhere are not read, and need no plugin
  std::string plugin_option = "\"plugin_path\"";  // how messages call the option for further plugin folders
};

// The file, the files that it extends, and the changes. Throws SpecError.
std::shared_ptr<const SpecFile> open_spec(const std::filesystem::path& file, const std::vector<std::string>& changes);

// The text of a spec, with paths relative to the current directory. name: for messages. Throws SpecError.
std::shared_ptr<const SpecFile> open_spec_text(const std::string& text, const std::string& name,
                                               const std::vector<std::string>& changes);

// With changes whose paths are relative to the current directory. Throws SpecError.
std::shared_ptr<const SpecFile> open_embedded(const std::string& text, EmbeddedSpec about,
                                              const std::vector<std::string>& changes);

// The search path of components, in this order: `first`, the spec's plugin_path (if not null), the default folders.
std::vector<std::filesystem::path> plugin_folders(const std::vector<std::filesystem::path>& first,
                                                  const SpecFile* spec);

// Notes that are not errors: options dropped with a changed type, and, after the spec was read, options with an old
// name.
std::vector<Problem> notes(const SpecFile& spec);

}  // namespace sectile
