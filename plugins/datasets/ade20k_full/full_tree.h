// Which files of the full ADE20K belong to a split, in both of its releases.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ade20k_full {

struct Entry {
  std::string name;  // below the split, without suffix
  std::filesystem::path image;
  std::filesystem::path mask;   // NAME_seg.png
  std::filesystem::path names;  // NAME.json (2020) or NAME_atr.txt (2017); empty: none
};

// The folder of training and validation, at or below `root`. Throws OptionError.
std::filesystem::path find_root(const std::filesystem::path& root);

// By name, of a folder in `root`. left_out: images without a mask. Throws DataError.
std::vector<Entry> find_entries(const std::filesystem::path& folder, std::vector<std::filesystem::path>& left_out);

}  // namespace ade20k_full
