// The out-of-line parts of the ground floor's headers. Every interface and exception of it has its key function here,
// so that the process has one vtable and one typeinfo of each, whatever plugin throws or casts.
#include <set>

#include <opencv2/core.hpp>

#include <sectile/dataset.h>
#include <sectile/sampler.h>
#include <sectile/schedule.h>
#include <sectile/transform.h>

#include "spec/suggestion.h"

namespace sectile {
namespace {

std::string join(const std::vector<Problem>& problems) {
  std::string text;
  for (const auto& problem : problems) text += (text.empty() ? "" : "\n") + problem.pointer + ": " + problem.message;
  return text;
}

std::uint64_t mix(std::uint64_t x) {  // splitmix64's finaliser
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

SpecError::SpecError(std::vector<Problem> problems)
    : std::runtime_error(join(problems)), problems_(std::move(problems)) {}
SpecError::SpecError(const std::string& pointer, const std::string& message)
    : SpecError(std::vector<Problem>{{pointer, message}}) {}
SpecError::~SpecError() = default;
OptionError::OptionError(std::vector<Problem> problems)
    : std::runtime_error(join(problems)), problems_(std::move(problems)) {}
OptionError::OptionError(const std::string& option, const std::string& message)
    : OptionError(std::vector<Problem>{{option, message}}) {}
OptionError::~OptionError() = default;
PluginError::PluginError(const std::string& where, const std::string& reason)
    : std::runtime_error(where + ": " + reason) {}
PluginError::~PluginError() = default;
DataError::DataError(const std::string& where, const std::string& reason) : std::runtime_error(where + ": " + reason) {}
DataError::~DataError() = default;

Dataset::~Dataset() = default;
Sampler::~Sampler() = default;
Schedule::~Schedule() = default;
Transform::~Transform() = default;
Recipe::~Recipe() = default;

Problems::Problems(std::vector<Problem>& all, std::string pointer) : all_(all), pointer_(std::move(pointer)) {}
void Problems::add(const std::string& option, const std::string& message) {
  all_.push_back({pointer_ + "/" + option, message});
}

void AnyRef::set(std::string type, std::shared_ptr<const Recipe> recipe) {
  type_ = std::move(type);
  recipe_ = std::move(recipe);
  given_.clear();
}
const Recipe& AnyRef::recipe() const {
  if (!recipe_) throw PluginError("Ref", "is empty: test it, or declare the option required()");
  return *recipe_;
}

Option::Option(const char* option_name, void* option_value, const ValueType& value_type, const char* option_help)
    : name(option_name), help(option_help), value(option_value), type(&value_type) {}
Option& Option::at_least(double limit) {
  minimum = limit;
  return *this;
}
Option& Option::at_most(double limit) {
  maximum = limit;
  return *this;
}
Option& Option::one_of(std::initializer_list<const char*> names) {
  choices.assign(names.begin(), names.end());
  return *this;
}
Option& Option::not_empty() {
  must_not_be_empty = true;
  return *this;
}
Option& Option::required() {
  is_required = true;
  return *this;
}
Option& Option::renamed_from(const char* old) {
  old_name = old;
  return *this;
}
Option& Option::also_single() {
  takes_single = true;
  return *this;
}

Options::Options() = default;
Options::~Options() = default;
Option& Options::add(const char* name, void* member, const ValueType& type, const char* help) {
  return *options_.emplace_back(std::make_unique<Option>(name, member, type, help));
}

static void declare_weights(Options& options, std::filesystem::path& weights, bool& strict) {
  options.add("weights", &weights, "File of weights to start from.");
  options.add("weights_strict", &strict,
              "Whether every name of the network must be in that file and no other, but for what the network allows "
              "itself, such as a head for other classes. false: what is missing stays as made, what is unknown is left "
              "out, and the run says so.");
}

void Kind<Model>::Common::declare(Options& options) { declare_weights(options, weights, weights_strict); }
void Kind<Backbone>::Common::declare(Options& options) {
  declare_weights(options, weights, weights_strict);
  options
      .add("freeze", &freeze,
           "Stages, from the stem on, that keep their weights and the statistics of their batch norms.")
      .at_least(0);
}
void Kind<Loss>::Common::declare(Options& options) {
  options.add("weight", &weight, "Factor of this loss in the sum.").at_least(0);
  options
      .add("auxiliary", &auxiliary,
           "Weights of the same loss over the model's auxiliary outputs: one for each, or one for all. Left out: the "
           "model's own, which are 0.4 where its paper says nothing else.")
      .at_least(0)
      .also_single();
  options.add("output", &output,
              "Name of the output that the loss reads, such as a second head's. Left out: the class scores.");
  options.add("target", &target,
              "Name of the target that it is compared with, such as an edge map. Left out: the labels.");
}
void Kind<Sampler>::Common::declare(Options& options) {
  options
      .add("samples", &samples,
           "Samples per epoch. Left out: as many as the sampler says, which is all of them for most.")
      .at_least(1)
      .at_most(100'000'000);  // their numbers are held in memory
}

void Kind<Optimizer>::Common::declare(Options& options) {
  options.add("lr", &lr, "Learning rate, before the schedule's factor.").at_least(0);
  options
      .add("layer_decay", &layer_decay,
           "Each stage's learning rate is so much of the stage's above it (0.65 … 0.9 when a pretrained transformer is "
           "fine-tuned); 1: all alike. Needs a model that knows its stages.")
      .at_least(0)
      .at_most(1);
  options
      .add("head_lr_scale", &head_lr_scale,
           "Factor of the learning rate of the model's head, such as 10 beside a pretrained backbone.")
      .at_least(0);
  options.add("decay_norms", &decay_norms, "Whether weight decay holds for norms and biases too.");
  options.add(
      "groups", &groups,
      "Parameters treated otherwise, by name. Of several rules that match, the later one has the last word, and "
      "learning rate factors multiply.");
}
void Kind<Optimizer>::Common::Group::declare(Options& options) {
  options.add("match", &match, "Names as the checkpoint has them, with * and ?: \"encoder.*\", \"*.bias\".")
      .required()
      .not_empty();
  options.add("lr_scale", &lr_scale, "Factor of the learning rate.").at_least(0);
  options.add("decay", &decay, "Whether weight decay holds for them. Left out: as without the rule.");
  options.add("freeze", &freeze, "Whether they stay as they are, and with them the statistics of batch norms.");
}
void Kind<Schedule>::Common::declare(Options& options) {
  options.add("warmup", &warmup, "Steps over which the learning rate first rises linearly to the schedule's.")
      .at_least(0);
  options
      .add("warmup_factor", &warmup_factor,
           "What the first step's learning rate is multiplied with. Left out: 1 / (warmup + 1).")
      .at_least(0)
      .at_most(1);
  options.add("by", &by, "Whether the schedule moves on at every step or at every epoch. Warm-up always goes by steps.")
      .one_of({"step", "epoch"});
}

std::vector<int> Dataset::classes_of(std::size_t index) const {
  const auto sample = read(index, {.image = false, .labels = true, .objects = true});
  std::set<int> classes(sample.tags.begin(), sample.tags.end());
  for (const auto& instance : sample.instances) classes.insert(instance.category);
  for (const auto& segment : sample.segments) classes.insert(segment.category);
  if (sample.labels.type() == CV_16SC1) {
    int last = kIgnore;  // neighbours are mostly alike
    for (auto it = sample.labels.begin<std::int16_t>(); it != sample.labels.end<std::int16_t>(); ++it)
      if (*it != last) classes.insert(last = *it);
  } else {
    for (int c = 0; c < sample.labels.channels() && !sample.labels.empty(); ++c) {
      cv::Mat plane;
      cv::extractChannel(sample.labels, plane, c);
      if (cv::countNonZero(plane > 0) > 0) classes.insert(c);
    }
  }
  classes.erase(kIgnore);
  return {classes.begin(), classes.end()};
}

Extent Dataset::extent_of(std::size_t index) const {
  return extent(read(index, {.image = true, .labels = false, .objects = false}).image);
}

std::string Dataset::id_of(std::size_t index) const {
  return read(index, {.image = false, .labels = false, .objects = false}).id;
}

std::optional<int> LabelMap::find(const std::string& name) const {
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (classes[i].name == name) return static_cast<int>(i);
  return {};
}

int LabelMap::number_of(const std::string& name, const std::string& option) const {
  if (const auto number = find(name)) return *number;
  std::vector<std::string> known;
  for (const auto& one : classes) known.push_back(one.name);
  const auto near = nearest(name, known);
  throw OptionError(option, "names the class \"" + name + "\", which the data does not have" +
                                (near ? ", did you mean \"" + *near + "\"?" : "") + "; it has: " + listed(known));
}

std::string LabelMap::difference(const LabelMap& other) const {
  if (overlapping != other.overlapping)
    return overlapping ? "its classes may overlap, and the other's may not"
                       : "its classes may not overlap, and the other's may";
  for (std::size_t i = 0; i < std::min(classes.size(), other.classes.size()); ++i) {
    const auto &own = classes[i], &theirs = other.classes[i];
    const std::string place = "its class " + std::to_string(i) + " is \"" + own.name + "\"";
    if (own.name != theirs.name) return place + ", and not \"" + theirs.name + "\"";
    if (own.thing != theirs.thing)
      return place + (own.thing ? " as things, and not as stuff" : " as stuff, and not as things");
  }
  if (classes.size() == other.classes.size()) return "";
  return "it has " + std::to_string(classes.size()) + " classes, and not " + std::to_string(other.classes.size());
}

std::string LabelMap::text() const {
  std::vector<std::string> names;
  for (const auto& one : classes) names.push_back(one.name);
  return std::to_string(classes.size()) + " (" + listed(names) + ")";
}

int BuildContext::classes() const {
  if (!labels) throw PluginError("BuildContext", "the number of classes was asked for before the dataset was built");
  return static_cast<int>(labels->classes.size());
}
int BuildContext::class_number(const std::string& name, const std::string& option) const {
  if (!labels) throw PluginError("BuildContext", "a class was asked for before the dataset was built");
  return labels->number_of(name, option);
}

std::size_t FeatureRequest::index(int level, std::size_t count) {
  const auto size = static_cast<int>(count);
  if (level < -size || level >= size)
    throw OptionError("type", "has " + std::to_string(size) + " levels of features, and the model asks for level " +
                                  std::to_string(level) + ": choose another backbone");
  return static_cast<std::size_t>(level < 0 ? level + size : level);
}

Random::Random(std::initializer_list<std::uint64_t> key) {
  for (const auto part : key) key_ = mix(key_ + part + 0x9e3779b97f4a7c15u);
}
std::uint64_t Random::bits() { return mix(key_ + ++counter_ * 0x9e3779b97f4a7c15u); }
double Random::uniform(double from, double to) {
  return from + (to - from) * static_cast<double>(bits() >> 11) * 0x1p-53;
}
std::int64_t Random::below(std::int64_t count) {
  return static_cast<std::int64_t>(uniform() * static_cast<double>(count));
}

Draw::Draw(Random numbers, std::function<Sample(Random&)> others, Random of_batch)
    : random(numbers), batch(of_batch), others_(std::move(others)) {}
Sample Draw::another() {
  if (!others_)
    throw DataError("transform", "asks for another sample, and there is none where pictures are only predicted");
  return others_(random);
}

}  // namespace sectile
