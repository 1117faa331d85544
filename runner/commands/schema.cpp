#include <iostream>

#include "../../framework/ground/describe/component_text.h"
#include "../command_line.h"
#include "commands.h"

namespace sectile {

void schema(int count, char** words) {
  const auto line = parse({words, words + count}, "schema",
                          "Prints the JSON Schema (draft 7) of specs with every component found. Name the file in a\n"
                          "spec's \"$schema\", and an editor completes and explains as you write.",
                          {}, 0, 0);
  const auto index = open_plugins(line.common, nullptr);
  std::cout << schema_text(index) << "\n";
  if (line.common.quiet) return;
  for (const auto& [kind, name, version, summary, file, problem] : index.all()) {
    try {
      index.load(kind, name);
    } catch (const PluginError& error) {
      std::cerr << "note: the schema refuses the " << kind << " \"" << name << "\": " << error.what() << "\n";
    }
  }
}

}  // namespace sectile
