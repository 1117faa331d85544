#include <sectile/transforms/mixing.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <string>
#include <utility>

#include <opencv2/core.hpp>

#include <sectile/error.h>

namespace sectile {
namespace {

double above_zero(Random& random) { return 1 - random.uniform(); }  // (0, 1]: its logarithm is finite

double normal(Random& random) {  // Box and Muller
  const double radius = std::sqrt(-2 * std::log(above_zero(random)));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

// Of the gamma distribution, by Marsaglia and Tsang (2000), "A Simple Method for Generating Gamma Variables". The
// logarithm, because numbers of a small shape are below what a double can represent.
double log_gamma_distributed(Random& random, double shape) {
  if (shape < 1) {
    const double larger = log_gamma_distributed(random, shape + 1);
    return larger + std::log(above_zero(random)) / shape;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal(random), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(above_zero(random)) < x * x / 2 + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

std::string type_text(const cv::Mat& map) {
  return cv::typeToString(map.type()) + " in " + std::to_string(map.dims) + " dimensions";
}

cv::Mat filled_like(const cv::Mat& map, double value) {
  cv::Mat made(map.dims, map.size.p, map.type());
  made.setTo(value);
  return made;
}

// missing: the value where a map does not exist.
cv::Mat shown(const cv::Mat& from, const cv::Mat& where, const cv::Mat& to, double missing) {
  if (from.empty() && to.empty()) return {};
  cv::Mat made = to.empty() ? filled_like(from, missing) : to.clone();
  if (from.empty())
    made.setTo(missing, where);
  else
    from.copyTo(made, where);
  return made;
}

// 8U of the size of `like`, 1 in the pixels that the box touches, in all slices.
cv::Mat pixels_of(const cv::Rect2f& box, const cv::Mat& like) {
  const Extent size = extent(like);
  const auto range = [](float from, float length, int limit) {
    const int begin = std::clamp(cvFloor(from), 0, limit), end = std::clamp(cvCeil(from + length), 0, limit);
    return cv::Range(begin, std::max(begin, end));
  };
  const cv::Range ranges[] = {cv::Range::all(), range(box.y, box.height, size.height),
                              range(box.x, box.width, size.width)};
  cv::Mat made(like.dims, like.size.p, CV_8U, cv::Scalar(0));
  if (ranges[1].empty() || ranges[2].empty()) return made;
  cv::Mat part = like.dims == 3 ? made(ranges) : made(ranges + 1);
  part.setTo(1);
  return made;
}

// Returns whether anything is left of the object.
bool hide(const cv::Mat& hidden, Instance& instance) {
  const bool has_mask = !instance.mask.empty();
  const cv::Mat all = has_mask ? instance.mask.bitmap() : pixels_of(instance.box, hidden);
  cv::Mat left = all.clone();
  left.setTo(0, hidden);
  const int before = cv::countNonZero(all), after = cv::countNonZero(left);
  if (before == after) return true;
  instance.area.reset();
  if (after == 0) return false;
  const Mask visible(left);
  instance.box = has_mask ? visible.box() : instance.box & visible.box();
  if (has_mask) instance.mask = visible;
  return instance.box.width > 0 && instance.box.height > 0;
}

}  // namespace

double beta_distributed(Random& random, double a, double b) {
  const double x = log_gamma_distributed(random, a), y = log_gamma_distributed(random, b);
  return 1 / (1 + std::exp(y - x));
}

void demand_alike(const Sample& sample, const Sample& other, const char* transform) {
  const auto demand = [&](const std::string& what, const cv::Mat& its, const cv::Mat& of_other) {
    if (its.empty() || of_other.empty() || (its.type() == of_other.type() && its.dims == of_other.dims)) return;
    throw DataError(sample.id, std::string(transform) + " mixes it with " + other.id + ", which has " + what + " of " +
                                   type_text(of_other) + "; expected " + type_text(its) +
                                   " like here: convert all samples to one type before");
  };
  demand("an image", sample.image, other.image);
  const auto in_two_forms = [](const cv::Mat& numbers, const cv::Mat& per_class) {
    return numbers.type() == CV_16SC1 && per_class.depth() == CV_32F && numbers.dims == per_class.dims;
  };
  if (!in_two_forms(sample.labels, other.labels) && !in_two_forms(other.labels, sample.labels))
    demand("labels", sample.labels, other.labels);
  for (const auto& [name, map] : sample.targets)
    if (const auto found = other.targets.find(name); found != other.targets.end())
      demand(std::string("a target \"").append(name).append("\""), map, found->second);
  if (sample.mean != other.mean || sample.deviation != other.deviation)
    throw DataError(sample.id, std::string(transform) + " mixes it with " + other.id +
                                   ", which is normalized with other values: put \"normalize\" behind " + transform);
}

cv::Mat labels_per_class(const cv::Mat& labels, int classes, const std::string& id) {
  cv::Mat made(labels.dims, labels.size.p, CV_32FC(classes));
  made.setTo(0.0);
  const cv::Mat numbers = labels.isContinuous() ? labels : labels.clone();
  const auto* number = numbers.ptr<std::int16_t>();
  auto* shares = made.ptr<float>();
  for (std::size_t i = 0; i < numbers.total(); ++i, shares += classes) {
    if (number[i] == kIgnore)
      std::fill_n(shares, classes, static_cast<float>(kIgnore));
    else if (number[i] >= 0 && number[i] < classes)
      shares[number[i]] = 1;
    else
      throw DataError(id, "has the class number " + std::to_string(number[i]) + " in its labels; expected 0 to " +
                              std::to_string(classes - 1) + ", or " + std::to_string(kIgnore) + " (ignored)");
  }
  return made;
}

void give_one_form(const std::vector<cv::Mat*>& labels, const std::string& id) {
  const auto soft = std::find_if(labels.begin(), labels.end(), [](const auto* one) { return one->depth() == CV_32F; });
  if (soft == labels.end()) return;
  for (auto* one : labels)
    if (!one->empty() && one->depth() != CV_32F) *one = labels_per_class(*one, (*soft)->channels(), id);
}

void make_ids_unique(const Sample& sample, Sample& other) {
  std::set<std::int64_t> taken;
  for (const auto& instance : sample.instances) taken.insert(instance.id);
  for (const auto& segment : sample.segments) taken.insert(segment.id);
  std::map<std::int64_t, std::int64_t> renamed{{0, 0}};
  std::int64_t next = 1;
  // An object and its segment have the same id, and keep having it.
  const auto new_id = [&](std::int64_t id) {
    const auto [at, is_new] = renamed.try_emplace(id, id);
    if (is_new && taken.count(id)) {
      while (taken.count(next)) ++next;
      at->second = next;
    }
    taken.insert(at->second);
    return at->second;
  };
  for (auto& instance : other.instances) instance.id = new_id(instance.id);
  for (auto& segment : other.segments) segment.id = static_cast<std::int32_t>(new_id(segment.id));
  const bool same =
      std::all_of(renamed.begin(), renamed.end(), [](const auto& pair) { return pair.first == pair.second; });
  if (other.segment_ids.empty() || same) return;
  other.segment_ids = other.segment_ids.clone();
  auto* ids = other.segment_ids.ptr<std::int32_t>();
  std::int32_t last = 0, its = 0;
  for (std::size_t i = 0; i < other.segment_ids.total(); ++i) {
    if (ids[i] != last) {
      last = ids[i];
      const auto found = renamed.find(last);
      its = found == renamed.end() ? 0 : static_cast<std::int32_t>(found->second);
    }
    ids[i] = its;
  }
}

Sample mixing_partner(const Sample& sample, Draw& draw, const char* transform) {
  demand_image(sample);
  Sample other = draw.another();
  demand_image(other);
  demand_alike(sample, other, transform);
  apply(Warp::resize(extent(other.image), extent(sample.image)), other);
  make_ids_unique(sample, other);
  return other;
}

void hide(const cv::Mat& hidden, std::vector<Instance>& instances) {
  std::vector<Instance> kept;
  for (auto& instance : instances)
    if (hide(hidden, instance)) kept.push_back(std::move(instance));
  instances = std::move(kept);
}

void remove_invisible_segments(Sample& sample) {
  if (sample.segment_ids.empty()) return;
  std::set<std::int32_t> visible;
  const cv::Mat ids = sample.segment_ids.isContinuous() ? sample.segment_ids : sample.segment_ids.clone();
  const auto* id = ids.ptr<std::int32_t>();
  const std::size_t count = ids.total();
  for (std::size_t i = 0; i < count; ++i)
    if (i == 0 || id[i] != id[i - 1]) visible.insert(id[i]);
  std::erase_if(sample.segments, [&](const Segment& segment) { return visible.count(segment.id) == 0; });
}

void show(const Sample& other, const cv::Mat& where, Sample& sample) {
  sample.image = shown(other.image, where, sample.image, 0);
  cv::Mat others = other.labels;
  give_one_form({&sample.labels, &others}, other.id);
  sample.labels = shown(others, where, sample.labels, kIgnore);
  sample.segment_ids = shown(other.segment_ids, where, sample.segment_ids, 0);
  sample.segments.insert(sample.segments.end(), other.segments.begin(), other.segments.end());
  remove_invisible_segments(sample);
  for (const auto& [name, map] : other.targets) sample.targets[name];  // so that every name of the two comes next
  for (auto& [name, map] : sample.targets) {
    const auto found = other.targets.find(name);
    const cv::Mat from = found == other.targets.end() ? cv::Mat() : found->second;
    const bool is_real = (map.empty() ? from : map).depth() == CV_32F;
    map = shown(from, where, map, is_real ? 0 : kIgnore);
  }
  std::set<int> tags(sample.tags.begin(), sample.tags.end());
  tags.insert(other.tags.begin(), other.tags.end());
  sample.tags.assign(tags.begin(), tags.end());
  hide(where, sample.instances);
}

}  // namespace sectile
