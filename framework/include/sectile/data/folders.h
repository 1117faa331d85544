// What plugins of datasets ask of folders. Names come sorted, hidden ones (".x") are left out, and suffixes are of any
// case.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

// False also where it cannot be known.
SECTILE_EXPORT bool is_file(const std::filesystem::path& path);
SECTILE_EXPORT bool is_folder(const std::filesystem::path& path);

// Of "a.JPG" ".jpg".
SECTILE_EXPORT std::string lower_suffix(const std::filesystem::path& file);

// None of a folder that is not there. Throw DataError for one that cannot be read.
SECTILE_EXPORT std::vector<std::string> files_in(const std::filesystem::path& folder);
SECTILE_EXPORT std::vector<std::string> folders_in(const std::filesystem::path& folder);

// Files with one of these suffixes (in lower case), by their names without it. Throws DataError for two of one name.
SECTILE_EXPORT std::map<std::string, std::filesystem::path> files_by_stem(const std::filesystem::path& folder,
                                                                          const std::vector<std::string>& suffixes);

// For messages: "a, b", or "none".
SECTILE_EXPORT std::string joined(const std::vector<std::string>& names);

// `named`, if the option names a path, or else the first candidate that is there. `what`: what the option is, for the
// OptionError that is thrown where there is none.
enum class PathKind { file, folder };
SECTILE_EXPORT std::filesystem::path find_path(PathKind kind, const char* option,
                                               const std::optional<std::filesystem::path>& named,
                                               const std::vector<std::filesystem::path>& candidates,
                                               const std::string& what);

}  // namespace sectile
