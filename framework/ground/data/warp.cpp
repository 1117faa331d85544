// Warps. One plain sampler for pictures and volumes of any type; fast paths (OpenCV's resize, flip and affine)
// belong in front of it, with it as their test.
#include <algorithm>
#include <cmath>

#include <opencv2/core.hpp>

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

cv::Mat warped(const cv::Mat& from, const Warp& warp, bool linear, double fill) {
  if (from.empty()) return {};
  cv::Mat to = make(warp.size, from.dims == 3, from.type());
  switch (from.depth()) {
    case CV_8U:
      sample<std::uint8_t>(from, to, warp, linear, fill);
      break;
    case CV_16U:
      sample<std::uint16_t>(from, to, warp, linear, fill);
      break;
    case CV_16S:
      sample<std::int16_t>(from, to, warp, linear, fill);
      break;
    case CV_32S:
      sample<std::int32_t>(from, to, warp, linear, fill);
      break;
    case CV_32F:
      sample<float>(from, to, warp, linear, fill);
      break;
    default:
      throw DataError("warp", "pictures are 8U, 16U, 16S, 32S or 32F");
  }
  return to;
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
  if (sample.geometry.original.width == 0) sample.geometry.original = extent(sample.image);
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
