// Panoptic quality of maps in memory and of files.
#include <algorithm>
#include <cmath>

#include <sectile/data/image_io.h>
#include <sectile/data/panoptic_quality.h>
#include <sectile/error.h>
#include <opencv2/core.hpp>

#include "support/panoptic_maps.h"
#include "support/panoptic_tree.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::vector<bool> kThings{true, true, true, false, false};

void add_maps(PanopticQuality& quality, const test::PanopticMaps& maps) {
  quality.add(maps.truth_ids, maps.truths, maps.found_ids, maps.found);
}

cv::Mat map_of(std::vector<int> ids, int rows) { return cv::Mat(ids, true).reshape(1, rows); }

void check_panoptic_mean(const PanopticReport::Mean& mean, const json& numbers) {
  CHECK(mean.pq == doctest::Approx(numbers[0].get<double>()).epsilon(1e-13));
  CHECK(mean.sq == doctest::Approx(numbers[1].get<double>()).epsilon(1e-13));
  CHECK(mean.rq == doctest::Approx(numbers[2].get<double>()).epsilon(1e-13));
  CHECK(mean.categories == numbers[3].get<int>());
}

std::string refusal(const PanopticFiles& files, const fs::path& folder) {
  try {
    panoptic_quality(files);
  } catch (const DataError& error) {
    return test::replaced(error.what(), folder.string(), "ROOT");
  }
  return "no error";
}

// Truth and predictions of the images 1 and 2: the same 4 x 6 map of the segments 10 (sky) and 11 (car).
struct PanopticPair {
  PanopticPair() {
    cv::Mat ids(4, 6, CV_32S, cv::Scalar(10));
    ids.colRange(4, 6) = 11;
    for (const int image : {1, 2}) {
      truth["images"].push_back({{"id", image}, {"file_name", std::to_string(image) + ".jpg"}});
      for (auto* side : {&truth, &predictions}) {
        (*side)["annotations"].push_back(
            {{"image_id", image},
             {"file_name", std::to_string(image) + ".png"},
             {"segments_info", {{{"id", 10}, {"category_id", 2}}, {{"id", 11}, {"category_id", 7}}}}});
        write(side == &truth ? "truth" : "found", image, ids);
      }
    }
  }
  void write(const std::string& side, int image, const cv::Mat& ids) const {
    fs::create_directories(scratch.path() / side);
    write_png(scratch.path() / side / (std::to_string(image) + ".png"), test::coco_segments::colors_of(ids));
  }
  PanopticFiles files() const {
    return {.truth = scratch.write("truth.json", truth.dump()),
            .predictions = scratch.write("found.json", predictions.dump())};
  }
  std::string refused() const { return refusal(files(), scratch.path()); }
  test::Scratch scratch;
  json truth = {
      {"categories", {{{"id", 7}, {"name", "car"}, {"isthing", 1}}, {{"id", 2}, {"name", "sky"}, {"isthing", 0}}}}};
  json predictions = json::object();
};

}  // namespace

TEST_CASE("panoptic quality counts the segments of 200 random maps as panopticapi does") {
  const auto expected = test::panoptic_expected();
  const int classes = expected["classes"];
  PanopticQuality whole(kThings);
  std::uint64_t index = 0;
  for (const auto& rows : expected["cases"]) {
    CAPTURE(index);
    const auto maps = test::panoptic_maps(index++, classes);
    PanopticQuality one(kThings);
    add_maps(one, maps);
    whole.merge(one);
    const auto report = one.compute();
    for (std::size_t c = 0; c < rows.size(); ++c) {
      const auto& counts = report.per_category[c];
      CHECK(counts.true_positive == rows[c][0].get<std::int64_t>());
      CHECK(counts.false_positive == rows[c][1].get<std::int64_t>());
      CHECK(counts.false_negative == rows[c][2].get<std::int64_t>());
      const double matches = static_cast<double>(counts.true_positive), iou = rows[c][3];
      if (matches > 0) CHECK(counts.sq * matches == doctest::Approx(iou).epsilon(1e-13));
    }
  }
  CHECK(index == 200);
  const auto report = whole.compute();
  check_panoptic_mean(report.all, expected["means"]["all"]);
  check_panoptic_mean(report.things, expected["means"]["things"]);
  check_panoptic_mean(report.stuff, expected["means"]["stuff"]);
  for (std::size_t c = 0; c < kThings.size(); ++c)
    CHECK(report.per_category[c].pq == doctest::Approx(expected["per_class"][c][0].get<double>()).epsilon(1e-13));
}

