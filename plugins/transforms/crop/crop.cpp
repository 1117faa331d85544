// Cuts a window that does not depend on chance: albumentations' CenterCrop and Crop in one, with padding where the
// window reaches outside (their pad_if_needed).
#include <optional>
#include <string>
#include <vector>

#include <sectile/error.h>
#include <sectile/transforms/random_warp.h>

namespace {

using sectile::Extent;

constexpr int kMostSide = 1 << 20;  // as of the image files that are read
constexpr int kUsualSize = 256;     // as of random_crop

enum class Position { center, top_left };

struct CropOptions {
  std::vector<int> size;
  std::optional<Position> position;
  std::vector<int> window;
  sectile::FillOptions outside{};

  void declare(sectile::Options& options) {
    options
        .add("size", &size,
             "Crop size: [height, width] in pixels, or [depth, height, width] for volumes; without depth, the whole "
             "depth. Default: [256, 256] if window is not set.")
        .at_least(1)
        .at_most(kMostSide);
    options
        .add("position", &position,
             "Place of the crop: center, or top_left (and the first slices of a volume). A smaller image is placed "
             "likewise in the crop. Default: center.")
        .one_of({"center", "top_left"});
    options
        .add("window", &window,
             "Instead of size and position: [x_min, y_min, x_max, y_max] in pixels, x to the right and y down, without "
             "the last column and row. It may reach outside the image. Default: none.")
        .at_least(-kMostSide)
        .at_most(kMostSide);
    outside.declare(options);
  }
  void check(sectile::Problems& problems) const {
    if (!size.empty() && size.size() != 2 && size.size() != 3)
      problems.add(
          "size", "has " + std::to_string(size.size()) + " values; expected [height, width] or [depth, height, width]");
    if (window.empty()) return;
    if (!size.empty()) problems.add("size", "has no effect with \"window\": remove one of the two");
    if (position) problems.add("position", "has no effect with \"window\": remove it");
    if (window.size() != 4)
      problems.add("window", "has " + std::to_string(window.size()) + " values; expected [x_min, y_min, x_max, y_max]");
    else if (window[0] >= window[2] || window[1] >= window[3])
      problems.add("window", "is empty; expected x_min < x_max and y_min < y_max");
  }
};

class Crop final : public sectile::GeometricTransform {
 public:
  Crop(const CropOptions& options, const sectile::BuildContext& context)
      : options_(options), fill_(options.outside, context) {
    if (options_.size.empty()) options_.size = {kUsualSize, kUsualSize};
  }

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw&) const override {
    sectile::Warp warp = options_.window.empty() ? at_position(sample) : of_window(sample);
    fill_.set(warp);
    return warp;
  }

 private:
  sectile::Warp of_window(const sectile::Sample& sample) const {
    const auto& window = options_.window;
    const Extent from = sectile::extent(sample.image);
    if (window[0] >= from.width || window[1] >= from.height || window[2] <= 0 || window[3] <= 0)
      throw sectile::DataError(sample.id, std::string("has ").append(std::to_string(from.width)) + " x " +
                                              std::to_string(from.height) +
                                              " pixels (width x height), and crop's \"window\" shows none of them: "
                                              "expected [x_min, y_min, x_max, y_max] that meets the image");
    return sectile::Warp::crop(window[0], window[1], 0, {from.depth, window[3] - window[1], window[2] - window[0]});
  }

  sectile::Warp at_position(const sectile::Sample& sample) const {
    const auto& given = options_.size;
    if (given.size() == 3 && sample.image.dims != 3)
      throw sectile::DataError(sample.id, "is an image, and crop's \"size\" has a depth: give [height, width]");
    const Extent from = sectile::extent(sample.image);
    const Extent size{given.size() == 3 ? given[0] : from.depth, given.end()[-2], given.end()[-1]};
    if (options_.position.value_or(Position::center) == Position::top_left) return sectile::Warp::crop(0, 0, 0, size);
    // Rounded towards 0, also where the image is smaller: the odd row or column is after the crop, or after the image.
    return sectile::Warp::crop((from.width - size.width) / 2, (from.height - size.height) / 2,
                               (from.depth - size.depth) / 2, size);
  }

  CropOptions options_;
  sectile::FillValues fill_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Crop, CropOptions>(
                            "crop", "Cuts a window of fixed size and place, padding where it reaches outside."))
