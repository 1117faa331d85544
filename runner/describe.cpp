#include <iostream>

#include "../framework/ground/spec/pipeline_spec.h"
#include "command_line.h"
#include "commands.h"

namespace sectile {

void describe(int count, char** words) {
  const auto line = parse(count, words, "describe KIND NAME", "Prints the options of one component.", {}, 2, 2);
  std::cout << describe_text(open_plugins(line.common, nullptr), line.operands[0], line.operands[1]) << "\n";
}

}  // namespace sectile
