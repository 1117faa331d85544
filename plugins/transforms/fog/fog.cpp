// Fog of many semi-transparent white discs, most of them near the middle of the image, and a slight blur, as in
// albumentations' RandomFog. There, each disc is mixed with the whole image; here, discs are counted, and each pixel is
// mixed with white that often, with the same result.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

// All as in albumentations.
constexpr int kRegions = 10;                      // each smaller than the one before, around the middle
constexpr double kShrink = 0.1;                   // of a region against the one before
constexpr double kDiscs = 10;                     // per area of the smallest region, in the densest fog
constexpr double kRadius = 0.1;                   // the largest, in the densest fog, as a fraction of the shorter side
constexpr int kSidePerBlur = 30, kLeastBlur = 3;  // width of the blur's kernel, of the shorter side
constexpr int kEdge = cv::BORDER_REFLECT_101 | cv::BORDER_ISOLATED;

constexpr int kByteValues = 256;

struct FogOptions {
  std::array<double, 2> fog_coef_range = {0.3, 1};
  double alpha_coef = 0.08;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("fog_coef_range", &fog_coef_range,
             "[min, max] density, from 0 to 1: denser fog consists of larger, more opaque discs.")
        .at_least(0)
        .at_most(1);
    options
        .add("alpha_coef", &alpha_coef,
             "How opaque a disc is in the densest fog, from 0 to 1; hundreds of discs lie over each other.")
        .at_least(0)
        .at_most(1);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (fog_coef_range[0] > fog_coef_range[1])
      problems.add("fog_coef_range", "the minimum is greater than the maximum");
  }
};

// By how many discs each pixel is covered.
class DiscCounts {
 public:
  explicit DiscCounts(const cv::Size& size) : counts_(size, CV_16U, cv::Scalar(0)) {}

  void add(const cv::Point& center, int radius) {
    cv::Mat& disc = discs_[radius];
    if (disc.empty()) {
      disc = cv::Mat(2 * radius + 1, 2 * radius + 1, CV_16U, cv::Scalar(0));
      cv::circle(disc, cv::Point(radius, radius), radius, cv::Scalar(1), cv::FILLED);
    }
    const cv::Point corner = center - cv::Point(radius, radius);
    const cv::Rect covered = cv::Rect(corner, disc.size()) & cv::Rect(cv::Point(), counts_.size());
    if (covered.empty()) return;
    cv::Mat there = counts_(covered);
    cv::add(there, disc(covered - corner), there);
  }
  const cv::Mat& counts() const { return counts_; }

 private:
  cv::Mat counts_;
  std::map<int, cv::Mat> discs_;  // by radius: few differ
};

cv::Mat draw_discs(const cv::Size& size, double density, sectile::Random& random) {
  DiscCounts discs(size);
  const int region = std::max(1, static_cast<int>(size.width / 3 * density));
  const int radius = std::max(2, static_cast<int>(std::min(size.height, size.width) * kRadius * density));
  const int least_radius = std::max(1, radius / 2);
  const cv::Point middle((size.width - 1) / 2, (size.height - 1) / 2);
  const auto near = [&](int center, int length) {
    return center - length / 2 + static_cast<int>(random.below(2 * (length / 2) + 1));
  };
  int width = size.width, height = size.height;
  for (int i = 0; i < kRegions && width > region && height > region; ++i) {
    const double areas = static_cast<double>(width) * height / (static_cast<double>(region) * region);
    for (int count = static_cast<int>(areas * density * kDiscs); count > 0; --count) {
      const int x = near(middle.x, width), y = near(middle.y, height);
      discs.add({x, y}, least_radius + static_cast<int>(random.below(radius - least_radius)));
    }
    width = static_cast<int>(width * (1 - kShrink));
    height = static_cast<int>(height * (1 - kShrink));
  }
  return discs.counts();
}

// With the rounding of each step, which ends before white where a step is less than half a level.
void mix_bytes(const cv::Mat& counts, float alpha, cv::Mat& image) {
  using Table = std::array<std::uint8_t, kByteValues>;
  Table step{};
  std::vector<Table> steps(1);
  for (int value = 0; value < kByteValues; ++value) {
    steps[0][static_cast<std::size_t>(value)] = static_cast<std::uint8_t>(value);
    step[static_cast<std::size_t>(value)] =
        cv::saturate_cast<std::uint8_t>(255 * alpha + static_cast<float>(value) * (1 - alpha));
  }
  double most = 0;
  cv::minMaxLoc(counts, nullptr, &most);
  while (steps.size() <= most && steps.size() < kByteValues) {  // a step adds at least a level, or nothing any more
    Table next;
    for (std::size_t value = 0; value < kByteValues; ++value) next[value] = step[steps.back()[value]];
    steps.push_back(next);
  }
  const int channels = image.channels();
  for (int y = 0; y < image.rows; ++y) {
    const auto* count = counts.ptr<std::uint16_t>(y);
    std::uint8_t* value = image.ptr<std::uint8_t>(y);
    for (int x = 0; x < image.cols; ++x, value += channels) {
      const Table& table = steps[std::min<std::size_t>(count[x], steps.size() - 1)];
      for (int c = 0; c < channels; ++c) value[c] = table[value[c]];
    }
  }
}

template <class T>
void mix(const cv::Mat& counts, float alpha, float white, cv::Mat& image) {
  double most = 0;
  cv::minMaxLoc(counts, nullptr, &most);
  std::vector<float> remains{1};  // of the image, by count
  while (static_cast<double>(remains.size()) <= most) remains.push_back(remains.back() * (1 - alpha));
  const int channels = image.channels();
  for (int y = 0; y < image.rows; ++y) {
    const auto* count = counts.ptr<std::uint16_t>(y);
    T* value = image.ptr<T>(y);
    for (int x = 0; x < image.cols; ++x, value += channels)
      for (int c = 0; c < channels; ++c)
        value[c] = cv::saturate_cast<T>(white + (static_cast<float>(value[c]) - white) * remains[count[x]]);
  }
}

class Fog final : public sectile::Transform {
 public:
  explicit Fog(const FogOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    if (sample.image.dims != 2)
      throw sectile::DataError(sample.id, "is a volume, and fog is for images: expected height x width; remove it");
    const auto white = static_cast<float>(sectile::largest_value(sample, "fog"));
    if (!draw.random.chance(options_.probability)) return;
    const double density = draw.random.uniform(options_.fog_coef_range[0], options_.fog_coef_range[1]);
    const cv::Mat counts = draw_discs(sample.image.size(), density, draw.random);
    const auto alpha = static_cast<float>(options_.alpha_coef * density);
    cv::Mat foggy = sample.image.clone();
    if (foggy.depth() == CV_8U) mix_bytes(counts, alpha, foggy);
    if (foggy.depth() == CV_16U) mix<std::uint16_t>(counts, alpha, white, foggy);
    if (foggy.depth() == CV_32F) mix<float>(counts, alpha, white, foggy);
    const int blur = std::max(kLeastBlur, std::min(foggy.rows, foggy.cols) / kSidePerBlur) | 1;
    sample.image = sectile::in_groups(
        foggy, [&](const cv::Mat& from, cv::Mat to) { cv::GaussianBlur(from, to, cv::Size(blur, blur), 0, 0, kEdge); });
  }

 private:
  FogOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Fog, FogOptions>("fog", "Lays fog of random density over the image."))
