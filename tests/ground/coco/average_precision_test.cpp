// Average precision against pycocotools: average_precision.py, beside this file, makes the same random sets.
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <sectile/data/average_precision.h>
#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "random.h"
#include "small_truths.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test::coco;
using nlohmann::json;

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
