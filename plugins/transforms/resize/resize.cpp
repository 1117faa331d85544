// Resizes images to a size that does not depend on chance: the preprocessing of published networks.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>

#include "pillow.h"

namespace {

constexpr int kUsualDivisor = 32;   // of encoders with five downsampling steps
constexpr int kMostSide = 1 << 20;  // as of the image files that are read
constexpr double kMostPixels = 1 << 29;

enum class Rounding { floor, nearest, ceil };
enum class Filter { nearest, bilinear, bicubic, lanczos, area };
enum class Backend { pillow, cv2 };

struct ResizeOptions {
  std::vector<int> size;
  std::optional<int> shortest_edge;
  std::optional<int> longest_edge;
  std::optional<int> divisor;
  Rounding rounding = Rounding::floor;
  Filter interpolation = Filter::bilinear;
  Backend backend = Backend::pillow;

  void declare(sectile::Options& options) {
    options
        .add("size", &size,
             "Exact size: [height, width] in pixels, whatever the aspect ratio of the image. Default: none.")
        .at_least(1)
        .at_most(kMostSide);
    options
        .add("shortest_edge", &shortest_edge,
             "Length of the shorter side, in pixels; the aspect ratio is kept. Smaller images grow. Default: none.")
        .at_least(1)
        .at_most(kMostSide);
    options
        .add("longest_edge", &longest_edge,
             "Length of the longer side, in pixels; the aspect ratio is kept. With shortest_edge, its maximum, for "
             "which the shorter side may become less than shortest_edge. Default: none.")
        .at_least(1)
        .at_most(kMostSide);
    options
        .add("divisor", &divisor,
             "Height and width become multiples of this, at least one. Default: 32 if none of the options above is "
             "set, else 1.")
        .at_least(1)
        .at_most(kMostSide);
    options
        .add("rounding", &rounding,
             "How height and width are rounded to whole pixels, or to multiples of divisor: floor, as in torchvision "
             "and transformers; nearest (halves up), as in detectron2, mmcv and SAM; or ceil, as in mmsegmentation's "
             "ResizeToMultiple. With a divisor, nearest and ceil may exceed longest_edge. No effect with size. The "
             "scale is exact: where both edges are set, torchvision and transformers lose a pixel for some sizes.")
        .one_of({"floor", "nearest", "ceil"});
    options
        .add("interpolation", &interpolation,
             "Interpolation of the image: nearest, bilinear, bicubic, lanczos, or (cv2 only) area: the mean over the "
             "area that a pixel covers. Labels, masks and segment ids always take the pixel that the center of the new "
             "pixel lies in, as Pillow's NEAREST does. Masks resized by cv2's INTER_NEAREST are shifted against the "
             "image, by up to half a pixel.")
        .one_of({"nearest", "bilinear", "bicubic", "lanczos", "area"});
    options
        .add("backend", &backend,
             "Whose pixels. pillow, as in torchvision and transformers, averages where the image shrinks (antialias): "
             "8-bit pixels are equal to those of Pillow up to 12.2, and within 2 of torchvision's antialias=True. cv2, "
             "as in mmsegmentation and albumentations, does not, except for area: pixels are equal to those of "
             "cv2.resize without Intel's IPP, with which some differ by 1.")
        .one_of({"pillow", "cv2"});
  }
  void check(sectile::Problems& problems) const {
    if (!size.empty() && size.size() != 2)
      problems.add("size", "has " + std::to_string(size.size()) + " values; expected [height, width]");
    for (const auto& [name, other] :
         {std::pair("shortest_edge", shortest_edge), {"longest_edge", longest_edge}, {"divisor", divisor}})
      if (!size.empty() && other)
        problems.add(name, "has no effect with \"size\", which is exact: remove one of the two");
    if (shortest_edge && longest_edge && *shortest_edge >= *longest_edge)
      problems.add("shortest_edge",
                   "is not less than \"longest_edge\", which then sets the size alone: remove it, or "
                   "make it smaller");
    if (interpolation == Filter::area && backend != Backend::cv2)
      problems.add("interpolation",
                   "\"area\" is an interpolation of OpenCV: set \"backend\" to \"cv2\", or use "
                   "\"bilinear\", which averages too where the image shrinks");
  }
};

cv::Mat resized_by_opencv(const cv::Mat& image, cv::Size size, Filter filter) {
  const int flags[] = {cv::INTER_NEAREST, cv::INTER_LINEAR, cv::INTER_CUBIC, cv::INTER_LANCZOS4, cv::INTER_AREA};
  const int flag = flags[static_cast<int>(filter)];
  cv::Mat resized;
  if (image.channels() <= 4) {  // the limit of INTER_AREA
    cv::resize(image, resized, size, 0, 0, flag);
    return resized;
  }
  std::vector<cv::Mat> channels, resized_channels;
  cv::split(image, channels);
  for (const auto& channel : channels) {
    cv::resize(channel, resized, size, 0, 0, flag);
    resized_channels.push_back(resized.clone());
  }
  cv::merge(resized_channels, resized);
  return resized;
}

cv::Mat resized_by_pillow(const cv::Mat& image, cv::Size size, Filter filter) {
  using resize::PillowFilter;
  const PillowFilter filters[] = {PillowFilter::nearest, PillowFilter::bilinear, PillowFilter::bicubic,
                                  PillowFilter::lanczos};
  return resize::resized_as_pillow(image, size, filters[static_cast<int>(filter)]);
}

class Resize final : public sectile::Transform {
 public:
  explicit Resize(const ResizeOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw&) const override {
    sectile::demand_image(sample);
    if (sample.image.dims == 3)
      throw sectile::DataError(sample.id,
                               "is a volume, and resize takes images: for volumes, use random_scale with "
                               "equal minimum and maximum, such as [0.5, 0.5]");
    const cv::Mat image = sample.image;
    const sectile::Extent from = sectile::extent(image), to = resized(from, sample.id);
    sectile::apply(sectile::Warp::resize(from, from), sample);  // does not warp, but checks the annotation
    if (to == from) return;
    sample.image.release();  // has filters of its own
    sectile::apply(sectile::Warp::resize(from, to), sample);
    const cv::Size size(to.width, to.height);
    sample.image = options_.backend == Backend::cv2 ? resized_by_opencv(image, size, options_.interpolation)
                                                    : resized_by_pillow(image, size, options_.interpolation);
  }

