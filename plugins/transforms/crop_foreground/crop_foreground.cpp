// Crops to the bounding box of what is not background, by pixel values or by labels: MONAI's CropForeground.
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/data/class_selection.h>
#include <sectile/error.h>
#include <sectile/transforms/random_warp.h>

namespace {

using sectile::Extent;
using sectile::Sample;

enum class Source { image, labels };

struct CropForegroundOptions {
  Source source = Source::image;
  std::optional<double> threshold;
  std::vector<std::string> background;
  std::vector<int> margin = {0};
  bool allow_smaller = false;
  int k_divisible = 1;
  sectile::FillOptions outside{};

  void declare(sectile::Options& options) {
    options
        .add("source", &source,
             "What tells the foreground: image (pixel values, see threshold) or labels (see background). Samples "
             "without any foreground, or without labels, are not changed.")
        .one_of({"image", "labels"});
    options.add("threshold", &threshold,
                "Of the image: a pixel is foreground if the value of any of its channels is greater. Default: 0.");
    options.add("background", &background,
                "Of the labels: names of the classes that are not foreground; ignored pixels never are. Default: the "
                "first class, or none if classes overlap.");
    options
        .add("margin", &margin,
             "Added on each side of the bounding box, in pixels: one number for all axes, or [height, width], or "
             "[depth, height, width] for volumes.")
        .at_least(0)
        .at_most(1 << 20)
        .also_single()
        .not_empty();
    options.add("allow_smaller", &allow_smaller,
                "If true, the margin ends at the image's edge. If false, what is outside the image is padded.");
    options
        .add("k_divisible", &k_divisible,
             "Each side of the result becomes a multiple of this, by more margin on both sides, with padding.")
        .at_least(1)
        .at_most(1 << 20);
    outside.declare(options);
  }
  void check(sectile::Problems& problems) const {
    if (margin.size() > 3)
      problems.add("margin", "has " + std::to_string(margin.size()) +
                                 " values; expected one, [height, width] or [depth, height, width]");
    if (source == Source::labels && threshold)
      problems.add("threshold", "has no effect if \"source\" is \"labels\": remove it");
    if (source == Source::image && !background.empty())
      problems.add("background",
                   "has no effect if \"source\" is \"image\": remove it, or set \"source\" to \"labels\"");
  }
};

// Along depth, height and width; without the end.
struct Bounds {
  std::array<int, 3> begin{};
  std::array<int, 3> end{};
};

// is_foreground: of a pointer to the channels of one pixel.
template <class T, class F>
std::optional<Bounds> bounds(const cv::Mat& map, F is_foreground) {
  const Extent size = sectile::extent(map);
  const int channels = map.channels();
  std::optional<Bounds> found;
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y) {
      const T* row = map.dims == 3 ? map.ptr<T>(z, y) : map.ptr<T>(y);
      int first = 0, last = size.width - 1;
      while (first < size.width && !is_foreground(row + first * channels)) ++first;
      if (first == size.width) continue;
      while (!is_foreground(row + last * channels)) --last;
      if (!found) found = Bounds{{z, y, first}, {z + 1, y + 1, last + 1}};
      const std::array<int, 3> low{z, y, first}, high{z + 1, y + 1, last + 1};
      for (std::size_t axis = 0; axis < 3; ++axis) {
        found->begin[axis] = std::min(found->begin[axis], low[axis]);
        found->end[axis] = std::max(found->end[axis], high[axis]);
      }
    }
  return found;
}

template <class T>
std::optional<Bounds> bounds_above(const cv::Mat& image, double threshold) {
  const int channels = image.channels();
  return bounds<T>(image, [=](const T* pixel) {
    return std::any_of(pixel, pixel + channels, [=](T value) { return static_cast<double>(value) > threshold; });
  });
}

