// What every component of a kind must do, whoever wrote it. Each contract runs one component through its kind's rules
// and returns what it broke, as sentences; nothing here knows a component by name, or the test framework.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include <sectile/component.h>
#include <sectile/kind.h>

#include "ground/plugins/plugin_index.h"
#include "ground/spec/json_options.h"

namespace sectile::contract {

struct Subject {
  const PluginIndex& index;
  const Component& component;
};

class Findings {
 public:
  void expect(bool held, const std::string& what) {
    if (!held) broken_.push_back(what);
  }
  // Runs a step; an exception is a finding.
  void attempt(const std::string& what, const std::function<void()>& step);
  // Runs a step that may be refused, by one of Sectile's errors whose message contains `reason`.
  void attempt_or_refuse(const std::string& what, const std::function<void()>& step, const std::string& reason = "");
  const std::vector<std::string>& broken() const { return broken_; }

 private:
  std::vector<std::string> broken_;
};

// JSON for the component's required options, made up by their types; nothing when one cannot be made up (a file).
std::optional<Json> required_options(const Subject& subject);

// The component's own options, read from JSON as a spec's are. Throws SpecError.
std::shared_ptr<void> read_options(const Subject& subject, const Json& json);

// Null when a required option cannot be made up. given: options, beside those.
std::shared_ptr<void> build(const Subject& subject, const BuildContext& context, const Json& given = Json::object());

template <class Interface>
std::shared_ptr<Interface> build(const Subject& subject, const BuildContext& context,
                                 const Json& given = Json::object()) {
  return std::static_pointer_cast<Interface>(build(subject, context, given));
}

bool same_pixels(const cv::Mat& a, const cv::Mat& b);  // bit for bit

constexpr int kClasses = 3;  // of samples, labels and predictions

// Classes named "class 0", "class 1", …
BuildContext context(int classes, bool overlapping = false, int dimensions = 2);

Findings documentation_contract(const Subject& subject);  // and options; of every kind
Findings dataset_contract(const Subject& subject);
Findings transform_contract(const Subject& subject);
Findings geometric_contract(const Transform& transform);  // nothing of a transform that is not geometric
Findings sampler_contract(const Subject& subject);
Findings schedule_contract(const Subject& subject);
Findings model_contract(const Subject& subject);
Findings backbone_contract(const Subject& subject);
Findings loss_contract(const Subject& subject);
Findings metric_contract(const Subject& subject);
Findings optimizer_contract(const Subject& subject);

// The component's kind's, after the one on documentation.
std::vector<std::string> broken_rules(const Subject& subject);

}  // namespace sectile::contract
