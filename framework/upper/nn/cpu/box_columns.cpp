#include "box_columns.h"

#include <cmath>
#include <limits>
#include <type_traits>

namespace sectile::nn {

template <class Number>
void BoxColumns<Number>::add(const Number* box) {
  left_.push_back(box[0]);
  top_.push_back(box[1]);
  right_.push_back(box[2]);
  bottom_.push_back(box[3]);
  area_.push_back((box[2] - box[0]) * (box[3] - box[1]));
}

// A product and a sum in one rounding would move IoUs across the threshold.
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")

namespace {

#define SECTILE_INLINE __attribute__((always_inline)) inline

constexpr std::size_t kBoxBytes = 64;

template <class Number>
struct BoxLanes {
  using Integer = std::conditional_t<sizeof(Number) == 4, std::int32_t, std::int64_t>;
  using Numbers __attribute__((vector_size(kBoxBytes), aligned(alignof(Number)), may_alias)) = Number;
  using Integers __attribute__((vector_size(kBoxBytes), aligned(alignof(Number)), may_alias)) = Integer;
  static constexpr std::size_t kCount = kBoxBytes / sizeof(Number);
};

template <class Number>
struct Columns {
  Number *left, *top, *right, *bottom, *area;
  typename BoxLanes<Number>::Integer* stays;  // -1 or 0
};

template <class Number>
SECTILE_INLINE void lanes_at(const Number* from, typename BoxLanes<Number>::Numbers& lanes) {
  lanes = *reinterpret_cast<const typename BoxLanes<Number>::Numbers*>(from);
}

// What overlaps box i too much, from there to the end, which is a whole number of lanes.
template <class Number>
SECTILE_INLINE void suppress(const Columns<Number>& boxes, std::size_t i, std::size_t end, Number most) {
  using Numbers = typename BoxLanes<Number>::Numbers;
  using Integers = typename BoxLanes<Number>::Integers;
  constexpr auto kCount = BoxLanes<Number>::kCount;
  const Numbers none{};
  const Numbers left = none + boxes.left[i], top = none + boxes.top[i], right = none + boxes.right[i],
                bottom = none + boxes.bottom[i], area = none + boxes.area[i], limit = none + most;
  const auto own = boxes.stays[i];
  for (std::size_t j = i / kCount * kCount; j < end; j += kCount) {
    Numbers other_left, other_top, other_right, other_bottom, other_area;
    lanes_at(boxes.left + j, other_left), lanes_at(boxes.top + j, other_top);
    lanes_at(boxes.right + j, other_right), lanes_at(boxes.bottom + j, other_bottom);
    lanes_at(boxes.area + j, other_area);
    Numbers width = (other_right < right ? other_right : right) - (left < other_left ? other_left : left);
    Numbers height = (other_bottom < bottom ? other_bottom : bottom) - (top < other_top ? other_top : top);
    width = none < width ? width : none;
    height = none < height ? height : none;
    const Numbers common = width * height;
    const Numbers iou = common / (area + other_area - common);
    auto& stays = *reinterpret_cast<Integers*>(boxes.stays + j);
    stays &= ~(iou > limit);
  }
  boxes.stays[i] = own;
}

// Those that stay move to the front, and `places` with them; returns how many.
template <class Number>
std::size_t compact(const Columns<Number>& boxes, std::vector<std::size_t>& places, std::size_t begin,
                    std::size_t count) {
  std::size_t to = begin;
  for (std::size_t j = begin; j < count; ++j) {
    if (!boxes.stays[j]) continue;
    for (auto* column : {boxes.left, boxes.top, boxes.right, boxes.bottom, boxes.area}) column[to] = column[j];
    places[to] = places[j];
    boxes.stays[to++] = -1;
  }
  return to;
}

template <class Number>
SECTILE_INLINE void keep_all(const Columns<Number>& boxes, std::size_t count, Number most,
                             std::vector<std::uint8_t>& kept) {
  constexpr auto kCount = BoxLanes<Number>::kCount;
  constexpr std::size_t kRounds = 32;  // of boxes that stay, after which those that do not are skipped
  std::vector<std::size_t> places(count);
  for (std::size_t i = 0; i < count; ++i) places[i] = i;
  std::size_t rounds = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!boxes.stays[i]) continue;
    kept[places[i]] = 1;
    suppress(boxes, i, (count + kCount - 1) / kCount * kCount, most);
    if (++rounds % kRounds == 0) count = compact(boxes, places, i + 1, count);
  }
}

// The same code for processors with and without wide vectors.
#if defined(__x86_64__)
template <class Number>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))) void keep_wide(const Columns<Number>& boxes,
                                                                             std::size_t count, Number most,
                                                                             std::vector<std::uint8_t>& kept) {
  keep_all(boxes, count, most, kept);
}
template <class Number>
__attribute__((target("avx2"))) void keep_half(const Columns<Number>& boxes, std::size_t count, Number most,
                                               std::vector<std::uint8_t>& kept) {
  keep_all(boxes, count, most, kept);
}
#endif

template <class Number>
void keep(const Columns<Number>& boxes, std::size_t count, Number most, std::vector<std::uint8_t>& kept) {
#if defined(__x86_64__)
  static const bool is_wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  static const bool is_half = __builtin_cpu_supports("avx2");
  if (is_wide) return keep_wide(boxes, count, most, kept);
  if (is_half) return keep_half(boxes, count, most, kept);
#endif
  keep_all(boxes, count, most, kept);
}

#undef SECTILE_INLINE

}  // namespace

#pragma GCC pop_options

template <class Number>
std::vector<std::uint8_t> BoxColumns<Number>::kept(double iou_threshold) {
  const auto count = left_.size();
  std::vector<std::uint8_t> kept(count, 0);
  constexpr auto kCount = BoxLanes<Number>::kCount;
  const auto padded = (count + kCount - 1) / kCount * kCount;
  for (auto* column : {&left_, &top_, &right_, &bottom_, &area_}) column->resize(padded);
  std::vector<typename BoxLanes<Number>::Integer> stays(padded, -1);
  // The largest number that is not above the threshold: more than it is more than the threshold.
  auto most = static_cast<Number>(iou_threshold);
  if (double(most) > iou_threshold) most = std::nextafter(most, -std::numeric_limits<Number>::infinity());
  keep<Number>({left_.data(), top_.data(), right_.data(), bottom_.data(), area_.data(), stays.data()}, count, most,
               kept);
  return kept;
}

template class BoxColumns<float>;
template class BoxColumns<double>;

}  // namespace sectile::nn
