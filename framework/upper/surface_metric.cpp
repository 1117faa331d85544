#include <sectile/surface_metric.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <sectile/data/distance_transform.h>
#include <sectile/error.h>

namespace sectile {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

using Index3 = std::array<std::int64_t, 3>;  // z, y, x

std::string text(at::IntArrayRef sizes) {
  std::string all;
  for (const auto size : sizes) all += (all.empty() ? "" : ", ") + std::to_string(size);
  return all;
}

struct Box {
  Index3 begin = {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max(),
                  std::numeric_limits<std::int64_t>::max()};
  Index3 end = {0, 0, 0};
  bool in_truth = false, in_prediction = false;

  void add(std::int64_t z, std::int64_t y, std::int64_t x_begin, std::int64_t x_end) {
    begin = {std::min(begin[0], z), std::min(begin[1], y), std::min(begin[2], x_begin)};
    end = {std::max(end[0], z + 1), std::max(end[1], y + 1), std::max(end[2], x_end)};
  }
};

// Where each row of a volume begins; an image has one slice.
template <class F>
void each_row(const Index3& size, F use) {
  for (std::int64_t z = 0, at = 0; z < size[0]; ++z)
    for (std::int64_t y = 0; y < size[1]; ++y, at += size[2]) use(z, y, at);
}

// Around the pixels that belong to the truth or to the prediction.
template <class F, class G>
Box box_of(const Index3& size, F in_truth, G in_prediction) {
  Box box;
  each_row(size, [&](std::int64_t z, std::int64_t y, std::int64_t start) {
    for (std::int64_t x = 0; x < size[2]; ++x) {
      const bool expects = in_truth(start + x), finds = in_prediction(start + x);
      if (expects || finds) box.add(z, y, x, x + 1);
      box.in_truth |= expects, box.in_prediction |= finds;
    }
  });
  return box;
}

// The same for each class of maps of class numbers, in one pass.
std::vector<Box> boxes_of_numbers(const Index3& size, const std::int64_t* truth, const std::int64_t* prediction,
                                  std::size_t classes, const std::string& id) {
  std::vector<Box> boxes(classes);
  const auto count = static_cast<std::int64_t>(classes);
  each_row(size, [&](std::int64_t z, std::int64_t y, std::int64_t start) {
    const auto *const t = truth + start, *const p = prediction + start;
    for (std::int64_t x = 0; x < size[2];) {  // runs of equal pairs
      const auto begin = x;
      const auto own = t[x], other = p[x];
      do ++x;
      while (x < size[2] && t[x] == own && p[x] == other);
      if (own == kIgnore) continue;
      if (own < 0 || own >= count || other < 0 || other >= count)
        throw DataError(id, "has a class number outside 0.." + std::to_string(count - 1) + ": truth " +
                                std::to_string(own) + ", prediction " + std::to_string(other));
      auto &of_truth = boxes[static_cast<std::size_t>(own)], &of_prediction = boxes[static_cast<std::size_t>(other)];
      of_truth.add(z, y, begin, x), of_prediction.add(z, y, begin, x);
      of_truth.in_truth = of_prediction.in_prediction = true;
    }
  });
  return boxes;
}

cv::Mat mask_of_size(const Index3& size, bool volume) {
  const std::array<int, 3> all = {static_cast<int>(size[0]), static_cast<int>(size[1]), static_cast<int>(size[2])};
  return volume ? cv::Mat(3, all.data(), CV_8U) : cv::Mat(2, all.data() + 1, CV_8U);
}

// The masks within the box, of functions that say whether a pixel belongs to the truth and to the prediction.
template <class F, class G>
void cut(MaskPair& masks, const Box& box, const Index3& size, bool volume, F in_truth, G in_prediction) {
  const Index3 part = {box.end[0] - box.begin[0], box.end[1] - box.begin[1], box.end[2] - box.begin[2]};
  masks.truth = mask_of_size(part, volume), masks.prediction = mask_of_size(part, volume);
  masks.in_truth = box.in_truth, masks.in_prediction = box.in_prediction;
  auto *t = masks.truth.ptr<std::uint8_t>(), *p = masks.prediction.ptr<std::uint8_t>();
  for (std::int64_t z = box.begin[0]; z < box.end[0]; ++z)
    for (std::int64_t y = box.begin[1]; y < box.end[1]; ++y) {
      const auto row = (z * size[1] + y) * size[2];
      for (std::int64_t at = row + box.begin[2]; at < row + box.end[2]; ++at, ++t, ++p)
        *t = in_truth(at), *p = in_prediction(at);
    }
}

// The size of a pixel along its axes, which differ from the file's where the sample was warped.
cv::Vec3d pixel_size(const Geometry& geometry, const std::vector<double>& given) {
  cv::Vec3d of_file = geometry.spacing, made;
  for (std::size_t axis = 0; axis < given.size(); ++axis) of_file[static_cast<int>(axis)] = given[axis];
  for (int axis = 0; axis < 3; ++axis) {
    double square = 0;
    for (int row = 0; row < 3; ++row) {
      const double step = geometry.to_original(row, axis) * of_file[row];
      square += step * step;
    }
    made[axis] = std::sqrt(square);
  }
  return made;
}

std::vector<double> values_at(const cv::Mat& distances, const cv::Mat& surface) {
  std::vector<double> made;
  const auto* const on = surface.ptr<std::uint8_t>();
  const auto* const from = distances.ptr<double>();
  for (std::size_t i = 0; i < surface.total(); ++i)
    if (on[i]) made.push_back(from[i]);
  return made;
}

}  // namespace

