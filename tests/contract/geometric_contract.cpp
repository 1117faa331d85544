// Transforms that return a warp: image, annotation and geometry move together, whatever the warp is. A warp may be
// applied with another interpolation and other fills than its transform's, which is what makes them comparable.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/random.h>
#include <sectile/transform.h>

#include "contract.h"

namespace sectile::contract {
namespace {

constexpr std::uint64_t kWarpsEach = 4;  // random draws for each kind of image
constexpr double kNearBorder = 0.05;     // in pixels: which of two pixels a position lies in may be rounded
constexpr double kPositionError = 0.05;  // of a linear interpolation in steps of 1/32 pixel, with some room

cv::Mat new_map(const Extent& size, bool volume, int type) {
  const int sizes[] = {size.depth, size.height, size.width};
  return volume ? cv::Mat(3, sizes, type) : cv::Mat(size.height, size.width, type);
}

// 8U: 1 where the labels are this class.
cv::Mat pixels_of_class(const cv::Mat& labels, int category) {
  const cv::Mat whole = labels.isContinuous() ? labels : labels.clone();
  cv::Mat bits(whole.dims, whole.size.p, CV_8U);
  const auto* label = whole.ptr<std::int16_t>();
  std::transform(label, label + whole.total(), bits.ptr(), [&](std::int16_t value) { return value == category; });
  return bits;
}

bool any_pixel(const cv::Mat& bits) {
  return std::any_of(bits.datastart, bits.dataend, [](std::uint8_t bit) { return bit != 0; });
}

// A region of each class on class 0. Ignored pixels are scattered over all, so that a shift of one pixel shows.
cv::Mat painted_labels(const Extent& size, bool volume) {
  cv::Mat labels = new_map(size, volume, CV_16S);
  Random random{11};
  const auto between = [](int i, int length, double from, double to) { return i >= from * length && i < to * length; };
  auto* label = labels.ptr<std::int16_t>();
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x) {
        int category = 0;
        if (between(y, size.height, 0.1, 0.5) && between(x, size.width, 0.1, 0.45)) category = 1;
        if (between(y, size.height, 0.35, 0.8) && between(x, size.width, 0.5, 0.9)) category = 2;
        if (z < size.depth / 4) category = 0;
        if (random.below(6) == 0) category = kIgnore;
        *label++ = static_cast<std::int16_t>(category);
      }
  return labels;
}

// Of a label in a channel of the image.
double shade(int label, int channel) { return (label + 1.0) * (channel + 1.0); }

// An image that shows its own label numbers in each channel, and all other annotation of the same regions.
Sample painted(const Extent& size, bool volume, int type) {
  Sample sample;
  sample.id = "painted";
  sample.labels = painted_labels(size, volume);
  std::vector<cv::Mat> channels(static_cast<std::size_t>(CV_MAT_CN(type)));
  for (int c = 0; c < CV_MAT_CN(type); ++c)
    sample.labels.convertTo(channels[static_cast<std::size_t>(c)], CV_MAT_DEPTH(type), shade(1, c) - shade(0, c),
                            shade(0, c));
  cv::merge(channels, sample.image);
  sample.labels.convertTo(sample.segment_ids, CV_32S, 1, 1);
  for (int category = 0; category < kClasses; ++category) sample.segments.push_back({category + 1, category, false});
  sample.targets["classes"] = sample.labels.clone();
  for (int category = 1; category < kClasses; ++category) {
    const cv::Mat bits = pixels_of_class(sample.labels, category);
    if (!any_pixel(bits)) continue;
    Instance instance;
    instance.category = category;
    instance.id = category;
    instance.mask = Mask(bits);
    instance.box = instance.mask.box();
    sample.instances.push_back(instance);
    instance.mask = Mask();  // the same object again, of which only the box is known
    sample.instances.push_back(instance);
  }
  sample.geometry.original = extent(sample.image);
  return sample;
}

// The same size and type without pixels and annotation, as a transform sees it where warps are fused.
Sample blank_like(const Sample& sample) {
  Sample blank;
  blank.id = sample.id;
  blank.geometry = sample.geometry;
  blank.image = cv::Mat(sample.image.dims, sample.image.size.p, sample.image.type());
  std::memset(blank.image.data, 0, blank.image.total() * blank.image.elemSize());
  return blank;
}

// With pixels that are chosen and filled as those of labels are.
Warp as_of_labels(Warp warp, int channels) {
  const auto fill = [&](int label) {
    std::vector<double> values;
    for (int c = 0; c < channels; ++c) values.push_back(shade(label, c));
    return values;
  };
  warp.interpolation = Interpolation::nearest;
  warp.image_fill = fill(warp.label_fill);
  for (auto& stage : warp.stages) stage.image_fill = fill(stage.label_fill);
  return warp;
}

bool fills_with_ignored(const Warp& warp) {
  return warp.label_fill == kIgnore && std::all_of(warp.stages.begin(), warp.stages.end(),
                                                   [](const auto& stage) { return stage.label_fill == kIgnore; });
}

void check_same_places(Findings& findings, const Sample& after, bool ignored_outside, const std::string& what) {
  bool same = true;
  for (int c = 0; c < after.image.channels(); ++c) {
    cv::Mat channel, expected;
    cv::extractChannel(after.image, channel, c);
    after.labels.convertTo(expected, after.image.depth(), shade(1, c) - shade(0, c), shade(0, c));
    same = same && same_pixels(channel, expected);
  }
  findings.expect(same, what + ": the image, taken by nearest pixels, shows other label numbers than its labels have");
  if (!ignored_outside) return;
  cv::Mat ids;
  after.labels.convertTo(ids, CV_32S, 1, 1);
  findings.expect(same_pixels(ids, after.segment_ids), what + ": labels and segment ids are at different places");
  findings.expect(same_pixels(after.labels, after.targets.at("classes")),
                  what + ": labels and a target of class numbers are at different places");
}

// Within a pixel: masks move by whole pixels.
bool holds(const cv::Rect2f& box, const cv::Rect2f& inner) {
  return box.x - 1 <= inner.x && box.y - 1 <= inner.y && box.br().x + 1 >= inner.br().x &&
         box.br().y + 1 >= inner.br().y;
}

void check_objects(Findings& findings, const Sample& after, const Warp& warp, const std::string& what) {
  for (int category = 1; category < kClasses; ++category) {
    if (category == warp.label_fill) continue;  // also where no object is
    const bool box_holds_all = !warp.boxes_are_ellipses;
    const cv::Mat bits = pixels_of_class(after.labels, category);
    const bool visible = any_pixel(bits);
    const auto name = what + ": the object of class " + std::to_string(category);
    int masks = 0, boxes = 0;
    for (const auto& instance : after.instances) {
      if (instance.category != category) continue;
      if (instance.mask.empty()) {
        ++boxes;
        if (visible && box_holds_all)
          findings.expect(holds(instance.box, Mask(bits).box()), name + " is outside of the box that was moved alone");
        continue;
      }
      ++masks;
      findings.expect(same_pixels(instance.mask.bitmap(), bits), name + " has another mask than its labels");
      findings.expect(instance.box == instance.mask.box(), name + " has another box than that of its mask");
    }
    findings.expect(masks == (visible ? 1 : 0), name + (visible ? " is lost" : " is kept without any pixel"));
    if (visible && box_holds_all) findings.expect(boxes == 1, name + " is lost where only its box is known");
  }
}

// 32FC3: the position of each pixel's center.
cv::Mat positions_in(const Extent& size, bool volume) {
  cv::Mat positions = new_map(size, volume, CV_32FC3);
  auto* position = positions.ptr<cv::Vec3f>();
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x) *position++ = cv::Vec3f(cv::Vec3d(x + 0.5, y + 0.5, z + 0.5));
  return positions;
}

