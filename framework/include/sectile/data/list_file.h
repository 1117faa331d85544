// Text files that list samples, as public datasets have them: a name, or the files of a pair, per line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

struct ListLine {
  int number = 0;      // from 1, for messages
  std::string text{};  // the whole line, without blanks and tabs at its ends
  std::vector<std::string> words{};
};

// The lines that hold something: empty ones and those that begin with # are left out. Words are parted by blanks or, in
// a line that has a tab, by tabs alone, so that names may hold blanks. Throws DataError for a file that cannot be read,
// is no text or lists nothing.
SECTILE_EXPORT std::vector<ListLine> read_list(const std::filesystem::path& file);

// "train.txt, line 3", the place for a DataError.
SECTILE_EXPORT std::string list_place(const std::filesystem::path& file, const ListLine& line);

}  // namespace sectile
