// Reading the stamps of a library from its bytes, without loading it.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

struct StampReading {
  std::vector<Stamp> stamps;
  std::string problem;  // why there are none: "is empty"
};

// Does not trust the file: a damaged one results in a problem, never a crash.
StampReading read_stamps(const std::filesystem::path& library);
StampReading read_stamps(std::istream& library);  // seekable; reads from its beginning

// The characters of a field, up to the first zero.
template <std::size_t N>
std::string text(const char (&field)[N]) {
  std::size_t length = 0;
  while (length < N && field[length] != '\0') ++length;
  return {field, length};
}

}  // namespace sectile
