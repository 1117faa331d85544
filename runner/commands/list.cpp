#include <iostream>

#include "../../framework/ground/describe/component_text.h"
#include "../command_line.h"
#include "commands.h"

namespace sectile {

void list(int count, char** words) {
  boost::program_options::options_description own("Options of list");
  own.add_options()("json", "print JSON");
  const auto line = parse({words, words + count}, "list [KIND] [--json]",
                          "Lists the available components, and which plugin files are shadowed or skipped.\n"
                          "Kinds: dataset, transform, sampler, model, backbone, loss, optimizer, schedule, metric.",
                          own, 0, 1);
  const auto kind = line.operands.empty() ? "" : line.operands[0];
  const auto index = open_plugins(line.common, nullptr);
  if (line.given.count("json"))
    std::cout << list_json(index, kind) << "\n";
  else
    std::cout << list_text(index, kind);
}

}  // namespace sectile
