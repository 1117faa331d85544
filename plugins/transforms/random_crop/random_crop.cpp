// Crops a window of fixed size at a random position, so that images of any size can be batched.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <sectile/error.h>
#include <sectile/transform.h>

namespace {

constexpr int kTries = 10;  // as in mmsegmentation, whose RandomCrop has the rule of cat_max_ratio

struct RandomCropOptions {
  std::vector<int> size = {256, 256};
  std::vector<double> fill = {0};
  std::string label_fill;
  double category_max_ratio = 1;

  void declare(sectile::Options& options) {
    options
        .add("size", &size,
             "Crop size: [height, width] in pixels, or [depth, height, width] for volumes; without depth, the whole "
             "depth.")
        .at_least(1);
    options
        .add("fill", &fill,
             "Pixel value of the padding around images smaller than the crop, which are placed at random: one number "
             "for all channels, or a list with one per channel.")
        .also_single()
        .not_empty();
    options.add("label_fill", &label_fill, "Class of the padding. Default: ignored.");
    options
        .add("category_max_ratio", &category_max_ratio,
             "Maximum fraction of the labelled pixels that one class may cover. Otherwise another crop is drawn, up to "
             "ten times. 1: no limit.")
        .at_least(0)
        .at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (size.size() != 2 && size.size() != 3)
      problems.add("size", "has " + std::to_string(size.size()) +
                               " values; expected [height, width] or [depth, "
                               "height, width]");
  }
};

class RandomCrop final : public sectile::GeometricTransform {
 public:
  RandomCrop(const RandomCropOptions& options, const sectile::BuildContext& context) : options_(options) {
    if (!options.label_fill.empty())
      label_fill_ = static_cast<std::int16_t>(context.class_number(options.label_fill, "label_fill"));
  }

  bool looks_at_pixels() const override { return options_.category_max_ratio < 1; }

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const sectile::Extent from = sectile::extent(sample.image);
    if (options_.size.size() == 3 && sample.image.dims != 3)
      throw sectile::DataError(sample.id, "is an image, and random_crop's \"size\" has a depth: give [height, width]");
    sectile::Extent size{from.depth, options_.size.end()[-2], options_.size.end()[-1]};
    if (options_.size.size() == 3) size.depth = options_.size[0];
    for (int tries = 1;; ++tries) {
      const int z = place(from.depth, size.depth, draw), y = place(from.height, size.height, draw),
                x = place(from.width, size.width, draw);
      if (tries < kTries && options_.category_max_ratio < 1 && one_sided(sample, {x, y, size.width, size.height}))
        continue;
      sectile::Warp warp = sectile::Warp::crop(x, y, z, size);
      warp.image_fill = options_.fill;
      warp.label_fill = label_fill_;
      return warp;
    }
  }

 private:
  // The start of the window: inside the image, or, if the window is larger, so that the image is inside the window.
  static int place(int length, int window, sectile::Draw& draw) {
    const int lowest = std::min(0, length - window), highest = std::max(0, length - window);
    return lowest == highest ? lowest : lowest + static_cast<int>(draw.random.below(highest - lowest + 1));
  }

  bool one_sided(const sectile::Sample& sample, cv::Rect window) const {
    if (sample.labels.dims != 2 || sample.labels.type() != CV_16SC1) return false;
    window &= cv::Rect(0, 0, sample.labels.cols, sample.labels.rows);
    std::map<int, int> counts;
    for (int y = window.y; y < window.y + window.height; ++y)
      for (int x = window.x; x < window.x + window.width; ++x) ++counts[sample.labels.at<std::int16_t>(y, x)];
    counts.erase(sectile::kIgnore);
    int all = 0, most = 0;
    for (const auto& [category, count] : counts) all += count, most = std::max(most, count);
    return most >= options_.category_max_ratio * all;
  }

  RandomCropOptions options_;
  std::int16_t label_fill_ = sectile::kIgnore;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<RandomCrop, RandomCropOptions>(
                            "random_crop", "Cuts a window of fixed size at a random place, padding what is smaller."))