std::optional<Bounds> bounds_of_values(const Sample& sample, double threshold) {
  switch (sample.image.depth()) {
    case CV_8U:
      return bounds_above<std::uint8_t>(sample.image, threshold);
    case CV_16U:
      return bounds_above<std::uint16_t>(sample.image, threshold);
    case CV_16S:
      return bounds_above<std::int16_t>(sample.image, threshold);
    case CV_32F:
      return bounds_above<float>(sample.image, threshold);
    default:
      throw sectile::DataError(sample.id, "crop_foreground knows no image of " + cv::typeToString(sample.image.type()) +
                                              ": expected 8U, 16U, 16S or 32F");
  }
}

// counts: per class.
std::optional<Bounds> bounds_of_labels(const cv::Mat& labels, const std::vector<char>& counts) {
  const int classes = static_cast<int>(counts.size());
  if (labels.type() == CV_16SC1)
    return bounds<std::int16_t>(labels, [&](const std::int16_t* label) {
      return *label >= 0 && *label < classes && counts[static_cast<std::size_t>(*label)];
    });
  const int channels = std::min(labels.channels(), classes);
  return bounds<float>(labels, [&](const float* label) {
    for (int c = 0; c < channels; ++c)
      if (counts[static_cast<std::size_t>(c)] && label[c] > 0) return true;
    return false;
  });
}

class CropForeground final : public sectile::GeometricTransform {
 public:
  CropForeground(const CropForegroundOptions& options, const sectile::BuildContext& context)
      : options_(options), fill_(options.outside, context) {
    if (options.source == Source::image) return;
    counts_.assign(static_cast<std::size_t>(context.classes()), 1);
    for (const auto number : sectile::class_numbers(options.background, "background", context))
      counts_[static_cast<std::size_t>(number)] = 0;
    if (options.background.empty() && !context.labels->overlapping) counts_[0] = 0;
  }

  bool looks_at_pixels() const override { return true; }

 protected:
  sectile::Warp warp(const Sample& sample, sectile::Draw&) const override {
    const Extent from = sectile::extent(sample.image);
    const std::array<int, 3> sides{from.depth, from.height, from.width};
    const auto found = foreground(sample);
    if (!found) return sectile::Warp::crop(0, 0, 0, from);
    Bounds box = *found;
    const bool volume = sample.image.dims == 3;
    for (std::size_t axis = volume ? 0 : 1; axis < 3; ++axis) {
      int &begin = box.begin[axis], &end = box.end[axis];
      const int margin = margin_along(axis, sample);
      begin -= margin, end += margin;
      if (options_.allow_smaller) begin = std::max(begin, 0), end = std::min(end, sides[axis]);
      const int length = end - begin, k = options_.k_divisible, divisible = (length + k - 1) / k * k;
      begin -= (divisible - length) / 2;
      end = begin + divisible;
    }
    const Extent size{box.end[0] - box.begin[0], box.end[1] - box.begin[1], box.end[2] - box.begin[2]};
    sectile::Warp warp = sectile::Warp::crop(box.begin[2], box.begin[1], box.begin[0], size);
    fill_.set(warp);
    return warp;
  }

 private:
  std::optional<Bounds> foreground(const Sample& sample) const {
    if (options_.source == Source::image) return bounds_of_values(sample, options_.threshold.value_or(0));
    return sample.labels.empty() ? std::nullopt : bounds_of_labels(sample.labels, counts_);
  }

  // axis: 0 depth, 1 height, 2 width.
  int margin_along(std::size_t axis, const Sample& sample) const {
    const auto& margin = options_.margin;
    if (margin.size() == 1) return margin[0];
    const std::size_t axes = sample.image.dims == 3 ? 3 : 2;
    if (margin.size() != axes)
      throw sectile::DataError(sample.id, std::string(axes == 3 ? "is a volume" : "is an image")
                                              .append(", and crop_foreground's \"margin\" has ")
                                              .append(std::to_string(margin.size()))
                                              .append(" values: give one number, or ")
                                              .append(axes == 3 ? "[depth, height, width]" : "[height, width]"));
    return margin[axis + axes - 3];
  }

  CropForegroundOptions options_;
  sectile::FillValues fill_;
  std::vector<char> counts_;  // per class: whether it is foreground
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<CropForeground, CropForegroundOptions>(
                            "crop_foreground", "Crops to the bounding box of the foreground, with a margin."))
