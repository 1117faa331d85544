// Sums of floating-point numbers that do not depend on their order, for metrics that are split over threads and ranks.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace sectile {

// A sum of numbers that are at least 0, in units of 2^-64: a number of 2^-12 or more is kept exactly, and a smaller one
// loses less than a unit. Not for more than 2^64 in all: the sum stays there. Infinite terms are counted apart.
class ExactSum {
 public:
  static constexpr std::size_t kNumbers = 4;  // of a state

  // value: at least 0, or infinite. NaN counts as infinite, so that it is not lost.
  void add(double value) {
    constexpr double kUnits = 18446744073709551616.;  // 2^64
    if (!(value < kUnits)) {
      ++infinite_;
      return;
    }
    const double whole = std::floor(value);
    add(static_cast<std::uint64_t>(whole), static_cast<std::uint64_t>((value - whole) * kUnits));
    ++finite_;
  }

  double sum() const {  // of the finite terms
    constexpr double kUnit = 1 / 18446744073709551616.;
    return static_cast<double>(whole_) + static_cast<double>(fraction_) * kUnit;
  }
  std::int64_t finite() const { return finite_; }      // how many terms
  std::int64_t infinite() const { return infinite_; }  // how many terms
  // Infinity if a term is infinite, NaN without terms.
  double mean() const {
    if (infinite_ > 0) return std::numeric_limits<double>::infinity();
    return finite_mean();
  }
  double finite_mean() const {  // of the finite terms; NaN without one
    return finite_ == 0 ? std::numeric_limits<double>::quiet_NaN() : sum() / static_cast<double>(finite_);
  }

  // For Metric::state and Metric::merge.
  std::array<std::int64_t, kNumbers> numbers() const {
    return {static_cast<std::int64_t>(whole_), static_cast<std::int64_t>(fraction_), finite_, infinite_};
  }
  void merge(std::span<const std::int64_t, kNumbers> numbers) {
    add(static_cast<std::uint64_t>(numbers[0]), static_cast<std::uint64_t>(numbers[1]));
    finite_ += numbers[2];
    infinite_ += numbers[3];
  }
  void merge(const ExactSum& other) { merge(other.numbers()); }

 private:
  void add(std::uint64_t whole, std::uint64_t fraction) {
    constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
    fraction_ += fraction;
    const std::uint64_t carry = fraction_ < fraction;
    const bool is_full = whole > kMost - whole_ || (carry && whole_ + whole == kMost);
    whole_ = is_full ? kMost : whole_ + whole + carry;
    if (is_full) fraction_ = kMost;
  }

  std::uint64_t whole_ = 0, fraction_ = 0;
  std::int64_t finite_ = 0, infinite_ = 0;
};

}  // namespace sectile