TEST_CASE("panoptic quality is equal whatever the order in which images are counted and merged") {
  PanopticQuality forward(kThings), backward(kThings), halves(kThings);
  PanopticQuality odd(kThings), even(kThings);
  for (std::uint64_t i = 0; i < 60; ++i) {
    add_maps(forward, test::panoptic_maps(i, 5));
    add_maps(backward, test::panoptic_maps(59 - i, 5));
    add_maps(i % 2 ? odd : even, test::panoptic_maps(i, 5));
  }
  halves.merge_state(odd.state());
  halves.merge(even);
  CHECK(forward.state() == backward.state());
  CHECK(forward.state() == halves.state());
  CHECK(forward.compute().all.pq == halves.compute().all.pq);
  CHECK_THROWS_WITH_AS(halves.merge_state(std::vector<std::int64_t>(5)),
                       "panoptic quality: was given the counts of other classes: 5 numbers, expected 25", DataError);
}

TEST_CASE("panoptic quality of a volume, and of a view of a larger map, is that of the same pixels") {
  const auto maps = test::panoptic_maps(5, 5);
  PanopticQuality plain(kThings), view(kThings), volume(kThings), volume_view(kThings);
  add_maps(plain, maps);
  const auto& size = maps.truth_ids;
  cv::Mat truth(size.rows + 2, size.cols + 3, CV_32S, cv::Scalar(99)), found = truth.clone();
  const cv::Rect inside(1, 1, size.cols, size.rows);
  maps.truth_ids.copyTo(truth(inside));
  maps.found_ids.copyTo(found(inside));
  view.add(truth(inside), maps.truths, found(inside), maps.found);
  CHECK(view.state() == plain.state());
  const int sizes[] = {1, size.rows, size.cols};
  cv::Mat a = maps.truth_ids.clone(), b = maps.found_ids.clone();
  volume.add(cv::Mat(3, sizes, CV_32S, a.data), maps.truths, cv::Mat(3, sizes, CV_32S, b.data), maps.found);
  CHECK(volume.state() == plain.state());
  const int larger[] = {1, truth.rows, truth.cols};
  const cv::Range part[] = {cv::Range::all(), {1, 1 + size.rows}, {1, 1 + size.cols}};
  volume_view.add(cv::Mat(3, larger, CV_32S, truth.data)(part), maps.truths,
                  cv::Mat(3, larger, CV_32S, found.data)(part), maps.found);
  CHECK(volume_view.state() == plain.state());
}

TEST_CASE("panoptic quality: an IoU of exactly a half is no match, and exactly half on void still counts") {
  PanopticQuality quality({true});
  const std::vector<Segment> one{{1, 0, false}};
  quality.add(map_of({1, 1, 1, 2, 2, 2}, 1), std::vector<Segment>{{1, 0, false}, {2, 0, true}},
              map_of({1, 1, 0, 0, 0, 0}, 1), one);  // 2 of 3
  CHECK(quality.compute().all.pq == doctest::Approx(2. / 3));
  PanopticQuality half({true});
  half.add(map_of({1, 1, 1, 1}, 1), one, map_of({1, 1, 0, 0}, 1), one);
  CHECK(half.compute().all.pq == 0);
  CHECK(half.compute().per_category[0].false_positive == 1);
  PanopticQuality on_void({true});
  on_void.add(map_of({0, 0, 2, 2}, 1), std::vector<Segment>{{2, 0, false}}, map_of({1, 1, 1, 1}, 1), one);
  CHECK(on_void.compute().per_category[0].true_positive == 1);  // without void, the two are equal
  PanopticQuality other({true, false});
  other.add(map_of({0, 0, 2, 2}, 1), std::vector<Segment>{{2, 1, false}}, map_of({1, 1, 1, 1}, 1), one);
  CHECK(other.compute().per_category[0].false_positive == 1);  // half, not more
  PanopticQuality more({true, false});
  more.add(map_of({0, 0, 0, 2}, 1), std::vector<Segment>{{2, 1, false}}, map_of({1, 1, 1, 1}, 1), one);
  CHECK(more.compute().per_category[0].false_positive == 0);
}

