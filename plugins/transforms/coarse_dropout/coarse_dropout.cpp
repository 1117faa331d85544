// Rectangular holes at random places, as in albumentations' CoarseDropout: Cutout (DeVries and Taylor 2017,
// arXiv:1708.04552) and random erasing (Zhong et al. 2017, arXiv:1708.04896).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

constexpr int kMostSide = 1 << 20;  // as of the image files that are read

enum class FillMode { value, random, random_uniform };
using Range = std::array<double, 2>;
using Holes = std::vector<cv::Rect>;

struct CoarseDropoutOptions {
  std::array<int, 2> num_holes_range = {1, 2};
  Range hole_height_range = {0.1, 0.2};
  Range hole_width_range = {0.1, 0.2};
  FillMode fill_mode = FillMode::value;
  std::optional<std::vector<double>> fill;
  std::optional<std::string> label_fill;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options.add("num_holes_range", &num_holes_range, "[min, max] number of holes, which may overlap.")
        .at_least(1)
        .at_most(10000);
    options
        .add(
            "hole_height_range", &hole_height_range,
            "[min, max] height of a hole: both below 1 as fractions of the image's height, or both as whole numbers of "
            "pixels, of which a hole has at most the image's height.")
        .at_least(0)
        .at_most(kMostSide);
    options.add("hole_width_range", &hole_width_range, "[min, max] width of a hole: fractions or pixels likewise.")
        .at_least(0)
        .at_most(kMostSide);
    options
        .add("fill_mode", &fill_mode,
             "value: holes have the value of fill. random: each value in them is random. random_uniform: each hole has "
             "one random color.")
        .one_of({"value", "random", "random_uniform"});
    options
        .add("fill", &fill,
             "Pixel value of the holes: one number for all channels, or a list with one per channel. Default: 0.")
        .at_least(-1e9)
        .at_most(1e9)
        .also_single()
        .not_empty();
    options.add("label_fill", &label_fill,
                "Class of the holes in the labels; \"\": ignored. Then the holes are also cut out of the masks of "
                "objects, whose boxes follow; segments have no pixels there, and further targets 0, or ignored if they "
                "are class numbers. Default: all annotation stays, so that what is hidden has to be guessed.");
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (num_holes_range[0] > num_holes_range[1])
      problems.add("num_holes_range", "the minimum is greater than the maximum");
    check_lengths(problems, "hole_height_range", hole_height_range);
    check_lengths(problems, "hole_width_range", hole_width_range);
    if (fill && fill_mode != FillMode::value)
      problems.add("fill", "has no effect with this fill_mode: expected only with fill_mode value");
  }

 private:
  static void check_lengths(sectile::Problems& problems, const char* option, const Range& range) {
    if (range[0] > range[1]) problems.add(option, "the minimum is greater than the maximum");
    const auto whole = [](double length) { return length == std::floor(length); };
    if (range[1] >= 1 && !(whole(range[0]) && whole(range[1])))
      problems.add(option, "expected two fractions below 1, or two whole numbers of pixels");
  }
};

int draw_length(const Range& range, int length, sectile::Random& random) {
  if (range[1] < 1) return static_cast<int>(length * random.uniform(range[0], range[1]));
  const int least = static_cast<int>(std::min<double>(range[0], length)),
            most = static_cast<int>(std::min<double>(range[1], length));
  return least + static_cast<int>(random.below(most - least + 1));
}

// A view of a slice of a volume, or of the image.
cv::Mat slice(const cv::Mat& map, int z) {
  if (map.dims == 2) return map;
  return {map.size[1], map.size[2], map.type(), const_cast<uchar*>(map.ptr(z)), map.step[1]};
}
int slices(const cv::Mat& map) { return map.dims == 3 ? map.size[0] : 1; }

// A copy with the same value in all holes. values: one for all channels, or one per channel.
cv::Mat filled(const cv::Mat& map, const Holes& holes, const std::vector<double>& values) {
  if (map.empty()) return map;
  cv::Mat result = map.clone(), pixel(1, map.channels(), CV_64F), bytes;
  for (int c = 0; c < map.channels(); ++c)
    pixel.at<double>(0, c) = values[values.size() == 1 ? 0 : static_cast<std::size_t>(c)];
  pixel.convertTo(bytes, map.depth());
  const std::size_t size = map.elemSize();
  for (const cv::Rect& hole : holes) {
    std::vector<uchar> row;
    for (int x = 0; x < hole.width; ++x) row.insert(row.end(), bytes.data, bytes.data + size);
    for (int z = 0; z < slices(map); ++z) {
      cv::Mat pixels = slice(result, z)(hole);
      for (int y = 0; y < hole.height; ++y) std::memcpy(pixels.ptr(y), row.data(), row.size());
    }
  }
  return result;
}

template <class T>
T random_value(sectile::Random& random) {
  if constexpr (std::is_floating_point_v<T>)
    return static_cast<T>(random.uniform());
  else
    return static_cast<T>(random.bits() >> 48);
}

template <class T>
void fill_at_random(cv::Mat& image, const Holes& holes, bool uniform, sectile::Random numbers) {
  const int channels = image.channels();
  std::vector<T> color(static_cast<std::size_t>(channels));
  for (const cv::Rect& hole : holes) {
    for (T& value : color) value = random_value<T>(numbers);
    for (int z = 0; z < slices(image); ++z) {
      cv::Mat pixels = slice(image, z)(hole);
      for (int y = 0; y < hole.height; ++y) {
        T* value = pixels.ptr<T>(y);
        for (int i = 0; i < hole.width * channels; ++i)
          value[i] = uniform ? color[static_cast<std::size_t>(i % channels)] : random_value<T>(numbers);
      }
    }
  }
}

