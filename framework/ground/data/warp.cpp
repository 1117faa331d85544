// Warps. One plain sampler for pictures and volumes of any type is the reference. In front of it stand the warps of
// pictures whose columns and rows move independently (crop, pad, flip, quarter turns, resize and their products):
// nearest pixels and whole shifts are exactly the reference's, interpolated integers within one level (float instead of
// double).
#include <algorithm>
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

cv::Mat make(const Extent& size, bool volume, int type) {
  const int sizes[] = {size.depth, size.height, size.width};
  return volume ? cv::Mat(3, sizes, type) : cv::Mat(size.height, size.width, type);
}

template <class T>
void sample(const cv::Mat& from, cv::Mat& to, const Warp& warp, bool linear, double fill) {
  const Extent in = extent(from);
  const int channels = from.channels();
  const auto row = [](const cv::Mat& mat, int z, int y) {
    return reinterpret_cast<T*>(mat.data + (mat.dims == 3 ? z * mat.step[0] + y * mat.step[1] : y * mat.step[0]));
  };
  const int limit[3] = {in.width, in.height, in.depth};
  for (int z = 0; z < warp.size.depth; ++z)
    for (int y = 0; y < warp.size.height; ++y) {
      T* out = row(to, z, y);
      const auto* shift =
          warp.displacement.empty()
              ? nullptr
              : reinterpret_cast<const cv::Vec3f*>(warp.displacement.dims == 3 ? warp.displacement.ptr(z, y)
                                                                               : warp.displacement.ptr(y));
      for (int x = 0; x < warp.size.width; ++x, out += channels) {
        cv::Vec4d at = warp.to_input * cv::Vec4d(x + 0.5, y + 0.5, z + 0.5, 1);
        if (shift)
          for (int i = 0; i < 3; ++i) at[i] += shift[x][i];
        bool inside = true;
        for (int i = 0; i < 3; ++i) inside = inside && at[i] >= 0 && at[i] < limit[i];
        if (!inside) {
          std::fill_n(out, channels, cv::saturate_cast<T>(fill));
          continue;
        }
        if (!linear) {
          std::copy_n(row(from, int(at[2]), int(at[1])) + int(at[0]) * channels, channels, out);
          continue;
        }
        int low[3], high[3];
        double part[3];
        for (int i = 0; i < 3; ++i) {
          const double centre = at[i] - 0.5, whole = std::floor(centre);
          part[i] = centre - whole;
          low[i] = std::clamp(int(whole), 0, limit[i] - 1);
          high[i] = std::clamp(int(whole) + 1, 0, limit[i] - 1);
        }
        for (int c = 0; c < channels; ++c) {
          double sum = 0;
          for (int corner = 0; corner < 8; ++corner) {
            const bool dx = corner & 1, dy = corner & 2, dz = corner & 4;
            const double weight =
                (dx ? part[0] : 1 - part[0]) * (dy ? part[1] : 1 - part[1]) * (dz ? part[2] : 1 - part[2]);
            if (weight > 0)
              sum += weight *
                     row(from, dz ? high[2] : low[2], dy ? high[1] : low[1])[(dx ? high[0] : low[0]) * channels + c];
          }
          out[c] = cv::saturate_cast<T>(sum);
        }
      }
    }
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
};

