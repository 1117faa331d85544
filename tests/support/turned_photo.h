// A photo whose EXIF orientation swaps its sides, for datasets.
#pragma once

#include <filesystem>
#include <memory>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/test.h"

namespace sectile::test {

inline void copy_turned_photo(const std::filesystem::path& to) {
  std::filesystem::create_directories(to.parent_path());
  std::filesystem::copy_file(SECTILE_SOURCE_DIR "/tests/ground/formats/orientation_6.jpg", to,
                             std::filesystem::copy_options::overwrite_existing);
}

// open(mask, more): a dataset of one sample, the turned photo at `photo`, with a mask of this size and these options.
template <class Open>
void check_orientation(const std::filesystem::path& photo, const Open& open) {
  copy_turned_photo(photo);
  const auto upright = read_size(photo), stored = read_size(photo, {.apply_exif_orientation = false});
  REQUIRE(upright == cv::Size(stored.height, stored.width));
  const nlohmann::json as_stored = {{"apply_exif_orientation", false}};
  for (const bool turned : {true, false}) {
    CAPTURE(turned);
    const auto its_size = turned ? upright : stored, other = turned ? stored : upright;
    const auto more = turned ? nlohmann::json::object() : as_stored;
    const auto data = open(its_size, more);
    const auto sample = data->read(0);
    CHECK(sample.image.size() == its_size);
    CHECK(cv::norm(sample.image, read_image(photo, {.apply_exif_orientation = turned}), cv::NORM_INF) == 0);
    CHECK(data->extent_of(0) == Extent{1, its_size.height, its_size.width});
    CHECK_THROWS_WITH_AS(open(other, more)->read(0),
                         doctest::Contains(turned ? "the image's EXIF orientation swaps its sides: set "
                                                    "\"apply_exif_orientation\" to false"
                                                  : "sides: set \"apply_exif_orientation\" to true"),
                         DataError);
  }
}

}  // namespace sectile::test
