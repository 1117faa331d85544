// Read from mmsegmentation 1.2 (IoUMetric), detectron2 0.6 (SemSegEvaluator), torchvision 0.26 (its segmentation
// reference's ConfusionMatrix), PaddleSeg 2.10 (utils/metrics.py), segmentation_models_pytorch 0.6 (metrics), nnU-Net 2
// (evaluate_predictions.py) and MONAI 1.6 (DiceMetric, MeanIoU, do_metric_reduction).
#include <sectile/region_metric.h>

#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include <sectile/data/class_selection.h>
#include <sectile/error.h>

namespace sectile {
namespace {

using O = RegionMetricOptions;

constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

struct PresetRule {
  const char* name;
  const char* whose;
  O::Over over;
  O::Absent absent;
  O::FalseAlarm false_alarm;
  O::Mean mean;
  O::First first;
  O::Nothing nothing;
  bool background;
};

// In the order of the enumerators.
constexpr std::array<PresetRule, 7> kPresets{{
    {"mmseg", "mmsegmentation's IoUMetric", O::Over::set, O::Absent::skip, O::FalseAlarm::zero, O::Mean::all,
     O::First::images, O::Nothing::nan, true},
    {"detectron2", "detectron2's SemSegEvaluator", O::Over::set, O::Absent::skip, O::FalseAlarm::skip, O::Mean::truth,
     O::First::images, O::Nothing::nan, true},
    {"torchvision", "torchvision's segmentation reference", O::Over::set, O::Absent::nan, O::FalseAlarm::zero,
     O::Mean::all, O::First::images, O::Nothing::nan, true},
    {"paddleseg", "PaddleSeg's metrics", O::Over::set, O::Absent::zero, O::FalseAlarm::zero, O::Mean::all,
     O::First::images, O::Nothing::nan, true},
    {"smp", "segmentation_models_pytorch's metrics", O::Over::set, O::Absent::one, O::FalseAlarm::zero, O::Mean::all,
     O::First::images, O::Nothing::nan, true},
    {"nnunet", "nnU-Net's evaluation", O::Over::image, O::Absent::nan, O::FalseAlarm::zero, O::Mean::all,
     O::First::images, O::Nothing::nan, false},
    {"monai", "MONAI's DiceMetric and MeanIoU", O::Over::image, O::Absent::skip, O::FalseAlarm::skip, O::Mean::all,
     O::First::classes, O::Nothing::zero, true},
}};

const PresetRule& preset_of(const O& options) { return kPresets[static_cast<std::size_t>(options.preset)]; }

// Without a word on it, segmentation_models_pytorch's scores are taken with its documented reduction, micro.
std::optional<O::Reduction> reduction_of(const O& options) {
  if (options.reduction) return options.reduction;
  if (options.preset == O::Preset::smp && !options.over) return O::Reduction::micro;
  return {};
}

bool is_imagewise(O::Reduction reduction) {
  return reduction == O::Reduction::micro_imagewise || reduction == O::Reduction::macro_imagewise;
}

}  // namespace

RegionMetric::Rule::Rule(const O& options) {
  const auto& preset = preset_of(options);
  const auto reduction = reduction_of(options);
  per_image = reduction ? is_imagewise(*reduction) : options.over.value_or(preset.over) == O::Over::image;
  pooled = reduction == O::Reduction::micro || reduction == O::Reduction::micro_imagewise;
  // segmentation_models_pytorch leaves 0 / 0 as it is for micro, and only there.
  const bool is_raw = options.preset == O::Preset::smp && reduction == O::Reduction::micro;
  absent = options.absent.value_or(is_raw ? O::Absent::nan : preset.absent);
  mean = options.mean.value_or(preset.mean);
  // "all" in place of a preset's "truth" leaves its other rules as they are.
  false_alarm = options.false_alarm.value_or(preset.false_alarm);
  first = options.average_first.value_or(preset.first);
  nothing = options.nothing.value_or(preset.nothing);
}

void RegionMetricOptions::declare(Options& options) {
  options
      .add(
          "preset", &preset,
          "Whose rules are followed; an option that is given goes before its preset's. mmseg: over the set; a class in "
          "neither truth nor prediction is left out of the mean. detectron2: over the set, mean over the classes of "
          "the truth. torchvision: over the set; an absent class makes the mean undefined. paddleseg: over the set; "
          "an absent class counts 0. smp: reduction micro, where 0 / 0 is undefined; with another reduction an absent "
          "class counts 1. nnunet: per image (case), without the first class unless "
          "classes overlap; mean over images, then over classes. monai: per image; classes without truth are left "
          "out; mean over the classes of each image, then over images (ignore_empty; for ignore_empty=False set "
          "absent to one and false_alarm to zero). Packages without the metric: their rules for IoU.")
      .one_of({"mmseg", "detectron2", "torchvision", "paddleseg", "smp", "nnunet", "monai"});
  options
      .add("over", &over,
           "set: pixels of all images are counted together. image: each image (case, volume) has a value of its own, "
           "and values are averaged.")
      .one_of({"set", "image"});
  options
      .add("reduction", &reduction,
           "The four ways of segmentation_models_pytorch, in place of over. micro: pixels of all images and classes "
           "counted together. macro: a value per class over all images, then their mean. micro-imagewise: a value per "
           "image, of its classes counted together, then their mean. macro-imagewise: a value per image and class, "
           "then their mean.")
      .one_of({"micro", "macro", "micro-imagewise", "macro-imagewise"});
  options
      .add("absent", &absent,
           "The value of a class that is in neither truth nor prediction (of the set, or of an image). skip: none, it "
           "is left out of means. nan: none, and the mean over classes is undefined; means over images skip it. "
           "one, zero: 1 or 0.")
      .one_of({"skip", "nan", "one", "zero"});
  options
      .add("false_alarm", &false_alarm,
           "The value of a class that is predicted but not in the truth (of the set, or of an image). zero: 0. skip: "
           "none, it is left out of means.")
      .one_of({"zero", "skip"});
  options
      .add("mean", &mean,
           "Which classes are averaged. all: every class with a value. truth: only classes that are in the truth (of "
           "the set, or of an image); others have no value.")
      .one_of({"all", "truth"});
  options
      .add("average_first", &average_first,
           "For values per image and class: average over the classes of each image first, or over the images of each "
           "class. Differs where values are left out.")
      .one_of({"classes", "images"});
  options
      .add("nothing", &nothing,
           "The result where no class of any image has a value: nan (undefined) or zero, as in MONAI.")
      .one_of({"nan", "zero"});
  options.add("include_background", &include_background,
              "false: the first class (number 0) is left out of the mean. Not for overlapping classes.");
  options.add("exclude", &exclude,
              "Names of classes that are left out of the mean, each once. Their pixels still count, as mistakes of "
              "others too.");
}

void RegionMetricOptions::check(Problems& problems) const {
  const RegionMetric::Rule rule(*this);
  if (over && reduction) problems.add("over", "is given, and so is reduction, which says it too: remove one of them");
  if (average_first && (!rule.per_image || rule.pooled))
    problems.add("average_first",
                 std::string("is for a value per image and class, expected with over \"image\" or "
                             "reduction \"macro-imagewise\": ")
                     .append(rule.pooled ? "classes are counted together here" : "this is over the set"));
  if (mean && rule.pooled)
    problems.add("mean", "is for values per class, but reduction counts all classes together: remove one of them");
  if (rule.mean == Mean::truth) {
    const std::string why = "is for classes without truth, which have no value here: set mean to \"all\" or remove it";
    if (absent) problems.add("absent", why);
    if (false_alarm) problems.add("false_alarm", why);
  }
}

RegionMetric::RegionMetric(Names names, const O& options, const BuildContext& context)
    : ConfusionMetric(names.type, context),
      names_(std::move(names)),
      rule_(options),
      counts_in_mean_(static_cast<std::size_t>(context.classes()), 1),
      of_classes_(static_cast<std::size_t>(context.classes())) {
  if (options.include_background == false && overlapping())
    throw OptionError("include_background",
                      "is false, and the classes overlap, so that none is the background: name classes in exclude");
  if (!options.include_background.value_or(overlapping() || preset_of(options).background)) counts_in_mean_[0] = 0;
  for (const auto number : class_numbers(options.exclude, "exclude", context))
    counts_in_mean_[static_cast<std::size_t>(number)] = 0;
  bool any = false;
  for (const char counts : counts_in_mean_) any = any || counts != 0;
  if (!any)
    throw OptionError(options.exclude.empty() ? "include_background" : "exclude",
                      "leaves no class for the mean: expected at least one. The dataset has " +
                          std::to_string(context.classes()) + (context.classes() == 1 ? " class" : " classes"));
  convention_ = convention(options);
}

double RegionMetric::by_rule(const Counts& counts) const {
  if (counts.truth() > 0) return value(counts);
  if (rule_.mean == O::Mean::truth) return kNoValue;
  if (counts.predicted() > 0) return rule_.false_alarm == O::FalseAlarm::zero ? 0 : kNoValue;
  return rule_.absent == O::Absent::one ? 1 : rule_.absent == O::Absent::zero ? 0 : kNoValue;
}

// NaN where there is none, or where a class that is in neither truth nor prediction makes it so.
double RegionMetric::over_classes(const std::vector<double>& values, const std::vector<Counts>& counts) const {
  const bool demands_all = rule_.absent == O::Absent::nan && rule_.mean == O::Mean::all;
  double sum = 0;
  std::int64_t number = 0;
  for (std::size_t c = 0; c < values.size(); ++c) {
    if (!counts_in_mean_[c]) continue;
    if (!std::isnan(values[c]))
      sum += values[c], ++number;
    else if (demands_all && counts[c].truth() + counts[c].predicted() == 0)
      return kNoValue;
  }
  return number == 0 ? kNoValue : sum / static_cast<double>(number);
}

double RegionMetric::pooled(const std::vector<Counts>& classes) const {
  Counts sum;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (!counts_in_mean_[c]) continue;
    sum.true_positive += classes[c].true_positive;
    sum.false_positive += classes[c].false_positive;
    sum.false_negative += classes[c].false_negative;
  }
  return by_rule(sum);
}

