// One word for one thing, and the field's usual one.
#include <regex>
#include <vector>

#include "support/scratch.h"
#include "support/test.h"

using sectile::test::contents;
namespace fs = std::filesystem;

TEST_CASE("docs, messages and code use the field's usual words") {
  struct Word {
    const char* pattern;
    const char* instead;
  };
  const std::vector<Word> words{
      {"\\b[Pp]ictures?\\b", "image"},
      {"\\b[Dd]ata sets?\\b", "dataset"},
      {"[Cc]olour", "color"},
      {"Left out: ", "Default: "},
      {"no finite number", "not finite (NaN or Inf)"},
      {"[Tt]he price of", "weight of"},
      {"no mistakes", "all checks passed"},
      {"[Ee]xchange the model", "swap the model"},
      {"\\bis no (file|folder|checkpoint|JSON|shared library|Sectile plugin)\\b", "is not a …"},
      {"\\b(are|is) wanted\\b", "expected"},
      {"\\ball is well\\b", "everything works"},
      {"got no better", "no improvement"},
      {"stands? beside", "cannot be combined with"},
      {"has the last word|[Ll]eft as made|leave it out", "a plain verb"},
      {"go on with it", "resume it"},
      {"\\bWishes\\b|\\bExam\\b|know_own_size|stop_at_no_number", "a name that says what it is"},
  };
  const fs::path root = SECTILE_SOURCE_DIR;
  std::vector<fs::path> files{root / "README.md", root / "CONTRIBUTING.md"};
  for (const char* folder : {"docs", "examples", "framework", "plugins", "runner", "templates"})
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const auto kind = entry.path().extension();
      if (entry.path().filename().string().ends_with("_test.cpp")) continue;
      if (kind == ".h" || kind == ".cpp" || kind == ".c" || kind == ".md") files.push_back(entry.path());
    }
  for (const auto& file : files) {
    auto text = contents(file);
    if (file.filename() == "README.md")  // what the name means
      text = std::regex_replace(text, std::regex("pictures made of pieces"), "");
    for (const auto& [pattern, instead] : words) {
      std::smatch found;
      CHECK_MESSAGE(!std::regex_search(text, found, std::regex(pattern)),
                    file.string() << ": \"" << found.str() << "\"; write: " << std::string(instead));
    }
  }
}
