// Faults of what a dataset returns, and what else data is checked with.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <set>

#include <opencv2/core.hpp>

#include "checked_data.h"
#include "ground/checking/in_order.h"
#include "ground/checking/sample_findings.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// Samples as they are given; one with an id "throws …" throws.
class Given final : public Dataset {
 public:
  Given(std::vector<Sample> samples, int classes) : samples_(std::move(samples)) {
    for (int i = 0; i < classes; ++i) {
      LabelClass made;
      made.name = std::string("c").append(std::to_string(i));
      made.thing = i > 0;
      labels_.classes.push_back(made);
    }
  }
  std::size_t size() const override { return samples_.size(); }
  using Dataset::read;
  Sample read(std::size_t index, Parts) const override {
    if (samples_[index].id == "throws a number") throw 7;
    if (samples_[index].id == "throws an error") throw std::runtime_error("does not work");
    return samples_[index];
  }
  std::string id_of(std::size_t index) const override { return samples_[index].id; }
  const LabelMap& labels() const override { return labels_; }

 private:
  std::vector<Sample> samples_;
  LabelMap labels_;
};

// 8 x 6 (width x height) with all classes and one correct object, and its segment.
Sample good(const std::string& id, int seed) {
  Sample sample;
  sample.id = id;
  sample.image = noise(seed);
  sample.labels = cv::Mat(6, 8, CV_16S, cv::Scalar(0));
  sample.labels(cv::Rect(1, 1, 3, 2)).setTo(1);
  sample.labels.at<std::int16_t>(5, 7) = 2;
  sample.labels.at<std::int16_t>(5, 6) = 2;
  sample.segment_ids = cv::Mat(6, 8, CV_32S, cv::Scalar(0));
  sample.segment_ids(cv::Rect(1, 1, 3, 2)).setTo(4);
  sample.segments.push_back({4, 1, false});
  Instance instance;
  instance.category = 1;
  instance.id = 4;
  instance.box = {1, 1, 3, 2};
  instance.mask = Mask(cv::Mat(sample.labels == 1));
  sample.instances.push_back(instance);
  return sample;
}

std::vector<Split> given(std::vector<Sample> samples) {
  return {{"train", std::make_shared<Given>(std::move(samples), 3), "", {}, {}}};
}

Mask rle(std::vector<std::uint32_t> counts, cv::Size size = {8, 6}) { return Mask(Rle{size, std::move(counts)}); }
Mask polygon(std::vector<cv::Point2d> ring) {
  Polygons polygons;
  polygons.size = {8, 6};
  polygons.rings.push_back(std::move(ring));
  return Mask(polygons);
}

}  // namespace

TEST_CASE("samples without faults have no findings") {
  CHECK(found_in(checked(given({good("a", 1), good("b", 2)}))) == Found{});
}

