#include "contract.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

namespace sectile::contract {
namespace {

std::optional<Json> made_up(const ValueType& type, const Option& option, const PluginIndex& index);

bool asks_for_anything(const ValueType& type) {
  const auto values = type.make();
  Options options;
  type.declare(values.get(), options);
  return std::any_of(options.all().begin(), options.all().end(),
                     [](const auto& option) { return option->is_required; });
}

std::optional<Json> made_up_group(const ValueType& type, const PluginIndex& index) {
  const auto values = type.make();
  Options options;
  type.declare(values.get(), options);
  Json json = Json::object();
  for (const auto& option : options.all()) {
    if (!option->is_required) continue;
    auto value = made_up(*option->type, *option, index);
    if (!value) return {};
    json[option->name] = std::move(*value);
  }
  return json;
}

std::optional<Json> made_up(const ValueType& type, const Option& option, const PluginIndex& index) {
  const double low = option.minimum.value_or(0), high = option.maximum.value_or(std::max(low, 0.0) + 64);
  switch (type.shape) {
    case Shape::boolean:
      return true;
    case Shape::integer:
      return static_cast<std::int64_t>(std::clamp(16.0, low, high));
    case Shape::number:
      return std::clamp(0.5, low, high);
    case Shape::choice:
    case Shape::string:
      return option.choices.empty() ? std::nullopt : std::optional<Json>(option.choices.front());
    case Shape::optional:
      return made_up(*type.element, option, index);
    case Shape::array: {
      const auto item = made_up(*type.element, option, index);
      if (!item) return {};
      return Json(std::vector<Json>(type.fixed_size ? type.fixed_size : 2, *item));
    }
    case Shape::group:
      return made_up_group(type, index);
    case Shape::component: {
      // The first that asks for nothing: it can be built.
      for (const auto& name : index.names(type.kind))
        if (!asks_for_anything(*index.load(type.kind, name).options)) return Json{{"type", name}};
      return {};
    }
    default:
      return {};
  }
}

}  // namespace

void Findings::attempt(const std::string& what, const std::function<void()>& step) {
  try {
    step();
  } catch (const std::exception& error) {
    broken_.push_back(what + ": throws " + error.what());
  }
}

void Findings::attempt_or_refuse(const std::string& what, const std::function<void()>& step,
                                 const std::string& reason) {
  const auto expect_reason = [&](const std::string& message) {
    expect(!message.empty() && message.find(reason) != std::string::npos,
           what + ": is refused without the reason \"" + reason + "\": " + message);
  };
  try {
    step();
  } catch (const PluginError& error) {
    expect_reason(error.what());
  } catch (const DataError& error) {
    expect_reason(error.what());
  } catch (const OptionError& error) {
    expect_reason(error.what());
  } catch (const std::exception& error) {
    broken_.push_back(what +
                      ": is neither done nor refused with a PluginError, DataError or OptionError: " + error.what());
  }
}

std::optional<Json> required_options(const Subject& subject) {
  return made_up_group(*subject.component.options, subject.index);
}

std::shared_ptr<void> read_options(const Subject& subject, const Json& json) {
  SpecFile file;
  file.json = json;
  auto options = subject.component.options->make();
  SpecReader{subject.index, file}.read(options.get(), *subject.component.options);
  return options;
}

std::shared_ptr<void> build(const Subject& subject, const BuildContext& context, const Json& given) {
  auto json = required_options(subject);
  if (!json) return nullptr;
  json->update(given);
  const auto options = read_options(subject, *json);
  std::shared_ptr<void> made;
  try {
    made = subject.component.create(options.get(), context);
  } catch (const OptionError&) {
    // Which files a dataset needs may be said by one option or by others, so that none of them is required.
    if (std::string(subject.component.kind) == "dataset") return nullptr;
    throw;
  } catch (const SpecError&) {  // of a dataset inside
    if (std::string(subject.component.kind) == "dataset") return nullptr;
    throw;
  }
  return {made.get(), [made, options](void*) {}};  // what a constructor keeps of its options stays alive
}

bool same_pixels(const cv::Mat& a, const cv::Mat& b) {
  if (a.type() != b.type() || a.size != b.size) return false;
  if (a.empty()) return true;
  const cv::Mat x = a.isContinuous() ? a : a.clone(), y = b.isContinuous() ? b : b.clone();
  return std::memcmp(x.data, y.data, x.total() * x.elemSize()) == 0;
}

BuildContext context(int classes, bool overlapping, int dimensions) {
  BuildContext context;
  auto labels = std::make_shared<LabelMap>();
  labels->overlapping = overlapping;
  for (int i = 0; i < classes; ++i) {
    LabelClass made;
    made.name = "class " + std::to_string(i);
    labels->classes.push_back(made);
  }
  context.labels = labels;
  context.dimensions = dimensions;
  context.count_pixels = [classes] { return std::vector<std::int64_t>(static_cast<std::size_t>(classes), 100); };
  return context;
}

std::vector<std::string> broken_rules(const Subject& subject) {
  static const std::map<std::string, Findings (*)(const Subject&)> contracts{
      {"dataset", dataset_contract}, {"transform", transform_contract}, {"schedule", schedule_contract},
      {"sampler", sampler_contract}, {"model", model_contract},         {"backbone", backbone_contract},
      {"loss", loss_contract},       {"optimizer", optimizer_contract}, {"metric", metric_contract}};
  auto broken = documentation_contract(subject).broken();
  const auto contract = contracts.find(subject.component.kind);
  if (contract == contracts.end()) {
    broken.push_back(std::string("its kind \"") + subject.component.kind + "\" does not exist");
    return broken;
  }
  Findings all;
  all.attempt("the contract of its kind", [&] {
    const auto findings = contract->second(subject);
    broken.insert(broken.end(), findings.broken().begin(), findings.broken().end());
  });
  broken.insert(broken.end(), all.broken().begin(), all.broken().end());
  return broken;
}

}  // namespace sectile::contract
