// A spec's text as the commands handle it before its components are known. No JSON types here.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sectile/error.h>

namespace sectile {

struct SpecFile;

// The file, what it extends, and the changes on top of it. Throws SpecError.
std::shared_ptr<const SpecFile> open_spec(const std::filesystem::path& file, const std::vector<std::string>& changes);

// A resolved spec, as checkpoints hold it, with changes whose paths are relative to the current directory.
std::shared_ptr<const SpecFile> open_resolved(const std::string& text, const std::vector<std::string>& changes);

// Where components are looked for, in this order: in `first`, in the spec's plugin_path (of no spec when null), then
// where every program looks.
std::vector<std::filesystem::path> plugin_folders(const std::vector<std::filesystem::path>& first,
                                                  const SpecFile* spec);

// What is no mistake but should be known: options that went with an exchanged type, and, once the spec was read,
// options by an old name.
std::vector<Problem> notes(const SpecFile& spec);

}  // namespace sectile
