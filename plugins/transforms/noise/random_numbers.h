// Fields of random numbers: each is a hash of a key and its place, so that they are the same on any thread.
#pragma once

#include <cstdint>
#include <vector>

#include <opencv2/core/mat.hpp>

namespace noise {

constexpr int kLevels = 1 << 16;  // of a random number

// Rows of random levels, 0 … 65535: each hash gives four.
class Levels {
 public:
  explicit Levels(std::uint64_t key) : key_(key) {}
  const std::uint16_t* next(int count);  // valid until the next call

 private:
  std::uint64_t key_, counter_ = 0;
  std::vector<std::uint16_t> row_;
};

// The value at which the standard normal distribution reaches (level + 0.5) / 65536, for each level, with a variance of
// exactly 1.
const std::vector<float>& normal_quantiles();

// 32F, of `channels` channels, drawn at a smaller size and resized linearly. factor: of the size, below 1.
cv::Mat coarse_normal(Levels& levels, const cv::Size& size, int channels, double factor);

// Poisson-distributed counts. share: what part of the distribution lies below the count, between 0 and 1.
class PoissonCount {
 public:
  explicit PoissonCount(double mean);
  int at(double share) const;

 private:
  double mean_, none_;  // none_: the probability of 0
};

}  // namespace noise
