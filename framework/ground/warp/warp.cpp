// Applying a warp to a sample: to its image, its annotation and its geometry.
#include <algorithm>
#include <cmath>
#include <utility>

#include <sectile/error.h>

#include "warped_pixels.h"

namespace sectile {
namespace {

constexpr int kMostPixels = 1 << 29;  // of an image or slice, as of resize

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

// For labels per class, 1 in the class of the outside.
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

// A random transform that is not applied has no cost and loses nothing.
bool changes_nothing(const Warp& warp, const Sample& sample) {
  return warp.displacement.empty() && warp.stages.empty() && warp.to_input == cv::Matx44d::eye() &&
         !sample.image.empty() && warp.size == extent(sample.image);
}

// where: the sample's name.
void check(const Warp& warp, const std::string& where) {
  const auto demand_pixels = [&](const Extent& size) {
    if (size.depth < 1 || size.height < 1 || size.width < 1)
      throw DataError(where, "would become " + text(size) + " pixels: nothing is left of it");
  };
  for (const auto& stage : warp.stages) demand_pixels(stage.size);
  demand_pixels(warp.size);
  if (static_cast<double>(warp.size.height) * warp.size.width > kMostPixels)
    throw DataError(where, "would become " + text(warp.size) + " pixels, and up to " + std::to_string(kMostPixels) +
                               " are supported in an image or slice: make it smaller");
  if (!warp.displacement.empty() && (warp.displacement.type() != CV_32FC3 || extent(warp.displacement) != warp.size))
    throw DataError(where, "a displacement is 32FC3 of the result's size");
}

// Throws DataError for annotation that does not match the image's size, or fills that do not match its channels.
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
  if (has_perspective(warp.to_input) && (sample.image.dims == 3 || sample.labels.dims == 3))
    throw DataError(sample.id, "is a volume; a perspective is for images");
  if (sample.image.empty()) return;
  demand_fill(warp.image_fill, sample.image, sample.id);
  for (const auto& stage : warp.stages) demand_fill(stage.image_fill, sample.image, sample.id);
}

bool moves_whole_pixels(const Warp& warp) {
  const cv::Matx44d& m = warp.to_input;
  if (!warp.displacement.empty() || has_perspective(m)) return false;
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

// Composes displacements: from positions of a later result, through `by`, to those of `map`.
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
  const cv::Mat shifts = by.displacement.isContinuous() ? by.displacement : by.displacement.clone();
  const auto* shift = shifts.ptr<cv::Vec3f>();
  auto* sum = joined.ptr<cv::Vec3f>();
  const bool perspective = has_perspective(matrix);
  const cv::Matx33d turn = matrix.get_minor<3, 3>(0, 0);
  each_position(by.size, by.to_input, {}, [&](int, int, int, const cv::Vec3d& at) {
    const cv::Vec3d by_shift(*shift++);
    *sum++ +=
        cv::Vec3f(perspective ? moved_position(matrix, at + by_shift) - moved_position(matrix, at) : turn * by_shift);
  });
  return joined;
}

// Whether any pixel of the result is from outside the stage.
bool shows(const Warp::Stage& stage, const Extent& size) {
  if (!stage.displacement.empty()) return true;
  for (int corner = 0; corner < 8; ++corner) {
    const cv::Vec4d at =
        stage.from_result * cv::Vec4d(corner & 1 ? size.width - 0.5 : 0.5, corner & 2 ? size.height - 0.5 : 0.5,
                                      corner & 4 ? size.depth - 0.5 : 0.5, 1);
    if (!(at[3] > 0) || !within({at[0] / at[3], at[1] / at[3], at[2]}, stage.size)) return true;
  }
  return false;
}

// The axis-aligned bounding box of a transformed box.
cv::Rect2f moved_box(const cv::Rect2f& box, const cv::Matx44d& matrix) {
  constexpr float kFar = 1e6f;
  float x0 = 1e30f, y0 = 1e30f, x1 = -1e30f, y1 = -1e30f;
  for (const auto& corner :
       {cv::Point2f(box.tl()), cv::Point2f(box.br()), cv::Point2f(box.x, box.br().y), cv::Point2f(box.br().x, box.y)}) {
    const auto at = matrix * cv::Vec4d(corner.x, corner.y, 0.5, 1);
    if (!(at[3] > 0)) return {-kFar, -kFar, 2 * kFar, 2 * kFar};  // it reaches behind the viewer
    const auto x = float(at[0] / at[3]), y = float(at[1] / at[3]);
    x0 = std::min(x0, x), x1 = std::max(x1, x);
    y0 = std::min(y0, y), y1 = std::max(y1, y);
  }
  return {x0, y0, x1 - x0, y1 - y0};
}

// The axis-aligned bounding box of the transformed ellipse that fills a box. matrix: without a perspective.
cv::Rect2f moved_ellipse(const cv::Rect2f& box, const cv::Matx44d& matrix) {
  const double a = box.width / 2.0, b = box.height / 2.0;
  const cv::Vec4d center = matrix * cv::Vec4d(box.x + a, box.y + b, 0.5, 1);
  const double x = std::hypot(matrix(0, 0) * a, matrix(0, 1) * b), y = std::hypot(matrix(1, 0) * a, matrix(1, 1) * b);
  return {float(center[0] - x), float(center[1] - y), float(2 * x), float(2 * y)};
}

// The pixels along one axis whose centers lie inside a box; at least one, of a box that is thinner.
cv::Range pixels_between(float begin, float end, int length) {
  const int middle = cvFloor((begin + end) / 2);
  cv::Range pixels(cvRound(begin), cvRound(end));
  if (pixels.empty()) pixels = {middle, middle + 1};
  return pixels & cv::Range(0, length);
}

// Of a box without a mask after a displacement: the bounding box of the pixels that come from inside it. like: a map of
// the sample.
cv::Rect2f box_of_pixels(const cv::Rect2f& box, const cv::Mat& like, const Move& move, const Fills& nothing) {
  const Extent size = extent(like);
  const cv::Range ranges[] = {cv::Range::all(), pixels_between(box.y, box.br().y, size.height),
                              pixels_between(box.x, box.br().x, size.width)};
  if (ranges[1].empty() || ranges[2].empty()) return {};
  cv::Mat inside(like.dims, like.size.p, CV_8U);
  inside = cv::Scalar(0);
  inside(ranges + (3 - like.dims)) = cv::Scalar(1);
  return Mask(moved(inside, move, Interpolation::nearest, nothing)).box();
}

// Clipped at the edge of each stage.
cv::Rect2f moved_box(cv::Rect2f box, const Warp& warp) {
  const auto cut = [](const cv::Rect2f& whole, const Extent& size) {
    return whole & cv::Rect2f(0, 0, float(size.width), float(size.height));
  };
  const auto moved = [&](const cv::Rect2f& from, const cv::Matx44d& matrix) {
    return warp.boxes_are_ellipses && !has_perspective(matrix) ? moved_ellipse(from, matrix) : moved_box(from, matrix);
  };
  cv::Matx44d to_result = warp.to_input.inv();  // from the current position of the box
  for (const auto& stage : warp.stages) {
    box = cut(moved(box, stage.from_result * to_result), stage.size);
    to_result = stage.from_result.inv();
  }
  return cut(moved(box, to_result), warp.size);
}

}  // namespace

