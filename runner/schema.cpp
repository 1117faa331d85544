#include <iostream>

#include "../framework/ground/spec/pipeline_spec.h"
#include "command_line.h"
#include "commands.h"

namespace sectile {

void schema(int count, char** words) {
  const auto line = parse(count, words, "schema",
                          "Prints the JSON Schema (draft 7) of specs with every component found. Name the file in a\n"
                          "spec's \"$schema\", and an editor completes and explains as you write.",
                          {}, 0, 0);
  std::cout << schema_text(open_plugins(line.common, nullptr)) << "\n";
}

}  // namespace sectile
