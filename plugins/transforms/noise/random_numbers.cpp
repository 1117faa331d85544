#include "random_numbers.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <opencv2/imgproc.hpp>

namespace noise {
namespace {

constexpr std::size_t kPerHash = 4;
constexpr double kRootOfTwoPi = 2.50662827463100050242;

// The counter-based generator of Steele et al. 2014 ("Fast splittable pseudorandom number generators"), SplitMix64.
std::uint64_t hash(std::uint64_t key, std::uint64_t counter) {
  std::uint64_t x = key + counter * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// The inverse of the normal distribution, which C++ lacks, by Newton's method from each quantile to the next: from
// below it converges, as the distribution is concave above 0.
std::vector<float> make_normal_quantiles() {
  constexpr int kHalf = kLevels / 2, kSteps = 5;
  std::vector<double> upper(kHalf);
  double x = 0, squares = 0;
  for (int i = 0; i < kHalf; ++i) {
    const double above = (kHalf - i - 0.5) / kLevels;
    for (int step = 0; step < kSteps; ++step)
      x += (0.5 * std::erfc(x / std::sqrt(2.0)) - above) * kRootOfTwoPi * std::exp(x * x / 2);
    upper[static_cast<std::size_t>(i)] = x;
    squares += x * x;
  }
  const double scale = std::sqrt(kHalf / squares);
  std::vector<float> quantiles(kLevels);
  for (int i = 0; i < kHalf; ++i) {
    const auto value = static_cast<float>(upper[static_cast<std::size_t>(i)] * scale);
    quantiles[static_cast<std::size_t>(kHalf + i)] = value;
    quantiles[static_cast<std::size_t>(kHalf - 1 - i)] = -value;
  }
  return quantiles;
}

}  // namespace

const std::uint16_t* Levels::next(int count) {
  const auto size = (static_cast<std::size_t>(count) + kPerHash - 1) / kPerHash * kPerHash;
  if (row_.size() < size) row_.resize(size);
  for (std::size_t i = 0; i < size; i += kPerHash) {
    const std::uint64_t bits = hash(key_, ++counter_);
    row_[i] = static_cast<std::uint16_t>(bits);
    row_[i + 1] = static_cast<std::uint16_t>(bits >> 16);
    row_[i + 2] = static_cast<std::uint16_t>(bits >> 32);
    row_[i + 3] = static_cast<std::uint16_t>(bits >> 48);
  }
  return row_.data();
}

const std::vector<float>& normal_quantiles() {
  static const std::vector<float> quantiles = make_normal_quantiles();
  return quantiles;
}

cv::Mat coarse_normal(Levels& levels, const cv::Size& size, int channels, double factor) {
  const auto& quantiles = normal_quantiles();
  const cv::Size small(std::max(1, static_cast<int>(size.width * factor)),
                       std::max(1, static_cast<int>(size.height * factor)));
  std::vector<cv::Mat> planes(static_cast<std::size_t>(channels));
  for (auto& plane : planes) {
    cv::Mat drawn(small, CV_32F);
    for (int y = 0; y < small.height; ++y) {
      const std::uint16_t* row = levels.next(small.width);
      std::transform(row, row + small.width, drawn.ptr<float>(y),
                     [&](std::uint16_t level) { return quantiles[level]; });
    }
    cv::resize(drawn, plane, size, 0, 0, cv::INTER_LINEAR);
  }
  cv::Mat joined;
  cv::merge(planes, joined);
  return joined;
}

PoissonCount::PoissonCount(double mean) : mean_(mean), none_(std::exp(-mean)) {}

// Inversion by sequential search (Devroye 1986, "Non-Uniform Random Variate Generation", chapter 10): the smallest
// count whose share is not below the given one. A share of at most 1 - 1 / 131072 ends it before the terms vanish.
int PoissonCount::at(double share) const {
  int count = 0;
  double probability = none_;
  for (double sum = probability; sum < share && probability > 0; sum += probability) probability *= mean_ / ++count;
  return count;
}

}  // namespace noise
