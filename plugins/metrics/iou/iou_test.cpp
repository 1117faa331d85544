#include "parity/metric_cases.h"
#include "parity/metrics/region_presets.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("IoU, accuracy and precision per class and their mean equal torchmetrics'") {
  compare_metric("iou", [](const nlohmann::json& expected, const MetricReport& report) {
    REQUIRE(report.values.front().name == "mIoU");
    check_close(report.values.front().value, expected["miou"]);
    REQUIRE(report.per_class.size() == expected["per_class"].size());
    for (std::size_t c = 0; c < report.per_class.size(); ++c)
      for (std::size_t column = 0; column < report.columns.size(); ++column)
        check_close(report.per_class[c][column], expected["per_class"][c][column]);
  });
}

TEST_CASE("IoU names the image whose prediction has a class number that does not exist") {
  const auto metric = make<Metric>(R"({"type": "iou"})", context(2));
  const Prediction prediction{.id = "a.png", .labels = at::full({2, 2}, 2, at::kLong)};
  CHECK_THROWS_WITH_AS(metric->update(prediction, {.labels = at::zeros({2, 2}, at::kLong)}),
                       "a.png: has a class number outside 0..1: truth 0, prediction 2", DataError);
}

TEST_CASE("IoU refuses a prediction of another size than the truth and says both sizes") {
  const auto metric = make<Metric>(R"({"type": "iou"})", context(2));
  const Prediction prediction{.id = "a.png", .labels = at::zeros({2, 3}, at::kLong)};
  CHECK_THROWS_WITH_AS(metric->update(prediction, {.labels = at::zeros({4, 5}, at::kLong)}),
                       "a.png: prediction and truth do not fit: class numbers of 2 3 and class numbers of 4 5",
                       DataError);
}

TEST_CASE("IoU of a volume is that of its pixels") {
  const auto metric = make<Metric>(R"({"type": "iou"})", context(2));
  const auto truth = at::tensor({0, 0, 0, 1, 1, 1, 1, kIgnore}, at::kLong).view({2, 2, 2});
  const auto labels = at::tensor({0, 0, 1, 1, 1, 1, 0, 0}, at::kLong).view({2, 2, 2});
  metric->update({.labels = labels}, {.labels = truth});
  CHECK(metric->compute().values.front().value == doctest::Approx((2.0 / 4 + 3.0 / 5) / 2));
}

TEST_CASE("IoU of a binary mask counts its one class, and not what is ignored") {
  const auto metric = make<Metric>(R"({"type": "iou"})", context(1, 3, /*overlapping=*/true));
  const auto truth = at::tensor({1.f, 0.f, 1.f, static_cast<float>(kIgnore)}).view({1, 2, 2});
  const auto labels = at::tensor({1, 1, 0, 1}, at::kLong).to(at::kBool).view({1, 2, 2});
  metric->update({.labels = labels}, {.labels = truth});
  const auto report = metric->compute();
  CHECK(report.values.front().value == doctest::Approx(1.0 / 3));
  CHECK(report.per_class.front() == std::vector<double>{1.0 / 3, 0.5, 0.5, 2});
}

TEST_CASE("IoU by the rules of seven packages equals theirs in 200 random cases each, in any order of images") {
  compare_with_region_presets("iou");
}

namespace {

double miou_of(const std::string& options, const std::vector<std::pair<at::Tensor, at::Tensor>>& pairs, int classes) {
  const auto metric = make<Metric>(R"({"type": "iou")" + options + "}", context(classes));
  for (const auto& [prediction, truth] : pairs) metric->update({.labels = prediction}, {.labels = truth});
  return metric->compute().values.front().value;
}

}  // namespace

