// Crops a window of fixed size at a random position, so that images of any size can be batched. With class_probability,
// some windows lie around a pixel of a class, as nnU-Net oversamples foreground (Isensee et al. 2021, "nnU-Net: a
// self-configuring method for deep learning-based biomedical image segmentation").
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <sectile/data/class_selection.h>
#include <sectile/error.h>
#include <sectile/transform.h>

#include "class_counts.h"
#include "class_pixel.h"

namespace {

using random_crop::Position;

constexpr int kTries = 10;  // as in mmsegmentation, whose RandomCrop has the rule of cat_max_ratio

struct RandomCropOptions {
  std::vector<int> size = {256, 256};
  std::vector<double> fill = {0};
  std::string label_fill;
  double category_max_ratio = 1;
  double class_probability = 0;
  std::vector<std::string> classes;

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
        .at_least(-1e9)
        .at_most(1e9)
        .also_single()
        .not_empty();
    options.add("label_fill", &label_fill, "Class of the padding. Default: ignored.");
    options
        .add("category_max_ratio", &category_max_ratio,
             "Maximum fraction of the labelled pixels that one class may cover. Otherwise another crop is drawn, up to "
             "ten times. Of soft labels, a pixel has the class with its largest share. Without labels (objects alone), "
             "nothing is looked at. 1: no limit.")
        .at_least(0)
        .at_most(1);
    options
        .add("class_probability", &class_probability,
             "Probability that the crop's center is a pixel of a class, or as near to it as the image allows: a class "
             "that the image has is drawn, all with the same probability, and then a pixel of it; without labels, an "
             "object and then its pixel. nnU-Net has 0.33. An image with none of the classes is cropped anywhere. 0: "
             "never.")
        .at_least(0)
        .at_most(1);
    options.add("classes", &classes,
                "Names of the classes that class_probability draws, such as all but a background. Empty: all.");
  }
  void check(sectile::Problems& problems) const {
    if (size.size() != 2 && size.size() != 3)
      problems.add("size", "has " + std::to_string(size.size()) +
                               " values; expected [height, width] or [depth, "
                               "height, width]");
    if (!classes.empty() && class_probability == 0)
      problems.add("classes", "are only used with class_probability: set it above 0, or remove them");
  }
};

class RandomCrop final : public sectile::GeometricTransform {
 public:
  RandomCrop(const RandomCropOptions& options, const sectile::BuildContext& context)
      : options_(options),
        class_pixel_(sectile::class_numbers(options.classes, "classes", context)),
        overlapping_(context.labels && context.labels->overlapping) {
    if (!options.label_fill.empty())
      label_fill_ = static_cast<std::int16_t>(context.class_number(options.label_fill, "label_fill"));
  }

  bool looks_at_pixels() const override { return options_.category_max_ratio < 1 || options_.class_probability > 0; }

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const sectile::Extent from = sectile::extent(sample.image);
    if (options_.size.size() == 3 && sample.image.dims != 3)
      throw sectile::DataError(sample.id, "is an image, and random_crop's \"size\" has a depth: give [height, width]");
    sectile::Extent size{from.depth, options_.size.end()[-2], options_.size.end()[-1]};
    if (options_.size.size() == 3) size.depth = options_.size[0];
    const bool of_class = options_.class_probability > 0 && draw.random.chance(options_.class_probability);
    for (int tries = 1;; ++tries) {
      std::optional<Position> center;
      if (of_class) center = class_pixel_.draw(sample, draw.random);
      const auto along = [&](std::size_t axis, int length, int window) {
        return center ? around((*center)[axis], length, window, draw) : place(length, window, draw);
      };
      const int z = along(0, from.depth, size.depth), y = along(1, from.height, size.height),
                x = along(2, from.width, size.width);
      if (tries < kTries && options_.category_max_ratio < 1 && one_sided(sample.labels, {z, y, x}, size)) continue;
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

  // The start of the window around this pixel, moved into the image.
  static int around(int center, int length, int window, sectile::Draw& draw) {
    return window >= length ? place(length, window, draw) : std::clamp(center - window / 2, 0, length - window);
  }

  // Whether a class has too large a share of the labelled pixels of the window. from: its start, which may lie outside.
  bool one_sided(const cv::Mat& labels, Position from, const sectile::Extent& size) const {
    if (labels.empty()) return false;
    const Position to{from[0] + size.depth, from[1] + size.height, from[2] + size.width};
    const auto counts = labels.depth() == CV_32F ? random_crop::count_per_class(labels, from, to, overlapping_)
                                                 : random_crop::count_numbers(labels, from, to);
    const auto most = counts.classes.empty() ? 0 : *std::max_element(counts.classes.begin(), counts.classes.end());
    return static_cast<double>(most) >= options_.category_max_ratio * static_cast<double>(counts.labelled);
  }

  RandomCropOptions options_;
  random_crop::ClassPixel class_pixel_;
  bool overlapping_;
  std::int16_t label_fill_ = sectile::kIgnore;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<RandomCrop, RandomCropOptions>(
                            "random_crop", "Cuts a window of fixed size at a random place, padding what is smaller."))
