#include "parity/metrics/surface_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("boundary IoU of classes equals scipy's erosions in 200 random cases") {
  compare_with_surface_cases("boundary_iou");
}

// Often done differently: a width in pixels, or no boundary where the edge of the image cuts a mask.
TEST_CASE("the boundary's width is 2 % of the diagonal, and the edge of the image is a boundary") {
  const auto metric = make<Metric>(R"({"type": "boundary_iou"})", context(2));
  const auto a = box_map({60, 80}, 0, 10, 30, 40), b = box_map({60, 80}, 0, 12, 31, 38);
  metric->update({.labels = b}, {.labels = a});
  const auto row = metric->compute().per_class[1];
  CHECK(row[0] == doctest::Approx(0.480225988700565).epsilon(1e-12));
  CHECK(row[1] == 354);  // 264 + 260 - 170: two pixels at each side
}

TEST_CASE("boundaries are counted over all images, and are at least one pixel wide") {
  const auto metric = make<Metric>(R"({"type": "boundary_iou", "dilation_ratio": 0.001})", context(2));
  const auto square = box_map({9, 9}, 2, 2, 5, 5), smaller = box_map({9, 9}, 3, 3, 3, 3);
  metric->update({.labels = square}, {.labels = square});   // 16 pixels
  metric->update({.labels = smaller}, {.labels = square});  // 8 and 16, none in common
  CHECK(metric->compute().per_class[1] == std::vector<double>{0.4, 40});
}

TEST_CASE("boundary_iou refuses volumes, and options and labels that make no sense") {
  check_surface_metric("boundary_iou");
  CHECK_THROWS_AS(make<Metric>(R"({"type": "boundary_iou", "dilation_ratio": 0})", context(2)), SpecError);
  CHECK_THROWS_AS(make<Metric>(R"({"type": "boundary_iou", "dilation_ratio": 0.6})", context(2)), SpecError);
  auto volumes = context(2);
  volumes.dimensions = 3;
  CHECK_THROWS_WITH_AS(make<Metric>(R"({"type": "boundary_iou"})", volumes),
                       doctest::Contains("compares images, and the data are volumes"), PluginError);
  const auto metric = make<Metric>(R"({"type": "boundary_iou"})", context(2));
  const auto volume = at::ones({2, 2, 2}, at::kLong);
  CHECK_THROWS_WITH_AS(metric->update({.id = "a.tif", .labels = volume}, {.labels = volume}),
                       doctest::Contains("a.tif: boundary_iou: compares images of H x W"), DataError);
}
