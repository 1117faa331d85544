// File names with stars, which pair an image with its mask.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace image_folder {

// "train/*/*_photo": a * stands for any characters but /, and "**/" for any number of folders, also none. Stars match
// as little as possible, from the left.
class Pattern {
 public:
  explicit Pattern(std::string text) : text_(std::move(text)) {}

  static bool is_pattern(const std::string& text) { return text.find('*') != std::string::npos; }

  const std::string& text() const { return text_; }
  std::string problem() const;  // "": there is none
  std::string stars() const;    // "*" and "**/" in their order
  std::string folder() const;   // the folders before the first star, "" or "train/"

  // What the stars stand for in a name, or nothing.
  std::optional<std::vector<std::string>> match(const std::string& name) const;
  std::string filled(const std::vector<std::string>& texts) const;

 private:
  std::string text_;
};

}  // namespace image_folder
