// Texts of strangers: damaged at any place, or with other values and signs at one.
#pragma once

#include <cstdlib>
#include <iterator>
#include <random>
#include <string>

namespace sectile::test {

// SECTILE_MUTATIONS: how many files per reader; unset, 300.
inline int mutations() {
  const char* const wanted = std::getenv("SECTILE_MUTATIONS");
  return wanted ? std::atoi(wanted) : 300;
}

class TextMutator {
 public:
  std::string next(std::string text) {
    for (std::size_t times = 1 + below(3); times > 0; --times) change(text);
    return text;
  }

 private:
  std::size_t below(std::size_t count) { return count ? random_() % count : 0; }

  void change(std::string& text) {
    static const char* const kTexts[] = {"NaN",
                                         "Infinity",
                                         "-1",
                                         "0",
                                         "1e308",
                                         "-1e308",
                                         "1e-320",
                                         "99999999999999999999",
                                         "4294967296",
                                         "2147483647",
                                         "1073741824",
                                         "65535",
                                         "null",
                                         "true",
                                         "\"x\"",
                                         "[]",
                                         "{}",
                                         "[[]]",
                                         "[1,2]",
                                         "\"\\\\\"",
                                         "\"\\u0000\"",
                                         "\xff",
                                         "{\"size\": [1073741824, 3], \"counts\": [0]}",
                                         "[",
                                         "]",
                                         "{",
                                         "}",
                                         ",",
                                         ":",
                                         "\"",
                                         "\\",
                                         "[[[[[[[[[[[[[[[["};
    const auto at = below(text.size());
    switch (below(6)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random_());
        return;
      case 1:
        text.resize(at);
        return;
      case 2:
        text.erase(at, 1 + below(30));
        return;
      case 3:
        text.insert(at, text.substr(below(text.size()), below(200)));
        return;
      case 4:
        text.insert(at, kTexts[below(std::size(kTexts))]);
        return;
      default:
        replace_number(text, at, kTexts[below(std::size(kTexts))]);
    }
  }

  static void replace_number(std::string& text, std::size_t from, const char* by) {
    const auto first = text.find_first_of("0123456789", from);
    if (first == std::string::npos) return;
    text.replace(first, text.find_first_not_of("0123456789.", first) - first, by);
  }

  std::mt19937_64 random_{1};
};

}  // namespace sectile::test