TEST_CASE("panoptic quality: of several crowds of a class in one image, the last one listed counts") {
  const auto found = map_of({9, 9, 9, 9}, 1), truth = map_of({1, 1, 1, 2}, 1);
  const std::vector<Segment> one{{9, 0, false}}, crowds{{1, 0, true}, {2, 0, true}}, turned{{2, 0, true}, {1, 0, true}};
  PanopticQuality last_is_small({true}), last_is_large({true});
  last_is_small.add(truth, crowds, found, one);
  last_is_large.add(truth, turned, found, one);
  CHECK(last_is_small.compute().per_category[0].false_positive == 1);
  CHECK(last_is_large.compute().per_category[0].false_positive == 0);
}

TEST_CASE("panoptic quality: nothing counted, empty maps, one pixel and listed segments without pixels") {
  PanopticQuality quality({true, false});
  const auto nothing = quality.compute();
  CHECK(std::isnan(nothing.all.pq));
  CHECK(std::isnan(nothing.stuff.rq));
  CHECK(nothing.all.categories == 0);
  quality.add(cv::Mat(), {}, cv::Mat(), {});
  quality.add(map_of({0}, 1), {}, map_of({0}, 1), {});
  CHECK(quality.compute().all.categories == 0);
  const std::vector<Segment> listed{{3, 1, false}, {4, 0, false}};
  quality.add(map_of({3}, 1), listed, map_of({3}, 1), listed);
  const auto report = quality.compute();
  CHECK(report.all.pq == 1);
  CHECK(report.all.categories == 1);
  CHECK(std::isnan(report.things.pq));
  CHECK(std::isnan(report.per_category[0].pq));
}

TEST_CASE(
    "panoptic quality of noise, where neighbours are of other pairs and each comes again, is counted like any other") {
  constexpr int kSide = 300;
  cv::Mat ids(2 * kSide, kSide, CV_32S);
  std::vector<Segment> segments;
  for (int i = 0; i < kSide * kSide; ++i) {
    ids.at<int>(i / kSide, i % kSide) = ids.at<int>(kSide + i / kSide, i % kSide) = i * 7 + 1;
    segments.push_back({i * 7 + 1, i % 2, false});
  }
  PanopticQuality quality({true, false});
  quality.add(ids, segments, ids, segments);
  quality.add(map_of({1}, 1), std::vector<Segment>{{1, 0, false}}, map_of({1}, 1), std::vector<Segment>{{1, 0, false}});
  CHECK(quality.compute().per_category[0].true_positive == kSide * kSide / 2 + 1);
  CHECK(quality.compute().all.pq == 1);
}

TEST_CASE("panoptic quality says what is wrong with maps and lists of segments") {
  const auto refused = [](const cv::Mat& truth_ids, const std::vector<Segment>& truths, const cv::Mat& found_ids,
                          const std::vector<Segment>& found) -> std::string {
    PanopticQuality quality({true, false});
    try {
      quality.add(truth_ids, truths, found_ids, found);
    } catch (const DataError& error) {
      CHECK(quality.state() == std::vector<std::int64_t>(10));  // nothing of it was counted
      return error.what();
    }
    return "no error";
  };
  const auto map = map_of({1, 1}, 1);
  const std::vector<Segment> one{{1, 0, false}};
  CHECK(refused(map, one, map_of({1, 1}, 2), one) ==
        "panoptic quality: the truth has 1 x 2 pixels, and the prediction 2 x 1");
  CHECK(refused(map, one, cv::Mat(1, 2, CV_8U, cv::Scalar(1)), one).find("(CV_32S)") != std::string::npos);
  CHECK(refused(map, {}, map, one) ==
        "panoptic quality: the truth has pixels of segments that are not listed, with the ids 1");
  CHECK(refused(map, one, map_of({5, 4}, 1), one) ==
        "panoptic quality: the prediction has pixels of segments that are not listed, with the ids 4, 5");
  CHECK(refused(map, one, map, {{1, 2, false}}) ==
        "panoptic quality: a predicted segment has class number 2, and there are 2 classes");
  CHECK(refused(map, {{0, 1, false}}, map, one) == "panoptic quality: a true segment has the id 0, which is void");
  CHECK(refused(map, {{1, 1, false}, {1, 0, false}}, map, one) == "panoptic quality: two true segments have the id 1");
}

