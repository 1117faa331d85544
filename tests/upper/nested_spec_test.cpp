// Nested transforms as specs have them: what is wrong with them is told at once and with its place, and what is for
// training alone stays there.
#include <algorithm>
#include <map>
#include <set>

#include <opencv2/core.hpp>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/test.h"
#include "upper/checking/check.h"

using namespace sectile;

namespace {

Json nested_spec(const std::string& train, const std::string& val = "[]") {
  Json json = Json::parse(R"({
    "data": {"train": {"type": "synthetic", "count": 4, "size": [32, 32]},
             "val": {"type": "synthetic", "count": 2, "size": [32, 32], "seed": 2}},
    "model": {"type": "unet", "widths": [2, 2], "norm": "none"},
    "loss": [{"type": "cross_entropy"}], "metrics": [{"type": "iou"}],
    "train": {"epochs": 1, "batch_size": 2, "workers": 0}})");
  json["transforms"]["train"] = Json::parse(train);
  json["transforms"]["val"] = Json::parse(val);
  return json;
}

PipelineSpec read_nested(const Json& json) {
  SpecFile file;
  file.json = json;
  return read_spec(test::plugins(), file);
}

std::map<std::string, std::string> problems_of_check(const Json& json) {
  AllProblems all;
  auto pipeline =
      Pipeline::as_far_as_possible(test::plugins(), read_nested(json), at::kCPU, /*initial_weights=*/true, all);
  check_training(pipeline, all);
  std::map<std::string, std::string> found;
  for (const auto& [pointer, message] : all.problems()) found[pointer] += message;
  return found;
}

}  // namespace

TEST_CASE("every problem of nested transforms is told at once, with its place") {
  std::set<std::string> pointers;
  try {
    read_nested(nested_spec(R"([
      {"type": "one_of", "weights": [1], "transforms": [
        {"type": "sequence", "transforms": [{"type": "gamma", "gamm": 3}, {"type": "no_such_transform"}]},
        {"type": "random_crop", "size": [0, 3]}]},
      {"type": "sometimes", "probability": 2, "transforms": []},
      {"type": "some_of", "n": 3, "transforms": [{"type": "horizontal_flip"}, {"type": "vertical_flip"}]}])",
                            R"([{"type": "sequence"}])"));  // without what it holds
    FAIL("no exception");
  } catch (const SpecError& error) {
    for (const auto& problem : error.problems()) pointers.insert(problem.pointer);
  }
  CHECK(pointers == std::set<std::string>{"/transforms/train/0/transforms/0/transforms/0/gamm",
                                          "/transforms/train/0/transforms/0/transforms/1/type",
                                          "/transforms/train/0/transforms/1/size/0", "/transforms/train/1/probability",
                                          "/transforms/train/1/transforms", "/transforms/train/2/n",
                                          "/transforms/val/0"});
}

TEST_CASE("classes that nested transforms name and the data does not have are all told, with those of other lists") {
  const auto found = problems_of_check(nested_spec(
      R"([{"type": "sometimes", "transforms": [
             {"type": "copy_paste", "classes": ["circle", "dog"]},
             {"type": "one_of", "transforms": [{"type": "pad", "divisor": 8, "label_fill": "sky"},
                                               {"type": "horizontal_flip"},
                                               {"type": "edges", "include": ["tree"]}]}]},
          {"type": "random_crop", "size": [16, 16], "label_fill": "road"}])",
      R"([{"type": "sequence", "transforms": [{"type": "pad", "divisor": 8, "label_fill": "cat"}]}])"));
  std::set<std::string> pointers;
  for (const auto& [pointer, message] : found) pointers.insert(pointer);
  CHECK(pointers == std::set<std::string>{"/transforms/train/0/transforms/0/classes/1",
                                          "/transforms/train/0/transforms/1/transforms/0/label_fill",
                                          "/transforms/train/0/transforms/1/transforms/2/include/0",
                                          "/transforms/train/1/label_fill",
                                          "/transforms/val/0/transforms/0/label_fill"});
}

TEST_CASE("transforms that mix samples are refused where images are evaluated and predicted, at any depth") {
  const char* const mixing = R"([{"type": "normalize"},
      {"type": "one_of", "transforms": [{"type": "horizontal_flip"},
                                        {"type": "sequence", "transforms": [{"type": "mixup", "probability": 0.01}]}]},
      {"type": "mosaic"}, {"type": "cutmix", "probability": 0}])";
  const auto found = problems_of_check(nested_spec("[]", mixing));
  REQUIRE(found.size() == 2);
  CHECK(found.begin()->first == "/transforms/val/1/transforms/1/transforms/0");
  CHECK(found.begin()->second ==
        "mixes other samples into each, so that it would not be the image of the file that is evaluated or predicted; "
        "move it to \"train\"");
  CHECK(found.rbegin()->first == "/transforms/val/2");
}

TEST_CASE(
    "images are evaluated after the transforms of val alone, and a network that was trained with mixing predicts") {
  const auto spec = read_nested(nested_spec(
      R"([{"type": "sequence", "transforms": [{"type": "mosaic", "target_size": [16, 16], "cell_shape": [16, 16]},
                                              {"type": "elastic"}, {"type": "noise"}]},
          {"type": "random_crop", "size": [16, 16]}, {"type": "one_of", "transforms": [{"type": "mixup"}]},
          {"type": "normalize"}])",
      R"([{"type": "sequence", "transforms": [{"type": "normalize"}]}])"));
  const auto pipeline = Pipeline::for_training(test::plugins(), spec, at::kCPU);
  const auto source = pipeline.source("val");
  for (const std::size_t index : {0, 1}) {
    const auto read = source.read(index), prepared = source.prepare({.index = index});
    CHECK(cv::norm(read.image, prepared.image, cv::NORM_INF) == 0);
    CHECK(cv::norm(read.labels, prepared.labels, cv::NORM_INF) == 0);
    CHECK(prepared.mean.size() == 3);
    CHECK(prepared.geometry.to_original == cv::Matx44d::eye());
  }
  const auto checkpoint = pipeline.checkpoint(resolved_text(spec));
  const auto network = Network::from_checkpoint(spec, checkpoint, "run.pth", at::kCPU);
  auto sample = transformed_alone(source.read(0), network.evaluation_transforms);
  const auto predictions = network.predict(network.collate({std::move(sample)}), {.labels = true});
  CHECK(predictions.at(0).labels.sizes() == at::IntArrayRef({32, 32}));
}

TEST_CASE("a note tells that images which are warped without an inverse cannot be evaluated as their files") {
  AllProblems all;
  const auto spec = read_nested(nested_spec("[]", R"([{"type": "sequence", "transforms": [{"type": "elastic"}]}])"));
  auto pipeline = Pipeline::as_far_as_possible(test::plugins(), spec, at::kCPU, /*initial_weights=*/true, all);
  check_training(pipeline, all);
  CHECK(all.none());
  const auto count = [&](const char* start) {
    return std::count_if(pipeline.notes.begin(), pipeline.notes.end(),
                         [&](const std::string& note) { return note.starts_with(start); });
  };
  CHECK(count("/transforms/val: moves pixels in a way that cannot be inverted") == 1);
  CHECK(count("/transforms/val: is random") == 1);
}
