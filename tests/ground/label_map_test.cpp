#include <sectile/context.h>
#include <sectile/error.h>

#include "support/test.h"

using namespace sectile;

namespace {

LabelMap map(const std::vector<std::string>& names) {
  LabelMap made;
  for (const auto& name : names) made.classes.push_back({.name = name});
  return made;
}

std::vector<std::string> refusal(const LabelMap& labels, const std::string& name) {
  try {
    labels.number_of(name, "include/0");
  } catch (const OptionError& error) {
    return {error.problems().front().pointer, error.problems().front().message};
  }
  return {};
}

}  // namespace

TEST_CASE("a class is found by its name, and one that is not there is told with what there is") {
  const auto labels = map({"sky", "road", "car"});
  CHECK(labels.find("road") == 1);
  CHECK(labels.find("Road") == std::nullopt);
  CHECK(labels.number_of("car", "include/0") == 2);
  using Texts = std::vector<std::string>;
  CHECK(refusal(labels, "skyy") ==
        Texts{"include/0",
              "names the class \"skyy\", which the data does not have, did you mean \"sky\"?; it has: sky, road, car"});
  CHECK(refusal(labels, "pedestrian") ==
        Texts{"include/0", "names the class \"pedestrian\", which the data does not have; it has: sky, road, car"});
  BuildContext context;
  CHECK_THROWS_AS(context.class_number("sky", "include/0"), PluginError);
  context.labels = std::make_shared<LabelMap>(labels);
  CHECK(context.class_number("sky", "include/0") == 0);
}

TEST_CASE("classes are the same in names, order, things and overlap, whatever their colors") {
  const auto labels = map({"sky", "car"});
  auto other = labels;
  other.classes[0].color = {1, 2, 3};
  other.classes[0].category_id = 7;
  CHECK(labels.same_classes(other));
  CHECK(labels.difference(other) == "");
  CHECK_FALSE(labels.same_classes(map({"car", "sky"})));
  CHECK(labels.difference(map({"sky", "road"})) == "its class 1 is \"car\", and not \"road\"");
  CHECK(labels.difference(map({"sky"})) == "it has 2 classes, and not 1");
  other.classes[1].thing = true;
  CHECK_FALSE(labels.same_classes(other));
  CHECK(other.difference(labels) == "its class 1 is \"car\" as things, and not as stuff");
  other = labels;
  other.overlapping = true;
  CHECK_FALSE(labels.same_classes(other));
  CHECK(other.difference(labels) == "its classes may overlap, and the other's may not");
}

TEST_CASE("the text of classes has their number and names") {
  CHECK(map({"sky", "road", "car"}).text() == "3 (sky, road, car)");
  CHECK(map({}).text() == "0 ()");
}
