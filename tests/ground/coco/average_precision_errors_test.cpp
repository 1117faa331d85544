// What average precision refuses, with its place in the files.
#include <sectile/data/average_precision.h>
#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "small_truths.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test::coco;
using nlohmann::json;

TEST_CASE("truth without a list of annotations is refused") {
  const test::Scratch scratch;
  const auto truth = scratch.write("truth.json", R"({"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}]})");
  CHECK_THROWS_WITH_AS(average_precision(truth, scratch.write("results.json", "[]"), {}),
                       doctest::Contains("truth.json: has no list \"annotations\""), DataError);
}

TEST_CASE("results of unknown categories do not count and are told; of unknown images they are refused") {
  const test::Scratch scratch;
  const auto truth = box_truth({object(1, 1, 1, {0, 0, 10, 10})});
  const auto made = evaluated(scratch, truth, {result(1, 0, {0, 0, 10, 10}, 0.9)}, ApKind::box);
  CHECK(made.report.ap == 0);
  REQUIRE(made.notes.size() == 1);
  CHECK(mentions(made.notes[0], "1 result of category ids that"));

  // https://github.com/facebookresearch/detectron2/issues/2543: class numbers from 0 instead of the ids 1 and 44.
  const auto two = box_truth({object(1, 1, 1, {10, 10, 20, 20}, 400), object(2, 1, 44, {50, 50, 30, 30}, 900)},
                             {json{{"id", 1}, {"width", 100}, {"height", 100}}},
                             {json{{"id", 1}, {"name", "a"}}, json{{"id", 44}, {"name", "b"}}});
  const auto found = [&](int first, int second) {
    return List{result(1, first, {10, 10, 20, 20}, 0.9), result(1, second, {50, 50, 30, 30}, 0.8)};
  };
  const auto right = evaluated(scratch, two, found(1, 44), ApKind::box);
  CHECK(right.report.ap == doctest::Approx(1).epsilon(1e-12));
  CHECK(right.notes.empty());
  const auto from_zero = evaluated(scratch, two, found(0, 1), ApKind::box);
  CHECK(from_zero.report.ap == 0);
  REQUIRE(from_zero.notes.size() == 1);
  CHECK(mentions(made.notes[0], "such as 0, do not count"));
  CHECK(
      mentions(ap_problem(truth, {result(77, 1, {0, 0, 10, 10}, 0.9)}), "is of the image 77, which is not listed in"));
}

TEST_CASE("what cannot be evaluated is refused, with its place") {
  const auto truth = box_truth({object(1, 1, 1, {0, 0, 10, 10})});
  auto nameless = result(1, 1, {0, 0, 10, 10}, 0.9);
  nameless.erase("score");
  CHECK(mentions(ap_problem(truth, {nameless}), "[0]: has no score"));
  CHECK(mentions(ap_problem(truth, {result(1, 1, {0, 0, 10}, 0.9)}),
                 "[0]: has the bbox [0,0,10]; [x, y, width, height]"));
  CHECK(mentions(ap_problem(truth, {json{{"image_id", 1}, {"category_id", 1}, {"score", "high"}}}),
                 "has the score \"high\""));
  const test::Scratch scratch;
  CHECK_THROWS_WITH_AS(average_precision(scratch.write("t.json", truth.dump()), scratch.write("r.json", "{}"), {}),
                       doctest::Contains("r.json: is no list; [{"), DataError);
  CHECK(mentions(ap_problem(truth, {result(1, 1, {0, 0, 10, 10}, 0.9)}, ApKind::mask), "annotation 1 of image 1"));
  auto masked = result(1, 1, {0, 0, 10, 10}, 0.9);
  masked["segmentation"] = {{"size", {100, 100}}, {"counts", "04"}};
  auto truth_masked = truth;
  truth_masked["annotations"][0]["segmentation"] = {{0, 0, 0, 10, 10, 10, 10, 0}};
  CHECK(mentions(ap_problem(truth_masked, {masked}, ApKind::mask), "has run lengths of 4 pixels"));
  CHECK(ap_problem(truth_masked, {result(1, 1, {0, 0, 10, 10}, 0.9)}, ApKind::mask) == "no error");  // the box's pixels
  auto unlisted = truth;
  unlisted["annotations"][0]["category_id"] = 5;
  CHECK(mentions(ap_problem(unlisted, {}), "annotations[0] (id 1)"));
}

TEST_CASE("objects without what is compared are refused; boxes of masks are those of their pixels") {
  auto bare = object(1, 1, 1, nullptr);
  const List found = {result(1, 1, {0, 0, 10, 10}, 0.9)};
  for (const auto& box : {json(), json::array()}) {
    bare["bbox"] = box;
    CHECK(mentions(ap_problem(box_truth({bare}), found), "segmentation: is missing, and there is no bbox"));
    auto masked = bare;
    masked["segmentation"] = {{0, 0, 10, 0, 10, 10, 0, 10}};
    CHECK(of_boxes(box_truth({masked}), found).ap == doctest::Approx(1));
    auto of_mask = found[0];
    of_mask.erase("bbox");
    of_mask["segmentation"] = masked["segmentation"];
    CHECK(of_boxes(box_truth({masked}), {of_mask}).ap == doctest::Approx(1));
  }
  auto boxed = object(1, 1, 1, {0, 0, 10, 10});
  for (const auto& none : {json(), json::array(), json::array({json::array()})}) {
    boxed["segmentation"] = none;
    CHECK(mentions(ap_problem(box_truth({boxed}), found, ApKind::mask), "is missing, and masks are compared"));
  }
  const List empty = {json{{"image_id", 1}, {"category_id", 1}, {"score", 0.5}, {"segmentation", json::array()}}};
  CHECK(mentions(ap_problem(box_truth({boxed}), empty), "a result of image 1: segmentation: is missing"));
}

TEST_CASE("thresholds, limits and widths that have no meaning are refused") {
  const auto refused = [](const auto& change) {
    ApOptions options;
    change(options);
    CHECK_THROWS_AS(AveragePrecision(options, 1), DataError);
  };
  for (const auto& thresholds : std::vector<std::vector<double>>{{}, {0}, {-0.5}, {0.6, 0.5}, {0.5, 1.01}})
    refused([&](ApOptions& options) { options.iou_thresholds = thresholds; });
  refused([](ApOptions& options) { options.iou_thresholds.assign(33, 0.5); });
  for (const auto& limits : std::vector<std::vector<int>>{{}, {0, 1}, {10, 1}})
    refused([&](ApOptions& options) { options.max_detections = limits; });
  for (const double width : {0., -1., 1.}) refused([&](ApOptions& options) { options.boundary_width = width; });
}
