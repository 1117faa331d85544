// Transforms that albumentations has too have its names of options and its defaults.
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <sectile/error.h>
#include <sectile/transform.h>
#include <nlohmann/json.hpp>

#include "ground/spec/json_writer.h"
#include "support/component.h"
#include "support/test.h"

using namespace sectile;

namespace {

// A number, or the list of one or two equal ones that stands for it, as that number.
nlohmann::json plain_default(const nlohmann::json& value) {
  if (value.is_array() && value.empty()) return nullptr;
  if (value.is_array() && (value.size() == 1 || (value.size() == 2 && value[0] == value[1]))) return value[0];
  return value;
}

bool same_default(const nlohmann::json& ours, const nlohmann::json& theirs) {
  if (ours.is_number() && theirs.is_number()) return std::abs(ours.get<double>() - theirs.get<double>()) < 1e-9;
  if (!ours.is_array() || !theirs.is_array()) return ours == theirs;
  if (ours.size() != theirs.size()) return false;
  for (std::size_t i = 0; i < ours.size(); ++i)
    if (!same_default(ours[i], theirs[i])) return false;
  return true;
}

}  // namespace

TEST_CASE("transforms have the options and defaults of albumentations 2.0.8, but for those with a reason") {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/ground/augmentation_options.json");
  const auto expected = nlohmann::json::parse(file);
  REQUIRE(expected.size() == 30);
  for (const auto& [name, albumentations] : expected.items()) {
    CAPTURE(name);
    const Component& component = test::plugins().load("transform", name);
    const auto group = component.options->make();
    const auto ours = nlohmann::json::parse(resolved(group.get(), *component.options).dump());
    for (const auto& [option, value] : albumentations.items()) {
      CAPTURE(option);
      CAPTURE(value.dump());
      const auto found = ours.contains(option) ? ours[option] : nlohmann::json();
      CAPTURE(found.dump());
      CHECK(same_default(plain_default(found), plain_default(value)));
    }
  }
}

TEST_CASE("every value that transforms fill pixels with is of a size that images can have") {
  int found = 0;
  for (const auto& name : test::plugins().names("transform")) {
    CAPTURE(name);
    const ValueType& type = *test::plugins().load("transform", name).options;
    const auto group = type.make();
    Options options;
    type.declare(group.get(), options);
    for (const auto& option : options.all()) {
      if (std::string(option->name) != "fill") continue;
      CHECK(option->minimum == -1e9);
      CHECK(option->maximum == 1e9);
      ++found;
    }
  }
  CHECK(found >= 13);
  CHECK_THROWS_WITH_AS(test::make<Transform>(R"({"type": "rotate", "fill": [0, 1e300]})"),
                       doctest::Contains("/part/fill/1: 1e+300 is too large: at most 1000000000"), SpecError);
}
