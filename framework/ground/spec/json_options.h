// JSON ↔ options. JSON types appear in this folder only.
#pragma once

#include "../plugins/plugin_index.h"
#include "spec_file.h"

namespace sectile {

struct SpecReader {
  const PluginIndex& index;
  const SpecFile& file;

  // Fills a group and everything below it. Throws SpecError with every problem of the whole spec.
  void read(void* group, const ValueType& type) const;
};

Json resolved(void* group, const ValueType& type);                   // with every default filled in
Json json_schema(const Component& component);                        // draft 7
Json json_schema(const PluginIndex& index, const ValueType& group);  // of whole specs

}  // namespace sectile