 private:
  sectile::Extent resized(const sectile::Extent& from, const std::string& id) const {
    if (!options_.size.empty()) return checked(options_.size[0], options_.size[1], id);
    // The scale is a fraction: in floating point, 14 * (61 / 14) is less than 61.
    const std::int64_t shorter = std::min(from.height, from.width), longer = std::max(from.height, from.width);
    std::int64_t numerator = options_.shortest_edge.value_or(1), denominator = options_.shortest_edge ? shorter : 1;
    const auto most = options_.longest_edge;
    if (most && (!options_.shortest_edge || numerator * longer > *most * denominator))
      numerator = *most, denominator = longer;
    return checked(rounded(from.height * numerator, denominator), rounded(from.width * numerator, denominator), id);
  }

  std::int64_t rounded(std::int64_t numerator, std::int64_t denominator) const {
    const bool scaled = options_.shortest_edge || options_.longest_edge;
    const std::int64_t divisor = options_.divisor.value_or(scaled ? 1 : kUsualDivisor);
    const std::int64_t unit = denominator * divisor;
    const std::int64_t multiples = options_.rounding == Rounding::floor     ? numerator / unit
                                   : options_.rounding == Rounding::nearest ? (2 * numerator + unit) / (2 * unit)
                                                                            : (numerator + unit - 1) / unit;
    return std::max<std::int64_t>(1, multiples) * divisor;
  }

  static sectile::Extent checked(std::int64_t height, std::int64_t width, const std::string& id) {
    if (static_cast<double>(height) * static_cast<double>(width) > kMostPixels)
      throw sectile::DataError(id, "would become " + std::to_string(height) + " x " + std::to_string(width) +
                                       " pixels, and up to " + std::to_string(static_cast<int>(kMostPixels)) +
                                       " are supported: resize it to less, or limit it by \"longest_edge\"");
    return {1, static_cast<int>(height), static_cast<int>(width)};
  }

  ResizeOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Resize, ResizeOptions>(
                            "resize",
                            "Resizes to a fixed size, side length or multiple, with the pixels of Pillow or "
                            "OpenCV: the preprocessing of published networks."))
