#pragma once

#include <string>

namespace sectile {

// Control characters, which names in files may have, become \x1b and the like: a terminal would obey them.
std::string printable(const std::string& text);

}  // namespace sectile
