// Average precision against pycocotools: average_precision.py, beside this file, makes the same random sets.
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <sectile/data/average_precision.h>
#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "random.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using nlohmann::json;
using test::coco::Random;

namespace {

constexpr int kSide = 200;
using Ring = std::vector<int>;

Ring corners(Random& random) {
  const int x = random.below(180), y = random.below(180), w = random.between(4, 150), h = random.between(4, 150);
  const int dx = random.below(w), dy = random.below(h);
  const auto in = [](int value) { return std::min(kSide, value); };
  return {x, y, in(x + w), in(y + dy), in(x + w), in(y + h), in(x + dx), in(y + h)};
}

Ring moved(Random& random, Ring ring) {
  for (auto& value : ring) value = std::clamp(value + random.between(-6, 6), 0, kSide);
  return ring;
}

Ring box_of_ring(const Ring& ring) {
  int left = kSide, right = 0, top = kSide, bottom = 0;
  for (std::size_t i = 0; i < ring.size(); i += 2) {
    left = std::min(left, ring[i]), right = std::max(right, ring[i]);
    top = std::min(top, ring[i + 1]), bottom = std::max(bottom, ring[i + 1]);
  }
  return {left, top, right - left, bottom - top};
}

struct RandomSet {
  json truth, results = json::array();

  explicit RandomSet(int seed) {
    Random random(static_cast<std::uint64_t>(seed));
    std::vector<int> images, categories;
    int id = 0;
    for (int i = random.between(1, 6); i > 0; --i) images.push_back(id += random.between(1, 4));
    id = 0;
    for (int i = random.between(1, 5); i > 0; --i) categories.push_back(id += random.between(1, 9));
    if (random.below(2)) {
      std::reverse(images.begin(), images.end());
      std::reverse(categories.begin(), categories.end());
    }
    const auto any_category = [&] {
      return categories[static_cast<std::size_t>(random.below(static_cast<int>(categories.size())))];
    };
    truth = {{"images", json::array()}, {"categories", json::array()}, {"annotations", json::array()}};
    for (const int category : categories)
      truth["categories"].push_back({{"id", category}, {"name", std::string("c").append(std::to_string(category))}});
    for (const int image : images) {
      truth["images"].push_back({{"id", image}, {"width", kSide}, {"height", kSide}});
      std::vector<std::pair<Ring, int>> rings;
      for (int i = random.below(9); i > 0; --i) {
        const auto ring = corners(random);
        const int category = any_category();
        rings.emplace_back(ring, category);
        const auto box = box_of_ring(ring);
        const int area = random.below(3) ? box[2] * box[3] : random.below(20000);
        const bool crowd = random.below(8) == 0;
        truth["annotations"].push_back({{"id", truth["annotations"].size() + 1},
                                        {"image_id", image},
                                        {"category_id", category},
                                        {"iscrowd", int{crowd}},
                                        {"area", area},
                                        {"bbox", box},
                                        {"segmentation", {ring}}});
      }
      for (int i = random.below(25); i > 0; --i) {
        const bool near = !rings.empty() && random.below(3);
        auto [ring, category] = near ? rings[static_cast<std::size_t>(random.below(static_cast<int>(rings.size())))]
                                     : std::pair(corners(random), 0);
        if (near) ring = moved(random, ring);
        if (!near || random.below(5) == 0) category = any_category();
        const double score = random.below(2) ? random.below(5) / 4. : random.below(1000) / 1000.;
        results.push_back({{"image_id", image},
                           {"category_id", category},
                           {"score", score},
                           {"bbox", box_of_ring(ring)},
                           {"segmentation", {ring}}});
      }
    }
  }
};

ApOfFilesResult evaluated(const test::Scratch& scratch, const json& truth, const std::vector<json>& results,
                          ApKind kind, int threads = 1) {
  ApOfFilesOptions options;
  options.kind = kind;
  options.threads = threads;
  return average_precision(scratch.write("truth.json", truth.dump()),
                           scratch.write("results.json", json(results).dump()), options);
}

// In pycocotools' order; -1: there are no objects.
std::vector<double> stats_of(const ApReport& report) {
  std::vector<double> stats{report.ap, report.ap50, report.ap75};
  for (std::size_t i = 3; i < 6; ++i) stats.push_back(report.lines[i].ap);
  for (const auto& line : report.lines) stats.push_back(line.ar);
  for (auto& value : stats)
    if (std::isnan(value)) value = -1;
  return stats;
}

void check_stats(const json& expected, const ApReport& report) {
  const auto found = stats_of(report);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(found[i] - expected[i].get<double>()) < 1e-12);
  }
}

using List = std::vector<json>;

json box_truth(const List& annotations, const List& images = {json{{"id", 1}, {"width", 100}, {"height", 100}}},
               const List& categories = {json{{"id", 1}, {"name", "a"}}}) {
  return {{"images", images}, {"categories", categories}, {"annotations", annotations}};
}

json object(int id, int image, int category, const json& box, double area = 100, int crowd = 0) {
  return {{"id", id},    {"image_id", image}, {"category_id", category},
          {"bbox", box}, {"area", area},      {"iscrowd", crowd}};
}

json result(int image, int category, const json& box, double score) {
  return {{"image_id", image}, {"category_id", category}, {"bbox", box}, {"score", score}};
}

ApReport of_boxes(const json& truth, const List& results) {
  const test::Scratch scratch;
  return evaluated(scratch, truth, results, ApKind::box).report;
}

