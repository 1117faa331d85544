// A spec's text as the commands handle it before its components are known. No JSON types here.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace sectile {

struct SpecFile;

// The file, what it extends, and the changes on top of it. Throws SpecError.
std::shared_ptr<const SpecFile> open_spec(const std::filesystem::path& file, const std::vector<std::string>& changes);

// A resolved spec, as checkpoints hold it, with changes whose paths are relative to the current directory.
std::shared_ptr<const SpecFile> open_resolved(const std::string& text, const std::vector<std::string>& changes);

// Its "plugin_path", relative to the file that states it. Throws SpecError.
std::vector<std::filesystem::path> plugin_path(const SpecFile& spec);

// Options that went with an exchanged type, as JSON pointers.
const std::vector<std::string>& dropped_options(const SpecFile& spec);

}  // namespace sectile