bool touch(const cv::Mat& bits, const Holes& holes) {
  for (int z = 0; z < slices(bits); ++z)
    for (const cv::Rect& hole : holes)
      if (cv::countNonZero(slice(bits, z)(hole)) > 0) return true;
  return false;
}

bool within(const cv::Rect2f& box, const cv::Rect& hole) {
  return box.x >= hole.x && box.y >= hole.y && box.x + box.width <= hole.x + hole.width &&
         box.y + box.height <= hole.y + hole.height;
}

class CoarseDropout final : public sectile::Transform {
 public:
  CoarseDropout(const CoarseDropoutOptions& options, const sectile::BuildContext& context) : options_(options) {
    if (options.label_fill && !options.label_fill->empty())
      label_fill_ = static_cast<std::int16_t>(context.class_number(*options.label_fill, "label_fill"));
  }

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    if (!sample.image.empty()) demand_fit(sample);
    const std::vector<double> labels = label_values(sample);
    if (!draw.random.chance(options_.probability)) return;
    const cv::Mat& any = sample.image.empty() ? sample.labels : sample.image;  // only the annotation may have been read
    if (any.empty()) return;
    const Holes holes = draw_holes(sectile::extent(any), draw.random);
    const sectile::Random numbers{draw.random.bits()};
    if (holes.empty()) return;
    if (!sample.image.empty()) fill_image(sample, holes, numbers);
    if (options_.label_fill) fill_annotation(sample, holes, labels);
  }

 private:
  std::vector<double> fill() const { return options_.fill.value_or(std::vector<double>{0}); }

  void demand_fit(const sectile::Sample& sample) const {
    if (options_.fill_mode != FillMode::value) {
      sectile::largest_value(sample, "coarse_dropout");  // there are random values of the types that have one
      return;
    }
    const auto values = fill().size();
    if (values != 1 && values != static_cast<std::size_t>(sample.image.channels()))
      throw sectile::DataError(sample.id, std::string("has ").append(std::to_string(sample.image.channels())) +
                                              " channels, and coarse_dropout's \"fill\" " + std::to_string(values) +
                                              " values: give one for all, or one for each");
  }

  // Those with any pixels.
  Holes draw_holes(const sectile::Extent& size, sectile::Random& random) const {
    const auto& [fewest, most] = options_.num_holes_range;
    Holes holes;
    const auto count = fewest + random.below(std::int64_t{most} - fewest + 1);
    for (std::int64_t i = 0; i < count; ++i) {
      cv::Rect hole;
      hole.height = draw_length(options_.hole_height_range, size.height, random);
      hole.width = draw_length(options_.hole_width_range, size.width, random);
      hole.y = static_cast<int>(random.below(size.height - hole.height + 1));
      hole.x = static_cast<int>(random.below(size.width - hole.width + 1));
      if (!hole.empty()) holes.push_back(hole);
    }
    return holes;
  }

  void fill_image(sectile::Sample& sample, const Holes& holes, const sectile::Random& numbers) const {
    if (options_.fill_mode == FillMode::value) {
      sample.image = filled(sample.image, holes, fill());
      return;
    }
    const bool uniform = options_.fill_mode == FillMode::random_uniform;
    sample.image = sample.image.clone();
    if (sample.image.depth() == CV_8U) fill_at_random<std::uint8_t>(sample.image, holes, uniform, numbers);
    if (sample.image.depth() == CV_16U) fill_at_random<std::uint16_t>(sample.image, holes, uniform, numbers);
    if (sample.image.depth() == CV_32F) fill_at_random<float>(sample.image, holes, uniform, numbers);
  }

  void fill_annotation(sectile::Sample& sample, const Holes& holes, const std::vector<double>& labels) const {
    sample.labels = filled(sample.labels, holes, labels);
    sample.segment_ids = filled(sample.segment_ids, holes, {0});
    for (auto& [name, target] : sample.targets)
      target = filled(target, holes, {target.depth() == CV_32F ? 0.0 : sectile::kIgnore});
    std::vector<sectile::Instance> kept;
    for (auto& instance : sample.instances)
      if (is_left(instance, holes)) kept.push_back(std::move(instance));
    sample.instances = std::move(kept);
  }

  // For labels per class, 1 in the class of the holes.
  std::vector<double> label_values(const sectile::Sample& sample) const {
    if (sample.labels.depth() != CV_32F || label_fill_ == sectile::kIgnore) return {static_cast<double>(label_fill_)};
    const int classes = sample.labels.channels();
    if (label_fill_ >= classes)
      throw sectile::DataError(sample.id, std::string("has labels of ").append(std::to_string(classes)) +
                                              " classes, and class " + std::to_string(label_fill_) +
                                              " to fill them with");
    std::vector<double> values(static_cast<std::size_t>(classes), 0.0);
    values[static_cast<std::size_t>(label_fill_)] = 1;
    return values;
  }

  // Cuts the holes out of an object. false: nothing is left of it. A box alone stays as it is, unless one hole hides
  // it.
  static bool is_left(sectile::Instance& instance, const Holes& holes) {
    if (instance.mask.empty())
      return std::none_of(holes.begin(), holes.end(), [&](const cv::Rect& hole) { return within(instance.box, hole); });
    const cv::Mat bits = instance.mask.bitmap();
    if (!touch(bits, holes)) return true;
    instance.mask = sectile::Mask(filled(bits, holes, {0}));
    instance.box = instance.mask.box();
    instance.area.reset();
    return !instance.box.empty();
  }

  CoarseDropoutOptions options_;
  std::int16_t label_fill_ = sectile::kIgnore;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<CoarseDropout, CoarseDropoutOptions>(
                            "coarse_dropout", "Cuts rectangular holes into the image at random places."))
