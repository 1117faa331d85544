// Labels per class in some samples of a batch and class numbers in others, as mixing transforms make them.
#include <ATen/ATen.h>

#include <opencv2/core.hpp>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/test.h"
#include "upper/checking/check.h"

using namespace sectile;

namespace {

Sample mixed_sample(const cv::Mat& labels) {
  Sample sample;
  sample.id = "labelled";
  sample.image = cv::Mat(labels.size(), CV_8UC3, cv::Scalar(0, 0, 0));
  sample.labels = labels;
  return sample;
}

Json mixed_spec(const std::string& loss, const std::string& transforms) {
  Json json = Json::parse(R"({
    "data": {"train": {"type": "synthetic", "count": 6, "size": [32, 32]}},
    "model": {"type": "unet", "widths": [2, 2], "norm": "none"}, "metrics": [{"type": "iou"}],
    "train": {"epochs": 1, "batch_size": 2, "workers": 0}})");
  json["loss"] = Json::parse(loss);
  json["transforms"]["train"] = Json::parse(transforms);
  json["transforms"]["val"] = json["transforms"]["train"].back() == Json{{"type", "normalize"}}
                                  ? Json::parse(R"([{"type": "normalize"}])")
                                  : Json::array();
  return json;
}

PipelineSpec read_mixed(const Json& json) {
  SpecFile file;
  file.json = json;
  return read_spec(test::plugins(), file);
}

constexpr const char* kSeldomMixed = R"([
  {"type": "one_of", "weights": [1, 1e-9], "probability": 1, "transforms": [
    {"type": "horizontal_flip"},
    {"type": "sometimes", "transforms": [{"type": "mixup", "probability": 1e-9}]}]}])";

}  // namespace

TEST_CASE("class numbers become labels per class where another sample of the batch has these") {
  const cv::Mat numbers = (cv::Mat_<std::int16_t>(2, 2) << 2, kIgnore, 0, 1);
  const cv::Mat soft(3, 2, CV_32FC3, cv::Scalar(0.25, 0.75, 0));
  const auto batch = collate({mixed_sample(numbers), mixed_sample(soft)}, {.classes = 3});
  REQUIRE(batch.labels.sizes() == at::IntArrayRef({2, 3, 3, 2}));
  CHECK((batch.labels.scalar_type() == at::kFloat));
  const auto at = [&](std::int64_t n, std::int64_t y, std::int64_t x) {
    return batch.labels[n].select(1, y).select(1, x);
  };
  CHECK(at::equal(at(0, 0, 0), at::tensor({0.f, 0.f, 1.f})));
  CHECK(at::equal(at(0, 0, 1), at::tensor({-1.f, -1.f, -1.f})));  // ignored
  CHECK(at::equal(at(0, 1, 0), at::tensor({1.f, 0.f, 0.f})));
  CHECK(at::equal(at(0, 1, 1), at::tensor({0.f, 1.f, 0.f})));
  CHECK(at::equal(at(0, 2, 0), at::tensor({-1.f, -1.f, -1.f})));  // padding
  CHECK(at::equal(at(1, 2, 1), at::tensor({0.25f, 0.75f, 0.f})));
}

TEST_CASE("all training batches have labels per class if a transform may make them, however seldom") {
  const auto pipeline = Pipeline::for_training(
      test::plugins(), read_mixed(mixed_spec(R"([{"type": "cross_entropy"}])", kSeldomMixed)), at::kCPU);
  std::vector<Sample> samples;
  for (const std::size_t index : {0, 1}) samples.push_back(pipeline.prepare({.index = index}).sample);
  const auto plain = pipeline.Network::collate(samples, /*training=*/false);
  const auto batch = pipeline.collate(samples, /*training=*/true);
  CHECK((plain.labels.scalar_type() == at::kLong));
  REQUIRE(batch.labels.is_floating_point());
  CHECK(at::equal(batch.labels.argmax(1), plain.labels));
  // Which does not change the loss.
  const auto outputs = pipeline.forward(batch);
  const auto of = [&](const Batch& labels) { return pipeline.loss(outputs, labels).first.item<double>(); };
  CHECK(of(batch) == doctest::Approx(of(plain)).epsilon(1e-6));
}

TEST_CASE("a loss that cannot read labels per class is refused with the first batch, and others are not") {
  for (const char* loss : {"ohem_cross_entropy", "lovasz", "cross_entropy", "dice", "focal", "bce"}) {
    CAPTURE(loss);
    const auto spec = read_mixed(mixed_spec(std::string(R"([{"type": ")").append(loss).append(R"("}])"), kSeldomMixed));
    AllProblems all;
    auto pipeline = Pipeline::as_far_as_possible(test::plugins(), spec, at::kCPU, /*initial_weights=*/true, all);
    check_training(pipeline, all);
    const bool refused = loss == std::string("ohem_cross_entropy") || loss == std::string("lovasz");
    CHECK(all.none() == !refused);
    const auto message = std::string("/loss/0: loss \"").append(loss).append("\" cannot read labels per class");
    if (!refused) continue;
    CHECK_THROWS_WITH(all.report(), doctest::Contains(message.c_str()));
    CHECK_THROWS_WITH(all.report(),
                      doctest::Contains("; use one that does: cross_entropy, focal, bce, dice; or remove the "
                                        "transform that makes them, such as mixup"));
  }
}

TEST_CASE("samples whose labels have different forms are mixed further") {
  const auto pipeline = Pipeline::for_training(test::plugins(),
                                               read_mixed(mixed_spec(R"([{"type": "cross_entropy"}])",
                                                                     R"([
      {"type": "sometimes", "probability": 0.5, "transforms": [{"type": "mixup", "probability": 1, "alpha": 5}]},
      {"type": "one_of", "probability": 1, "transforms": [
        {"type": "cutmix", "probability": 1}, {"type": "copy_paste", "probability": 1}, {"type": "mixup", "probability": 1},
        {"type": "mosaic", "probability": 1, "target_size": [32, 32], "cell_shape": [32, 32]}]}])")),
                                               at::kCPU);
  int soft = 0, numbers = 0;
  for (std::size_t epoch = 0; epoch < 8; ++epoch) {
    std::vector<Sample> samples;
    for (std::size_t index = 0; index < 6; ++index)
      samples.push_back(pipeline.prepare({.epoch = epoch, .index = index}).sample);
    for (const auto& sample : samples) (sample.labels.depth() == CV_32F ? soft : numbers) += 1;
    const auto batch = pipeline.collate(std::move(samples), /*training=*/true);
    const auto sums = batch.labels.sum(1);
    CHECK(((sums - 1).abs() < 1e-5).logical_or(batch.labels.select(1, 0) == kIgnore).all().item<bool>());
  }
  CHECK(soft > 20);
  CHECK(numbers > 3);
}
