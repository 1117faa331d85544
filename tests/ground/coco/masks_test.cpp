// Masks against pycocotools: digests of texts that masks.py, beside this file, makes with it.
#include <bit>
#include <cstdlib>
#include <fstream>

#include <sectile/data/coco_file.h>
#include <sectile/data/rle.h>
#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "random.h"
#include "support/test.h"

using namespace sectile;
using test::coco::Digest;
using test::coco::Random;

namespace {

nlohmann::json expected_masks() {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/ground/coco/masks.json");
  return nlohmann::json::parse(file);
}

std::string described(const Rle& rle) {
  const auto box = box_of(rle);
  std::ostringstream text;
  text << to_coco(rle) << " " << area_of(rle) << " " << box.x << " " << box.y << " " << box.width << " " << box.height
       << "\n";
  return text.str();
}

std::string bits(double number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(std::bit_cast<std::uint64_t>(number)));
  return text;
}

double coordinate(Random& random, int size, int kind) {
  const double whole = random.between(-20, size + 20);
  if (kind == 0) return whole;
  if (kind == 1) return whole + random.below(4) / 4.;
  return kind == 2 ? whole + random.below(100) / 100. : whole + random.below(1000) / 7.;
}

Rle polygon(Random& random, const cv::Size& size) {
  const int kind = random.below(4), corners = random.between(3, 12);
  std::vector<cv::Point2d> ring;
  for (int i = 0; i < corners; ++i) {
    const double x = coordinate(random, size.width, kind);
    ring.emplace_back(x, coordinate(random, size.height, kind));
  }
  return rle_of(ring, size);
}

Rle runs(Random& random, const cv::Size& size) {
  constexpr int kMost = 8;
  Rle rle{size, {}};
  for (int left = size.area(); left > 0;) {
    const int count = std::min(left, rle.counts.empty() ? random.below(kMost + 1) : 1 + random.below(kMost));
    rle.counts.push_back(static_cast<std::uint32_t>(count));
    left -= count;
  }
  return rle;
}

Rle box(Random& random, const cv::Size& size) {
  const double x = random.between(-10, size.width + 10) + 0., tenth_x = random.below(10) / 10.;
  const double y = random.between(-10, size.height + 10) + 0., tenth_y = random.below(10) / 10.;
  const double width = random.below(400) / 10., height = random.below(400) / 10.;
  return rle_of(cv::Rect2d(x + tenth_x, y + tenth_y, width, height), size);
}

std::string masks_case(int seed) {
  Random random(static_cast<std::uint64_t>(seed));
  const int height = random.between(1, 70), width = random.between(1, 70), kind = random.below(4);
  const cv::Size size(width, height);
  std::vector<Rle> all;
  if (kind == 3)
    all = {box(random, size)};
  else if (kind == 2)
    all = {runs(random, size)};
  else
    for (int i = random.between(1, 3); i > 0; --i) all.push_back(polygon(random, size));
  const auto first = united(all), second = runs(random, size);
  auto text = described(first) + described(united({first, second})) + described(intersection_of({first, second}));
  for (const bool crowd : {false, true}) text += bits(iou_of({first}, {second}, {crowd})[0]) + "\n";
  return text;
}

}  // namespace

TEST_CASE("10,000 random masks equal pycocotools' bit for bit: pixels, area, box, union, intersection, IoU") {
  constexpr int kCases = 100;
  const auto expected = expected_masks();
  int batch = 0;
  for (const auto& wanted : expected["random"]) {
    Digest digest;
    for (int i = 0; i < kCases; ++i) digest.add(masks_case(batch * kCases + i));
    CHECK_MESSAGE(digest.hex() == wanted.get<std::string>(), "cases from " << batch * kCases);
    ++batch;
  }
  CHECK(batch == 100);
}

TEST_CASE("a crowd's overlap is the detection's share, also of boxes, and masks of two sizes are refused") {
  // A box of 20 x 20, and one of 40 x 40 that leads 10 x 10 into a crowd of 100 x 100 (cocodataset/cocoapi#135).
  const std::vector<cv::Rect2d> found{{10, 10, 20, 20}, {90, 90, 40, 40}}, truth{{0, 0, 100, 100}};
  const auto shares = iou_of(found, truth, {true}), plain = iou_of(found, truth, {false});
  CHECK(shares == std::vector<double>{1, 0.0625});
  CHECK(plain[0] == doctest::Approx(0.04).epsilon(1e-12));
  CHECK(plain[1] == doctest::Approx(0.008695652173913044).epsilon(1e-12));
  std::vector<Rle> masks, crowd;
  for (const auto& box : found) masks.push_back(rle_of(box, {200, 200}));
  crowd.push_back(rle_of(truth[0], {200, 200}));
  CHECK(iou_of(masks, crowd, {true}) == shares);
  CHECK(iou_of(masks, crowd, {false}) == plain);

  const Rle small{{2, 3}, {6}}, large{{3, 2}, {6}};
  CHECK_THROWS_WITH_AS(united({small, large}), doctest::Contains("of images of 3 x 2 (height x width) and 2 x 3"),
                       DataError);
  CHECK_THROWS_AS(intersection_of({small, large}), DataError);
  CHECK_THROWS_AS(iou_of({small}, {large}, {false}), DataError);
}

TEST_CASE("masks of real COCO files equal pycocotools' bit for bit") {
  const char* const data = std::getenv("SECTILE_DATA");
  if (!data) {
    MESSAGE("skipped: SECTILE_DATA does not name the folder of real data");
    return;
  }
  const auto expected = expected_masks();
  for (const auto& [name, wanted] : expected["files"].items()) {
    CAPTURE(name);
    const CocoFile file(std::filesystem::path(data) / wanted["file"].get<std::string>());
    CHECK(file.annotations().size() == wanted["annotations"].get<std::size_t>());
    CHECK(file.faults().empty());
    Digest digest;
    for (const auto& annotation : file.annotations())
      digest.add(
          described(mask_of(annotation.mask, file.images()[static_cast<std::size_t>(annotation.image)].size).rle()));
    CHECK(digest.hex() == wanted["digest"].get<std::string>());
  }
}
