// JSON → options. JSON types appear in this folder and in describe/ only.
#pragma once

#include "../plugins/plugin_index.h"
#include "json_writer.h"
#include "spec_file.h"

namespace sectile {

struct SpecReader {
  const PluginIndex& index;
  const SpecFile& file;

  // Fills a group and everything below it. Throws SpecError with all problems of the spec. Returns the components, by
  // pointer.
  std::map<std::string, PluginVersion> read(void* group, const ValueType& type) const;
};

}  // namespace sectile
