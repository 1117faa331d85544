// IoU of the objects of each size, where an object is a connected component of a class in the truth.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <sectile/context.h>
#include <sectile/error.h>
#include <sectile/metric.h>

namespace {

using sectile::DataError;
using sectile::MetricReport;

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kRanges = 3, kNumbers = 4;

struct SmallObjectIouOptions {
  std::int64_t small_below = 32 * 32, large_from = 96 * 96;

  void declare(sectile::Options& options) {
    options
        .add("small_below", &small_below,
             "Objects of fewer pixels are small. An object is a connected component of a class in the truth, with 8 "
             "neighbours, or 26 in a volume. False positives belong to the size of the true object that their "
             "connected component of the prediction covers most pixels of, and without one to the size of their "
             "component. In pixels of the file, or voxels of a volume; COCO's is 32 x 32.")
        .at_least(1);
    options
        .add("large_from", &large_from,
             "Objects of so many pixels or more are large, and those between both are medium. COCO's is 96 x 96.")
        .at_least(1);
  }
  void check(sectile::Problems& problems) const {
    if (large_from < small_below)
      problems.add("large_from", "is " + std::to_string(large_from) + ", and small_below " +
                                     std::to_string(small_below) + ": expected a number that is not smaller");
  }
};

// Connected components of a map: pixels of equal numbers, with 8 neighbours, or 26 in a volume.
struct Components {
  std::vector<std::int32_t> of;       // per pixel the component's number, in order of first pixels; -1: none
  std::vector<std::int64_t> areas{};  // per component

  // map: [depth * height * width]; below 0: belongs to nothing. size: depth, height, width.
  Components(const std::vector<std::int32_t>& map, const std::array<std::int64_t, 3>& size) : of(map.size(), -1) {
    const auto [depth, height, width] = size;
    std::vector<std::int32_t> parent;
    const auto root = [&](std::int32_t i) {
      while (parent[static_cast<std::size_t>(i)] != i) {
        auto& above = parent[static_cast<std::size_t>(i)];
        i = above = parent[static_cast<std::size_t>(above)];
      }
      return i;
    };
    for (std::int64_t z = 0, i = 0; z < depth; ++z)
      for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x, ++i) {
          const auto number = map[static_cast<std::size_t>(i)];
          if (number < 0) continue;
          auto& own = of[static_cast<std::size_t>(i)];
          // Neighbours that came before.
          for (std::int64_t dz = z > 0 ? -1 : 0; dz <= 0; ++dz)
            for (std::int64_t dy = y > 0 ? -1 : 0; dy <= (dz < 0 && y + 1 < height ? 1 : 0); ++dy)
              for (std::int64_t dx = x > 0 ? -1 : 0; dx <= (x + 1 < width ? 1 : 0); ++dx) {
                if (dz == 0 && dy == 0 && dx >= 0) break;
                const auto there = static_cast<std::size_t>(i + (dz * height + dy) * width + dx);
                if (map[there] != number) continue;
                const auto other = root(of[there]);
                if (own < 0) own = other;
                const auto first = std::min(own, other), second = std::max(own, other);
                parent[static_cast<std::size_t>(second)] = own = first;
              }
          if (own >= 0) continue;
          own = static_cast<std::int32_t>(parent.size());
          parent.push_back(own);
        }
    std::vector<std::int32_t> renamed(parent.size(), -1);
    for (auto& own : of) {
      if (own < 0) continue;
      auto& name = renamed[static_cast<std::size_t>(root(own))];
      if (name < 0) {
        name = static_cast<std::int32_t>(areas.size());
        areas.push_back(0);
      }
      own = name;
      ++areas[static_cast<std::size_t>(own)];
    }
  }
};

class SmallObjectIou final : public sectile::Metric {
 public:
  SmallObjectIou(const SmallObjectIouOptions& options, const sectile::BuildContext& context)
      : of_(options),
        overlapping_(context.labels && context.labels->overlapping),
        counts_(at::zeros({context.classes(), kRanges, kNumbers}, at::kLong)) {}

  sectile::Wanted wanted() const override { return {.labels = true, .overlapping = overlapping_}; }

