// The texts beside the masks of the full ADE20K.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ade20k_full {

struct NamedObject {
  int number = 0;  // 2020: of the class ("name_ndx"); 2017: of the object in its image
  std::string name;
};

// Objects that are no parts. Throw DataError for a file that is not of the format.
std::vector<NamedObject> read_json(const std::filesystem::path& file);
std::vector<NamedObject> read_attributes(const std::filesystem::path& file);  // NAME_atr.txt

}  // namespace ade20k_full
