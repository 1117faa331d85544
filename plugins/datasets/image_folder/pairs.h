// Which files make the samples of a folder, by their names, by patterns or by a list.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sectile/options.h>

namespace image_folder {

struct Entry {
  std::string name;
  std::filesystem::path image;
  std::filesystem::path mask{};  // empty: unlabelled
};

struct PairOptions {
  std::filesystem::path root;
  std::optional<std::string> images;
  std::optional<std::string> masks;
  std::optional<std::string> image_suffix;
  std::optional<std::string> mask_suffix;
  std::filesystem::path list;

  void declare(sectile::Options& options);
  void check(sectile::Problems& problems) const;

  std::filesystem::path image_place() const;  // the folder or pattern, for messages
};

// In natural order of names, or in the list's. All files are there. Throws DataError.
std::vector<Entry> find_entries(const PairOptions& options);

}  // namespace image_folder
