#include "separable_warp.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "reversed_pixels.h"
#include "slanted_blends.h"

namespace sectile {
namespace {

Axis axis_of(double scale, double offset, int count, int limit) {
  return {.whole = std::abs(scale) == 1 && offset == std::floor(offset),
          .scale = scale,
          .offset = offset,
          .count = count,
          .limit = limit};
}

void find_places(Axis& axis) {
  axis.places.resize(static_cast<std::size_t>(axis.count));
  for (int i = 0; i < axis.count; ++i) {
    const double at = axis.scale * (i + 0.5) + axis.offset;
    if (!(at + kRounding >= 0 && at + kRounding < axis.limit)) continue;
    const double centre = at - 0.5, floor = std::floor(centre);
    Place& place = axis.places[static_cast<std::size_t>(i)];
    place.nearest = static_cast<int>(at + kRounding);
    place.low = std::clamp(static_cast<int>(floor), 0, axis.limit - 1);
    place.high = axis.whole ? place.low : std::clamp(static_cast<int>(floor) + 1, 0, axis.limit - 1);
    place.part = static_cast<float>(centre - floor);
  }
}

// Whether neighbors inside the image come from neighbors.
bool consecutive(const Axis& axis) {
  for (std::size_t i = 1; i < axis.places.size(); ++i) {
    const int before = axis.places[i - 1].nearest, here = axis.places[i].nearest;
    if (before >= 0 && here >= 0 && here != before + 1) return false;
  }
  return true;
}

// Of a whole axis: where the source of the first column or row would be.
double first_source(const Axis& axis) { return axis.scale < 0 ? axis.offset - 1 : axis.offset; }

// The columns or rows from inside the image; they are contiguous.
std::pair<std::size_t, std::size_t> inside(const Axis& axis) {
  if (axis.whole) {
    const double first = first_source(axis), count = axis.count;
    const double begin = axis.scale < 0 ? first - (axis.limit - 1) : -first;
    const double end = axis.scale < 0 ? first + 1 : axis.limit - first;
    const double kept = std::clamp(begin, 0.0, count);
    return {static_cast<std::size_t>(kept), static_cast<std::size_t>(std::clamp(end, kept, count))};
  }
  const auto& places = axis.places;
  std::size_t begin = 0, end = places.size();
  while (begin < end && places[begin].nearest < 0) ++begin;
  while (end > begin && places[end - 1].nearest < 0) --end;
  return {begin, end};
}

cv::Range range(const std::pair<std::size_t, std::size_t>& ends) {
  return {static_cast<int>(ends.first), static_cast<int>(ends.second)};
}

// Copies pixels of Size bytes; 0: any size. columns: where each is.
template <std::size_t Size>
void copy_pixels(const std::uint8_t* from, std::uint8_t* to, const std::vector<int>& columns, std::size_t any_size) {
  const std::size_t size = Size ? Size : any_size;
  for (const int column : columns) {
    std::memcpy(to, from + static_cast<std::size_t>(column) * size, size);
    to += size;
  }
}

void copy_row(const std::uint8_t* from, std::uint8_t* to, const std::vector<int>& columns, std::size_t size) {
  switch (size) {
    case 1:
      return copy_pixels<1>(from, to, columns, size);
    case 2:
      return copy_pixels<2>(from, to, columns, size);
    case 3:
      return copy_pixels<3>(from, to, columns, size);
    case 4:
      return copy_pixels<4>(from, to, columns, size);
    case 6:
      return copy_pixels<6>(from, to, columns, size);
    case 12:
      return copy_pixels<12>(from, to, columns, size);
    default:
      return copy_pixels<0>(from, to, columns, size);
  }
}

// The sources of a range of a whole axis.
cv::Range sources(const Axis& axis, const cv::Range& range) {
  const auto first = static_cast<int>(first_source(axis));
  if (axis.scale < 0) return {first - range.end + 1, first - range.start + 1};
  return {first + range.start, first + range.end};
}

// Where both axes are whole.
void copy_whole(const cv::Mat& from, cv::Mat& to, const Separable& warp) {
  const cv::Range rows = range(inside(warp.rows)), columns = range(inside(warp.columns));
  if (rows.empty() || columns.empty()) return;
  const cv::Mat seen = from(sources(warp.rows, rows), sources(warp.columns, columns));
  cv::Mat part = to(rows, columns);
  const bool rows_reversed = warp.rows.scale < 0, columns_reversed = warp.columns.scale < 0;
  constexpr std::size_t kThree = 3;
  if (columns_reversed && from.elemSize() != kThree) return cv::flip(seen, part, rows_reversed ? -1 : 1);
  const std::size_t pixels = static_cast<std::size_t>(part.cols), bytes = pixels * from.elemSize();
  for (int y = 0; y < part.rows; ++y) {
    const auto* const source = seen.ptr(rows_reversed ? part.rows - 1 - y : y);
    if (columns_reversed)
      reverse_three_bytes(source, part.ptr(y), pixels);
    else
      std::memcpy(part.ptr(y), source, bytes);
  }
}

void copy_nearest(const cv::Mat& from, cv::Mat& to, const Separable& warp) {
  const std::size_t size = from.elemSize();
  const bool together = consecutive(warp.columns);
  const auto [begin, end] = inside(warp.columns);
  if (begin == end) return;
  const auto first = static_cast<std::size_t>(warp.columns.places[begin].nearest);
  std::vector<int> columns;
  for (std::size_t x = begin; x < end && !together; ++x) columns.push_back(warp.columns.places[x].nearest);
  for (int y = 0, before = -1; y < to.rows; ++y) {
    const int source = warp.rows.places[static_cast<std::size_t>(y)].nearest;
    auto* const there = to.ptr(y) + begin * size;
    if (source >= 0 && source == before)
      std::memcpy(there, to.ptr(y - 1) + begin * size, (end - begin) * size);
    else if (source >= 0 && together)
      std::memcpy(there, from.ptr(source) + first * size, (end - begin) * size);
    else if (source >= 0)
      copy_row(from.ptr(source), there, columns, size);
    before = source;
  }
}

// Channels: 0 for any number.
template <class T, int Channels>
void blend_columns(const T* from, float* to, const Axis& columns, std::size_t begin, std::size_t end,
                   int any_channels) {
  const int channels = Channels ? Channels : any_channels;
  for (std::size_t x = begin; x < end; ++x) {
    const Place& place = columns.places[x];
    const T* low = from + place.low * channels;
    const T* high = from + place.high * channels;
    float* out = to + x * static_cast<std::size_t>(channels);
    for (int c = 0; c < channels; ++c) {
      const float a = static_cast<float>(low[c]);
      out[c] = a + place.part * (static_cast<float>(high[c]) - a);
    }
  }
}

// Rounds to the nearest integer, halves to even, as cvRound does, but in a form that compilers vectorize: adding 1.5 *
// 2^23 leaves the integer in the low bits. Blended values are within the range of T.
template <class T>
T round_to(float value) {
  if constexpr (std::is_same_v<T, float>)
    return value;
  else
    return static_cast<T>(std::bit_cast<std::int32_t>(value + 12582912.f) - std::bit_cast<std::int32_t>(12582912.f));
}

template <class T, int Channels>
void blend(const cv::Mat& from, cv::Mat& to, const Separable& warp) {
  const int channels = from.channels();
  const auto [begin, end] = inside(warp.columns);
  std::vector<float> buffers[2];  // two rows of `from`, blended along x
  int held[2] = {-1, -1};
  for (auto& buffer : buffers) buffer.resize(static_cast<std::size_t>(to.cols * channels));
  const auto row = [&, begin = begin, end = end](int y, int other) {  // never in the buffer of `other`
    for (int i = 0; i < 2; ++i)
      if (held[i] == y) return i;
    const int i = held[0] == other ? 1 : 0;
    blend_columns<T, Channels>(from.ptr<T>(y), buffers[i].data(), warp.columns, begin, end, channels);
    held[i] = y;
    return i;
  };
  for (int y = 0; y < to.rows; ++y) {
    const Place& place = warp.rows.places[static_cast<std::size_t>(y)];
    if (place.nearest < 0) continue;
    const float* low = buffers[row(place.low, place.high)].data();
    const float* high = buffers[row(place.high, place.low)].data();
    T* out = to.ptr<T>(y);
    const float part = place.part;
    for (std::size_t i = begin * static_cast<std::size_t>(channels); i < end * static_cast<std::size_t>(channels); ++i)
      out[i] = round_to<T>(low[i] + part * (high[i] - low[i]));
  }
}

// By the blend of slanted warps, for each row the same columns.
void blend_bytes(const cv::Mat& from, cv::Mat& to, const Separable& warp, BlendRow<std::uint8_t> blend_row) {
  const SourcePixels source(from);
  const auto [begin, end] = inside(warp.columns);
  if (begin == end) return;
  const auto count = end - begin;
  SlantedRow row(static_cast<int>(count));
  std::vector<int> columns(count);  // in bytes
  // The next pixel is inside, too: at the edge its weight is 1, or 0.
  const auto first_of_two = [](const Place& place, int limit) {
    return std::clamp(place.low, 0, std::max(0, limit - 2));
  };
  const auto part_of_next = [](const Place& place, int first) {
    return place.low == place.high ? static_cast<float>(place.low - first) : place.part;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Place& place = warp.columns.places[begin + i];
    const int first = first_of_two(place, from.cols);
    columns[i] = first * source.steps.pixel;
    row.right[i] = part_of_next(place, first);
  }
  for (int y = 0; y < to.rows; ++y) {
    const Place& place = warp.rows.places[static_cast<std::size_t>(y)];
    if (place.nearest < 0) continue;
    const int first = first_of_two(place, from.rows);
    for (std::size_t i = 0; i < count; ++i) row.first[i] = first * source.steps.line + columns[i];
    std::fill(row.down.begin(), row.down.end(), part_of_next(place, first));
    blend_row(source, row, count, nullptr, to.ptr<std::uint8_t>(y) + begin * static_cast<std::size_t>(from.channels()));
  }
}

template <class T>
void blend(const cv::Mat& from, cv::Mat& to, const Separable& warp) {
  if constexpr (std::is_same_v<T, std::uint8_t>) {
    const auto blend_row = linear_blend_of_bytes(from.channels());
    if (blend_row && SourcePixels::fits(from)) return blend_bytes(from, to, warp, blend_row);
  }
  if (from.channels() == 1)
    blend<T, 1>(from, to, warp);
  else if (from.channels() == 3)
    blend<T, 3>(from, to, warp);
  else
    blend<T, 0>(from, to, warp);
}

// Each row or column of the result as a weighted sum of consecutive ones.
struct Sums {
  std::size_t most = 0;  // weights stored for each
  std::vector<int> first{};
  std::vector<int> count{};  // 0: outside
  std::vector<float> weights{};

