#include "class_mapping.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include <sectile/error.h>
#include <opencv2/core.hpp>

namespace remap {
namespace {

using sectile::kIgnore;
using sectile::OptionError;

std::string at(const char* list, std::size_t index) { return std::string(list) + "/" + std::to_string(index); }

}  // namespace

void NewClass::declare(sectile::Options& options) {
  options.add("name", &name, "Class name.").required().not_empty();
  options
      .add("from", &from, "Names of the dataset's classes that become this one. Default: the class of the same name.")
      .also_single();
  options
      .add("color", &color, "[red, green, blue], 0 to 255, in written images. Default: that of the first of \"from\".")
      .at_least(0)
      .at_most(255);
  options.add(
      "thing", &thing,
      "Objects are told apart (thing), or not (stuff). Default: as in the dataset; state it to merge both. false "
      "for a thing: its objects are left out, and its segments, also crowds, become one of stuff. true for stuff: "
      "its segments become crowds, as nobody told objects apart in them, and there are no objects for the task "
      "instance.");
}

void ClassList::declare(sectile::Options& options) {
  options.add("classes", &classes,
              "The new classes in the order of their numbers, each {\"name\", \"from\", \"color\", \"thing\"}.");
  options.add(
      "ignore", &ignore,
      "Names of the dataset's classes to ignore: their pixels do not count in training and evaluation (semantic), "
      "and their segments become void (panoptic). Their objects, also crowds, are left out, and nothing stays in "
      "their place: if the task is instance, what is predicted there counts as wrong.");
}

void ClassList::check(sectile::Problems& problems) const {
  std::set<std::string> names;
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (!names.insert(classes[i].name).second)
      problems.add(at("classes", i) + "/name", "\"" + classes[i].name + "\" is the name of an earlier class");
}

Mapping::Mapping(const ClassList& list, Others others, const sectile::LabelMap& old)
    : numbers_(old.classes.size(), kIgnore), taken_(old.classes.size()) {
  labels_.overlapping = old.overlapping;
  for (const auto& one : old.classes) was_thing_.push_back(one.thing);
  for (std::size_t i = 0; i < list.classes.size(); ++i) add(list.classes[i], i, old);
  for (std::size_t i = 0; i < list.ignore.size(); ++i) take(list.ignore[i], at("ignore", i), kIgnore, old);

  std::string forgotten;
  for (std::size_t i = 0; i < old.classes.size(); ++i) {
    if (!taken_[i].empty() || others == Others::ignore) continue;
    const auto& one = old.classes[i];
    forgotten += (forgotten.empty() ? "" : ", ") + one.name;
    if (others == Others::error) continue;
    if (const auto same = labels_.find(one.name); same && static_cast<std::size_t>(*same) < list.classes.size())
      throw OptionError(at("classes", static_cast<std::size_t>(*same)) + "/name",
                        "\"" + one.name +
                            "\" is also the name of a class that is kept: add it to \"from\" or "
                            "\"ignore\", or choose another name");
    numbers_[i] = static_cast<int>(labels_.classes.size());
    labels_.classes.push_back(one);
  }
  if (others == Others::error && !forgotten.empty())
    throw OptionError("others", "the dataset also has the classes " + forgotten +
                                    ": name them in \"classes\" or \"ignore\", or set this to \"ignore\" or \"keep\"");
  if (labels_.classes.empty())
    throw list.ignore.empty() ? OptionError("classes", "is empty: no class is left")
                              : OptionError("ignore", "has all classes of the dataset: none is left");
}

void Mapping::add(const NewClass& made, std::size_t index, const sectile::LabelMap& old) {
  const auto place = at("classes", index);
  const auto number = static_cast<int>(labels_.classes.size());
  if (made.from.empty()) take(made.name, place + "/name", number, old);
  for (std::size_t i = 0; i < made.from.size(); ++i)
    take(made.from[i], place + "/from/" + std::to_string(i), number, old);

  const auto first = *old.find(made.from.empty() ? made.name : made.from.front());
  auto result = old.classes[static_cast<std::size_t>(first)];  // with its color, and its number in files
  result.name = made.name;
  if (made.color)
    std::transform(made.color->begin(), made.color->end(), result.color.begin(),
                   [](int level) { return static_cast<std::uint8_t>(level); });
  for (std::size_t i = 0; i < numbers_.size(); ++i)
    if (numbers_[i] == number && was_thing_[i] != result.thing && !made.thing)
      throw OptionError(place, "merges \"" + old.classes[static_cast<std::size_t>(first)].name + "\" and \"" +
                                   old.classes[i].name +
                                   "\", of which one has objects (thing) and the other has not: state \"thing\"");
  result.thing = made.thing.value_or(result.thing);
  if (made.from.size() > 1) result.category_id = -1;  // in files there is no such class
  labels_.classes.push_back(result);
  if (made.thing && !*made.thing) becomes_stuff_.insert(number);
}

void Mapping::take(const std::string& name, const std::string& option, int number, const sectile::LabelMap& old) {
  const auto found = static_cast<std::size_t>(old.number_of(name, option));
  if (!taken_[found].empty())
    throw OptionError(option, "names \"" + name + "\", as " + taken_[found] + " does: a class becomes one other");
  taken_[found] = option;
  numbers_[found] = number;
}

std::vector<int> Mapping::apply(const std::vector<int>& classes) const {
  std::set<int> mapped;
  for (const int number : classes) mapped.insert(of(number));
  mapped.erase(kIgnore);
  return {mapped.begin(), mapped.end()};
}

void Mapping::apply(sectile::Sample& sample) const {
  if (sample.labels.type() == CV_16SC1)
    sample.labels = apply_to_numbers(sample.labels);
  else if (!sample.labels.empty())
    sample.labels = apply_per_class(sample);
  std::erase_if(sample.instances, [&](const auto& one) { return of(one.category) == kIgnore; });
  for (auto& one : sample.instances) one.category = of(one.category);
  // What becomes stuff has no objects that are told apart.
  std::erase_if(sample.instances, [&](const auto& one) { return becomes_stuff_.contains(one.category); });
  apply_to_segments(sample);
  sample.tags = apply(sample.tags);
  for (auto& one : sample.support) apply(one);
}

// labels: 16S
cv::Mat Mapping::apply_to_numbers(const cv::Mat& labels) const {
  if (labels.empty()) return labels;
  cv::Mat mapped = labels.clone();  // the dataset may keep its own
  auto* number = mapped.ptr<std::int16_t>();
  for (std::size_t i = 0; i < mapped.total(); ++i)
    if (number[i] != kIgnore) number[i] = static_cast<std::int16_t>(of(number[i]));
  return mapped;
}

// labels: 32F, one channel per class, each of its own or (overlapping = false) shares of one pixel. Merged classes are
// there where any of them is, and have the sum of the shares. A value is ignored where none of them is and one is.
cv::Mat Mapping::apply_per_class(const sectile::Sample& sample) const {
  const auto& labels = sample.labels;
  if (labels.type() != CV_32FC(static_cast<int>(numbers_.size())))
    throw sectile::DataError(sample.id, "has labels of " + cv::typeToString(labels.type()) +
                                            ": expected class numbers of CV_16SC1, or CV_32F with one channel for each "
                                            "of the " +
                                            std::to_string(numbers_.size()) + " classes of the dataset");
  const auto classes = labels_.classes.size();
  const auto size = std::vector<int>(labels.size.p, labels.size.p + labels.dims);
  cv::Mat mapped(size, CV_32FC(static_cast<int>(classes)));
  const cv::Mat packed = labels.isContinuous() ? labels : labels.clone();
  const auto* from = packed.ptr<float>();
  auto* to = mapped.ptr<float>();
  std::vector<bool> unknown(classes);
  for (std::size_t pixel = 0; pixel < packed.total(); ++pixel, to += classes) {
    std::fill(to, to + classes, 0.f);
    std::fill(unknown.begin(), unknown.end(), false);
    for (std::size_t i = 0; i < numbers_.size(); ++i, ++from) {
      if (numbers_[i] == kIgnore) continue;
      const auto number = static_cast<std::size_t>(numbers_[i]);
      if (*from < 0)
        unknown[number] = true;
      else
        to[number] = labels_.overlapping ? std::max(to[number], *from) : std::min(1.f, to[number] + *from);
    }
    for (std::size_t i = 0; i < classes; ++i)
      if (to[i] == 0 && unknown[i]) to[i] = kIgnore;
  }
  return mapped;
}

// Stuff of one class is one segment. What was stuff and becomes a thing is a crowd: nobody told its objects apart.
void Mapping::apply_to_segments(sectile::Sample& sample) const {
  std::unordered_map<std::int32_t, std::int32_t> ids;
  std::map<int, std::int32_t> stuff;  // by class
  std::vector<sectile::Segment> segments;
  for (auto segment : sample.segments) {
    const auto old = static_cast<std::size_t>(segment.category);
    auto& id = ids[segment.id];
    segment.category = of(segment.category);
    if (segment.category == kIgnore) continue;  // and void, 0
    id = segment.id;
    if (labels_.classes[static_cast<std::size_t>(segment.category)].thing) {
      segment.crowd = segment.crowd || !was_thing_[old];
    } else {
      segment.crowd = false;
      const auto [one, is_new] = stuff.emplace(segment.category, segment.id);
      id = one->second;
      if (!is_new) continue;
    }
    segments.push_back(segment);
  }
  sample.segments = std::move(segments);
  const bool changed = std::any_of(ids.begin(), ids.end(), [](const auto& one) { return one.first != one.second; });
  if (!changed || sample.segment_ids.empty()) return;
  sample.segment_ids = sample.segment_ids.clone();
  std::int32_t last = 0, becomes = 0;  // neighbors are mostly equal
  for (auto it = sample.segment_ids.begin<std::int32_t>(); it != sample.segment_ids.end<std::int32_t>(); ++it) {
    if (*it != last) {
      last = becomes = *it;
      if (const auto found = ids.find(*it); found != ids.end()) becomes = found->second;
    }
    *it = becomes;
  }
}

}  // namespace remap
