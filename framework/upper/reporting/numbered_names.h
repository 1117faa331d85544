// Different names for parts of a spec of which several may have one type: in a log or a report, each is a key.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace sectile {

// "iou", and if it occurs again "iou_2" and so on; a number that another name has already is left out.
inline std::vector<std::string> numbered_names(const std::vector<std::string>& names) {
  std::vector<std::string> made;
  for (const auto& name : names) {
    auto own = name;
    for (int number = 2; std::find(made.begin(), made.end(), own) != made.end(); ++number)
      own = name + "_" + std::to_string(number);
    made.push_back(own);
  }
  return made;
}

}  // namespace sectile
