#include "masks.h"

#include <sectile/error.h>

namespace image_folder {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kShown = 5;  // names in a message
}

void Masks::look_for_any_suffix(const std::optional<std::string>& not_masks) {
  for (const auto& name : files_below(folder_)) {
    const auto suffix = image_suffix(name);
    if (suffix.empty())
      others_.push_back(name);
    else if (!(not_masks && ends_with(name, *not_masks)))
      stems_.add(name.substr(0, name.size() - suffix.size()), suffix);
  }
}

fs::path Masks::find(const std::string& name) {
  ++asked_;
  auto mask = suffix_ ? folder_ / (name + *suffix_) : stems_.find(name);
  if (suffix_ && !is_file(mask)) mask = with_suffix_in_any_case(name);
  if (mask.empty() && missing_++ < kShown) shown_ += (shown_.empty() ? "" : ", ") + name + suffix_.value_or(".*");
  return mask;
}

void Masks::demand_all(const fs::path& images, const char* advice) const {
  if (missing_ == 0) return;
  throw sectile::DataError(
      folder_.string(),
      "has no mask for " + std::to_string(missing_) + " of " + std::to_string(asked_) + " images in " +
          images.string() + ": " + shown_ +
          (missing_ > kShown ? " and " + std::to_string(missing_ - kShown) + " more" : "") + " not found" +
          (others_.empty() ? "" : "; of formats that cannot be read, there are " + counted_suffixes(others_)) +
          ". See \"" + advice + "\"");
}

fs::path Masks::with_suffix_in_any_case(const std::string& name) {
  if (!listed_)
    for (const auto& file : files_below(folder_))
      if (ends_with(file, *suffix_))
        stems_.add(file.substr(0, file.size() - suffix_->size()), file.substr(file.size() - suffix_->size()));
  listed_ = true;
  return stems_.find(name);
}

}  // namespace image_folder
