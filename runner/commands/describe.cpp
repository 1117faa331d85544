#include <iostream>

#include "../../framework/ground/describe/component_text.h"
#include "../command_line.h"
#include "commands.h"

namespace sectile {

void describe(int count, char** words) {
  boost::program_options::options_description own("Options of describe");
  own.add_options()("json", "print JSON, with the options as a JSON Schema");
  const auto line = parse({words, words + count}, "describe [KIND] NAME [--json]",
                          "Prints what a component does, its options, and how a spec names it. The kind may be left\n"
                          "out where one component only has the name.",
                          own, 1, 2);
  const auto kind = line.operands.size() == 2 ? line.operands[0] : "";
  const auto& name = line.operands.back();
  const auto index = open_plugins(line.common, nullptr);
  std::cout << (line.given.count("json") ? describe_json(index, kind, name) : describe_text(index, kind, name)) << "\n";
}

}  // namespace sectile