  void update(const sectile::Prediction& prediction, const sectile::Truth& truth) override {
    if (!truth.labels.defined()) return;
    if (!prediction.labels.defined()) throw sectile::PluginError("small_object_iou", "the prediction has no labels");
    const auto sizes = truth.labels.sizes();
    const auto axes = truth.labels.dim() - (overlapping_ ? 1 : 0);
    if (truth.labels.is_floating_point() != overlapping_ || prediction.labels.sizes() != sizes || axes < 2 ||
        axes > 3 || (overlapping_ && sizes[0] != classes()))
      throw DataError(prediction.id, "labels of the prediction [" + text(prediction.labels.sizes()) +
                                         "] and of the truth [" + text(sizes) +
                                         "] do not fit: expected the same size, with 2 or 3 dimensions");
    const std::array<std::int64_t, 3> size = {axes == 3 ? sizes[sizes.size() - 3] : 1, sizes[sizes.size() - 2],
                                              sizes[sizes.size() - 1]};
    if (overlapping_)
      add_each(prediction.labels.to(at::kCPU, at::kBool).contiguous(),
               truth.labels.to(at::kCPU, at::kFloat).contiguous(), size);
    else
      add_numbers(prediction.labels.to(at::kCPU, at::kLong).contiguous(),
                  truth.labels.to(at::kCPU, at::kLong).contiguous(), size, prediction.id);
  }

  MetricReport compute() const override {
    MetricReport report;
    report.convention =
        "An object is a connected component (8 neighbours, 26 in volumes) of a class in the truth, without ignored "
        "pixels, which leave truth and prediction first. Small: fewer than " +
        std::to_string(of_.small_below) + " pixels, large: " + std::to_string(of_.large_from) +
        " or more. Per class and range over all images: IoU = TP / (TP + FN + FP), recall = TP / (TP + FN), over the "
        "pixels of the objects of that range. The false positives of a connected component of the prediction belong to "
        "the range of the true object of its class that it covers most pixels of (of equal ones, the first by rows), "
        "and if it covers none, to the range of its own area. A value is undefined where there is nothing to divide "
        "by; means are over the classes that have one.";
    const std::array<std::string, kRanges> names = {"small", "medium", "large"};
    std::array<std::vector<double>, kRanges> ious;
    for (const auto& name : names) {
      report.columns.push_back("IoU " + name);
      report.columns.push_back("recall " + name);
      report.columns.push_back("objects " + name);
    }
    const auto* from = counts_.const_data_ptr<std::int64_t>();
    for (std::int64_t c = 0; c < classes(); ++c) {
      auto& row = report.per_class.emplace_back();
      for (std::size_t range = 0; range < kRanges; ++range, from += kNumbers) {
        ious[range].push_back(ratio(from[kFound], from[kPixels] + from[kWrong]));
        row.insert(row.end(),
                   {ious[range].back(), ratio(from[kFound], from[kPixels]), static_cast<double>(from[kObjects])});
      }
    }
    for (std::size_t range = 0; range < kRanges; ++range)
      report.values.push_back({"mIoU " + names[range], mean(ious[range])});
    return report;
  }

  std::vector<at::Tensor> state() const override { return {counts_.clone()}; }
  void merge(const std::vector<at::Tensor>& state) override {
    if (state.size() != 1 || state.front().sizes() != counts_.sizes())
      throw sectile::PluginError("small_object_iou", "was given the state of another metric, or of other classes");
    counts_ += state.front().to(at::kCPU);
  }

 private:
  enum Number { kFound, kPixels, kWrong, kObjects };  // of a class and range: TP, TP + FN, FP, objects

  std::int64_t classes() const { return counts_.size(0); }
  std::int64_t range(std::int64_t area) const { return area < of_.small_below ? 0 : area < of_.large_from ? 1 : 2; }

  static double ratio(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? kUndefined : static_cast<double>(part) / static_cast<double>(whole);
  }
  static double mean(const std::vector<double>& values) {
    double sum = 0, defined = 0;
    for (const double value : values)
      if (value == value) sum += value, ++defined;  // not NaN
    return defined == 0 ? kUndefined : sum / defined;
  }
  static std::string text(at::IntArrayRef sizes) {
    std::string all;
    for (const auto size : sizes) all += (all.empty() ? "" : ", ") + std::to_string(size);
    return all;
  }

