// Rules of average precision on a few objects each, by hand or by pycocotools.
#include <sectile/data/average_precision.h>
#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "small_truths.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test::coco;
using nlohmann::json;

TEST_CASE("a crowd takes any number of detections, which do not count, by the share of them that it covers") {
  const auto truth = box_truth({object(1, 1, 1, {0, 0, 100, 50}, 5000, 1), object(2, 1, 1, {70, 70, 20, 20}, 400)});
  const auto report = of_boxes(truth, {result(1, 1, {10, 10, 20, 20}, 0.9), result(1, 1, {40, 10, 20, 20}, 0.8),
                                       result(1, 1, {50, 45, 40, 40}, 0.7), result(1, 1, {70, 70, 20, 20}, 0.6)});
  CHECK(report.ap == doctest::Approx(0.5));  // the third one is mostly outside: wrong
  CHECK(report.ap50 == doctest::Approx(0.5));
  CHECK(report.lines[2].ar == doctest::Approx(1));
  CHECK(report.per_class[0].objects == 1);
}

TEST_CASE("of objects that a detection covers alike it takes the file's last one, and rounding costs no match") {
  // By pycocotools: the first detection leaves the other object to the second one, or takes it away.
  const auto first = object(1, 1, 1, {0, 0, 10, 10}), second = object(2, 1, 1, {0, 10, 10, 10});
  const List found = {result(1, 1, {0, 0, 10, 20}, 0.9), result(1, 1, {0, 0, 10, 10}, 0.8)};
  const auto left = of_boxes(box_truth({first, second}), found), taken = of_boxes(box_truth({second, first}), found);
  CHECK(left.ap50 == doctest::Approx(1).epsilon(1e-12));
  CHECK(left.ap == doctest::Approx(0.32722772277227724).epsilon(1e-12));
  CHECK(taken.ap50 == doctest::Approx(51. / 101).epsilon(1e-12));
  CHECK(taken.ap == doctest::Approx(0.27772277227722774).epsilon(1e-12));

  ApOptions options;  // the IoU of this box with itself is 0.9999999999999999
  options.kind = ApKind::box;
  options.iou_thresholds = {1};
  AveragePrecision counts(options, 1);
  const std::vector<ApObject> same{{.area = 0.5, .box = {0.2, 0, 0.5, 1}}};
  counts.add(1, same, same);
  CHECK(counts.compute().ap == doctest::Approx(1));
}

TEST_CASE("an annotation with the id 0 can be found, and the result says where pycocotools differs") {
  const test::Scratch scratch;
  const auto truth = box_truth({object(0, 1, 1, {0, 0, 10, 10}), object(1, 1, 1, {50, 50, 10, 10})});
  const auto made =
      evaluated(scratch, truth, {result(1, 1, {0, 0, 10, 10}, 0.9), result(1, 1, {50, 50, 10, 10}, 0.8)}, ApKind::box);
  CHECK(made.report.ap == doctest::Approx(1));
  REQUIRE(made.notes.size() == 1);
  CHECK(mentions(made.notes[0], "has the id 0"));
}

TEST_CASE("categories 90, 0 and 7 in this order, and images without objects, count as they are") {
  const List categories = {json{{"id", 90}, {"name", "x"}}, json{{"id", 0}, {"name", "y"}},
                           json{{"id", 7}, {"name", "z"}}};
  const List images = {json{{"id", 1}, {"width", 100}, {"height", 100}},
                       json{{"id", 2}, {"width", 100}, {"height", 100}}};
  const auto truth =
      box_truth({object(1, 1, 0, {0, 0, 10, 10}), object(2, 1, 90, {20, 20, 10, 10})}, images, categories);
  const auto report = of_boxes(truth, {result(1, 0, {0, 0, 10, 10}, 0.9), result(2, 90, {0, 0, 10, 10}, 0.8),
                                       result(1, 90, {20, 20, 10, 10}, 0.7), result(2, 7, {0, 0, 10, 10}, 0.5)});
  CHECK(report.per_class[0].ap == doctest::Approx(0.5));  // its detection in the image without objects came first
  CHECK(report.per_class[1].ap == doctest::Approx(1));
  CHECK(std::isnan(report.per_class[2].ap));
  CHECK(report.ap == doctest::Approx(0.75));

  // https://github.com/NVIDIA/DALI/issues/2999: numbers by pycocotools.
  const auto partly =
      of_boxes(box_truth({object(11, 1, 90, {5, 5, 20, 10}, 200), object(12, 1, 0, {40, 40, 16, 16}, 256),
                          object(13, 2, 7, {10, 20, 30, 30}, 900), object(14, 2, 0, {60, 60, 20, 20}, 400)},
                         images, categories),
               {result(1, 90, {5, 5, 20, 10}, 0.9), result(1, 0, {40, 40, 16, 14}, 0.8),
                result(2, 7, {10, 20, 30, 20}, 0.7), result(2, 0, {60, 60, 20, 20}, 0.6)});
  CHECK(partly.per_class[0].ap == doctest::Approx(1).epsilon(1e-12));
  CHECK(partly.per_class[1].ap == doctest::Approx(0.8504950495049505).epsilon(1e-12));
  CHECK(partly.per_class[2].ap == doctest::Approx(0.4).epsilon(1e-12));
  CHECK(partly.ap == doctest::Approx(0.7501650165016501).epsilon(1e-12));
}