// Means over images and over the set are different numbers; packages call both "mean IoU".
TEST_CASE("IoU over the set and per image differ, as in segmentation_models_pytorch's four reductions") {
  const auto map = [](const std::vector<std::int64_t>& numbers) { return at::tensor(numbers, at::kLong).view({1, 4}); };
  const std::vector<std::pair<at::Tensor, at::Tensor>> pairs = {{map({0, 0, 1, 1}), map({0, 0, 0, 1})},
                                                                {map({1, 1, 1, 0}), map({1, 1, 1, 1})},
                                                                {map({0, 0, 0, 0}), map({0, 0, 0, 0})}};
  CHECK(miou_of("", pairs, 2) == doctest::Approx((0.75 + 2.0 / 3) / 2));
  CHECK(miou_of(R"(, "reduction": "micro")", pairs, 2) == doctest::Approx(0.7142857313156128));
  CHECK(miou_of(R"(, "preset": "smp", "reduction": "macro")", pairs, 2) == doctest::Approx(0.7083333730697632));
  CHECK(miou_of(R"(, "preset": "smp", "reduction": "micro-imagewise")", pairs, 2) ==
        doctest::Approx(0.7333333492279053));
  CHECK(miou_of(R"(, "preset": "smp", "reduction": "macro-imagewise")", pairs, 2) ==
        doctest::Approx(0.6527777910232544));
  CHECK(miou_of(R"(, "over": "image")", pairs, 2) == doctest::Approx(((2.0 / 3 + 0 + 1) / 3 + (0.5 + 0.75) / 2) / 2));
}

// What is predicted where the truth is ignored must not count as a false positive, and a class that is nowhere has no
// IoU: three packages give it three values.
TEST_CASE("IoU leaves ignored pixels out and follows the rule for a class that is absent from both") {
  const auto truth = at::tensor({kIgnore, kIgnore, kIgnore, kIgnore, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}, at::kLong);
  const auto labels = at::tensor({1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}, at::kLong);
  const std::vector<std::pair<at::Tensor, at::Tensor>> pairs = {{labels.view({4, 4}), truth.view({4, 4})}};
  CHECK(miou_of("", pairs, 3) == doctest::Approx(0.325));
  CHECK(miou_of(R"(, "absent": "one")", pairs, 3) == doctest::Approx(0.55));
  CHECK(miou_of(R"(, "preset": "paddleseg")", pairs, 3) == doctest::Approx(0.65 / 3));
  CHECK(std::isnan(miou_of(R"(, "preset": "torchvision")", pairs, 3)));
  CHECK(miou_of(R"(, "exclude": ["0", "2"])", pairs, 3) == doctest::Approx(0.4));
}

TEST_CASE("IoU with the background ignored differs from IoU with the background in the mean") {
  const auto labels = at::tensor({0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}, at::kLong).view({4, 4});
  const auto truth = at::tensor({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1}, at::kLong).view({4, 4});
  CHECK(miou_of(R"(, "include_background": false)", {{labels, truth}}, 2) == doctest::Approx(0.5));
  CHECK(miou_of(R"(, "include_background": false)", {{labels, truth.masked_fill(truth == 0, kIgnore)}}, 2) == 1);
}

TEST_CASE("IoU of nothing is undefined, or 0 by MONAI's rule") {
  const std::vector<std::pair<at::Tensor, at::Tensor>> ignored = {
      {at::zeros({2, 2}, at::kLong), at::full({2, 2}, kIgnore, at::kLong)},
      {at::zeros({0, 5}, at::kLong), at::zeros({0, 5}, at::kLong)}};
  for (const char* preset : {"mmseg", "detectron2", "torchvision", "smp", "nnunet"})
    CHECK(std::isnan(miou_of(R"(, "preset": ")" + std::string(preset) + "\"", ignored, 2)));
  CHECK(miou_of(R"(, "preset": "monai")", ignored, 2) == 0);
  CHECK(miou_of(R"(, "preset": "paddleseg")", ignored, 2) == 0);
  CHECK(miou_of(R"(, "nothing": "zero")", ignored, 2) == 0);
}