struct Place {
  bool outside = false;      // clearly
  bool in_one_pixel = true;  // and not near to its border
  bool between = true;       // centers of pixels, where linear interpolation does not repeat the edge
  int index = 0;             // of the pixel
};

Place place_of_position(const cv::Vec3d& at, const Extent& size) {
  const int lengths[] = {size.width, size.height, size.depth};
  Place place;
  int pixel[3] = {};
  for (int i = 0; i < 3; ++i) {
    place.outside = place.outside || !(at[i] >= -kNearBorder && at[i] <= lengths[i] + kNearBorder);
    place.between = place.between && (lengths[i] == 1 || (at[i] >= 0.5 && at[i] <= lengths[i] - 0.5));
    if (place.outside) return place;
    const double part = at[i] - std::floor(at[i]);
    const bool inside = at[i] > kNearBorder && at[i] < lengths[i] - kNearBorder;
    place.in_one_pixel = place.in_one_pixel && inside && part > kNearBorder && part < 1 - kNearBorder;
    place.between = place.between && inside;
    pixel[i] = std::clamp(static_cast<int>(std::floor(at[i])), 0, lengths[i] - 1);
  }
  place.index = (pixel[2] * size.height + pixel[1]) * size.width + pixel[0];
  return place;
}

// The fourth component of a moved position.
double weight_of(const cv::Matx44d& matrix, const cv::Vec3d& position) {
  return (matrix * cv::Vec4d(position[0], position[1], position[2], 1))[3];
}