// https://github.com/cocodataset/cocoapi/issues/440
TEST_CASE("what is found in an image without objects is wrong") {
  List images;
  for (const int id : {3, 1, 2}) images.push_back({{"id", id}, {"width", 100}, {"height", 100}});
  const auto truth = box_truth({object(5, 1, 1, {10, 10, 20, 20}, 400)}, images);
  const auto wrong = result(2, 1, {1, 1, 30, 30}, 0.9), right = result(1, 1, {10, 10, 20, 20}, 0.8);
  CHECK(of_boxes(truth, {wrong, right}).ap == doctest::Approx(0.5));
  CHECK(of_boxes(truth, {right}).ap == doctest::Approx(1));
  const test::Scratch scratch;
  CHECK(evaluated(scratch, truth, {wrong, right}, ApKind::box).images == 3);
}

TEST_CASE("the best 100 of each image and class count, and equal scores are taken in the file's order") {
  List truths, results;
  for (int i = 0; i < 120; ++i) {
    truths.push_back(object(i + 1, 1, 1, {i * 12 % 1200, i / 100 * 20, 10, 10}));
    results.push_back(result(1, 1, {i * 12 % 1200, i / 100 * 20, 10, 10}, 0.5));
  }
  const auto report = of_boxes(box_truth(truths, {json{{"id", 1}, {"width", 1200}, {"height", 100}}}), results);
  CHECK(report.ap == doctest::Approx(84. / 101));  // recall ends at 100 of 120
  CHECK(report.lines[0].ar == doctest::Approx(1. / 120));
  CHECK(report.lines[1].ar == doctest::Approx(10. / 120));
  CHECK(report.lines[2].ar == doctest::Approx(100. / 120));

  // The limit is of each class: 60 of another one are all found, and with a limit of 200 so are all (cocoapi#222).
  for (int i = 0; i < 60; ++i) {
    const json box = {i * 12, 60, 10, 10};
    truths.push_back(object(200 + i, 1, 2, box));
    results.push_back(result(1, 2, box, 0.4));
  }
  const auto both = box_truth(truths, {json{{"id", 1}, {"width", 1200}, {"height", 100}}},
                              {json{{"id", 1}, {"name", "a"}}, json{{"id", 2}, {"name", "b"}}});
  const auto of_two = of_boxes(both, results);
  CHECK(of_two.per_class[0].ap == doctest::Approx(0.8316831683168316).epsilon(1e-12));
  CHECK(of_two.per_class[1].ap == doctest::Approx(1).epsilon(1e-12));
  CHECK(of_two.ap == doctest::Approx(0.9158415841584159).epsilon(1e-12));
  CHECK(of_two.lines[0].ar == doctest::Approx(0.0125));
  CHECK(of_two.lines[1].ar == doctest::Approx(0.125));
  CHECK(of_two.lines[2].ar == doctest::Approx(0.9166666666666666));
  const test::Scratch scratch;
  ApOfFilesOptions options;
  options.kind = ApKind::box;
  options.ap.max_detections = {1, 200};
  const auto all =
      average_precision(scratch.write("t.json", both.dump()), scratch.write("r.json", json(results).dump()), options);
  for (const auto& one : all.report.per_class) CHECK(one.ap == doctest::Approx(1).epsilon(1e-12));

  const auto truth = box_truth({object(1, 1, 1, {0, 0, 10, 10}), object(2, 1, 1, {50, 50, 10, 10})});
  const auto wrong = result(1, 1, {80, 80, 10, 10}, 0.5), right = result(1, 1, {0, 0, 10, 10}, 0.5),
             other = result(1, 1, {50, 50, 10, 10}, 0.5);
  CHECK(of_boxes(truth, {right, other, wrong}).ap == doctest::Approx(1));
  CHECK(of_boxes(truth, {wrong, right, other}).ap == doctest::Approx(2. / 3));
}

