#include <string>

#include <sectile/data/options_file.h>
#include <sectile/error.h>

#include "../spec/json_options.h"

namespace sectile {

void read_options(const std::filesystem::path& file, void* group, const ValueType& type) {
  try {
    const SpecFile text = load_spec(file);
    SpecReader{PluginIndex({}), text}.read(group, type);
  } catch (const SpecError& error) {
    const auto& first = error.problems().front().message;
    if (first.starts_with(file.string())) {  // "classes.json:1:5: is not valid JSON"
      const auto end = first.find(": ", file.string().size());
      if (end != std::string::npos) throw DataError(first.substr(0, end), first.substr(end + 2));
    }
    std::string all;
    for (const auto& problem : error.problems())
      all += (all.empty() ? "" : "\n") + (problem.pointer.empty() ? "" : problem.pointer + ": ") + problem.message;
    throw DataError(file.string(), all);
  }
}

}  // namespace sectile
