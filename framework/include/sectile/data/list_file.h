// Text files that list samples, as in public datasets: one name, or the files of a pair, per line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

struct ListLine {
  int number = 0;      // from 1, for messages
  std::string text{};  // the whole line, without spaces and tabs at its ends
  std::vector<std::string> words{};
};

// All lines except empty ones and those that begin with #. Words are separated by spaces or, in a line with a tab, by
// tabs only, so that names may contain spaces. Throws DataError for a file that cannot be read, is not text or lists
// nothing.
SECTILE_EXPORT std::vector<ListLine> read_list(const std::filesystem::path& file);

// "train.txt, line 3", the location for a DataError.
SECTILE_EXPORT std::string list_place(const std::filesystem::path& file, const ListLine& line);

}  // namespace sectile