TEST_CASE("faults of labels, objects and segments that a dataset returns are found") {
  struct Planted {
    Finding finding;
    std::function<void(Sample&)> plant;
    const char* message;
  };
  const auto box = [](float x, float y, float width, float height) {
    return [=](Sample& sample) { sample.instances[0].box = {x, y, width, height}; };
  };
  const auto mask = [](const Mask& given_mask) {
    return [=](Sample& sample) { sample.instances[0].mask = given_mask; };
  };
  const float nan = std::nanf(""), inf = INFINITY;
  const std::vector<Planted> all{
      {Finding::box_not_finite, box(nan, 1, 2, 2), "object 0 (id 4) has the box (x nan"},
      {Finding::box_not_finite, box(1, 1, inf, 2), "width inf"},
      {Finding::box_empty, box(1, 1, 0, 2), "width 0, height 2"},
      {Finding::box_empty, box(1, 1, 2, -1), "height -1"},
      {Finding::box_outside, box(1, 1, 8.5, 2), "and the image is 6 x 8 (height x width)"},
      {Finding::box_outside, box(-1.5, 1, 5.5, 2), "x -1.5"},
      {Finding::mask_empty, mask(rle({48})), "covers no pixel"},
      {Finding::mask_empty, mask(polygon({{1.1f, 1.1f}, {1.2f, 1.1f}, {1.2f, 1.2f}})), "covers no pixel"},
      {Finding::mask_empty, mask(polygon({})), "covers no pixel"},
      {Finding::mask_invalid, mask(rle({10, 3})), "cover 13 pixels, and the image has 48"},
      {Finding::mask_invalid, mask(polygon({{1, 1}, {nan, 3}, {4, 4}})), "corner (nan, 3)"},
      {Finding::mask_outside, mask(polygon({{1, 1}, {12, 1}, {4, 4}})), "corner (12, 1)"},
      {Finding::size_differs, mask(rle({10, 3, 12}, {5, 5})), "run lengths are 5 x 5, and the image is 6 x 8"},
      {Finding::size_differs,
       [](Sample& s) {
         Polygons huge;
         huge.size = {2'000'000'000, 2'000'000'000};
         huge.rings = {{{0, 0}, {2e9f, 0}, {2e9f, 2e9f}}};
         s.instances[0].mask = Mask(huge);
       },
       "polygons are 2000000000 x 2000000000"},
      {Finding::size_differs, mask(Mask(cv::Mat(6, 9, CV_8U, cv::Scalar(1)))), "6 x 9"},
      {Finding::one_pixel, mask(rle({7, 1, 40})), "single pixel"},
      {Finding::one_pixel, mask(polygon({{2.2f, 2.2f}, {2.9f, 2.2f}, {2.9f, 2.9f}, {2.2f, 2.9f}})), "single pixel"},
      {Finding::area_invalid, [](Sample& s) { s.instances[0].area = -2; }, "area -2"},
      {Finding::area_invalid, [](Sample& s) { s.instances[0].area = 81; }, "area 81, and the image has 48 pixels"},
      {Finding::object_id_twice,
       [](Sample& s) {
         s.instances.push_back(s.instances[0]);
         s.instances[1].box.width = 2.5;
       },
       "the same id"},
      {Finding::object_twice,
       [](Sample& s) {
         s.instances.push_back(s.instances[0]);
         s.instances[1].id = 5;
         s.instances[1].mask = rle({7, 2, 4, 2, 4, 2, 27});  // the same pixels
         s.instances[0].mask = polygon({{1, 1}, {4, 1}, {4, 3}, {1, 3}});
       },
       "object 1 (id 5) equals object 0 (id 4)"},
      {Finding::mask_not_in_box, box(4.5f, 1, 3, 2),
       "has the box (x 4.5, y 1, width 3, height 2), and its mask has (x 1, y 1, width 3, height 2)"},
      {Finding::unknown_class, [](Sample& s) { s.instances[0].category = 3; }, "class number 3, and there are 3"},
      {Finding::unknown_class, [](Sample& s) { s.segments[0].category = -1; }, "segment 4 is of the class number -1"},
      {Finding::unknown_class, [](Sample& s) { s.tags = {5}; }, "a tag is of the class number 5"},
      {Finding::unknown_class, [](Sample& s) { s.labels(cv::Rect(2, 3, 2, 1)).setTo(7); },
       "pixel (2, 3) of the labels has the value 7, and there are 3 classes, from 0; 2 such values"},
      {Finding::wrong_type, [](Sample& s) { s.labels.convertTo(s.labels, CV_8U); }, "are of CV_8UC1"},
      {Finding::wrong_type, [](Sample& s) { s.segment_ids.convertTo(s.segment_ids, CV_16S); }, "are of CV_16SC1"},
      {Finding::size_differs, [](Sample& s) { s.labels = s.labels.rowRange(0, 5); }, "labels are 5 x 8"},
      {Finding::size_differs, [](Sample& s) { s.targets["edges"] = cv::Mat(2, 2, CV_32F, 0.); }, "target \"edges\""},
      {Finding::all_ignored, [](Sample& s) { s.labels.setTo(kIgnore); }, "ignored"},
      {Finding::segment_absent,
       [](Sample& s) {
         s.segments.push_back({9, 1, false});
       },
       "segment 9"},
      {Finding::segment_unlisted, [](Sample& s) { s.segment_ids.row(5).setTo(6); }, "segment 6 has 8 pixels"},
      {Finding::segment_twice, [](Sample& s) { s.segments.push_back(s.segments[0]); }, "segment 4"},
      {Finding::no_image, [](Sample& s) { s.image = cv::Mat(); }, "no image"},
      {Finding::not_finite, [](Sample& s) { s.image = cv::Mat(6, 8, CV_32FC3, cv::Scalar(1, INFINITY, 2)); }, "Inf"},
      {Finding::unlabeled, [](Sample& s) { s.labels = s.segment_ids = cv::Mat(), s.segments.clear(); }, "no labels"},
      {Finding::sample_unreadable, [](Sample& s) { s.id = "throws a number"; }, ""},
  };
  std::set<Finding> kinds;
  for (const auto& [finding, plant, message] : all) {
    CAPTURE(name_of(finding));
    CAPTURE(message);
    auto bad = good("bad", 5);
    plant(bad);
    const auto id = bad.id;
    const auto check = checked(given({good("a", 1), good("b", 2), bad, good("c", 3)}));
    if (finding == Finding::sample_unreadable) {  // each part fails in the same way
      CHECK(found_in(check).count("train throws a number: image_unreadable") == 1);
      continue;
    }
    CHECK(holds(message_of(check, id, finding), message));
    kinds.insert(finding);
    for (const auto& one : check.found) CHECK(one.id == "bad");
    CHECK(check.counts[static_cast<std::size_t>(finding)] == 1);
    // Pixels that are all equal, or of another type, are told too.
    const bool more = finding == Finding::not_finite || finding == Finding::mask_outside;
    if (!more) CHECK(check.found.size() == 1);
  }
  CHECK(kinds.size() >= 21);
  auto several = good("several", 6);
  several.instances.assign(4, several.instances[0]);
  for (std::size_t i = 0; i < 4; ++i) several.instances[i].id = 0, several.instances[i].box = {0, 0, 0, 0};
  CHECK(message_of(checked(given({several})), "several", Finding::box_empty) ==
        "object 0 has the box (x 0, y 0, width 0, height 0); 3 more of this in the sample");
}

