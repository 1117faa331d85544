// Random numbers that depend only on a key, not on the thread or on other draws.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

// Counter-based: the n-th number is a hash of (key, n). The host keys it by (seed, epoch, sample, transform's
// position).
class SECTILE_EXPORT Random {
 public:
  explicit Random(std::initializer_list<std::uint64_t> key);

  std::uint64_t bits();
  double uniform(double from = 0, double to = 1);  // [from, to)
  std::int64_t below(std::int64_t count);          // 0 … count - 1
  bool chance(double probability) { return uniform() < probability; }

  // Fisher-Yates, from the end: all orders are equally likely.
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<std::int64_t>(i)))]);
  }

 private:
  std::uint64_t key_ = 0;
  std::uint64_t counter_ = 0;
};

}  // namespace sectile
