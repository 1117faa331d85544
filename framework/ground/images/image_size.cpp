#include <sectile/data/image_size.h>

#include <sectile/error.h>

namespace sectile {

namespace fs = std::filesystem;

void OrientationOption::declare(Options& options) {
  options.add("apply_exif_orientation", &apply_exif_orientation,
              "Turn images upright as the orientation in the file says. false: use them as stored, for masks that "
              "were drawn by a program that ignores it. Files that are predicted by name are always turned upright.");
}

std::string size_text(const cv::Size& size) { return std::to_string(size.width) + " x " + std::to_string(size.height); }

void demand_same_size(const fs::path& file, const cv::Size& found, const fs::path& other, const cv::Size& wanted) {
  if (found == wanted) return;
  throw DataError(file.string(), "is " + size_text(found) + " pixels, and " + other.string() + " is " +
                                     size_text(wanted) + " (width x height)");
}

void demand_size_of_image(const fs::path& mask, const cv::Size& found, const fs::path& image, const cv::Size& wanted,
                          const ReadOptions& reading) {
  if (found == wanted) return;
  throw DataError(mask.string(), "is " + size_text(found) + " pixels, and its image " + image.string() + " is " +
                                     size_text(wanted) + " (width x height)" +
                                     orientation_advice(image, reading, found));
}

std::string orientation_advice(const fs::path& image, const ReadOptions& reading, const cv::Size& wanted) {
  auto otherwise = reading;
  otherwise.apply_exif_orientation = !reading.apply_exif_orientation;
  if (read_size(image, otherwise) != wanted) return {};
  return std::string("; the image's EXIF orientation swaps its sides: set \"apply_exif_orientation\" to ") +
         (otherwise.apply_exif_orientation ? "true" : "false");
}

}  // namespace sectile