std::string ap_problem(const json& truth, const List& results, ApKind kind = ApKind::box) {
  const test::Scratch scratch;
  try {
    evaluated(scratch, truth, results, kind);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("AP and AR of 200 random sets equal pycocotools', with crowds, ties, gaps in ids and empty classes") {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/ground/coco/average_precision.json");
  const auto expected = json::parse(file);
  const test::Scratch scratch;
  for (const auto& [name, kind] :
       {std::pair(std::string("segm"), ApKind::mask), {"bbox", ApKind::box}, {"boundary", ApKind::boundary}}) {
    CAPTURE(name);
    int seed = 0, compared = 0;
    for (const auto& row : expected[name]) {
      CAPTURE(seed);
      const RandomSet set(seed++);
      CHECK(set.results.empty() == row.is_null());
      if (row.is_null()) continue;
      check_stats(row, evaluated(scratch, set.truth, set.results, kind, 1 + seed % 3).report);
      ++compared;
    }
    CHECK(compared > 45);
  }
}

TEST_CASE("coco-eval gives the values that are recorded for it") {
  const char* const data = std::getenv("SECTILE_DATA");
  if (!data) {
    MESSAGE("skipped: SECTILE_DATA does not name the folder of real data");
    return;
  }
  const auto folder = std::filesystem::path(data) / "coco-eval";
  const auto report = [&](ApKind kind, const char* results) {
    ApOfFilesOptions options;
    options.kind = kind;
    options.threads = 2;
    const auto result = average_precision(folder / "instances_val2014_100.json", folder / results, options);
    CHECK(result.objects == 830);
    CHECK(result.crowds == 9);
    return result.report;
  };
  const auto segm = report(ApKind::mask, "instances_val2014_fakesegm100_results.json");
  CHECK(segm.ap == doctest::Approx(0.3195452758576433).epsilon(1e-12));
  CHECK(segm.ap50 == doctest::Approx(0.5622883972521636).epsilon(1e-12));
  CHECK(segm.ap75 == doctest::Approx(0.29892653412086784).epsilon(1e-12));
  const auto boxes = report(ApKind::box, "instances_val2014_fakebbox100_results.json");
  CHECK(boxes.ap == doctest::Approx(0.5045806987249628).epsilon(1e-12));
}

TEST_CASE("truth without a list of annotations is refused") {
  const test::Scratch scratch;
  const auto truth = scratch.write("truth.json", R"({"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}]})");
  CHECK_THROWS_WITH_AS(average_precision(truth, scratch.write("results.json", "[]"), {}),
                       doctest::Contains("truth.json: has no list \"annotations\""), DataError);
}

TEST_CASE("objects in memory count as those of files, in parts and as numbers for other processes") {
  const test::Scratch scratch;
  const RandomSet set(3);
  const auto wanted = evaluated(scratch, set.truth, set.results, ApKind::box).report;
  ApOptions options;
  options.kind = ApKind::box;
  const int classes = static_cast<int>(set.truth["categories"].size());
  std::vector<AveragePrecision> parts;
  for (int i = 0; i < 2; ++i) parts.emplace_back(options, classes);
  const auto objects = [&](const json& all, int image) {
    std::vector<ApObject> made;
    for (const auto& one : all) {
      if (one["image_id"] != image) continue;
      ApObject object;
      for (int i = 0; i < classes; ++i)
        if (set.truth["categories"][static_cast<std::size_t>(i)]["id"] == one["category_id"]) object.category = i;
      const auto box = one["bbox"].get<std::vector<double>>();
      object.box = {box[0], box[1], box[2], box[3]};
      object.area = one.value("area", box[2] * box[3]);
      object.crowd = one.value("iscrowd", 0) == 1;
      object.score = one.value("score", 1.);
      made.push_back(object);
    }
    return made;
  };
  std::size_t number = 0;
  for (const auto& image : set.truth["images"]) {
    const int id = image["id"];
    parts[number++ % 2].add(id, objects(set.truth["annotations"], id), objects(set.results, id));
  }
  AveragePrecision all(options, classes), sent(options, classes);
  for (const auto& part : parts) {
    all.merge(part);
    sent.merge_state(part.state());
  }
  CHECK(stats_of(all.compute(2)) == stats_of(wanted));
  CHECK(stats_of(sent.compute()) == stats_of(wanted));
  CHECK_THROWS_AS(sent.merge_state({1}), DataError);

  options.max_detections = {1, 2};  // the right one is the third
  AveragePrecision limited(options, 1);
  const std::vector<ApObject> truth{{.area = 1, .box = {0, 0, 1, 1}}};
  std::vector<ApObject> found(3, {.score = 0.5, .area = 1, .box = {5, 5, 1, 1}});
  found[2] = {.score = 0.4, .area = 1, .box = {0, 0, 1, 1}};
  limited.add(1, truth, found);
  CHECK(limited.compute().ap == 0);
  CHECK(limited.compute().per_class[0].detections == 2);
}

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

TEST_CASE("size ranges have names of their own, and any number of threads gives the same") {
  const test::Scratch scratch;
  const RandomSet set(7);
  const auto truth = scratch.write("t.json", set.truth.dump()), results = scratch.write("r.json", set.results.dump());
  ApOfFilesOptions options;
  for (const char* name : {"all", "a"}) {
    options.ap.sizes = {{"a", 0, 5}, {name, 5, 1e10}};
    CHECK_THROWS_WITH_AS(average_precision(truth, results, options), doctest::Contains("has the name of another one"),
                         DataError);
  }
  options.ap.sizes = {{"a", -1, 5}};
  CHECK_THROWS_AS(average_precision(truth, results, options), DataError);
  options.ap = {};
  const auto one = stats_of(average_precision(truth, results, options).report);
  for (const int threads : {2, 7, 100000}) {
    options.threads = threads;
    CHECK(stats_of(average_precision(truth, results, options).report) == one);
  }
}