TEST_CASE("IoU says which rules it followed") {
  const auto text = [](const std::string& options) {
    return make<Metric>(R"({"type": "iou")" + options + "}", context(3))->compute().convention;
  };
  CHECK(text("").find("from one confusion matrix over all pixels of all images; mIoU: mean over classes. A class in "
                      "neither truth nor prediction is left out; one that is predicted but not in the truth counts 0. "
                      "Rules of mmsegmentation's IoUMetric.") != std::string::npos);
  CHECK(text(R"(, "preset": "nnunet")").find("Not in the mean: 0. Rules of nnU-Net's evaluation.") !=
        std::string::npos);
  CHECK(text(R"(, "preset": "monai", "absent": "one")").find("changed by options.") != std::string::npos);
}

TEST_CASE("IoU refuses options that have no effect or contradict each other") {
  const auto refused = [](const std::string& options, const std::string& reason, int classes = 2, bool many = false) {
    CAPTURE(options);
    try {
      make<Metric>(R"({"type": "iou", )" + options + "}", context(classes, 3, many));
      FAIL("was accepted");
    } catch (const std::runtime_error& error) {
      CHECK_MESSAGE(std::string(error.what()).find(reason) != std::string::npos, error.what());
    }
  };
  refused(R"("over": "set", "reduction": "macro")", "remove one of them");
  refused(R"("average_first": "classes")", "is for a value per image and class");
  refused(R"("reduction": "micro-imagewise", "average_first": "images")", "counted together here");
  refused(R"("reduction": "micro", "mean": "all")", "is for values per class");
  refused(R"("preset": "detectron2", "absent": "one")", "is for classes without truth");
  refused(R"("mean": "truth", "false_alarm": "skip")", "is for classes without truth");
  refused(R"("preset": "pascal")", "mmseg");
  refused(R"("exclude": ["sky"])", "sky");
  refused(R"("exclude": ["1", "1"])", "/part/exclude/1: names the class \"1\" again, as exclude/0 does");
  refused(R"("exclude": ["0", "1"])", "leaves no class for the mean");
  refused(R"("preset": "nnunet")", "leaves no class for the mean", 1);
  refused(R"("include_background": false)", "the classes overlap", 2, true);
}

TEST_CASE("IoU per image keeps a state of one size and refuses that of another metric") {
  const auto metric = make<Metric>(R"({"type": "iou", "over": "image"})", context(2));
  const auto sizes = [&] {
    std::vector<std::int64_t> made;
    for (const auto& tensor : metric->state()) made.push_back(tensor.numel());
    return made;
  };
  const auto before = sizes();
  for (int i = 0; i < 50; ++i)
    metric->update({.labels = at::zeros({2, 2}, at::kLong)}, {.labels = at::zeros({2, 2}, at::kLong)});
  CHECK(sizes() == before);
  const auto over_set = make<Metric>(R"({"type": "iou"})", context(2));
  CHECK_THROWS_AS(metric->merge(over_set->state()), PluginError);
  CHECK_THROWS_AS(over_set->merge(metric->state()), PluginError);
  CHECK(metric->compute().values.front().value == 1);
}

TEST_CASE("IoU leaves out a class that is only a false alarm, where absent classes make the mean undefined") {
  const auto truth = at::tensor({0, 0, 1, 1}, at::kLong).view({1, 4});
  const auto labels = at::tensor({2, 0, 1, 0}, at::kLong).view({1, 4});
  const auto value = [&](const std::string& options) {
    const auto metric = make<Metric>(R"({"type": "iou", )" + options + "}", context(3));
    metric->update({.labels = labels}, {.labels = truth});
    return metric->compute().values.front().value;
  };
  const double both = (1. / 3 + 1. / 2) / 2;
  CHECK(value(R"("absent": "nan", "false_alarm": "skip")") == doctest::Approx(both));
  CHECK(value(R"("preset": "torchvision", "mean": "truth")") == doctest::Approx(both));
  CHECK(value(R"("preset": "nnunet", "mean": "truth", "average_first": "classes")") == doctest::Approx(1. / 2));
  CHECK(value(R"("preset": "nnunet", "false_alarm": "skip")") == doctest::Approx(1. / 2));
  const auto absent = make<Metric>(R"({"type": "iou", "preset": "torchvision"})", context(4));
  absent->update({.labels = labels}, {.labels = truth});
  CHECK(std::isnan(absent->compute().values.front().value));
}