// to_original, and the displacement, lead each pixel of the result back to where its label and its values are from.
void check_geometry(Findings& findings, const Sample& before, const Sample& after, const Warp& warp,
                    const std::string& what) {
  findings.expect(after.geometry.original == before.geometry.original, what + ": the size in the file is changed");
  findings.expect(after.geometry.invertible == warp.displacement.empty(),
                  what + ": only warps with a displacement are not invertible");
  if (!warp.stages.empty()) return;
  const Extent from = extent(before.image);
  const cv::Mat found = warped(positions_in(from, before.image.dims == 3), warp, Interpolation::linear, {-1});
  const cv::Mat shifts = warp.displacement.isContinuous() ? warp.displacement : warp.displacement.clone();
  const auto* position = found.ptr<cv::Vec3f>();
  const auto* shift = shifts.empty() ? nullptr : shifts.ptr<cv::Vec3f>();
  const auto* label = after.labels.ptr<std::int16_t>();
  const auto* old_label = before.labels.ptr<std::int16_t>();
  const int lengths[] = {from.width, from.height, from.depth};
  int wrong_labels = 0, wrong_positions = 0, wrong_fills = 0;
  for (int z = 0, i = 0; z < warp.size.depth; ++z)
    for (int y = 0; y < warp.size.height; ++y)
      for (int x = 0; x < warp.size.width; ++x, ++i) {
        const cv::Vec3d center(x + 0.5, y + 0.5, z + 0.5);
        cv::Vec3d at = moved_position(after.geometry.to_original, center);
        if (!(weight_of(after.geometry.to_original, center) > 0)) at = cv::Vec3d::all(-1);  // behind the viewer
        if (shift) at += cv::Vec3d(shift[i]);
        const Place place = place_of_position(at, from);
        if (place.outside) {
          wrong_fills += position[i][0] != -1 || label[i] != warp.label_fill;
          continue;
        }
        if (place.in_one_pixel) wrong_labels += label[i] != old_label[place.index];
        for (int k = 0; k < 3 && place.between; ++k)
          if (lengths[k] > 1) wrong_positions += std::abs(position[i][k] - at[k]) > kPositionError;
      }
  const auto tell = [&](int wrong, const std::string& text) {
    findings.expect(wrong == 0, what + ": " + std::to_string(wrong) + text);
  };
  tell(wrong_labels, " pixels do not have the label of the pixel to which \"to_original\" leads");
  tell(wrong_positions, " values are not from where \"to_original\" leads");
  tell(wrong_fills, " pixels are not filled, though \"to_original\" leads out of the image");
}

