// What a component throws while it is built, as the spec's author gets to read it.
#include "ground/spec/host_recipe.h"

#include <functional>

#include <sectile/dataset.h>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using test::make;

namespace {

std::vector<std::string> problems_of(const std::function<void()>& build) {
  std::vector<std::string> all;
  try {
    build();
  } catch (const SpecError& error) {
    for (const auto& [pointer, message] : error.problems()) all.push_back(pointer + ": " + message);
  }
  return all;
}
using Lines = std::vector<std::string>;

// A dataset that refuses what only a constructor can see, once or twice.
struct RefusingOptions {
  int times = 1;
  void declare(Options& options) { options.add("times", &times, "How many problems there are."); }
};
class Refusing final : public Dataset {
 public:
  explicit Refusing(const RefusingOptions& options) {
    if (options.times == 1) throw OptionError("times", "is wrong");
    throw OptionError(std::vector<Problem>{{"times", "is wrong"}, {"names/1", "is wrong too"}});
  }
  std::size_t size() const override { return 0; }
  Sample read(std::size_t, Parts) const override { return {}; }
  const LabelMap& labels() const override { return labels_; }

 private:
  LabelMap labels_;
};

}  // namespace

TEST_CASE("a dataset's own error keeps its kind, and is told with its place once") {
  const test::Scratch folder;
  folder.write("images/a.png", "");
  folder.write("list.txt", "b\n");
  const auto root = folder.path().string();
  try {
    make<Dataset>(R"({"type": "repeat", "times": 2, "dataset": {"type": "subset", "dataset":
                      {"type": "image_folder", "root": ")" +
                  root + R"(", "list": ")" + root + R"(/list.txt"}}})");
    FAIL("an image that is not there is accepted");
  } catch (const DataError& error) {
    CHECK(std::string(error.what()).starts_with("/part/dataset/dataset: " + root + "/list.txt, line 1: names \"b\""));
  }
}

TEST_CASE("an option that only a constructor can refuse is told at its place, at any depth") {
  CHECK(problems_of([] {
          make<Dataset>(R"({"type": "repeat", "times": 2, "dataset":
                          {"type": "subset", "dataset": {"type": "image_folder", "root": "/no/such"}}})");
        }) == Lines{"/part/dataset/dataset/root: /no/such is not a folder"});
  CHECK(problems_of([] {
          make<Dataset>(R"({"type": "concat", "datasets": [{"type": "synthetic"},
                          {"type": "subset", "skip": 4, "dataset": {"type": "synthetic", "count": 4}}]})");
        }) == Lines{"/part/datasets/1/skip: leaves out 4 samples, and the dataset has 4: none is left"});
  constexpr auto component = dataset<Refusing, RefusingOptions>("refusing", "Refuses its options.");
  HostRecipe recipe(component, "/data/train");
  CHECK(problems_of([&] { recipe.build({}); }) == Lines{"/data/train/times: is wrong"});
  static_cast<RefusingOptions*>(recipe.options.get())->times = 2;
  CHECK(problems_of([&] { recipe.build({}); }) ==
        Lines{"/data/train/times: is wrong", "/data/train/names/1: is wrong too"});
}

TEST_CASE("options of a dataset inside another are checked where they stand") {
  CHECK_THROWS_WITH_AS(make<Dataset>(R"({"type": "concat", "datasets": [{"type": "synthetic", "count": 0},
                           {"type": "repeat", "times": 0, "dataset": {"type": "synthetik"}}]})"),
                       doctest::Contains("/part/datasets/0/count: 0 is too small: at least 1\n"
                                         "/part/datasets/1/dataset/type: unknown dataset \"synthetik\", did you mean "
                                         "\"synthetic\"?"),
                       SpecError);
}
