// A plain sampler for images and volumes of any type is the reference. Warps whose columns and rows move independently
// have a faster path; only they support Interpolation::area.
#include "warped_pixels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include <opencv2/imgproc.hpp>

#include <sectile/error.h>

namespace sectile {
namespace {

// The pixels and weights of an interpolated value, along one axis.
struct Taps {
  int count = 0;
  std::array<int, 4> at{};
  std::array<double, 4> weight{};
};

// centre: in pixels from the center of the first one. limit: number of pixels.
Taps taps(double centre, int limit, bool cubic) {
  if (limit == 1) return {1, {0}, {1}};
  const double whole = std::floor(centre), part = centre - whole;
  const auto pixel = [&](int i) { return std::clamp(int(whole) + i, 0, limit - 1); };
  if (cubic) return {4, {pixel(-1), pixel(0), pixel(1), pixel(2)}, cubic_weights(part)};
  return {2, {pixel(0), pixel(1)}, {1 - part, part}};
}

template <class T>
T* pixel(const cv::Mat& map, int x, int y, int z) {
  auto* row = map.data + (map.dims == 3 ? z * map.step[0] + y * map.step[1] : y * map.step[0]);
  return reinterpret_cast<T*>(row) + x * map.channels();
}

// fill: one value per channel.
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

// cv::Mat::t() supports up to four channels.
cv::Mat transposed(const cv::Mat& from) {
  if (from.channels() <= 4) return from.t();
  cv::Mat to(from.cols, from.rows, from.type());
  for (int y = 0; y < to.rows; ++y)
    for (int x = 0; x < to.cols; ++x)
      std::memcpy(to.ptr(y) + static_cast<std::size_t>(x) * to.elemSize(),
                  from.ptr(x) + static_cast<std::size_t>(y) * from.elemSize(), from.elemSize());
  return to;
}

// For the whole image: OpenCV is two to four times faster than `blend`.
bool is_resize(const Warp& warp, const Extent& from) { return warp.to_input == Warp::resize(from, warp.size).to_input; }
bool opencv_knows(Interpolation how, int channels) { return how != Interpolation::area || channels <= 4; }

int of_opencv(Interpolation how) {
  return how == Interpolation::area ? cv::INTER_AREA : how == Interpolation::cubic ? cv::INTER_CUBIC : cv::INTER_LINEAR;
}

template <class T>
void warp_slanted(const cv::Mat& from, cv::Mat& to, const Move& move, Interpolation how, const std::vector<T>& fill) {
  const auto* fast = move.slanted(from);
  if (fast && how == Interpolation::nearest) return fast->nearest(from, to, fill.data());
  if constexpr (!std::is_same_v<T, std::int32_t>)
    if (fast)
      return how == Interpolation::cubic ? fast->cubic<T>(from, to, fill.data())
                                         : fast->linear<T>(from, to, fill.data());
  sample<T>(from, to, move.warp, how, fill);
}

template <class T>
void warp_image(const cv::Mat& from, cv::Mat& to, const Move& move, Interpolation how, const std::vector<T>& fill) {
  const auto& warp = move.warp;
  const Separable* separable = from.dims == 2 ? move.separable(from) : nullptr;
  const bool grows = !separable || std::abs(separable->columns.scale) < 1 || std::abs(separable->rows.scale) < 1;
  if (how == Interpolation::area && grows) how = Interpolation::linear;
  const bool moved = how == Interpolation::nearest || (separable && separable->whole());
  if (!separable) return warp_slanted<T>(from, to, move, how, fill);
  if (!moved && std::is_same_v<T, std::int32_t>) return sample<T>(from, to, warp, how, fill);
  if (!moved && is_resize(warp, extent(from)) && opencv_knows(how, from.channels()))
    return cv::resize(from, to, to.size(), 0, 0, of_opencv(how));
  move_separably<T>(separable->transposed ? transposed(from) : from, to, *separable, how, fill);
}

// The part of the result that is outside a stage: 8U, not 0 there.
cv::Mat outside_of(const Warp::Stage& stage, const Extent& size, bool volume) {
  cv::Mat outside = make(size, volume, CV_8U);
  each_position(size, stage.from_result, stage.displacement, [&](int x, int y, int z, const cv::Vec3d& at) {
    *pixel<std::uint8_t>(outside, x, y, z) = !within(at, stage.size);
  });
  return outside;
}

template <class T>
void move(const cv::Mat& from, cv::Mat& to, const Move& move, Interpolation how, const Fills& fills) {
  const auto each_channel = [&](const std::vector<double>& given) {
    std::vector<T> fill;
    for (std::size_t c = 0; c < static_cast<std::size_t>(from.channels()); ++c)
      fill.push_back(cv::saturate_cast<T>(given[given.size() == 1 ? 0 : c]));
    return fill;
  };
  warp_image<T>(from, to, move, how, each_channel(fills[0]));
  for (std::size_t i = 0; i < move.outside.size(); ++i) {
    const auto fill = each_channel(fills[i + 1]);
    const auto* outside = move.outside[i].ptr<std::uint8_t>();
    T* out = to.ptr<T>();
    for (std::size_t at = 0; at < to.total(); ++at, out += fill.size())
      if (outside[at]) std::copy(fill.begin(), fill.end(), out);
  }
}
}  // namespace

cv::Mat make(const Extent& size, bool volume, int type) {
  const int sizes[] = {size.depth, size.height, size.width};
  return volume ? cv::Mat(3, sizes, type) : cv::Mat(size.height, size.width, type);
}

Move::Move(const Warp& its_warp, bool volume) : warp(its_warp) {
  for (const auto& stage : warp.stages) outside.push_back(outside_of(stage, warp.size, volume));
}

const Separable* Move::separable(const cv::Mat& from) const {
  if (separated_ != extent(from)) {
    separable_ = separate(warp, extent(from));
    separated_ = extent(from);
  }
  return separable_ ? &*separable_ : nullptr;
}

const SlantedWarp* Move::slanted(const cv::Mat& from) const {
  if (!SlantedWarp::fits(warp, from)) return nullptr;
  if (!slanted_ || slanted_->from() != extent(from)) slanted_.emplace(warp, extent(from));
  return &*slanted_;
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

}  // namespace sectile
