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
  std::filesystem::path mask{};                // empty: unlabelled
  std::vector<std::filesystem::path> bands{};  // further files with channels of the same image
  int page = 0;                                // of both files, from 0
  int pages = 1;                               // of the image's file; 0: it cannot be told, and reading it will say why
  std::size_t file = 0;  // place of the image's file among those found: the pages of a stack share it
};

struct PairOptions {
  std::filesystem::path root;
  std::optional<std::string> images;
  std::optional<std::string> masks;
  std::optional<std::string> image_suffix;
  std::optional<std::string> mask_suffix;
  std::vector<std::string> band_suffixes;
  std::filesystem::path list;
  int skip = 0;
  std::optional<int> limit;

  void declare(sectile::Options& options);
  void check(sectile::Problems& problems) const;
};

// In natural order of names, or in the list's; of a TIFF of several pages one for each, "stack#0001" and on. The files
// of all of them, and only of them, are there: masks of skipped images may be missing. Adds notes for the user on what
// was left out. Throws DataError.
std::vector<Entry> find_entries(const PairOptions& options, std::vector<std::string>& notes);

}  // namespace image_folder