TEST_CASE("panoptic quality of files: the same whatever the number of threads, folders found or named") {
  const PanopticPair pair;
  auto files = pair.files();
  for (const int threads : {1, 3}) {
    files.threads = threads;
    const auto result = panoptic_quality(files);
    CHECK(result.report.all.pq == 1);
    CHECK(result.report.all.categories == 2);
    CHECK(result.images == 2);
    CHECK(result.segments == 4);
    CHECK(result.found == 4);
    CHECK(result.crowds == 0);
    CHECK(result.notes.empty());
    CHECK(result.categories[0].name == "sky");
  }
  fs::rename(pair.scratch.path() / "found", pair.scratch.path() / "other");
  CHECK(pair.refused().find("found.json: cannot be compared with ROOT/truth.json:\n  ROOT/1.png: ") !=
        std::string::npos);
  files.predictions_masks = pair.scratch.path() / "other";
  CHECK(panoptic_quality(files).report.all.pq == 1);
  files.truth_masks = pair.scratch.path() / "nowhere";
  CHECK(refusal(files, pair.scratch.path()) ==
        "ROOT/nowhere: is not a folder; expected that of the PNGs of ROOT/truth.json");
}

TEST_CASE("panoptic quality of files tells everything that is wrong, and names the file") {
  PanopticPair pair;
  auto& of_first = pair.predictions["annotations"][0];
  of_first["segments_info"].push_back({{"id", 12}, {"category_id", 2}});
  pair.write("found", 2, cv::Mat(5, 6, CV_32S, cv::Scalar(10)));
  const auto both = pair.refused();
  CHECK(both.find("ROOT/found/1.png: has no pixel of the segments 12, which segments_info lists; see ROOT/found.json: "
                  "annotations[0] (image 1)") != std::string::npos);
  CHECK(both.find("ROOT/found/2.png: ") != std::string::npos);
  CHECK(both.find("6 x 5") != std::string::npos);

  PanopticPair unlisted;
  unlisted.predictions["annotations"][1]["segments_info"].erase(1);
  CHECK(unlisted.refused().find("ROOT/found/2.png: has segments that segments_info does not list, with the ids 11") !=
        std::string::npos);
  PanopticPair category;
  category.predictions["annotations"][1]["segments_info"][1]["category_id"] = 9;
  CHECK(category.refused().find("annotations[1] (image 2): segment 11 has the category_id 9") != std::string::npos);
  PanopticPair missing;
  missing.predictions["annotations"].erase(0);
  missing.predictions["annotations"].push_back(
      {{"image_id", 77}, {"file_name", "77.png"}, {"segments_info", json::array()}});
  const auto told = missing.refused();
  CHECK(told.find("has no prediction for 1 image that ROOT/truth.json annotates: 1") != std::string::npos);
  CHECK(told.find("has predictions for 1 image that ROOT/truth.json does not list: 77") != std::string::npos);
  PanopticPair twice;
  twice.predictions["annotations"].push_back(twice.predictions["annotations"][0]);
  CHECK(twice.refused().find("annotations[0] (image 1): is of an image that annotations[2] is of too") !=
        std::string::npos);
  PanopticPair none;
  none.predictions = {{"images", json::array()}};
  CHECK(none.refused().find("ROOT/found.json: has no list \"annotations\"; predictions of COCO's panoptic format") !=
        std::string::npos);
}

TEST_CASE("panoptic quality of files notes stated areas that are others, and images without annotation") {
  PanopticPair pair;
  pair.truth["annotations"][0]["segments_info"][0]["area"] = 3;
  pair.truth["images"].push_back({{"id", 3}, {"file_name", "3.jpg"}});
  const auto result = panoptic_quality(pair.files());
  CHECK(result.report.all.pq == 1);
  REQUIRE(result.notes.size() == 2);
  CHECK(result.notes[0].find("1 image without annotation does not count") != std::string::npos);
  CHECK(result.notes[1].find("1 segment with a stated area that is not the number of its pixels") != std::string::npos);
}

