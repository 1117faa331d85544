// Options in a separate JSON file, for a dataset whose classes are shared by several specs: read with the same rules
// and messages as a spec, without JSON types in the plugin.
#pragma once

#include <filesystem>

#include <sectile/options.h>

namespace sectile {

// Throws DataError naming the file and listing every problem in it.
SECTILE_EXPORT void read_options(const std::filesystem::path& file, void* group, const ValueType& type);

template <class Group>
Group read_options(const std::filesystem::path& file) {
  Group group;
  read_options(file, &group, kValueType<Group>);
  return group;
}

}  // namespace sectile