cv::Mat surface_of(const cv::Mat& mask) {
  const bool volume = mask.dims == 3;
  const Index3 size = {volume ? mask.size[0] : 1, mask.size[mask.dims - 2], mask.size[mask.dims - 1]};
  const cv::Mat whole = mask.isContinuous() ? mask : mask.clone();
  cv::Mat surface(mask.dims, mask.size.p, CV_8U);
  const auto* const from = whole.ptr<std::uint8_t>();
  auto* const to = surface.ptr<std::uint8_t>();
  const auto row = size[2], slice = size[1] * size[2];
  each_row(size, [&](std::int64_t z, std::int64_t y, std::int64_t start) {
    const bool at_border = y == 0 || y + 1 == size[1] || (volume && (z == 0 || z + 1 == size[0]));
    for (std::int64_t x = 0; x < row; ++x) {
      const auto* const at = from + start + x;
      const bool inner = !at_border && x > 0 && x + 1 < row && at[-1] && at[1] && at[-row] && at[row] &&
                         (!volume || (at[-slice] && at[slice]));
      to[start + x] = *at && !inner;
    }
  });
  return surface;
}

SurfaceDistances surface_distances(const MaskPair& masks, const cv::Vec3d& spacing) {
  const auto truth = surface_of(masks.truth), prediction = surface_of(masks.prediction);
  return {.of_prediction = values_at(distance_transform(truth, spacing), prediction),
          .of_truth = values_at(distance_transform(prediction, spacing), truth)};
}

void SpacingOptions::declare(Options& options) {
  ClassSelection::declare(options);
  options
      .add("spacing", &spacing,
           "Size of a pixel of the file in millimetres, [x, y] of an image or [x, y, z] of a volume. Empty: what the "
           "dataset says, which is 1 where it knows none: distances are in pixels then.")
      .at_least(1e-6)
      .at_most(1e6);
}

SurfaceMetric::SurfaceMetric(std::string name, std::size_t sums, const ClassSelection& selection,
                             const std::vector<double>& spacing, const BuildContext& context)
    : name_(std::move(name)),
      overlapping_(context.labels && context.labels->overlapping),
      sums_of_class_(sums),
      spacing_(spacing),
      counts_(static_cast<std::size_t>(context.classes())),
      sums_(counts_.size() * sums) {
  if (!spacing.empty() && spacing.size() != static_cast<std::size_t>(context.dimensions))
    throw OptionError("spacing", "has " + std::to_string(spacing.size()) + " numbers; expected " +
                                     std::to_string(context.dimensions) + ", one per axis of the data, x first");
  for (const auto number : selection.numbers(context)) counts_[static_cast<std::size_t>(number)] = true;
}

Wanted SurfaceMetric::wanted() const { return {.labels = true, .overlapping = overlapping_}; }

