// Non-maximum suppression of one class by one block, as torchvision's kernels do it with bits, but 64 boxes at a time:
// those that stay among them, then all later boxes that one of these suppresses. So no matrix of all pairs is stored.
#pragma once

#include "kernels.h"
#include "portable.h"

namespace sectile::cuda {

constexpr int kTogether = 64;  // boxes: bits of a word

template <class Number>
struct NmsMemory {
  Number boxes[4 * kTogether];
  std::uint64_t suppressed[kTogether];  // by each, if it stays: bits of those after it
  std::uint64_t staying;
};

// As the CPU's, step by step, so that the results are equal.
template <class Number>
SECTILE_DEVICE bool suppresses(const Number* a, const Number* b, double threshold) {
  const Number width = larger(Number(0), smaller(a[2], b[2]) - larger(a[0], b[0]));
  const Number height = larger(Number(0), smaller(a[3], b[3]) - larger(a[1], b[1]));
  const Number common = width * height;
  const Number area = (a[2] - a[0]) * (a[3] - a[1]), other = (b[2] - b[0]) * (b[3] - b[1]);
  return static_cast<double>(common / (area + other - common)) > threshold;
}

// Of the boxes that stay; the others suppress nothing.
template <class Number>
SECTILE_DEVICE std::uint64_t staying_of(const NmsMemory<Number>& memory, const std::uint8_t* stays, int count) {
  std::uint64_t staying = 0, gone = 0;
  for (int i = 0; i < count; ++i) {
    if (!stays[i] || ((gone >> i) & 1)) continue;
    staying |= std::uint64_t{1} << i;
    gone |= memory.suppressed[i];
  }
  return staying;
}

SECTILE_DEVICE bool is_first_of_class(const Nms& call, std::int64_t i) {
  return i == 0 || call.classes[i] != call.classes[i - 1];
}

// The end of the class that begins at `first`.
SECTILE_DEVICE std::int64_t end_of_class(const Nms& call, std::int64_t first) {
  auto low = first + 1, high = call.count;
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (call.classes[middle] == call.classes[first])
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

template <class Number, class Team>
SECTILE_DEVICE void suppress_class(const Team& team, const Nms& call, std::int64_t first, NmsMemory<Number>& memory) {
  const auto end = end_of_class(call, first);
  const auto* const boxes = static_cast<const Number*>(call.boxes);
  for (auto begin = first; begin < end; begin += kTogether) {
    const int count = static_cast<int>(smaller<std::int64_t>(kTogether, end - begin));
    const auto* const these = boxes + 4 * begin;
    auto* const stays = call.stays + begin;
    team.each(4 * count, [&](std::int64_t i) { memory.boxes[i] = these[i]; });
    team.each(count, [&](std::int64_t i) {
      std::uint64_t bits = 0;
      for (auto j = static_cast<int>(i) + 1; stays[i] && j < count; ++j)
        if (suppresses(memory.boxes + 4 * i, memory.boxes + 4 * j, call.threshold)) bits |= std::uint64_t{1} << j;
      memory.suppressed[i] = bits;
    });
    team.each(1, [&](std::int64_t) { memory.staying = staying_of(memory, stays, count); });
    team.each(end - begin, [&](std::int64_t i) {
      if (i < count) {
        call.kept[call.position[begin + i]] = static_cast<std::uint8_t>((memory.staying >> i) & 1);
      } else if (stays[i]) {
        bool is_suppressed = false;
        for (auto bits = memory.staying; bits != 0 && !is_suppressed; bits &= bits - 1)
          is_suppressed = suppresses(memory.boxes + 4 * lowest_bit(bits), these + 4 * i, call.threshold);
        if (is_suppressed) stays[i] = 0;
      }
    });
  }
}

}  // namespace sectile::cuda