TEST_CASE("the stated area decides an object's size range, and the box that of a detection that finds nothing") {
  const auto truth = box_truth({object(1, 1, 1, {0, 0, 40, 40}, 900), object(2, 1, 1, {50, 50, 40, 40}, 1600)});
  const auto report = of_boxes(truth, {result(1, 1, {0, 60, 10, 10}, 0.9), result(1, 1, {0, 0, 40, 40}, 0.8),
                                       result(1, 1, {50, 50, 40, 40}, 0.7)});
  CHECK(report.ap == doctest::Approx(2. / 3));
  CHECK(report.lines[3].ap == doctest::Approx(0.5));
  CHECK(report.lines[4].ap == doctest::Approx(1));
  CHECK(std::isnan(report.lines[5].ap));
}

TEST_CASE("ranges of sizes are the user's own") {
  const test::Scratch scratch;
  ApOfFilesOptions options;
  options.ap.sizes = {{"tiny", 0, 150}, {"other", 150, 1e10}};
  const auto truth = box_truth({object(1, 1, 1, {0, 0, 10, 10}), object(2, 1, 1, {50, 50, 20, 20}, 400)});
  const json results = {result(1, 1, {0, 0, 10, 10}, 0.9)};
  const auto made =
      average_precision(scratch.write("t.json", truth.dump()), scratch.write("r.json", results.dump()), options);
  REQUIRE(made.report.lines.size() == 5);
  CHECK(made.report.lines[3].size == "tiny");
  CHECK(made.report.lines[3].ap == doctest::Approx(1));
  CHECK(made.report.lines[4].ap == 0);
  options.ap.sizes = {{"none", 5, 1}};
  CHECK_THROWS_WITH_AS(average_precision(scratch / "t.json", scratch / "r.json", options),
                       doctest::Contains("none: has a largest area below its smallest"), DataError);
}

// By hand. One object of the first class is small and found; the other is medium and found with an IoU of 0.725, at
// half of the thresholds.
TEST_CASE("each class has its own numbers, and only the largest limit of detections an AP") {
  const List categories = {json{{"id", 1}, {"name", "a"}}, json{{"id", 2}, {"name", "b"}},
                           json{{"id", 3}, {"name", "c"}}};
  const auto truth = box_truth(
      {object(1, 1, 1, {0, 0, 40, 40}, 900), object(2, 1, 1, {50, 50, 40, 40}, 1600), object(3, 1, 2, {0, 80, 10, 10})},
      {json{{"id", 1}, {"width", 100}, {"height", 100}}}, categories);
  const auto report = of_boxes(
      truth, {result(1, 1, {0, 0, 40, 40}, 0.9), result(1, 1, {50, 50, 40, 29}, 0.8), result(1, 3, {0, 0, 5, 5}, 0.7)});
  constexpr double kHalf = 51. / 101;  // one of two objects
  REQUIRE(report.per_class.size() == 3);
  const auto &found = report.per_class[0], &missed = report.per_class[1], &absent = report.per_class[2];
  CHECK((found.objects == 2 && found.detections == 2));
  CHECK(found.ap == doctest::Approx((1 + kHalf) / 2));
  CHECK(found.ap50 == doctest::Approx(1));
  CHECK(found.ap75 == doctest::Approx(kHalf));
  CHECK(found.ar == doctest::Approx(0.75));
  REQUIRE(found.ap_by_size.size() == 3);
  CHECK(found.ap_by_size[0] == doctest::Approx(1));
  CHECK(found.ap_by_size[1] == doctest::Approx(0.5));
  CHECK(std::isnan(found.ap_by_size[2]));
  CHECK((missed.objects == 1 && missed.detections == 0 && missed.ap == 0 && missed.ar == 0));
  CHECK((missed.ap_by_size.at(0) == 0 && std::isnan(missed.ap_by_size.at(1))));
  CHECK((absent.objects == 0 && absent.detections == 1 && std::isnan(absent.ap) && std::isnan(absent.ar)));
  CHECK(report.ap50 == doctest::Approx(0.5));
  CHECK(report.ap75 == doctest::Approx(kHalf / 2));
  CHECK((std::isnan(report.lines[0].ap) && std::isnan(report.lines[1].ap)));
  CHECK(report.lines[2].ap == report.ap);
}