TEST_CASE("objects that differ in class, crowd, box or mask are different, and boxes may be larger than masks") {
  auto sample = good("a", 1);
  sample.instances[0].box = {0, 0, 8, 6};
  for (int i = 0; i < 3; ++i) sample.instances.push_back(sample.instances[0]), sample.instances.back().id = 10 + i;
  sample.instances[1].category = 2;
  sample.instances[2].crowd = true;
  sample.instances[3].mask = rle({7, 3, 38});
  sample.instances.push_back(sample.instances[3]);
  sample.instances[4].id = 20;
  sample.instances[4].mask = Mask();
  CHECK(found_in(checked(given({good("b", 2), sample}))) == Found{});
}

TEST_CASE("boxes that are a pixel too small do not miss their mask, and many objects of one box take no time") {
  auto thin = good("thin", 1);
  thin.instances[0].box = {1, 1, 1, 2};  // as tools write that subtract the first pixel from the last
  thin.instances[0].mask = rle({7, 2, 4, 2, 33});
  thin.instances[0].area = 80;  // of a box that reaches a pixel out of the image
  CHECK(found_in(checked(given({good("b", 2), thin}))) == Found{});
  auto many = good("many", 3);
  many.instances.resize(1);
  many.instances[0].box = {0, 0, 8, 6};
  for (int i = 1; i < 20000; ++i) {
    many.instances.push_back(many.instances[0]);
    many.instances.back().id = 100 + i;
    many.instances.back().category = i % 3;
    const auto first = static_cast<std::uint32_t>(1 + i % 40);
    many.instances.back().mask = rle({first, 2, 46 - first});
  }
  const auto start = std::clock();  // of this process alone: the machine may be busy
  const auto check = checked(given({good("b", 2), many}));
  CHECK((std::clock() - start) / CLOCKS_PER_SEC < 10);
  CHECK(check.counts[static_cast<std::size_t>(Finding::object_twice)] == 1);  // a line for all of the sample
}

