#include "segment_pairs.h"

#include <algorithm>

namespace sectile {
namespace {

constexpr unsigned kFirstBits = 10;
constexpr std::size_t kAtOnce = 16;  // pixels that are compared without a branch between them

std::uint64_t hash_of(std::int32_t truth, std::int32_t found) {  // the finalizer of splitmix64
  auto x = static_cast<std::uint64_t>(static_cast<std::uint32_t>(truth)) << 32 | static_cast<std::uint32_t>(found);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

}  // namespace

SegmentPairs::SegmentPairs() : slots_(std::size_t{1} << kFirstBits), shift_(64 - kFirstBits) {}

std::uint32_t& SegmentPairs::slot_of(std::int32_t truth, std::int32_t found) {
  auto at = static_cast<std::size_t>(hash_of(truth, found) >> shift_);
  for (;; at = (at + 1) & (slots_.size() - 1)) {
    auto& slot = slots_[at];
    if (slot == 0 || (pairs_[slot - 1].truth == truth && pairs_[slot - 1].found == found)) return slot;
  }
}

void SegmentPairs::grow() {
  slots_.assign(slots_.size() * 2, 0);
  --shift_;
  std::uint32_t position = 0;
  for (const auto& pair : pairs_) slot_of(pair.truth, pair.found) = ++position;
}

void SegmentPairs::add(std::int32_t truth, std::int32_t found, std::size_t pixels) {
  auto* slot = &slot_of(truth, found);
  if (*slot == 0) {
    if (2 * (pairs_.size() + 1) > slots_.size()) {
      grow();
      slot = &slot_of(truth, found);
    }
    pairs_.push_back({truth, found, 0});
    *slot = static_cast<std::uint32_t>(pairs_.size());
  }
  pairs_[*slot - 1].pixels += static_cast<std::int64_t>(pixels);
}

// Neighbours are mostly of one pair, which is looked up once for the whole run. Long runs are compared many pixels at
// a time; noise pays for that only after a few equal pixels.
void SegmentPairs::count_row(const std::int32_t* truth, const std::int32_t* found, std::size_t pixels) {
  for (std::size_t i = 0; i < pixels;) {
    const auto t = truth[i], f = found[i];
    const auto first = i, soon = std::min(pixels, first + 8);
    const auto is_same = [&](std::size_t at) { return truth[at] == t && found[at] == f; };
    do ++i;
    while (i < soon && is_same(i));
    if (i == first + 8) {
      for (; i + kAtOnce <= pixels; i += kAtOnce) {
        std::int32_t differs = 0;
        for (std::size_t k = 0; k < kAtOnce; ++k) differs |= (truth[i + k] ^ t) | (found[i + k] ^ f);
        if (differs) break;
      }
      while (i < pixels && is_same(i)) ++i;
    }
    add(t, f, i - first);
  }
}

const std::vector<SegmentPair>& SegmentPairs::count(const cv::Mat& truth, const cv::Mat& found) {
  // After an image of many pairs, clearing all its slots for each smaller one would cost more than counting.
  if (slots_.size() > (std::size_t{1} << kFirstBits)) {
    slots_.assign(std::size_t{1} << kFirstBits, 0);
    shift_ = 64 - kFirstBits;
  } else {
    std::fill(slots_.begin(), slots_.end(), 0u);
  }
  pairs_.clear();
  if (truth.empty()) return pairs_;
  if (truth.isContinuous() && found.isContinuous()) {
    count_row(truth.ptr<std::int32_t>(), found.ptr<std::int32_t>(), truth.total());
    return pairs_;
  }
  const auto width = static_cast<std::size_t>(truth.size[truth.dims - 1]);
  if (truth.dims == 2)
    for (int y = 0; y < truth.rows; ++y) count_row(truth.ptr<std::int32_t>(y), found.ptr<std::int32_t>(y), width);
  else
    for (int z = 0; z < truth.size[0]; ++z)
      for (int y = 0; y < truth.size[1]; ++y)
        count_row(truth.ptr<std::int32_t>(z, y), found.ptr<std::int32_t>(z, y), width);
  return pairs_;
}

}  // namespace sectile