void RegionMetric::update(const Prediction& prediction, const Truth& truth) {
  if (!rule_.per_image || !truth.labels.defined()) return ConfusionMetric::update(prediction, truth);
  const auto before = matrix().clone();
  ConfusionMetric::update(prediction, truth);
  const auto classes = per_class(matrix() - before);
  std::vector<double> values;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    values.push_back(by_rule(classes[c]));
    if (!std::isnan(values.back())) of_classes_[c].add(values.back());
  }
  const double of_image = rule_.pooled ? pooled(classes) : over_classes(values, classes);
  if (!std::isnan(of_image)) of_images_.add(of_image);
}

std::vector<at::Tensor> RegionMetric::state() const {
  auto all = ConfusionMetric::state();
  if (!rule_.per_image) return all;
  auto sums = at::empty({static_cast<std::int64_t>(of_classes_.size()) + 1, ExactSum::kNumbers}, at::kLong);
  auto* to = sums.mutable_data_ptr<std::int64_t>();
  const auto write = [&](const ExactSum& sum) {
    for (const auto number : sum.numbers()) *to++ = number;
  };
  for (const auto& sum : of_classes_) write(sum);
  write(of_images_);
  all.push_back(sums);
  return all;
}

void RegionMetric::merge(const std::vector<at::Tensor>& state) {
  if (!rule_.per_image) return ConfusionMetric::merge(state);
  if (state.size() != 2 || state[1].numel() != static_cast<std::int64_t>((of_classes_.size() + 1) * ExactSum::kNumbers))
    throw PluginError(names_.type, "was given the state of another metric, or of other classes");
  ConfusionMetric::merge({state[0]});
  const auto sums = state[1].cpu().to(at::kLong).contiguous();
  const auto* from = sums.const_data_ptr<std::int64_t>();
  const auto next = [&] {
    const std::span<const std::int64_t, ExactSum::kNumbers> numbers(from, ExactSum::kNumbers);
    from += ExactSum::kNumbers;
    return numbers;
  };
  for (auto& sum : of_classes_) sum.merge(next());
  of_images_.merge(next());
}

