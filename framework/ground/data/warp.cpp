// Warps. One plain sampler for images and volumes of any type is the reference. In front of it stand the warps of
// images whose columns and rows move independently (crop, pad, flip, quarter turns, resize and their products): nearest
// pixels and whole shifts are exactly the reference's, interpolated integers within one level (float instead of
// double). Only those have an area that a pixel covers, so the reference knows no Interpolation::area.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>

namespace sectile {
namespace {

// In pixels. A position on the border of two pixels lies in the later one, whichever way the product of the matrices
// that led to it was rounded: one warp and several in a row then choose the same.
constexpr double kRounding = 1e-9;

cv::Mat make(const Extent& size, bool volume, int type) {
  const int sizes[] = {size.depth, size.height, size.width};
  return volume ? cv::Mat(3, sizes, type) : cv::Mat(size.height, size.width, type);
}

// The weights of the four pixels around a position that lies `part` of the way from the second to the third: Keys'
// kernel (1981) with a = -0.75, as in OpenCV's INTER_CUBIC.
std::array<double, 4> cubic_weights(double part) {
  constexpr double a = -0.75;
  const auto near = [](double t) { return ((a + 2) * t - (a + 3)) * t * t + 1; };
  const auto far = [](double t) { return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a; };
  return {far(part + 1), near(part), near(1 - part), far(2 - part)};
}

// What a value between pixels is made of, along one axis.
struct Taps {
  int count = 0;
  std::array<int, 4> at{};
  std::array<double, 4> weight{};
};

// centre: in pixels from the first one's centre. limit: how many pixels there are.
Taps taps(double centre, int limit, bool cubic) {
  if (limit == 1) return {1, {0}, {1}};
  const double whole = std::floor(centre), part = centre - whole;
  const auto pixel = [&](int i) { return std::clamp(int(whole) + i, 0, limit - 1); };
  if (cubic) return {4, {pixel(-1), pixel(0), pixel(1), pixel(2)}, cubic_weights(part)};
  return {2, {pixel(0), pixel(1)}, {1 - part, part}};
}

// Calls use(x, y, z, position) for every pixel of the result. position: where its centre comes from.
template <class Use>
void each_position(const Extent& size, const cv::Matx44d& matrix, const cv::Mat& displacement, const Use& use) {
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y) {
      const cv::Vec3f* shift = displacement.empty()     ? nullptr
                               : displacement.dims == 3 ? displacement.ptr<cv::Vec3f>(z, y)
                                                        : displacement.ptr<cv::Vec3f>(y);
      for (int x = 0; x < size.width; ++x) {
        const cv::Vec4d at = matrix * cv::Vec4d(x + 0.5, y + 0.5, z + 0.5, 1);
        cv::Vec3d position(at[0], at[1], at[2]);
        if (shift) position += cv::Vec3d(shift[x]);
        use(x, y, z, position);
      }
    }
}

bool within(const cv::Vec3d& position, const Extent& size) {
  const int limit[] = {size.width, size.height, size.depth};
  for (int i = 0; i < 3; ++i)
    if (!(position[i] + kRounding >= 0 && position[i] + kRounding < limit[i])) return false;
  return true;
}

template <class T>
T* pixel(const cv::Mat& map, int x, int y, int z) {
  auto* row = map.data + (map.dims == 3 ? z * map.step[0] + y * map.step[1] : y * map.step[0]);
  return reinterpret_cast<T*>(row) + x * map.channels();
}

// fill: a value for each channel.
template <class T>
void sample(const cv::Mat& from, cv::Mat& to, const Warp& warp, Interpolation how, const std::vector<T>& fill) {
  const Extent in = extent(from);
  const int channels = from.channels();
  each_position(warp.size, warp.to_input, warp.displacement, [&](int x, int y, int z, const cv::Vec3d& at) {
    T* out = pixel<T>(to, x, y, z);
    if (!within(at, in)) {
      std::copy_n(fill.data(), channels, out);
      return;
    }
    if (how == Interpolation::nearest) {
      const auto nearest = [&](int i) { return int(at[i] + kRounding); };
      std::copy_n(pixel<T>(from, nearest(0), nearest(1), nearest(2)), channels, out);
      return;
    }
    const bool cubic = how == Interpolation::cubic;
    const Taps columns = taps(at[0] - 0.5, in.width, cubic), rows = taps(at[1] - 0.5, in.height, cubic),
               slices = taps(at[2] - 0.5, in.depth, cubic);
    for (int c = 0; c < channels; ++c) {
      double sum = 0;
      for (int k = 0; k < slices.count; ++k)
        for (int j = 0; j < rows.count; ++j) {
          const double weight = slices.weight[k] * rows.weight[j];
          const T* row = pixel<T>(from, 0, rows.at[j], slices.at[k]) + c;
          for (int i = 0; i < columns.count; ++i) sum += weight * columns.weight[i] * row[columns.at[i] * channels];
        }
      out[c] = cv::saturate_cast<T>(sum);
    }
  });
}

// Where one row or column of the result comes from.
struct Place {
  int low = -1;   // -1: outside
  int high = -1;  // the next one, for interpolation; the same at the edge
  int nearest = -1;
  float part = 0;  // of high
};

struct Axis {
  std::vector<Place> places{};
  bool whole = false;  // each comes from exactly one
  double scale = 1;    // negative: mirrored
  double offset = 0;
  int limit = 0;  // how many there are to come from
};

Axis place_axis(double scale, double offset, int count, int limit) {
  Axis axis{{}, false, scale, offset, limit};
  axis.whole = std::abs(scale) == 1 && offset == std::floor(offset);
  axis.places.resize(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const double at = scale * (i + 0.5) + offset;
    if (!(at + kRounding >= 0 && at + kRounding < limit)) continue;
    const double centre = at - 0.5, floor = std::floor(centre);
    Place& place = axis.places[static_cast<std::size_t>(i)];
    place.nearest = static_cast<int>(at + kRounding);
    place.low = std::clamp(static_cast<int>(floor), 0, limit - 1);
    place.high = std::clamp(static_cast<int>(floor) + 1, 0, limit - 1);
    place.part = static_cast<float>(centre - floor);
  }
  return axis;
}

// A warp of pictures that moves columns and rows independently, after an exchange of the two.
struct Separable {
  bool transposed = false;
  Axis columns{};
  Axis rows{};
};

std::optional<Separable> separate(const Warp& warp, const Extent& from) {
  const cv::Matx44d& m = warp.to_input;
  if (!warp.displacement.empty() || from.depth != 1 || warp.size.depth != 1) return {};
  const bool plane = m(0, 2) == 0 && m(1, 2) == 0 && m(2, 0) == 0 && m(2, 1) == 0 && m(2, 2) * 0.5 + m(2, 3) == 0.5;
  if (!plane) return {};
  const bool straight = m(0, 1) == 0 && m(1, 0) == 0;
  const bool transposed = m(0, 0) == 0 && m(1, 1) == 0;
  if (straight)
    return Separable{false, place_axis(m(0, 0), m(0, 3), warp.size.width, from.width),
                     place_axis(m(1, 1), m(1, 3), warp.size.height, from.height)};
  if (transposed)
    return Separable{true, place_axis(m(1, 0), m(1, 3), warp.size.width, from.height),
                     place_axis(m(0, 1), m(0, 3), warp.size.height, from.width)};
  return {};
}

bool consecutive(const Axis& axis) {
  for (std::size_t i = 1; i < axis.places.size(); ++i) {
    const int before = axis.places[i - 1].nearest, here = axis.places[i].nearest;
    if (before >= 0 && here >= 0 && here != before + 1) return false;
  }
  return true;
}

// Copies whole pixels of Size bytes; 0: of any number.
template <std::size_t Size>
void copy_pixels(const std::uint8_t* from, std::uint8_t* to, const Axis& columns, std::size_t any_size) {
  const std::size_t size = Size ? Size : any_size;
  for (const Place& place : columns.places) {
    if (place.nearest >= 0) std::memcpy(to, from + static_cast<std::size_t>(place.nearest) * size, size);
    to += size;
  }
}

void copy_row(const std::uint8_t* from, std::uint8_t* to, const Axis& columns, std::size_t size) {
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

// The columns that come from inside: there are no gaps between them.
std::pair<std::size_t, std::size_t> inside(const Axis& axis) {
  const auto& places = axis.places;
  std::size_t begin = 0, end = places.size();
  while (begin < end && places[begin].nearest < 0) ++begin;
  while (end > begin && places[end - 1].nearest < 0) --end;
  return {begin, end};
}

void copy_nearest(const cv::Mat& from, cv::Mat& to, const Separable& warp) {
  const std::size_t size = from.elemSize();
  const bool together = consecutive(warp.columns);
  const auto [begin, end] = inside(warp.columns);
  if (begin == end) return;
  for (int y = 0, before = -1; y < to.rows; ++y) {
    const int source = warp.rows.places[static_cast<std::size_t>(y)].nearest;
    if (source >= 0 && source == before)
      std::memcpy(to.ptr(y), to.ptr(y - 1), static_cast<std::size_t>(to.cols) * size);
    else if (source >= 0 && together)
      std::memcpy(to.ptr(y) + begin * size,
                  from.ptr(source) + static_cast<std::size_t>(warp.columns.places[begin].nearest) * size,
                  (end - begin) * size);
    else if (source >= 0)
      copy_row(from.ptr(source), to.ptr(y), warp.columns, size);
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

// To the nearest integer, halves to even, as cvRound does, but in a form that compilers vectorise: adding 1.5 * 2^23
// leaves the integer in the low bits. What is blended lies within the range of T.
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
  const auto row = [&](int y, int other) {  // never in the buffer that holds `other`
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

template <class T>
void blend(const cv::Mat& from, cv::Mat& to, const Separable& warp) {
  if (from.channels() == 1)
    blend<T, 1>(from, to, warp);
  else if (from.channels() == 3)
    blend<T, 3>(from, to, warp);
  else
    blend<T, 0>(from, to, warp);
}

// Each row or column of the result as a weighted sum of consecutive ones.
struct Sums {
  std::size_t most = 0;  // so many weights are kept for each
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

// Of an axis along which the image does not grow.
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
      const std::size_t slot = static_cast<std::size_t>(source) % rows.most;  // what one row needs never shares a slot
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

// cv::Mat::t() does it for up to four channels.
cv::Mat transposed(const cv::Mat& from) {
  if (from.channels() <= 4) return from.t();
  cv::Mat to(from.cols, from.rows, from.type());
  for (int y = 0; y < to.rows; ++y)
    for (int x = 0; x < to.cols; ++x)
      std::memcpy(to.ptr(y) + static_cast<std::size_t>(x) * to.elemSize(),
                  from.ptr(x) + static_cast<std::size_t>(y) * from.elemSize(), from.elemSize());
  return to;
}

template <class T>
void fill_all(cv::Mat& to, const std::vector<T>& fill) {
  T* out = to.ptr<T>();
  const std::size_t count = to.total() * fill.size();
  if (std::all_of(fill.begin(), fill.end(), [&](T value) { return value == fill[0]; }))
    std::fill_n(out, count, fill[0]);
  else
    for (std::size_t i = 0; i < count; i += fill.size()) std::copy(fill.begin(), fill.end(), out + i);
}

// Of the whole image: OpenCV does it two to four times faster than `blend`.
bool is_resize(const Warp& warp, const Extent& from) { return warp.to_input == Warp::resize(from, warp.size).to_input; }
bool opencv_knows(Interpolation how, int channels) { return how != Interpolation::area || channels <= 4; }

int of_opencv(Interpolation how) {
  return how == Interpolation::area ? cv::INTER_AREA : how == Interpolation::cubic ? cv::INTER_CUBIC : cv::INTER_LINEAR;
}

template <class T>
void warp_image(const cv::Mat& from, cv::Mat& to, const Warp& warp, Interpolation how, const std::vector<T>& fill) {
  const auto separable = from.dims == 2 ? separate(warp, extent(from)) : std::nullopt;
  const bool grows = !separable || std::abs(separable->columns.scale) < 1 || std::abs(separable->rows.scale) < 1;
  if (how == Interpolation::area && grows) how = Interpolation::linear;
  const bool whole = separable && separable->columns.whole && separable->rows.whole;
  const bool moved = how == Interpolation::nearest || whole;
  if (!separable || (!moved && std::is_same_v<T, std::int32_t>)) return sample<T>(from, to, warp, how, fill);
  if (!moved && is_resize(warp, extent(from)) && opencv_knows(how, from.channels()))
    return cv::resize(from, to, to.size(), 0, 0, of_opencv(how));
  fill_all(to, fill);
  const cv::Mat source = separable->transposed ? transposed(from) : from;
  if (moved)
    copy_nearest(source, to, *separable);
  else if (how == Interpolation::linear)
    blend<T>(source, to, *separable);
  else if (how == Interpolation::cubic)
    mix<T>(source, to, *separable, cubic_sums(separable->columns), cubic_sums(separable->rows));
  else
    mix<T>(source, to, *separable, area_sums(separable->columns), area_sums(separable->rows));
}

// What of the result shows the outside of a stage: 8U, not 0 there.
cv::Mat outside_of(const Warp::Stage& stage, const Extent& size, bool volume) {
  cv::Mat outside = make(size, volume, CV_8U);
  each_position(size, stage.from_result, stage.displacement, [&](int x, int y, int z, const cv::Vec3d& at) {
    *pixel<std::uint8_t>(outside, x, y, z) = !within(at, stage.size);
  });
  return outside;
}

// A warp, and for each of its stages where the result is filled.
struct Move {
  Move(const Warp& its_warp, bool volume) : warp(its_warp) {
    for (const auto& stage : warp.stages) outside.push_back(outside_of(stage, warp.size, volume));
  }
  const Warp& warp;
  std::vector<cv::Mat> outside;
};

// fills: of the warp and of each stage; one value for all channels, or one each.
using Fills = std::vector<std::vector<double>>;

template <class T>
void move(const cv::Mat& from, cv::Mat& to, const Move& move, Interpolation how, const Fills& fills) {
  const auto each_channel = [&](const std::vector<double>& given) {
    std::vector<T> fill;
    for (std::size_t c = 0; c < static_cast<std::size_t>(from.channels()); ++c)
      fill.push_back(cv::saturate_cast<T>(given[given.size() == 1 ? 0 : c]));
    return fill;
  };
  warp_image<T>(from, to, move.warp, how, each_channel(fills[0]));
  for (std::size_t i = 0; i < move.outside.size(); ++i) {
    const auto fill = each_channel(fills[i + 1]);
    const auto* outside = move.outside[i].ptr<std::uint8_t>();
    T* out = to.ptr<T>();
    for (std::size_t at = 0; at < to.total(); ++at, out += fill.size())
      if (outside[at]) std::copy(fill.begin(), fill.end(), out);
  }
}

cv::Mat moved(const cv::Mat& from, const Move& how_moved, Interpolation how, const Fills& fills) {
  if (from.empty()) return {};
  cv::Mat to = make(how_moved.warp.size, from.dims == 3, from.type());
  switch (from.depth()) {
    case CV_8U:
      move<std::uint8_t>(from, to, how_moved, how, fills);
      break;
    case CV_16U:
      move<std::uint16_t>(from, to, how_moved, how, fills);
      break;
    case CV_16S:
      move<std::int16_t>(from, to, how_moved, how, fills);
      break;
    case CV_32S:
      move<std::int32_t>(from, to, how_moved, how, fills);
      break;
    case CV_32F:
      move<float>(from, to, how_moved, how, fills);
      break;
    default:
      throw DataError("warp", "images are 8U, 16U, 16S, 32S or 32F, this is " + cv::typeToString(from.type()));
  }
  return to;
}

Fills same_fill(const Warp& warp, const std::vector<double>& fill) { return Fills(1 + warp.stages.size(), fill); }

std::string text(const Extent& size) {
  return (size.depth == 1 ? "" : std::to_string(size.depth) + " x ") + std::to_string(size.height) + " x " +
         std::to_string(size.width);
}

void demand_fill(const std::vector<double>& fill, const cv::Mat& map, const std::string& where) {
  if (fill.size() != 1 && fill.size() != static_cast<std::size_t>(map.channels()))
    throw DataError(where, "has " + std::to_string(map.channels()) + " channels, and \"fill\" " +
                               std::to_string(fill.size()) + " values: give one for all, or one for each");
}

// Of labels per class, 1 in the class that stands for the outside.
std::vector<double> label_fill(std::int16_t number, const Sample& sample) {
  if (sample.labels.depth() != CV_32F || number == kIgnore) return {static_cast<double>(number)};
  const int classes = sample.labels.channels();
  if (number < 0 || number >= classes)
    throw DataError(sample.id, "has labels of " + std::to_string(classes) + " classes, and class " +
                                   std::to_string(number) + " to fill them with");
  std::vector<double> fill(static_cast<std::size_t>(classes), 0.0);
  fill[static_cast<std::size_t>(number)] = 1;
  return fill;
}

// So that a transform left out by chance costs nothing, and loses nothing either.
bool changes_nothing(const Warp& warp, const Sample& sample) {
  return warp.displacement.empty() && warp.stages.empty() && warp.to_input == cv::Matx44d::eye() &&
         !sample.image.empty() && warp.size == extent(sample.image);
}

// where: names the sample.
void check(const Warp& warp, const std::string& where) {
  const auto demand_pixels = [&](const Extent& size) {
    if (size.depth < 1 || size.height < 1 || size.width < 1)
      throw DataError(where, "would become " + text(size) + " pixels: nothing is left of it");
  };
  for (const auto& stage : warp.stages) demand_pixels(stage.size);
  demand_pixels(warp.size);
  if (!warp.displacement.empty() && (warp.displacement.type() != CV_32FC3 || extent(warp.displacement) != warp.size))
    throw DataError(where, "a displacement is 32FC3 of the result's size");
}

// What a warp would move apart, or could not fill.
void check(const Warp& warp, const Sample& sample) {
  check(warp, sample.id);
  const auto same_size = [&](const cv::Mat& map, const std::string& name) {
    if (!map.empty() && !sample.image.empty() && extent(map) != extent(sample.image))
      throw DataError(
          sample.id, name + " of " + text(extent(map)) + " pixels belong to an image of " + text(extent(sample.image)));
  };
  same_size(sample.labels, "labels");
  same_size(sample.segment_ids, "segment ids");
  for (const auto& [name, map] : sample.targets) same_size(map, "targets \"" + name + "\"");
  if (sample.image.empty()) return;
  demand_fill(warp.image_fill, sample.image, sample.id);
  for (const auto& stage : warp.stages) demand_fill(stage.image_fill, sample.image, sample.id);
}

bool moves_whole_pixels(const Warp& warp) {
  if (!warp.displacement.empty()) return false;
  const cv::Matx44d& m = warp.to_input;
  for (int i = 0; i < 3; ++i) {
    int ones = 0;
    for (int j = 0; j < 3; ++j) {
      if (m(i, j) != 0 && std::abs(m(i, j)) != 1) return false;
      ones += m(i, j) != 0;
    }
    if (ones != 1 || m(i, 3) != std::floor(m(i, 3))) return false;
  }
  return true;
}

// From positions of a later result to those of `map`, which `by` has led to already: the displacement of the two.
cv::Mat joined_displacement(const cv::Matx44d& matrix, const cv::Mat& displacement, const Warp& by) {
  if (displacement.empty() && by.displacement.empty()) return {};
  cv::Mat joined = make(by.size, by.size.depth > 1 || displacement.dims == 3 || by.displacement.dims == 3, CV_32FC3);
  joined = cv::Scalar::all(0);
  if (!displacement.empty()) {
    Warp alone;
    alone.size = by.size, alone.to_input = by.to_input, alone.displacement = by.displacement;
    joined = warped(displacement, alone, Interpolation::linear);
  }
  if (by.displacement.empty()) return joined;
  const cv::Matx33d turn = matrix.get_minor<3, 3>(0, 0);
  const cv::Mat shifts = by.displacement.isContinuous() ? by.displacement : by.displacement.clone();
  const auto* shift = shifts.ptr<cv::Vec3f>();
  auto* sum = joined.ptr<cv::Vec3f>();
  for (std::size_t i = 0; i < joined.total(); ++i) sum[i] += cv::Vec3f(turn * cv::Vec3d(shift[i]));
  return joined;
}

// Whether any pixel of the result comes from outside the stage.
bool shows(const Warp::Stage& stage, const Extent& size) {
  if (!stage.displacement.empty()) return true;
  for (int corner = 0; corner < 8; ++corner) {
    const cv::Vec4d at =
        stage.from_result * cv::Vec4d(corner & 1 ? size.width - 0.5 : 0.5, corner & 2 ? size.height - 0.5 : 0.5,
                                      corner & 4 ? size.depth - 0.5 : 0.5, 1);
    if (!within({at[0], at[1], at[2]}, stage.size)) return true;
  }
  return false;
}

// The smallest upright rectangle around a moved one.
cv::Rect2f moved_box(const cv::Rect2f& box, const cv::Matx44d& matrix) {
  float x0 = 1e30f, y0 = 1e30f, x1 = -1e30f, y1 = -1e30f;
  for (const auto& corner :
       {cv::Point2f(box.tl()), cv::Point2f(box.br()), cv::Point2f(box.x, box.br().y), cv::Point2f(box.br().x, box.y)}) {
    const auto at = matrix * cv::Vec4d(corner.x, corner.y, 0.5, 1);
    x0 = std::min(x0, float(at[0])), x1 = std::max(x1, float(at[0]));
    y0 = std::min(y0, float(at[1])), y1 = std::max(y1, float(at[1]));
  }
  return {x0, y0, x1 - x0, y1 - y0};
}

// Cut off at each edge that it meets on its way.
cv::Rect2f moved_box(cv::Rect2f box, const Warp& warp) {
  const auto cut = [](const cv::Rect2f& moved, const Extent& size) {
    return moved & cv::Rect2f(0, 0, float(size.width), float(size.height));
  };
  cv::Matx44d to_result = warp.to_input.inv();  // from where the box is by now
  for (const auto& stage : warp.stages) {
    box = cut(moved_box(box, stage.from_result * to_result), stage.size);
    to_result = stage.from_result.inv();
  }
  return cut(moved_box(box, to_result), warp.size);
}

}  // namespace

Extent extent(const cv::Mat& picture) {
  if (picture.dims == 3) return {picture.size[0], picture.size[1], picture.size[2]};
  return {1, picture.rows, picture.cols};
}

Warp Warp::resize(const Extent& from, const Extent& to) {
  Warp warp;
  warp.size = to;
  warp.to_input = cv::Matx44d::diag(
      {double(from.width) / to.width, double(from.height) / to.height, double(from.depth) / to.depth, 1});
  return warp;
}
Warp Warp::crop(int x, int y, int z, const Extent& size) {
  Warp warp;
  warp.size = size;
  warp.to_input(0, 3) = x, warp.to_input(1, 3) = y, warp.to_input(2, 3) = z;
  return warp;
}
Warp Warp::flip(const Extent& size, int axis) {
  Warp warp;
  warp.size = size;
  warp.to_input(axis, axis) = -1;
  warp.to_input(axis, 3) = axis == 0 ? size.width : axis == 1 ? size.height : size.depth;
  return warp;
}

cv::Mat warped(const cv::Mat& map, const Warp& warp, Interpolation interpolation, const std::vector<double>& fill) {
  check(warp, "warp");
  demand_fill(fill, map, "warp");
  return moved(map, Move(warp, map.dims == 3), interpolation, same_fill(warp, fill));
}

Warp fused(const Warp& first, const Warp& second) {
  Warp both = first;
  both.size = second.size;
  both.to_input = first.to_input * second.to_input;
  both.displacement = joined_displacement(first.to_input, first.displacement, second);
  if (moves_whole_pixels(first)) both.interpolation = second.interpolation;
  for (auto& stage : both.stages) {
    stage.displacement = joined_displacement(stage.from_result, stage.displacement, second);
    stage.from_result = stage.from_result * second.to_input;
  }
  both.stages.push_back({first.size, second.to_input, second.displacement, second.image_fill, second.label_fill});
  both.stages.insert(both.stages.end(), second.stages.begin(), second.stages.end());
  std::erase_if(both.stages, [&](const Warp::Stage& stage) { return !shows(stage, both.size); });
  return both;
}

void apply(const Warp& warp, Sample& sample) {
  check(warp, sample);
  if (sample.geometry.original.width == 0) sample.geometry.original = extent(sample.image);
  if (changes_nothing(warp, sample)) return;
  const bool volume = sample.image.dims == 3 || sample.labels.dims == 3;
  const Move move(warp, volume);
  Fills image_fills{warp.image_fill}, label_fills{label_fill(warp.label_fill, sample)};
  for (const auto& stage : warp.stages) {
    image_fills.push_back(stage.image_fill);
    label_fills.push_back(label_fill(stage.label_fill, sample));
  }
  const auto nothing = same_fill(warp, {0}), ignored = same_fill(warp, {kIgnore});
  sample.image = moved(sample.image, move, warp.interpolation, image_fills);
  sample.labels = moved(sample.labels, move, Interpolation::nearest, label_fills);
  sample.segment_ids = moved(sample.segment_ids, move, Interpolation::nearest, nothing);
  for (auto& [name, map] : sample.targets) {
    if (map.depth() != CV_32F && map.type() != CV_16SC1)
      throw DataError(sample.id, "target \"" + name + "\" is neither 32F nor 16S of one channel");
    map = map.depth() == CV_32F ? moved(map, move, Interpolation::linear, nothing)
                                : moved(map, move, Interpolation::nearest, ignored);
  }
  std::vector<Instance> kept;
  for (auto& instance : sample.instances) {
    instance.area.reset();
    if (!instance.mask.empty()) {
      instance.mask = Mask(moved(instance.mask.bitmap(), move, Interpolation::nearest, nothing));
      instance.box = instance.mask.box();
    } else {
      instance.box = moved_box(instance.box, warp);
    }
    if (instance.box.width > 0 && instance.box.height > 0) kept.push_back(std::move(instance));
  }
  sample.instances = std::move(kept);
  sample.geometry.to_original = sample.geometry.to_original * warp.to_input;
  sample.geometry.invertible = sample.geometry.invertible && warp.displacement.empty();
}

void GeometricTransform::apply(Sample& sample, Draw& draw) const { sectile::apply(warp(sample, draw), sample); }

}  // namespace sectile
