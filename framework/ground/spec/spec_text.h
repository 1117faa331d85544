// Reading the text of a spec, for the commands, before its components are known. No JSON types here.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sectile/error.h>

namespace sectile {

struct SpecFile;

// The file, the files that it extends, and the changes. Throws SpecError.
std::shared_ptr<const SpecFile> open_spec(const std::filesystem::path& file, const std::vector<std::string>& changes);

// A resolved spec, as in checkpoints, with changes whose paths are relative to the current directory.
std::shared_ptr<const SpecFile> open_resolved(const std::string& text, const std::vector<std::string>& changes);

// The search path of components, in this order: `first`, the spec's plugin_path (if not null), the default folders.
std::vector<std::filesystem::path> plugin_folders(const std::vector<std::filesystem::path>& first,
                                                  const SpecFile* spec);

// Notes that are not errors: options dropped with a changed type, and, after the spec was read, options with an old
// name.
std::vector<Problem> notes(const SpecFile& spec);

}  // namespace sectile
