#include <sectile/ap_metric.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <ATen/ops/tensor.h>

#include <sectile/dataset.h>
#include <sectile/error.h>

namespace sectile {

void ApSizeEntry::declare(Options& options) {
  options.add("name", &name, "Name of the range in the report.").required().not_empty();
  options.add("least", &least, "Smallest area in pixels of the objects that belong to it.").at_least(0);
  options.add("most", &most, "Largest area in pixels.").at_least(0);
}

void ApMetricOptions::declare(Options& options) {
  options
      .add("iou_thresholds", &iou_thresholds,
           "A detection is right from this overlap with an object on; AP is the mean over these thresholds, ascending.")
      .not_empty()
      .at_least(0.01)
      .at_most(1);
  options
      .add("max_detections", &max_detections,
           "How many detections per image and class count, best scores first; AP is of the largest, recall of each.")
      .not_empty()
      .at_least(1);
  options.add(
      "sizes", &sizes,
      "Your own ranges of object areas, each {\"name\", \"least\", \"most\"}. Default: COCO's small, medium and "
      "large, which end at 32 x 32 and 96 x 96 pixels.");
}

void ApMetricOptions::check(Problems& problems) const {
  constexpr std::size_t kMostThresholds = 32;
  if (iou_thresholds.size() > kMostThresholds) problems.add("iou_thresholds", "has more than 32 values");
  if (!std::is_sorted(iou_thresholds.begin(), iou_thresholds.end())) problems.add("iou_thresholds", "is not ascending");
  if (std::adjacent_find(max_detections.begin(), max_detections.end(), std::greater_equal<>()) != max_detections.end())
    problems.add("max_detections", "is not ascending");
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i].most < sizes[i].least)
      problems.add("sizes/" + std::to_string(i), "has a largest area below its smallest");
}

ApOptions ApMetricOptions::options(ApKind kind) const {
  ApOptions made;
  made.kind = kind;
  made.iou_thresholds = iou_thresholds;
  made.max_detections = max_detections;
  if (sizes.empty()) return made;
  made.sizes.clear();
  for (const auto& size : sizes) made.sizes.push_back({size.name, size.least, size.most});
  return made;
}

namespace {

// Equal scores are ordered by image, as pycocotools orders them by the number of the image; COCO's files are named by
// it. Other names get a number of their own.
std::int64_t key_of(const std::string& id) {
  constexpr std::int64_t kMost = std::int64_t{1} << 52;  // exact as a double
  if (const auto number = number_in_name(id); number >= 0 && number < kMost) return number;
  std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return static_cast<std::int64_t>(hash >> 12);  // 52 bits
}

// A spec may hold several: the reader of one line sees which is which.
std::string name_of(ApKind kind, const std::string& value) {
  return (kind == ApKind::box ? "box " : kind == ApKind::boundary ? "boundary " : "") + value;
}

}  // namespace

ApMetric::ApMetric(std::string name, ApOptions options, const BuildContext& context)
    : name_(std::move(name)), options_(std::move(options)), counts_(options_, context.classes()) {
  for (const auto& one : context.labels->classes) classes_.push_back(one.name);
}

Wanted ApMetric::wanted() const { return {.instances = true, .masks = options_.kind != ApKind::box}; }

ApObject ApMetric::object(const Instance& instance, const Prediction& prediction, bool is_truth) const {
  const auto fails = [&](const std::string& reason) {
    throw DataError(prediction.id, (is_truth ? "an annotated object " : "a predicted object ") + reason);
  };
  if (instance.category < 0 || static_cast<std::size_t>(instance.category) >= classes_.size())
    fails("has class number " + std::to_string(instance.category) + ", and there are " +
          std::to_string(classes_.size()) + " classes");
  ApObject made;
  made.category = instance.category;
  made.crowd = is_truth && instance.crowd;
  made.score = instance.score;
  made.box = instance.box;
  made.area = made.box.width * made.box.height;
  if (options_.kind != ApKind::box) {
    if (instance.mask.empty())
      fails("of class \"" + classes_[static_cast<std::size_t>(instance.category)] + "\" has no mask, which " + name_ +
            " compares; coco_ap with \"iou_type\": \"bbox\" compares boxes");
    made.mask = instance.mask.rle();
    made.area = static_cast<double>(instance.mask.area());
  }
  if (is_truth && instance.area) made.area = *instance.area;
  return made;
}

void ApMetric::update(const Prediction& prediction, const Truth& truth) {
  std::vector<ApObject> truths, found;
  for (const auto& instance : truth.sample.instances) truths.push_back(object(instance, prediction, true));
  for (const auto& instance : prediction.instances) found.push_back(object(instance, prediction, false));
  try {
    counts_.add(key_of(prediction.id), truths, found);
  } catch (const DataError& error) {
    throw DataError(prediction.id, error.what());
  }
}

MetricReport ApMetric::compute() const {
  const auto counted = counts_.compute();
  MetricReport report;
  const auto has = [&](double threshold) {
    return std::any_of(options_.iou_thresholds.begin(), options_.iou_thresholds.end(),
                       [&](double one) { return std::abs(one - threshold) < 1e-9; });
  };
  const auto add = [&](const std::string& name, double value) {
    report.values.push_back({name_of(options_.kind, name), value});
  };
  add("AP", counted.ap);
  if (has(0.5)) add("AP50", counted.ap50);
  if (has(0.75)) add("AP75", counted.ap75);
  for (const auto& line : counted.lines)
    if (line.size != "all") add("AP_" + line.size, line.ap);
  for (const auto& line : counted.lines)
    add(line.size == "all" ? "AR@" + std::to_string(line.max_detections) : "AR_" + line.size, line.ar);
  for (const char* name : {"AP", "AP50", "AP75", "AR"}) report.columns.push_back(name_of(options_.kind, name));
  report.columns.emplace_back("objects");
  for (const auto& one : counted.per_class)
    report.per_class.push_back({one.ap, one.ap50, one.ap75, one.ar, static_cast<double>(one.objects)});
  const char* const overlap = options_.kind == ApKind::box    ? "boxes"
                              : options_.kind == ApKind::mask ? "masks"
                                                              : "masks and of their boundaries, the smaller one";
  report.convention = std::string(
                          "COCO's AP (pycocotools 2.0): mean over IoU thresholds and classes with objects of "
                          "the precision at 101 recalls; IoU of ")
                          .append(overlap)
                          .append(". Crowds do not count. Size ranges by the stated area of objects, and by that of ")
                          .append(options_.kind == ApKind::box ? "the box" : "the mask")
                          .append(" of detections that find nothing.");
  return report;
}

std::vector<at::Tensor> ApMetric::state() const { return {at::tensor(counts_.state(), at::kDouble)}; }

void ApMetric::merge(const std::vector<at::Tensor>& state) {
  const auto numbers = state.at(0).to(at::kCPU, at::kDouble).contiguous();
  const auto* const first = numbers.const_data_ptr<double>();
  counts_.merge_state({first, first + numbers.numel()});
}

}  // namespace sectile