  void add_numbers(const at::Tensor& prediction, const at::Tensor& truth, const std::array<std::int64_t, 3>& size,
                   const std::string& id) {
    const auto total = static_cast<std::size_t>(truth.numel());
    std::vector<std::int32_t> expected(total, -1), found(total, -1);
    const auto* t = truth.const_data_ptr<std::int64_t>();
    const auto* p = prediction.const_data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < total; ++i) {
      if (t[i] == sectile::kIgnore) continue;
      if (t[i] < 0 || t[i] >= classes() || p[i] < 0 || p[i] >= classes())
        throw DataError(id, "has a class number outside 0.." + std::to_string(classes() - 1) + ": truth " +
                                std::to_string(t[i]) + ", prediction " + std::to_string(p[i]));
      expected[i] = static_cast<std::int32_t>(t[i]), found[i] = static_cast<std::int32_t>(p[i]);
    }
    add(found, expected, size);
  }

  void add_each(const at::Tensor& prediction, const at::Tensor& truth, const std::array<std::int64_t, 3>& size) {
    const auto pixels = static_cast<std::size_t>(truth.numel() / classes());
    const auto* t = truth.const_data_ptr<float>();
    const auto* p = prediction.const_data_ptr<bool>();
    std::vector<std::int32_t> expected(pixels), found(pixels);
    for (std::int64_t c = 0; c < classes(); ++c) {
      for (std::size_t i = 0; i < pixels; ++i, ++t, ++p) {
        const auto number = static_cast<std::int32_t>(c);
        expected[i] = *t >= 0.5f ? number : -1;
        found[i] = *t >= 0 && *p ? number : -1;
      }
      add(found, expected, size);
    }
  }

  // Class numbers; -1 where a map has none.
  void add(const std::vector<std::int32_t>& found, const std::vector<std::int32_t>& expected,
           const std::array<std::int64_t, 3>& size) {
    const Components objects(expected, size), guesses(found, size);
    // Which class a component has, and of each pair that meets, how many pixels: sorted, so that memory follows the
    // pixels that are right.
    std::vector<std::pair<std::int32_t, std::int32_t>> meetings;
    std::vector<std::int32_t> class_of_object(objects.areas.size()), class_of_guess(guesses.areas.size());
    std::vector<std::int64_t> right(objects.areas.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto object = objects.of[i], guess = guesses.of[i];
      if (object >= 0) class_of_object[static_cast<std::size_t>(object)] = expected[i];
      if (guess >= 0) class_of_guess[static_cast<std::size_t>(guess)] = found[i];
      if (object < 0 || found[i] != expected[i]) continue;
      meetings.emplace_back(guess, object);
      ++right[static_cast<std::size_t>(object)];
    }
    std::sort(meetings.begin(), meetings.end());
    std::vector<std::int64_t> inside(guesses.areas.size()), most(guesses.areas.size());
    std::vector<std::int32_t> best(guesses.areas.size(), -1);
    for (std::size_t i = 0; i < meetings.size();) {
      const auto start = i;
      while (i < meetings.size() && meetings[i] == meetings[start]) ++i;
      const auto guess = static_cast<std::size_t>(meetings[start].first);
      const auto pixels = static_cast<std::int64_t>(i - start);
      inside[guess] += pixels;
      if (pixels > most[guess]) most[guess] = pixels, best[guess] = meetings[start].second;
    }
    auto* counts = counts_.mutable_data_ptr<std::int64_t>();
    const auto of = [&](std::int32_t number, std::int64_t area) {
      return counts + (number * kRanges + range(area)) * kNumbers;
    };
    for (std::size_t k = 0; k < objects.areas.size(); ++k) {
      auto* to = of(class_of_object[k], objects.areas[k]);
      to[kFound] += right[k], to[kPixels] += objects.areas[k], ++to[kObjects];
    }
    for (std::size_t k = 0; k < guesses.areas.size(); ++k) {
      const auto area = best[k] < 0 ? guesses.areas[k] : objects.areas[static_cast<std::size_t>(best[k])];
      of(class_of_guess[k], area)[kWrong] += guesses.areas[k] - inside[k];
    }
  }

  SmallObjectIouOptions of_;
  bool overlapping_;
  at::Tensor counts_;  // int64 [classes, ranges, numbers]
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<SmallObjectIou, SmallObjectIouOptions>(
                            "small_object_iou", "IoU of small, medium and large objects, by their areas in the truth."))