double RegionMetric::main_value(const std::vector<double>& values, const std::vector<Counts>& counts) const {
  double found = kNoValue;
  if (rule_.per_image && (rule_.pooled || rule_.first == O::First::classes))
    found = of_images_.finite_mean();
  else
    found = rule_.pooled ? pooled(counts) : over_classes(values, counts);
  if (!std::isnan(found) || rule_.nothing == O::Nothing::nan) return found;
  for (std::size_t c = 0; c < values.size(); ++c)
    if (counts_in_mean_[c] && !std::isnan(values[c])) return found;
  return 0;
}

MetricReport RegionMetric::compute() const {
  MetricReport report;
  report.columns = {names_.value, "accuracy", "precision", "pixels"};
  report.convention = convention_;
  std::vector<double> values;
  const auto classes = per_class();
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto& of = classes[c];
    values.push_back(rule_.per_image ? of_classes_[c].finite_mean() : by_rule(of));
    report.per_class.push_back({values.back(), ratio(of.true_positive, of.truth()),
                                ratio(of.true_positive, of.predicted()), static_cast<double>(of.truth())});
  }
  report.values = {{"m" + names_.value, main_value(values, classes)}};
  if (!overlapping()) report.tables = {table()};
  return report;
}

std::string RegionMetric::convention(const O& options) const {
  const bool changed = options.over || options.reduction || options.absent || options.false_alarm || options.mean ||
                       options.average_first || options.nothing || options.include_background ||
                       !options.exclude.empty();
  const auto& v = names_.value;
  std::string text = v + " = " + names_.formula;
  if (rule_.per_image)
    text += rule_.pooled ? " of all classes counted together, of each image; m" + v + ": mean over images."
                         : " per class of each image; m" + v +
                               (rule_.first == O::First::classes ? ": mean over the classes of each image, then over "
                                                                   "the images that have a value."
                                                                 : ": mean over the images of each class that have a "
                                                                   "value, then over classes.");
  else
    text += rule_.pooled
                ? " of all classes and images counted together."
                : " per class, from one confusion matrix over all pixels of all images; m" + v + ": mean over classes.";
  const bool of_truth = rule_.mean == O::Mean::truth, is_skipped = rule_.false_alarm == O::FalseAlarm::skip;
  const auto absent = static_cast<std::size_t>(rule_.absent);
  if (rule_.pooled) {
    const char* values[] = {"undefined", "undefined", "1", "0"};
    text += std::string(" Where truth and prediction are empty, the value is ")
                .append(of_truth ? "undefined" : values[absent])
                .append("; where only the truth is empty, ")
                .append(of_truth || is_skipped ? "undefined." : "0.");
  } else if (of_truth) {
    text += " A class without truth has no value and is left out.";
  } else {
    const char* values[] = {"is left out", "has no value, nor has a mean over classes with it", "counts 1", "counts 0"};
    text += std::string(" A class in neither truth nor prediction ")
                .append(values[absent])
                .append("; one that is predicted but not in the truth ")
                .append(is_skipped ? "is left out." : "counts 0.");
  }
  if (rule_.nothing == O::Nothing::zero) text += " Where no class has a value, the result is 0.";
  std::string left_out;
  const auto& rows = class_names();
  for (std::size_t c = 0; c < counts_in_mean_.size(); ++c)
    if (!counts_in_mean_[c]) left_out += (left_out.empty() ? "" : ", ") + rows[c];
  if (!left_out.empty()) text += " Not in the mean: " + left_out + ".";
  text += std::string(" Rules of ").append(preset_of(options).whose) + (changed ? ", changed by options." : ".");
  return text +
         " Accuracy = TP / (TP + FN), precision = TP / (TP + FP), over all images. Pixels ignored in the truth do not "
         "count.";
}

}  // namespace sectile
