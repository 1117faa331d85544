// Masks that are found by the image's name.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "files.h"

namespace image_folder {

class Masks {
 public:
  // Without a suffix, look_for_any_suffix comes before find.
  Masks(std::filesystem::path folder, std::optional<std::string> suffix)
      : folder_(std::move(folder)), suffix_(std::move(suffix)), stems_(folder_) {}

  // `not_masks`: the suffix of the images that lie in the same folder.
  void look_for_any_suffix(const std::optional<std::string>& not_masks);

  // name: of the image, without suffix. A path to no file where there is none, which demand_all tells.
  std::filesystem::path find(const std::string& name);

  // Throws DataError if any was not found. `images`: the place of the images, advice: the option that decides.
  void demand_all(const std::filesystem::path& images, const char* advice) const;

 private:
  std::filesystem::path with_suffix_in_any_case(const std::string& name);

  std::filesystem::path folder_;
  std::optional<std::string> suffix_;
  Stems stems_;
  std::vector<std::string> others_;  // files of other formats
  bool listed_ = false;              // in stems_, by the suffix
  std::size_t asked_ = 0, missing_ = 0;
  std::string shown_;
};

}  // namespace image_folder