  Sums(const Axis& axis, std::size_t most_weights)
      : most(most_weights), first(axis.places.size()), count(axis.places.size()), weights(most * axis.places.size()) {}
  float* weights_of(std::size_t i) { return weights.data() + i * most; }
  const float* weights_of(std::size_t i) const { return weights.data() + i * most; }
};

Sums cubic_sums(const Axis& axis) {
  Sums sums(axis, 4);
  for (std::size_t i = 0; i < axis.places.size(); ++i) {
    if (axis.places[i].nearest < 0) continue;
    if (axis.whole) {  // NaN beside it would be NaN with weight 0, too
      sums.first[i] = axis.places[i].nearest;
      sums.count[i] = 1;
      sums.weights_of(i)[0] = 1;
      continue;
    }
    const double centre = axis.scale * (static_cast<double>(i) + 0.5) + axis.offset - 0.5, whole = std::floor(centre);
    const auto pixel = [&](int k) { return std::clamp(static_cast<int>(whole) - 1 + k, 0, axis.limit - 1); };
    const auto found = cubic_weights(centre - whole);
    sums.first[i] = pixel(0);
    sums.count[i] = pixel(3) - pixel(0) + 1;
    for (int k = 0; k < 4; ++k)
      sums.weights_of(i)[pixel(k) - pixel(0)] += static_cast<float>(found[static_cast<std::size_t>(k)]);
  }
  return sums;
}

// For an axis along which the image does not grow.
Sums area_sums(const Axis& axis) {
  Sums sums(axis, static_cast<std::size_t>(std::abs(axis.scale)) + 2);
  for (std::size_t i = 0; i < axis.places.size(); ++i) {
    if (axis.places[i].nearest < 0) continue;
    const double one = axis.scale * static_cast<double>(i) + axis.offset, other = one + axis.scale;
    const double begin = std::max(0.0, std::min(one, other)),
                 end = std::min(static_cast<double>(axis.limit), std::max(one, other));
    const int first = static_cast<int>(begin + kRounding), last = static_cast<int>(std::ceil(end - kRounding)) - 1;
    sums.first[i] = first;
    sums.count[i] = last - first + 1;
    for (int k = first; k <= last; ++k)
      sums.weights_of(i)[k - first] =
          static_cast<float>((std::min(end, k + 1.0) - std::max(begin, double(k))) / (end - begin));
  }
  return sums;
}

template <class T>
void mix_columns(const T* from, float* to, const Sums& columns, std::size_t begin, std::size_t end, int channels) {
  for (std::size_t x = begin; x < end; ++x) {
    const T* source = from + columns.first[x] * channels;
    float* out = to + x * static_cast<std::size_t>(channels);
    std::fill_n(out, channels, 0.f);
    const float* weights = columns.weights_of(x);
    for (int k = 0; k < columns.count[x]; ++k, source += channels)
      for (int c = 0; c < channels; ++c) out[c] += weights[k] * static_cast<float>(source[c]);
  }
}

template <class T>
void mix(const cv::Mat& from, cv::Mat& to, const Separable& warp, const Sums& columns, const Sums& rows) {
  const int channels = from.channels();
  const auto [begin, end] = inside(warp.columns);
  const auto values = static_cast<std::size_t>(to.cols * channels);
  std::vector<std::vector<float>> buffers(rows.most, std::vector<float>(values));  // rows of `from`, mixed along x
  std::vector<int> held(rows.most, -1);
  std::vector<float> sum(values);
  for (int y = 0; y < to.rows; ++y) {
    const auto i = static_cast<std::size_t>(y);
    if (rows.count[i] == 0) continue;
    std::fill(sum.begin(), sum.end(), 0.f);
    for (int k = 0; k < rows.count[i]; ++k) {
      const int source = rows.first[i] + k;
      const std::size_t slot = static_cast<std::size_t>(source) % rows.most;  // rows in use never share a slot
      if (std::exchange(held[slot], source) != source)
        mix_columns(from.ptr<T>(source), buffers[slot].data(), columns, begin, end, channels);
      const float weight = rows.weights_of(i)[k];
      for (std::size_t v = 0; v < values; ++v) sum[v] += weight * buffers[slot][v];
    }
    T* out = to.ptr<T>(y);
    const auto width = static_cast<std::size_t>(channels);
    for (std::size_t v = begin * width; v < end * width; ++v) out[v] = cv::saturate_cast<T>(sum[v]);
  }
}

}  // namespace

std::optional<Separable> separate(const Warp& warp, const Extent& from) {
  const cv::Matx44d& m = warp.to_input;
  if (!warp.displacement.empty() || from.depth != 1 || warp.size.depth != 1 || has_perspective(m)) return {};
  const bool plane = m(0, 2) == 0 && m(1, 2) == 0 && m(2, 0) == 0 && m(2, 1) == 0 && m(2, 2) * 0.5 + m(2, 3) == 0.5;
  if (!plane) return {};
  const bool straight = m(0, 1) == 0 && m(1, 0) == 0;
  const bool transposed = m(0, 0) == 0 && m(1, 1) == 0;
  if (!straight && !transposed) return {};
  const int x = straight ? 0 : 1, y = 1 - x;  // of the source, along the result's columns and rows
  const int limits[] = {from.width, from.height};
  Separable parts{transposed && !straight, axis_of(m(x, 0), m(x, 3), warp.size.width, limits[x]),
                  axis_of(m(y, 1), m(y, 3), warp.size.height, limits[y])};
  if (parts.whole()) return parts;
  find_places(parts.columns);
  find_places(parts.rows);
  return parts;
}

template <class T>
void fill_outside(cv::Mat& to, const Separable& warp, const std::vector<T>& fill) {
  const auto [begin, end] = inside(warp.columns);
  const cv::Range rows = range(inside(warp.rows));
  const auto columns = static_cast<std::size_t>(to.cols), channels = fill.size();
  if (begin == 0 && end == columns && rows == cv::Range(0, to.rows)) return;
  std::vector<T> row;
  for (std::size_t x = 0; x < columns; ++x) row.insert(row.end(), fill.begin(), fill.end());
  for (int y = 0; y < to.rows; ++y) {
    const bool outside = y < rows.start || y >= rows.end;
    const std::size_t left = outside ? columns : begin, right = outside ? columns : end;
    std::copy_n(row.data(), left * channels, to.ptr<T>(y));
    std::copy_n(row.data(), (columns - right) * channels, to.ptr<T>(y) + right * channels);
  }
}

template <class T>
void move_separably(const cv::Mat& from, cv::Mat& to, const Separable& warp, Interpolation how,
                    const std::vector<T>& fill) {
  fill_outside(to, warp, fill);
  if (warp.whole())
    copy_whole(from, to, warp);
  else if (how == Interpolation::nearest)
    copy_nearest(from, to, warp);
  else if (how == Interpolation::linear)
    blend<T>(from, to, warp);
  else if (how == Interpolation::cubic)
    mix<T>(from, to, warp, cubic_sums(warp.columns), cubic_sums(warp.rows));
  else
    mix<T>(from, to, warp, area_sums(warp.columns), area_sums(warp.rows));
}

template void move_separably<std::uint8_t>(const cv::Mat&, cv::Mat&, const Separable&, Interpolation,
                                           const std::vector<std::uint8_t>&);
template void move_separably<std::uint16_t>(const cv::Mat&, cv::Mat&, const Separable&, Interpolation,
                                            const std::vector<std::uint16_t>&);
template void move_separably<std::int16_t>(const cv::Mat&, cv::Mat&, const Separable&, Interpolation,
                                           const std::vector<std::int16_t>&);
template void move_separably<std::int32_t>(const cv::Mat&, cv::Mat&, const Separable&, Interpolation,
                                           const std::vector<std::int32_t>&);
template void move_separably<float>(const cv::Mat&, cv::Mat&, const Separable&, Interpolation,
                                    const std::vector<float>&);

}  // namespace sectile
