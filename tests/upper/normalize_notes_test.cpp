// Notes on images that are normalized in different ways in training and evaluation.
#include <algorithm>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/test.h"
#include "upper/training/pipeline.h"

using namespace sectile;

namespace {

// The notes on normalization, for these transforms. The training images are cropped, so that what is measured in them
// differs from what is measured in the whole images.
std::string normalization_notes(const std::string& train, const std::string& val) {
  SpecFile file;
  file.json = Json::parse(R"({
    "data": {"train": {"type": "synthetic", "count": 2, "size": [32, 32]}},
    "model": {"type": "unet", "widths": [2, 2], "norm": "none"},
    "loss": [{"type": "cross_entropy"}], "metrics": [{"type": "iou"}], "train": {"epochs": 1, "batch_size": 2}})");
  file.json["transforms"]["train"] = Json::parse(R"([{"type": "random_crop", "size": [16, 16]}, )" + train + "]");
  file.json["transforms"]["val"] = Json::parse("[" + val + "]");
  const auto pipeline = Pipeline::for_training(test::plugins(), read_spec(test::plugins(), file), at::kCPU);
  std::string text;
  for (const auto& note : pipeline.notes)
    if (note.find("normalize") != std::string::npos) text += note + "\n";
  return text;
}

std::string by_method(const std::string& options, bool nested = false) {
  const auto text = R"({"type": "normalize", )" + options + "}";
  return nested ? R"({"type": "sequence", "transforms": [)" + text + "]}" : text;
}

}  // namespace

TEST_CASE("images that are normalized by what is measured in each are normalized alike in training and evaluation") {
  for (const char* options : {R"("method": "image")", R"("method": "image_per_channel")", R"("method": "min_max")",
                              R"("method": "min_max_per_channel")", R"("method": "percentile", "lower_percentile": 2)",
                              R"("method": "percentile_per_channel")", R"("mean": [0.5], "deviation": [0.2])",
                              R"("method": "ct_clip", "clip": [20, 200], "mean": [100], "deviation": [50])"}) {
    CAPTURE(options);
    CHECK(normalization_notes(by_method(options), by_method(options)).empty());
    CHECK(normalization_notes(by_method(options, true), by_method(options)).empty());
    CHECK(normalization_notes(by_method(options), by_method(options, true)).empty());
  }
}

TEST_CASE("a note tells of images that are normalized in another way in training than in evaluation") {
  const auto other = [](const std::string& train, const std::string& val) {
    return normalization_notes(train, val).find("\"train\" and \"val\" normalize images with other values") !=
           std::string::npos;
  };
  CHECK(other(by_method(R"("mean": [0.5])"), by_method(R"("mean": [0.4])")));
  CHECK(other(by_method(R"("mean": [0.5])"), by_method(R"("method": "image")", true)));
  CHECK(other(by_method(R"("method": "min_max")"), by_method(R"("mean": [0.5])")));
  CHECK(other(by_method(R"("method": "min_max")"), by_method(R"("method": "min_max_per_channel")")));
  CHECK(other(by_method(R"("method": "percentile")"), by_method(R"("method": "percentile", "lower_percentile": 5)")));
  CHECK(normalization_notes(by_method(R"("method": "image")"), R"({"type": "horizontal_flip"})")
            .find("images are normalized in \"train\" only") != std::string::npos);
  const auto clip = [](const char* most) {
    return by_method(R"("method": "ct_clip", "mean": [100], "deviation": [50], "clip": [0, )" + std::string(most) +
                     "]");
  };
  CHECK(other(clip("100"), clip("200")));
}

TEST_CASE("a note tells of images that are normalized by chance, with the place of what normalizes") {
  const auto usual = by_method(R"("mean": [0.5])");
  const auto nested = [&](const std::string& type, const std::string& options, const std::string& more = "") {
    return R"({"type": ")" + type + R"(", )" + options + R"(, "transforms": [)" + more + usual + "]}";
  };
  const auto flip = std::string(R"({"type": "horizontal_flip"}, )");
  const auto at = [](const std::string& place) { return place + ": normalizes images by chance"; };
  for (const auto& transform : {nested("one_of", R"("probability": 0.5)"), nested("sometimes", R"("probability": 0.9)"),
                                nested("some_of", R"("probability": 0.5)"), nested("some_of", R"("n": [0, 1])")}) {
    CAPTURE(transform);
    const auto notes = normalization_notes(transform, usual);
    CHECK(notes.starts_with(at("/transforms/train/1/transforms/0")));
    CHECK(std::count(notes.begin(), notes.end(), '\n') == 1);
    CHECK(normalization_notes(usual, transform).starts_with(at("/transforms/val/0/transforms/0")));
  }
  for (const auto& transform : {nested("one_of", R"("probability": 1)", flip), nested("some_of", R"("n": 1)", flip),
                                nested("some_of", R"("n": 2, "replace": true)", flip)})
    CHECK(normalization_notes(transform, usual).starts_with(at("/transforms/train/1/transforms/1")));
  const auto deep = R"({"type": "sequence", "transforms": [)" + nested("sometimes", R"("probability": 0.5)") + "]}";
  CHECK(normalization_notes(deep, usual).starts_with(at("/transforms/train/1/transforms/0/transforms/0")));
  for (const auto& transform : {nested("one_of", R"("probability": 1)"), nested("sometimes", R"("probability": 1)"),
                                nested("some_of", R"("n": 2)", flip)})
    CHECK(normalization_notes(transform, usual).empty());
}
