#include <iomanip>
#include <iostream>

#include "command_line.h"
#include "commands.h"

namespace sectile {

void list(int count, char** words) {
  const auto line = parse(count, words, "list [KIND]", "Prints the components that specs can name.", {}, 0, 1);
  const auto index = open_plugins(line.common, nullptr);
  for (const auto& entry : index.all())
    if (line.operands.empty() || line.operands[0] == entry.kind)
      std::cout << std::left << std::setw(10) << entry.kind << std::setw(16) << entry.name << std::setw(8)
                << entry.version << entry.summary << "\n";
}

}  // namespace sectile
