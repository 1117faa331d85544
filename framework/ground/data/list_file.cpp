#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <sectile/data/list_file.h>
#include <sectile/error.h>

#include "../named_pipe.h"

namespace sectile {
namespace {

constexpr std::size_t kLongest = std::size_t{128} << 20;  // a million long names

std::vector<std::string> words_of(const std::string& line) {
  const char* gaps = line.find('\t') == std::string::npos ? " " : "\t";
  std::vector<std::string> words;
  for (std::size_t begin = 0, end = 0; begin < line.size(); begin = end + 1) {
    end = std::min(line.find_first_of(gaps, begin), line.size());
    const auto first = line.find_first_not_of(' ', begin);
    if (first >= end) continue;
    words.push_back(line.substr(first, line.find_last_not_of(' ', end - 1) + 1 - first));
  }
  return words;
}

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw DataError(file.string(), std::string("cannot be read: ") + std::strerror(errno));
  std::string text;
  std::array<char, 1 << 16> part;
  while (in.read(part.data(), part.size()), in.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > kLongest)
      throw DataError(file.string(),
                      "has more than " + std::to_string(kLongest >> 20) + " MB; expected a list of names");
  }
  return text;
}

std::string trimmed(const std::string& line) {
  const auto first = line.find_first_not_of(" \t");
  return first == std::string::npos ? "" : line.substr(first, line.find_last_not_of(" \t") + 1 - first);
}

}  // namespace

std::vector<ListLine> read_list(const std::filesystem::path& file) {
  std::error_code unknown;
  if (std::filesystem::is_directory(file, unknown)) throw DataError(file.string(), "is a folder; expected a text file");
  if (is_named_pipe(file)) throw DataError(file.string(), "is a named pipe; expected a text file");
  std::istringstream in(contents(file));
  std::vector<ListLine> lines;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    if (number == 1 && text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // a byte order mark
    if (text.ends_with('\r')) text.pop_back();
    if (text.find('\0') != std::string::npos)
      throw DataError(list_place(file, {number}), "contains a zero byte: it is not UTF-8 text");
    ListLine line{number, trimmed(text), words_of(text)};
    if (!line.words.empty() && !line.words.front().starts_with('#')) lines.push_back(std::move(line));
  }
  if (lines.empty()) throw DataError(file.string(), "is empty; expected one sample per line");
  return lines;
}

std::string list_place(const std::filesystem::path& file, const ListLine& line) {
  return file.string() + ", line " + std::to_string(line.number);
}

}  // namespace sectile
