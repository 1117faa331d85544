// Specs: every mistake at once, components in components, and types that keep their identity across libraries.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include <sectile/backbone.h>

#include "support/scratch.h"
#include "toys.h"

using namespace sectile;
using namespace sectile::test;

namespace {

PipelineSpec from_file(const std::filesystem::path& file, const std::vector<std::string>& changes = {},
                       std::vector<std::string>* dropped = nullptr) {
  const auto merged = load_spec(file, changes);
  if (dropped) *dropped = merged.dropped;
  return read_spec(toys(), merged);
}

}  // namespace

TEST_CASE("every mistake of a spec is reported at once, with its pointer and a suggestion") {
  const auto json = Json::parse(R"({
    "task": "semantik",
    "data": {"train": {"type": "toy_episodes", "data": {"type": "toy_shapes", "cuont": 3, "size": [24]}}},
    "transforms": {"train": [{"type": "toy_flip", "axis": "w"}, {"type": "toy_flop"}]},
    "model": {"type": "toy_pyramid", "backbone": {"type": "toy_backbon"}},
    "loss": [{"type": "toy_sum", "terms": [{"type": "dice", "smooth": -1, "activation": "sofmax"},
                                           {"type": "cross_entropy", "weight": "1"}], "factors": {"dice": -0.5}}],
    "inference": {"window": [1, 100000, 100000]},
    "train": {"epochs": 2, "steps": 3},
    "metric": []})");
  try {
    toy_spec(json);
    FAIL("accepted");
  } catch (const SpecError& error) {
    const std::vector<Problem> expected = {{"/task", "did you mean \"semantic\"?"},
                                           {"/data/train/data/size", "expected 2 values, found 1"},
                                           {"/data/train/data/cuont", "did you mean \"count\"?"},
                                           {"/transforms/train/0/axis", "unknown value \"w\""},
                                           {"/transforms/train/1/type", "did you mean \"toy_flip\"?"},
                                           {"/model/backbone/type", "did you mean \"toy_backbone\"?"},
                                           {"/loss/0/terms/0/smooth", "-1 is too small: at least 0"},
                                           {"/loss/0/terms/0/activation", "did you mean \"softmax\"?"},
                                           {"/loss/0/terms/1/weight", "expected number, found \"1\""},
                                           {"/loss/0/factors/dice", "too small"},
                                           {"/inference/window", "67 million"},
                                           {"/train/steps", "cannot be combined with \"epochs\""},
                                           {"/metric", "did you mean \"metrics\"?"}};
    for (const auto& wanted : expected) {
      const auto found = std::find_if(error.problems().begin(), error.problems().end(), [&](const Problem& problem) {
        return problem.pointer == wanted.pointer && problem.message.find(wanted.message) != std::string::npos;
      });
      CHECK_MESSAGE(found != error.problems().end(), wanted.pointer, ": ", wanted.message, "\nin\n", error.what());
    }
    CHECK(error.problems().size() == expected.size());
  }
}

TEST_CASE("components nest, but not for ever") {
  auto deep = dense();
  for (int level = 0; level < 40; ++level) deep["loss"] = {{{"type", "toy_sum"}, {"terms", deep["loss"]}}};
  CHECK_THROWS_WITH_AS(toy_spec(deep), doctest::Contains("nested more than 32 deep"), SpecError);
}

TEST_CASE("references build through the host, and a resolved spec is a spec") {
  Toy toy(Json::parse(
      R"({"data": {"train": {"type": "toy_shapes", "channels": 4}}, "model": {"type": "toy_plain", "widths": [4, 8]},
              "loss": [{"type": "toy_sum", "weight": 2, "factors": {"dice": 0.5},
                        "terms": [{"type": "dice"}, {"type": "cross_entropy", "label_smoothing": 0.1}]}]})"));
  auto full = resolved(&toy.pipeline.spec, kValueType<PipelineSpec>);
  CHECK(full["loss"][0]["terms"][0]["weight"] == 1.0);  // an option of every loss
  CHECK(full["model"]["widths"] == Json::array({4, 8}));
  CHECK(full["sampler"]["type"] == "shuffle");
  CHECK(full["inference"]["overlap"] == 0.5);
  auto again = toy_spec(full);
  CHECK(resolved(&again, kValueType<PipelineSpec>) == full);
  std::map<std::string, double> log;
  const auto total = toy.loss(toy.batch({0, 1}), &log);
  CHECK(total.item<double>() == doctest::Approx(2 * (log["toy_sum/dice"] + log["toy_sum/cross_entropy"])));
}

TEST_CASE("specs of before open: a number for all auxiliary outputs, a window of three values, epochs") {
  auto json = dense();
  json["loss"][0]["auxiliary"] = 0.4;
  json["inference"] = {{"window", {1, 24, 24}}, {"overlap", 0.5}};
  json["train"] = {{"epochs", 10}};
  auto spec = toy_spec(json);
  const auto full = resolved(&spec, kValueType<PipelineSpec>);
  CHECK(full["loss"][0]["auxiliary"] == Json::array({0.4}));
  CHECK_NOTHROW(Toy{json});
}

TEST_CASE("a spec extends another; an exchanged type takes its own keys with it, and says so") {
  const Scratch folder;
  auto base = dense();
  base["model"]["weights"] = "base.pth";
  base["metrics"] = {{{"type", "iou"}}};
  folder.write("base.json", base.dump());
  folder.write("runs/spec.json",
               R"({"extends": "../base.json", "inference": {"overlap": 0.25}, "model": {"weights": "own.pth"}})");
  std::vector<std::string> dropped;
  auto merged = from_file(folder / "runs/spec.json", {"/inference/overlap=0.75", "/loss/1/weight=2"}, &dropped);
  CHECK(dropped.empty());
  CHECK(merged.inference.overlap == 0.75);
  CHECK(merged.model.common().weights == folder / "runs/own.pth");
  CHECK(merged.loss[1].common().weight == 2);
  merged = from_file(folder / "runs/spec.json", {"/model/type=toy_plain", "/loss/1/type=toy_bce"}, &dropped);
  std::sort(dropped.begin(), dropped.end());
  CHECK(dropped ==
        std::vector<std::string>{"/loss/1/auxiliary", "/loss/1/weight", "/model/backbone", "/model/weights"});
  folder.write("base.json", R"({"extends": "base.json"})");
  CHECK_THROWS_WITH_AS(from_file(folder / "base.json"), doctest::Contains("in a circle"), SpecError);
}

TEST_CASE("types and errors keep their identity across libraries") {
  Toy toy(dense());
  int blocks = 0, backbones = 0;
  for (const auto& part : toy.pipeline.model->module().modules()) {
    blocks += dynamic_cast<AcrossRanks*>(part.get()) != nullptr;
    backbones += dynamic_cast<Backbone*>(part.get()) != nullptr;
  }
  CHECK(blocks == 2);
  CHECK(backbones == 1);
  CHECK_THROWS_AS(toy.pipeline.model->forward(Batch{}), c10::Error);  // thrown by LibTorch inside a plugin
  CHECK_THROWS_AS((*make<Loss>(R"({"type": "dice"})", context(3)))({}, {}), PluginError);  // thrown on the upper floor
}