Extent extent(const cv::Mat& image) {
  if (image.dims == 3) return {image.size[0], image.size[1], image.size[2]};
  return {1, image.rows, image.cols};
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
  both.boxes_are_ellipses = first.boxes_are_ellipses || second.boxes_are_ellipses;
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
  const cv::Mat unmoved = sample.image.empty() ? sample.labels : sample.image;
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
    } else if (!warp.displacement.empty() && !unmoved.empty()) {
      instance.box = box_of_pixels(instance.box, unmoved, move, nothing);
    } else {
      instance.box = moved_box(instance.box, warp);
    }
    if (instance.box.width > 0 && instance.box.height > 0) kept.push_back(std::move(instance));
  }
  sample.instances = std::move(kept);
  sample.geometry.to_original = sample.geometry.to_original * warp.to_input;
  sample.geometry.invertible = sample.geometry.invertible && warp.displacement.empty();
}

void demand_image(const Sample& sample) {
  if (!sample.image.empty()) return;
  throw DataError(sample.id, "has no image: its size is " + text(extent(sample.image)) +
                                 " pixels, expected at least 1 x 1. Check its file and the transforms before");
}

void GeometricTransform::apply(Sample& sample, Draw& draw) const {
  demand_image(sample);
  sectile::apply(warp(sample, draw), sample);
}

}  // namespace sectile