TEST_CASE("panoptic quality: void, crowds, an IoU of a half and ids above 65535 in one file") {  // a known pitfall
  cv::Mat truth(20, 20, CV_32S, cv::Scalar(0)), found = truth.clone();
  truth(cv::Rect(0, 0, 10, 8)) = 70000;
  truth(cv::Rect(10, 0, 10, 8)) = 70001;
  truth(cv::Rect(0, 8, 10, 6)) = 300;
  truth(cv::Rect(0, 14, 14, 6)) = 5;
  found(cv::Rect(0, 0, 9, 8)) = 1;    // 72 of 80: 0.9
  found(cv::Rect(10, 0, 10, 4)) = 2;  // 40 of 80: exactly a half
  found(cv::Rect(1, 9, 8, 5)) = 3;    // on the crowd: dropped, as are 4 and 11 on void
  found(cv::Rect(11, 8, 9, 5)) = 4;
  found(cv::Rect(12, 13, 8, 1)) = 11;
  found(cv::Rect(0, 14, 16, 6)) = 9;  // 12 of 96 on void: 1 without them
  const std::vector<Segment> truths{{70000, 0, false}, {70001, 0, false}, {300, 0, true}, {5, 1, false}};
  const std::vector<Segment> all{{1, 0, false}, {2, 0, false}, {3, 0, false},
                                 {4, 0, false}, {9, 1, false}, {11, 2, false}};
  PanopticQuality quality({true, false, false, true});
  quality.add(truth, truths, found, all);
  const auto report = quality.compute();
  CHECK(report.all.pq == doctest::Approx(0.725));
  CHECK(report.all.sq == doctest::Approx(0.95));
  CHECK(report.all.rq == doctest::Approx(0.75));
  CHECK(report.all.categories == 2);
  CHECK(report.things.pq == doctest::Approx(0.45));
  CHECK(report.stuff.pq == doctest::Approx(1));
  CHECK(report.per_category[0].true_positive == 1);
  CHECK(report.per_category[0].false_positive == 1);
  CHECK(report.per_category[0].false_negative == 1);
  CHECK(report.per_category[2].false_positive == 0);
}

TEST_CASE("ids of panoptic PNGs are red + 256 green + 65536 blue, up to 16777215") {
  const test::Scratch scratch;
  cv::Mat rgb(1, 3, CV_8UC3);
  rgb.at<cv::Vec3b>(0, 0) = {112, 17, 1};
  rgb.at<cv::Vec3b>(0, 1) = {255, 255, 255};
  rgb.at<cv::Vec3b>(0, 2) = {0, 1, 0};
  write_png(scratch.path() / "ids.png", rgb);
  CHECK(test::coco_segments::values(read_panoptic_png(scratch.path() / "ids.png")) ==
        std::vector<int>{70000, 16777215, 256});
}

TEST_CASE("panoptic quality of COCO's examples is what panopticapi finds") {
  const auto* data = std::getenv("SECTILE_DATA");
  const auto folder = fs::path(data ? data : "") / "coco-panoptic-mini";
  if (!fs::exists(folder)) {
    MESSAGE("skipped: SECTILE_DATA has no coco-panoptic-mini");
    return;
  }
  const auto file = folder / "panoptic_examples.json";
  const auto result = panoptic_quality({.truth = file, .predictions = file});
  CHECK(result.report.all.pq == 1);
  CHECK(result.images == 2);
  CHECK(result.notes.empty());

  // What tests/parity/metrics/panoptic.py gave to panopticapi.
  const auto expected = test::panoptic_expected()["coco"];
  const test::Scratch scratch;
  auto content = json::parse(test::contents(file));
  for (auto& annotation : content["annotations"]) {
    const auto name = annotation["file_name"].get<std::string>();
    const auto ids = read_panoptic_png(folder / "panoptic_examples" / name);
    cv::Mat turned(ids.size(), CV_32S);
    for (int y = 0; y < ids.rows; ++y)
      for (int x = 0; x < ids.cols; ++x) turned.at<int>((y + 1) % ids.rows, (x + 2) % ids.cols) = ids.at<int>(y, x);
    write_png(scratch.path() / name, test::coco_segments::colors_of(turned));
    auto& segments = annotation["segments_info"];
    for (std::size_t k = 0; k < segments.size(); ++k) {
      segments[k]["iscrowd"] = 0;
      if (k % 5 == 4) segments[k]["category_id"] = segments[k - 1]["category_id"];
    }
  }
  const auto other = panoptic_quality({.truth = file, .predictions = scratch.write("found.json", content.dump())});
  check_panoptic_mean(other.report.all, expected["means"]["all"]);
  check_panoptic_mean(other.report.things, expected["means"]["things"]);
  check_panoptic_mean(other.report.stuff, expected["means"]["stuff"]);
  CHECK(other.report.all.pq < 0.9);
  std::size_t present = 0;
  for (std::size_t c = 0; c < other.categories.size(); ++c) {
    const auto& one = other.report.per_category[c];
    const std::array counts{one.true_positive, one.false_positive, one.false_negative};
    if (counts == std::array<std::int64_t, 3>{}) continue;
    CHECK(json(counts) == expected["counts"][std::to_string(other.categories[c].id)]);
    ++present;
  }
  CHECK(present == expected["counts"].size());
}