bool same_warp(const Warp& a, const Warp& b) {
  return a.size == b.size && a.to_input == b.to_input && same_pixels(a.displacement, b.displacement) &&
         a.image_fill == b.image_fill && a.label_fill == b.label_fill && a.interpolation == b.interpolation;
}

Warp drawn_warp(const GeometricTransform& transform, const Sample& sample, std::uint64_t key) {
  Draw draw(Random{key}, nullptr);
  return transform.warp(sample, draw);
}

void check_one(Findings& findings, const GeometricTransform& transform, const Sample& before, std::uint64_t key,
               const std::string& what) {
  const Warp warp = drawn_warp(transform, before, key);
  findings.expect(same_warp(warp, drawn_warp(transform, before, key)), what + ": the same key gives another warp");
  if (!transform.looks_at_pixels())
    findings.expect(same_warp(warp, drawn_warp(transform, blank_like(before), key)),
                    what + ": the warp depends on pixels or annotation, and looks_at_pixels() is false");
  Sample after = before;
  apply(as_of_labels(warp, before.image.channels()), after);
  check_same_places(findings, after, fills_with_ignored(warp), what);
  check_objects(findings, after, warp, what);
  check_geometry(findings, before, after, warp, what);
}

void check_refused(Findings& findings, const GeometricTransform& transform, const cv::Mat& none) {
  const auto what = "an image of " + std::to_string(none.rows) + " x " + std::to_string(none.cols) + " pixels";
  for (const bool annotated : {true, false})
    for (std::uint64_t key = 1; key <= kWarpsEach; ++key)
      findings.attempt_or_refuse(
          what,
          [&] {
            Sample sample = annotated ? painted({1, 9, 10}, false, CV_8UC1) : Sample();
            sample.image = none;
            Draw draw(Random{key}, nullptr);
            transform.apply(sample, draw);
            findings.expect(false, what + ": is not refused");
          },
          "has no image");
}

}  // namespace

Findings geometric_contract(const Transform& transform) {
  Findings findings;
  const auto* geometric = dynamic_cast<const GeometricTransform*>(&transform);
  if (!geometric) return findings;
  for (const int depth : {CV_8U, CV_16U, CV_16S, CV_32F})
    for (const int channels : {1, 3, 4, 7})
      findings.attempt("an image of its own labels", [&] {
        const int type = CV_MAKETYPE(depth, channels);
        const auto before = painted({1, 37, 53}, false, type);
        for (std::uint64_t key = 1; key <= kWarpsEach; ++key)
          check_one(findings, *geometric, before, key, cv::typeToString(type) + ", key " + std::to_string(key));
      });
  struct Given {
    Extent size;
    bool volume;
    int type;
  };
  for (const auto& [size, volume, type] : {Given{{1, 64, 20}, false, CV_8UC3},
                                           {{1, 1, 1}, false, CV_8UC3},
                                           {{1, 1, 40}, false, CV_16UC1},
                                           {{6, 21, 18}, true, CV_8UC1},
                                           {{1, 9, 10}, true, CV_32FC1},
                                           {{1, 1, 1}, true, CV_16SC1}}) {
    const auto name = std::to_string(size.depth) + " x " + std::to_string(size.height) + " x " +
                      std::to_string(size.width) + (volume ? ", a volume" : "");
    const auto before = painted(size, volume, type);
    for (std::uint64_t key = 1; key <= kWarpsEach; ++key) {
      const auto step = [&] { check_one(findings, *geometric, before, key, name); };
      if (volume)
        findings.attempt_or_refuse(name, step, "volume");
      else
        findings.attempt(name, step);
    }
  }
  for (const cv::Mat& none : {cv::Mat(), cv::Mat(0, 5, CV_8UC3), cv::Mat(5, 0, CV_32FC1)})
    check_refused(findings, *geometric, none);
  return findings;
}

}  // namespace sectile::contract