TEST_CASE("images without annotation are notes, unless others have labels") {
  auto with = good("with", 1), without = good("without", 2), tagged = good("tagged", 3);
  for (auto* sample : {&with, &without, &tagged}) {
    sample->labels = sample->segment_ids = cv::Mat();
    sample->segments.clear();
  }
  without.instances.clear();
  tagged.instances.clear();
  tagged.tags = {0, 2};
  CHECK(found_in(checked(given({with, without, tagged}))) == Found{{"train without: no_annotation", 1}});
  CHECK(found_in(checked(given({without}))) == Found{{"train: no_annotation", 1}});
}

TEST_CASE("labels of overlapping classes are 0 to 1 or ignored") {
  auto sample = good("a", 1);
  sample.instances.clear();
  sample.segments.clear();
  sample.segment_ids = cv::Mat();
  sample.labels = cv::Mat(6, 8, CV_32FC3, cv::Scalar(1, 0.5, 0.4));
  sample.labels.at<cv::Vec3f>(0, 0) = {-1, -1, -1};
  CHECK(found_in(checked(given({sample}))) == Found{{"train: class_nowhere", 1}});  // 0.4 is outside
  sample.labels.at<cv::Vec3f>(4, 3)[2] = 1.25;
  CHECK(message_of(checked(given({sample})), "a", Finding::unknown_class) ==
        "pixel (3, 4) of the labels has the value 1.25, and labels per class have 0 to 1, or -1 (ignored); 1 such "
        "values");
}

TEST_CASE("what a dataset throws is a fault of one sample, and the others are still checked") {
  auto error = good("throws an error", 2);
  const auto check = checked(given({good("a", 1), error, good("b", 3)}));
  CHECK(found_in(check) ==
        Found{{"train throws an error: image_unreadable", 1}, {"train throws an error: labels_unreadable", 1}});
  CHECK(holds(message_of(check, "throws an error", Finding::image_unreadable), "does not work"));
}

TEST_CASE("a view and a copy of an image have the same hash; other sizes and types have not") {
  const cv::Mat image = noise(1, CV_8UC3, {20, 20});
  const cv::Mat view = image(cv::Rect(3, 2, 7, 5));
  CHECK(hash_of(view) == hash_of(view.clone()));
  CHECK_FALSE(hash_of(view) == hash_of(image(cv::Rect(4, 2, 7, 5))));
  const cv::Mat zeros(4, 6, CV_8U, cv::Scalar(0));
  CHECK_FALSE(hash_of(zeros) == hash_of(zeros.reshape(1, 6)));
  CHECK_FALSE(hash_of(zeros) == hash_of(zeros.reshape(3, 4)));
  std::set<std::pair<std::uint64_t, std::uint64_t>> hashes;
  for (int i = 0; i < 24; ++i)
    for (int bit = 0; bit < 8; ++bit) {
      cv::Mat one = zeros.clone();
      one.data[i] = static_cast<std::uint8_t>(1 << bit);
      hashes.insert({hash_of(one).low, hash_of(one).high});
    }
  CHECK(hashes.size() == 192);
  CHECK(is_constant(zeros));
  CHECK(is_constant(cv::Mat(3, 3, CV_8UC3, cv::Scalar(1, 2, 3))));
  CHECK_FALSE(is_constant(view));
}

TEST_CASE("work in order: results by index, exceptions end it") {
  for (const int workers : {1, 2, 7}) {
    std::vector<std::size_t> taken;
    in_order(
        500, workers, [](std::size_t i) { return i * i; },
        [&](std::size_t i, std::size_t made) {
          CHECK(made == i * i);
          taken.push_back(i);
        });
    REQUIRE(taken.size() == 500);
    CHECK(std::is_sorted(taken.begin(), taken.end()));
    const auto fails = [&] {
      in_order(
          500, workers, [](std::size_t i) { return i == 70 ? throw std::runtime_error("seventy") : i; },
          [](std::size_t, std::size_t) {});
    };
    CHECK_THROWS_WITH(fails(), "seventy");
    const auto refused = [&] {
      in_order(
          500, workers, [](std::size_t i) { return i; },
          [](std::size_t i, std::size_t) {
            if (i == 3) throw std::runtime_error("three");
          });
    };
    CHECK_THROWS_WITH(refused(), "three");
  }
  in_order(
      0, 3, [](std::size_t i) { return i; }, [](std::size_t, std::size_t) { CHECK(false); });
}