void SurfaceMetric::update(const Prediction& prediction, const Truth& truth) {
  if (!truth.labels.defined()) return;
  if (!prediction.labels.defined()) throw PluginError(name_, "the prediction has no labels");
  const auto sizes = truth.labels.sizes();
  const auto axes = truth.labels.dim() - (overlapping_ ? 1 : 0);
  if (truth.labels.is_floating_point() != overlapping_ || prediction.labels.sizes() != sizes || axes < 2 || axes > 3 ||
      (overlapping_ && sizes[0] != static_cast<std::int64_t>(classes())))
    throw DataError(prediction.id, "labels of the prediction [" + text(prediction.labels.sizes()) +
                                       "] and of the truth [" + text(sizes) +
                                       "] do not fit: expected the same size, with 2 or 3 axes");
  const bool volume = axes == 3;
  const Index3 size = {volume ? sizes[sizes.size() - 3] : 1, sizes[sizes.size() - 2], sizes[sizes.size() - 1]};
  MaskPair masks;
  masks.image = {static_cast<int>(size[0]), static_cast<int>(size[1]), static_cast<int>(size[2])};
  masks.spacing = pixel_size(truth.sample.geometry, spacing_);
  const auto add_class = [&](std::size_t number, const Box& box, auto in_truth, auto in_prediction) {
    if (!box.in_truth && !box.in_prediction) return;
    cut(masks, box, size, volume, in_truth, in_prediction);
    try {
      add(masks, std::span(sums_).subspan(number * sums_of_class_, sums_of_class_));
    } catch (const DataError& error) {
      throw DataError(prediction.id, error.what());
    }
  };
  if (overlapping_) {
    const auto found = prediction.labels.to(at::kCPU, at::kBool).contiguous();
    const auto expected = truth.labels.to(at::kCPU, at::kFloat).contiguous();
    const auto pixels = size[0] * size[1] * size[2];
    for (std::size_t c = 0; c < classes(); ++c) {
      if (!counts_[c]) continue;
      const auto* const t = expected.const_data_ptr<float>() + static_cast<std::int64_t>(c) * pixels;
      const auto* const p = found.const_data_ptr<bool>() + static_cast<std::int64_t>(c) * pixels;
      const auto in_truth = [&](std::int64_t i) { return t[i] >= 0.5f; };
      const auto in_prediction = [&](std::int64_t i) { return p[i] && t[i] >= 0; };
      add_class(c, box_of(size, in_truth, in_prediction), in_truth, in_prediction);
    }
    return;
  }
  const auto found = prediction.labels.to(at::kCPU, at::kLong).contiguous();
  const auto expected = truth.labels.to(at::kCPU, at::kLong).contiguous();
  const auto *const t = expected.const_data_ptr<std::int64_t>(), *const p = found.const_data_ptr<std::int64_t>();
  const auto boxes = boxes_of_numbers(size, t, p, classes(), prediction.id);
  for (std::size_t c = 0; c < classes(); ++c) {
    const auto number = static_cast<std::int64_t>(c);
    if (counts_[c])
      add_class(
          c, boxes[c], [&](std::int64_t i) { return t[i] == number; },
          [&](std::int64_t i) { return p[i] == number && t[i] != kIgnore; });
  }
}

std::vector<at::Tensor> SurfaceMetric::state() const {
  const auto columns = static_cast<std::int64_t>(sums_of_class_ * ExactSum::kNumbers);
  auto made = at::empty({static_cast<std::int64_t>(classes()), columns}, at::kLong);
  auto* to = made.mutable_data_ptr<std::int64_t>();
  for (const auto& one : sums_) {
    const auto numbers = one.numbers();
    to = std::copy(numbers.begin(), numbers.end(), to);
  }
  return {made};
}

void SurfaceMetric::merge(const std::vector<at::Tensor>& state) {
  const auto columns = static_cast<std::int64_t>(sums_of_class_ * ExactSum::kNumbers);
  if (state.size() != 1 || state.front().sizes() != at::IntArrayRef{static_cast<std::int64_t>(classes()), columns})
    throw PluginError(name_, "was given the state of another metric, or of other classes");
  const auto numbers = state.front().to(at::kCPU, at::kLong).contiguous();
  const auto* from = numbers.const_data_ptr<std::int64_t>();
  for (auto& one : sums_) {
    one.merge(std::span<const std::int64_t, ExactSum::kNumbers>(from, ExactSum::kNumbers));
    from += ExactSum::kNumbers;
  }
}

MetricReport SurfaceMetric::distances(const std::string& name) const {
  MetricReport report;
  report.columns = {name, name + " found", "images", "missed"};
  std::vector<double> means, of_found;
  double missed = 0;
  for (std::size_t c = 0; c < classes(); ++c) {
    const auto &all = sum(c, 0), &found = sum(c, 1);
    means.push_back(all.mean()), of_found.push_back(found.finite_mean());
    const auto images = static_cast<double>(all.finite() + all.infinite());
    const auto missing = images - static_cast<double>(found.finite());
    report.per_class.push_back({means.back(), of_found.back(), images, missing});
    missed += missing;
  }
  using Better = MetricReport::Better;
  report.values = {{name, mean(means), Better::lower},
                   {name + " found", mean(of_found), Better::lower},
                   {"missed", missed, Better::lower}};
  return report;
}

double SurfaceMetric::mean(const std::vector<double>& of_classes) {
  double sum = 0;
  std::int64_t defined = 0;
  for (const double value : of_classes)
    if (!std::isnan(value)) sum += value, ++defined;
  return defined == 0 ? kUndefined : sum / static_cast<double>(defined);
}

}  // namespace sectile
