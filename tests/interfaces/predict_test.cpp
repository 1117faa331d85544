// Predicting samples, and logits, with networks and datasets that only tests have.
#include <cmath>

#include "toys.h"
#include "upper/inference/predictor.h"

using namespace sectile;
using namespace sectile::test;

namespace {

constexpr Parts kOnlyImages{.image = true, .labels = false, .objects = false};

std::vector<ImageSource> samples_of(const Network& network, const std::string& split) {
  const auto data = std::make_shared<SampleSource>(network.source(split, kOnlyImages));
  std::vector<ImageSource> sources;
  for (std::size_t i = 0; i < data->data->size(); ++i)
    sources.push_back({.file = data->data->id_of(i), .data = data, .index = i});
  return sources;
}

}  // namespace

TEST_CASE("samples with labels of other classes are predicted, and logits of overlapping classes are those above 0") {
  Toy toy(Json::parse(R"({
    "data": {"train": {"type": "toy_shapes", "truth": "regions"}, "test": {"type": "toy_shapes", "count": 2}},
    "model": {"type": "toy_plain", "widths": [4, 8]}, "loss": [{"type": "cross_entropy"}]})"));
  toy.pipeline.model->module().eval();
  CHECK_THROWS_WITH_AS(toy.pipeline.source("test"), doctest::Contains("/data/test: has the classes"), DataError);
  std::size_t images = 0;
  predict(toy.pipeline, samples_of(toy.pipeline, "test"), {.scores = true, .logits = true},
          [&](const PredictedImage& image) {
            CHECK(image.index == images++);
            REQUIRE(image.labels.size() == image.image.size());
            REQUIRE(image.logits.type() == CV_32FC2);
            for (int y = 0; y < image.labels.rows; ++y)
              for (int x = 0; x < image.labels.cols; ++x) {
                const auto raw = image.logits.at<cv::Vec2f>(y, x), score = image.scores.at<cv::Vec2f>(y, x);
                CHECK(image.labels.at<std::int16_t>(y, x) == (raw[1] > 0 ? 1 : raw[0] > 0 ? 0 : kIgnore));
                for (int c = 0; c < 2; ++c) CHECK(std::abs(1 / (1 + std::exp(-raw[c])) - score[c]) < 1e-6F);
              }
          });
  CHECK(images == 2);
}

TEST_CASE("a model that decodes in its own way has no logits") {
  Toy toy(Json::parse(R"({"data": {"train": {"type": "toy_shapes", "count": 2}}, "model": {"type": "toy_queries"}})"));
  const auto none = [](const PredictedImage&) { FAIL("nothing is predicted"); };
  CHECK_THROWS_WITH_AS(predict(toy.pipeline, samples_of(toy.pipeline, "train"), {.logits = true}, none),
                       "logits: the model decodes its outputs in its own way, and returns none", PluginError);
}

TEST_CASE("volumes are not predicted into masks") {
  Toy toy(Json::parse(R"({
    "data": {"train": {"type": "toy_shapes", "count": 2, "depth": 5, "channels": 2, "size": [20, 22]}},
    "model": {"type": "toy_volume"}, "loss": [{"type": "cross_entropy"}]})"));
  const auto none = [](const PredictedImage&) { FAIL("nothing is predicted"); };
  CHECK_THROWS_WITH_AS(predict(toy.pipeline, samples_of(toy.pipeline, "train"), {}, none),
                       doctest::Contains("shape0: is a volume"), DataError);
}