Axis place_axis(double scale, double offset, int count, int limit) {
  Axis axis;
  axis.whole = std::abs(scale) == 1 && offset == std::floor(offset);
  axis.places.resize(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const double at = scale * (i + 0.5) + offset;
    if (!(at >= 0 && at < limit)) continue;
    const double centre = at - 0.5, floor = std::floor(centre);
    Place& place = axis.places[static_cast<std::size_t>(i)];
    place.nearest = static_cast<int>(at);
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

// Of the whole picture: OpenCV does it two to four times faster than `blend`.
bool is_resize(const Warp& warp, const Extent& from) { return warp.to_input == Warp::resize(from, warp.size).to_input; }

template <class T>
void warp_picture(const cv::Mat& from, cv::Mat& to, const Warp& warp, bool linear, double fill) {
  auto separable = from.dims == 2 ? separate(warp, extent(from)) : std::nullopt;
  if (separable && separable->transposed && from.channels() > 4) separable.reset();  // cv::transpose has limits
  const bool whole = separable && separable->columns.whole && separable->rows.whole;
  if (!separable || (linear && !whole && std::is_same_v<T, std::int32_t>))
    return sample<T>(from, to, warp, linear, fill);
  if (linear && !whole && is_resize(warp, extent(from))) return cv::resize(from, to, to.size(), 0, 0, cv::INTER_LINEAR);
  std::fill_n(to.ptr<T>(), to.total() * static_cast<std::size_t>(to.channels()), cv::saturate_cast<T>(fill));
  const cv::Mat source = separable->transposed ? cv::Mat(from.t()) : from;
  if (!linear || whole)
    copy_nearest(source, to, *separable);
  else
    blend<T>(source, to, *separable);
}

cv::Mat warped(const cv::Mat& from, const Warp& warp, bool linear, double fill) {
  if (from.empty()) return {};
  cv::Mat to = make(warp.size, from.dims == 3, from.type());
  switch (from.depth()) {
    case CV_8U:
      warp_picture<std::uint8_t>(from, to, warp, linear, fill);
      break;
    case CV_16U:
      warp_picture<std::uint16_t>(from, to, warp, linear, fill);
      break;
    case CV_16S:
      warp_picture<std::int16_t>(from, to, warp, linear, fill);
      break;
    case CV_32S:
      warp_picture<std::int32_t>(from, to, warp, linear, fill);
      break;
    case CV_32F:
      warp_picture<float>(from, to, warp, linear, fill);
      break;
    default:
      throw DataError("warp", "pictures are 8U, 16U, 16S, 32S or 32F, this is " + cv::typeToString(from.type()));
  }
  return to;
}

std::string text(const Extent& size) {
  return (size.depth == 1 ? "" : std::to_string(size.depth) + " x ") + std::to_string(size.height) + " x " +
         std::to_string(size.width);
}

// So that a transform left out by chance costs nothing, and loses nothing either.
bool changes_nothing(const Warp& warp, const Sample& sample) {
  return warp.displacement.empty() && warp.to_input == cv::Matx44d::eye() && !sample.image.empty() &&
         warp.size == extent(sample.image);
}

// What a warp would move apart, or could not move.
void check(const Warp& warp, const Sample& sample) {
  if (warp.size.depth < 1 || warp.size.height < 1 || warp.size.width < 1)
    throw DataError(sample.id, "would become " + text(warp.size) + " pixels: nothing is left of it");
  if (!warp.displacement.empty() && (warp.displacement.type() != CV_32FC3 || extent(warp.displacement) != warp.size))
    throw DataError(sample.id, "a displacement is 32FC3 of the result's size");
  const auto same_size = [&](const cv::Mat& map, const std::string& name) {
    if (!map.empty() && !sample.image.empty() && extent(map) != extent(sample.image))
      throw DataError(sample.id, name + " of " + text(extent(map)) + " pixels belong to a picture of " +
                                     text(extent(sample.image)));
  };
  same_size(sample.labels, "labels");
  same_size(sample.segment_ids, "segment ids");
  for (const auto& [name, map] : sample.targets) same_size(map, "targets \"" + name + "\"");
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

void apply(const Warp& warp, Sample& sample) {
  check(warp, sample);
  if (sample.geometry.original.width == 0) sample.geometry.original = extent(sample.image);
  if (changes_nothing(warp, sample)) return;
  sample.image = warped(sample.image, warp, true, warp.image_fill);
  sample.labels = warped(sample.labels, warp, false, kIgnore);
  sample.segment_ids = warped(sample.segment_ids, warp, false, 0);
  for (auto& [name, map] : sample.targets) {
    if (map.depth() != CV_32F && map.type() != CV_16SC1)
      throw DataError(sample.id, "target \"" + name + "\" is neither 32F nor 16S of one channel");
    map = map.depth() == CV_32F ? warped(map, warp, true, 0) : warped(map, warp, false, kIgnore);
  }
  std::vector<Instance> kept;
  for (auto& instance : sample.instances) {
    instance.area.reset();
    if (!instance.mask.empty()) {
      instance.mask = Mask(warped(instance.mask.bitmap(), warp, false, 0));
      instance.box = instance.mask.box();
    } else {
      const auto inverse = warp.to_input.inv();
      float x0 = 1e30f, y0 = 1e30f, x1 = -1e30f, y1 = -1e30f;
      for (const auto& corner :
           {cv::Point2f(instance.box.tl()), cv::Point2f(instance.box.br()),
            cv::Point2f(instance.box.x, instance.box.br().y), cv::Point2f(instance.box.br().x, instance.box.y)}) {
        const auto at = inverse * cv::Vec4d(corner.x, corner.y, 0.5, 1);
        x0 = std::min(x0, float(at[0])), x1 = std::max(x1, float(at[0]));
        y0 = std::min(y0, float(at[1])), y1 = std::max(y1, float(at[1]));
      }
      instance.box =
          cv::Rect2f(x0, y0, x1 - x0, y1 - y0) & cv::Rect2f(0, 0, float(warp.size.width), float(warp.size.height));
    }
    if (instance.box.width > 0 && instance.box.height > 0) kept.push_back(std::move(instance));
  }
  sample.instances = std::move(kept);
  sample.geometry.to_original = sample.geometry.to_original * warp.to_input;
  sample.geometry.invertible = sample.geometry.invertible && warp.displacement.empty();
}

void GeometricTransform::apply(Sample& sample, Draw& draw) const { sectile::apply(warp(sample, draw), sample); }

}  // namespace sectile
