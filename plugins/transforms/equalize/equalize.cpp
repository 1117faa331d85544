// Histogram equalization at random, as albumentations' Equalize (2.0.8), which calls OpenCV's equalizeHist. Mode "pil"
// is Pillow's ImageOps.equalize, which counts the pixels below a level; albumentations' version of it counts the
// level's too.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

enum class Mode { cv, pil };

struct EqualizeOptions {
  Mode mode = Mode::cv;
  bool by_channels = true;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("mode", &mode,
             "Whose rounding: cv is OpenCV's equalizeHist, and pil Pillow's ImageOps.equalize, which is for 8-bit "
             "images.")
        .one_of({"cv", "pil"});
    options.add("by_channels", &by_channels,
                "If false, only the brightness Y (of YCrCb) of RGB images is equalized, so that colors keep their hue. "
                "Images of one channel are equalized in either case.");
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
};

// counts: of the pixels of each level. The results: the new level of each.
using Counts = std::vector<std::int64_t>;
using Table = std::vector<std::uint16_t>;

Table unchanged(const Counts& counts) {
  Table table(counts.size());
  std::iota(table.begin(), table.end(), std::uint16_t{0});
  return table;
}

// In float, as OpenCV computes it. The lowest level of the image becomes 0.
Table as_opencv(const Counts& counts) {
  const auto first = std::find_if(counts.begin(), counts.end(), [](std::int64_t count) { return count > 0; });
  const std::int64_t others = std::accumulate(first, counts.end(), std::int64_t{0}) - *first;
  if (others == 0) return unchanged(counts);
  const auto top = static_cast<float>(counts.size() - 1);
  const float scale = top / static_cast<float>(others);
  Table table(counts.size(), 0);
  std::int64_t sum = 0;
  for (auto level = static_cast<std::size_t>(first - counts.begin()) + 1; level < counts.size(); ++level) {
    sum += counts[level];
    table[level] =
        static_cast<std::uint16_t>(std::min(cvRound(static_cast<float>(sum) * scale), static_cast<int>(top)));
  }
  return table;
}

Table as_pillow(const Counts& counts) {
  const auto last = std::find_if(counts.rbegin(), counts.rend(), [](std::int64_t count) { return count > 0; });
  const auto top = static_cast<std::int64_t>(counts.size()) - 1;
  const std::int64_t step = (std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) - *last) / top;
  if (step == 0) return unchanged(counts);
  Table table;
  std::int64_t sum = step / 2;
  for (const auto count : counts) {
    table.push_back(static_cast<std::uint16_t>(std::min(sum / step, top)));
    sum += count;
  }
  return table;
}

// Each channel by itself; a volume as a whole. T: 8 or 16 bits.
template <class T>
cv::Mat equalized(const cv::Mat& image, Mode mode) {
  const cv::Mat whole = image.isContinuous() ? image : image.clone();
  cv::Mat result(image.dims, image.size.p, image.type());
  const auto channels = static_cast<std::size_t>(image.channels()), values = image.total() * channels;
  const T* from = whole.ptr<T>();
  T* to = result.ptr<T>();
  for (std::size_t channel = 0; channel < channels; ++channel) {
    Counts counts(std::size_t{std::numeric_limits<T>::max()} + 1, 0);
    for (std::size_t i = channel; i < values; i += channels) ++counts[from[i]];
    const Table table = mode == Mode::cv ? as_opencv(counts) : as_pillow(counts);
    for (std::size_t i = channel; i < values; i += channels) to[i] = static_cast<T>(table[from[i]]);
  }
  return result;
}

// Float images are counted in 65536 levels from 0 to 1, to which they are clipped, and keep these levels.
cv::Mat equalized(const cv::Mat& image, Mode mode, double white) {
  if (image.depth() == CV_8U) return equalized<std::uint8_t>(image, mode);
  if (image.depth() == CV_16U) return equalized<std::uint16_t>(image, mode);
  constexpr double kTop = std::numeric_limits<std::uint16_t>::max();
  cv::Mat levels, result;
  image.convertTo(levels, CV_16U, kTop / white);
  equalized<std::uint16_t>(levels, mode).convertTo(result, CV_32F, white / kTop);
  return result;
}

cv::Mat brightness_equalized(const cv::Mat& image, Mode mode, double white) {  // image: RGB, no volume
  cv::Mat colors, brightness, result;
  cv::cvtColor(image, colors, cv::COLOR_RGB2YCrCb);
  cv::extractChannel(colors, brightness, 0);
  cv::insertChannel(equalized(brightness, mode, white), colors, 0);
  cv::cvtColor(colors, result, cv::COLOR_YCrCb2RGB);
  return result;
}

class Equalize final : public sectile::Transform {
 public:
  explicit Equalize(const EqualizeOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    const double white = sectile::largest_value(sample, "equalize");
    if (options_.mode == Mode::pil && sample.image.depth() != CV_8U)
      throw sectile::DataError(sample.id, "is " + cv::typeToString(sample.image.type()) +
                                              "; equalize's mode \"pil\" expected 8 bits: set \"mode\" to \"cv\"");
    const bool by_channels = options_.by_channels || sample.image.channels() == 1;
    if (!by_channels) sectile::demand_rgb(sample, "equalize with \"by_channels\": false");
    if (!draw.random.chance(options_.probability)) return;
    if (by_channels) {
      sample.image = equalized(sample.image, options_.mode, white);
      return;
    }
    const cv::Mat result = brightness_equalized(sectile::as_plane(sample.image), options_.mode, white);
    sample.image = sample.image.dims == 2 ? result : result.reshape(0, sample.image.dims, sample.image.size.p);
  }

 private:
  EqualizeOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Equalize, EqualizeOptions>(
                            "equalize", "Spreads the values of images evenly, by their histogram, at random."))
