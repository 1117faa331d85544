#include "parity/metrics/surface_cases.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// HD95 and so on of class 1.
std::vector<double> hausdorff_of(const std::string& more, const at::Tensor& prediction, const at::Tensor& truth,
                                 const cv::Vec3d& spacing = {1, 1, 1}, int dimensions = 2) {
  auto built = context(2);
  built.dimensions = dimensions;
  const auto metric = make<Metric>("{\"type\": \"hausdorff95\"" + more + "}", built);
  Truth expected{.labels = truth};
  expected.sample.geometry.spacing = spacing;
  metric->update({.labels = prediction}, expected);
  return metric->compute().per_class[1];
}

}  // namespace

TEST_CASE("HD95 equals scipy's distances, which equal MONAI's, in 200 random cases") {
  compare_with_surface_cases("hausdorff95");
}

// MONAI and medpy, whose numbers these are, call different things HD95: tables that mix them say nothing.
TEST_CASE("HD95 is the larger one of two percentiles, or that of all distances, with the spacing of rows and columns") {
  const auto a = box_map({20, 24}, 4, 5, 8, 10);
  auto b = box_map({20, 24}, 5, 6, 7, 9);
  b.narrow(0, 15, 2).narrow(1, 20, 2).fill_(1);
  CHECK(hausdorff_of("", b, a)[0] == doctest::Approx(7.923653308483007).epsilon(1e-12));
  CHECK(hausdorff_of("", a, b)[0] == doctest::Approx(7.923653308483007).epsilon(1e-12));
  CHECK(hausdorff_of(R"(, "convention": "medpy")", b, a)[0] == doctest::Approx(6.341569202644713).epsilon(1e-12));
  CHECK(hausdorff_of(R"(, "percentile": 100)", b, a)[0] == doctest::Approx(8.602325267042627).epsilon(1e-12));
  const cv::Vec3d spacing{0.5, 2, 1};  // x, y
  CHECK(hausdorff_of("", b, a, spacing)[0] == doctest::Approx(9.500806458067316).epsilon(1e-12));
  CHECK(hausdorff_of(R"(, "convention": "medpy")", b, a, spacing)[0] ==
        doctest::Approx(7.571636105441189).epsilon(1e-12));
  CHECK(hausdorff_of(R"(, "percentile": 100)", b, a, spacing)[0] == doctest::Approx(10.594810050208546).epsilon(1e-12));
  CHECK(hausdorff_of(R"(, "spacing": [0.5, 2])", b, a)[0] == doctest::Approx(9.500806458067316).epsilon(1e-12));
  CHECK(hausdorff_of(R"(, "spacing": [0.5, 2])", b, a, {7, 7, 7})[0] ==
        doctest::Approx(9.500806458067316).epsilon(1e-12));
}

// A mean that leaves out NaN improves with every object that is missed, and 0 would be a perfect score.
TEST_CASE("HD95 of a missed class is infinite or a penalty, and a class in neither mask is left out") {
  const auto empty = at::zeros({12, 12}, at::kLong), square = box_map({12, 12}, 3, 3, 4, 4);
  for (const auto& [prediction, truth] : {std::pair(empty, square), std::pair(square, empty)}) {
    auto row = hausdorff_of("", prediction, truth);
    CHECK(std::isinf(row[0]));
    CHECK(std::isnan(row[1]));
    CHECK(row[2] == 1);
    CHECK(row[3] == 1);
    row = hausdorff_of(R"(, "penalty": 17)", prediction, truth);
    CHECK(row[0] == 17);
    CHECK(std::isnan(row[1]));
    CHECK(row[3] == 1);
  }
  const auto row = hausdorff_of("", empty, empty);
  CHECK(std::isnan(row[0]));
  CHECK(row[2] == 0);
  CHECK(row[3] == 0);

  const auto metric = make<Metric>(R"({"type": "hausdorff95"})", context(2));
  for (const auto& prediction : {square, empty, box_map({12, 12}, 3, 4, 4, 4)})
    metric->update({.labels = prediction}, {.labels = square});
  const auto report = metric->compute();
  CHECK(std::isinf(report.values[0].value));
  CHECK(report.per_class[1][1] == 0.5);  // 0 and 1, and one missed
  CHECK(report.values[2].name == "missed");
  CHECK(report.values[2].value == 1);
  CHECK(report.values[0].better == MetricReport::Better::lower);
}

TEST_CASE("HD95 of one voxel in a volume, with the spacing of the sample or of the option") {
  auto truth = at::zeros({3, 4, 5}, at::kLong), prediction = at::zeros({3, 4, 5}, at::kLong);
  truth[0][1][1] = 1, prediction[2][1][2] = 1;
  CHECK(hausdorff_of("", prediction, truth, {3, 1, 2}, 3)[0] == 5);
  CHECK(hausdorff_of(R"(, "spacing": [3, 1, 2])", prediction, truth, {1, 1, 1}, 3)[0] == 5);
}

TEST_CASE("HD95 with pixels that are ignored, or are not those of the file") {
  const auto truth = drawn_map({"110....1"}), prediction = drawn_map({"11111110"});
  CHECK(hausdorff_of("", prediction, truth)[0] == doctest::Approx(4.5).epsilon(1e-12));  // of 0, 0 and 5
  Truth resized{.labels = drawn_map({"10000"})};
  resized.sample.geometry.spacing = {0.5, 1, 1};
  resized.sample.geometry.to_original = cv::Matx44d::diag({4, 2, 1, 1});
  const auto metric = make<Metric>(R"({"type": "hausdorff95"})", context(2));
  metric->update({.labels = drawn_map({"00010"})}, resized);
  CHECK(metric->compute().per_class[1][0] == 6);  // three pixels of 4 * 0.5 mm
}

TEST_CASE("hausdorff95 names its percentile, and refuses options and labels that make no sense") {
  check_surface_metric("hausdorff95");
  CHECK(make<Metric>(R"({"type": "hausdorff95"})", context(2))->compute().values[0].name == "HD95");
  CHECK(make<Metric>(R"({"type": "hausdorff95", "percentile": 97.5})", context(2))->compute().values[0].name ==
        "HD97.5");
  CHECK(make<Metric>(R"({"type": "hausdorff95", "percentile": 100})", context(2))->compute().values[0].name == "HD");
  const auto fails = [](const std::string& more) {
    CHECK_THROWS_AS(make<Metric>("{\"type\": \"hausdorff95\", " + more + "}", context(2)), SpecError);
  };
  fails(R"("percentile": 101)");
  fails(R"("percentile": -1)");
  fails(R"("convention": "mean")");
  fails(R"("penalty": -1)");
  fails(R"("spacing": [1, 0])");
  CHECK_THROWS_WITH_AS(make<Metric>(R"({"type": "hausdorff95", "spacing": [1, 1, 1]})", context(2)),
                       doctest::Contains("has 3 numbers; expected 2"), SpecError);
  const auto metric = make<Metric>(R"({"type": "hausdorff95"})", context(2));
  Truth truth{.labels = at::ones({2, 2}, at::kLong)};
  truth.sample.geometry.spacing = {1, 0, 1};
  CHECK_THROWS_WITH_AS(metric->update({.id = "a.png", .labels = at::ones({2, 2}, at::kLong)}, truth),
                       doctest::Contains("a.png: distance transform: the spacing of axis y is 0"), DataError);
}
