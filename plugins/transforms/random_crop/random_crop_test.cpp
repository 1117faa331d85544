#include <map>
#include <set>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

TEST_CASE("random_crop cuts every place of the image alike, with all annotation") {
  const auto crop = make<Transform>(R"({"type": "random_crop", "size": [10, 20]})");
  const auto before = annotated();
  int corners[4][8] = {};
  for (std::uint64_t seed = 0; seed < 800; ++seed) {
    const auto after = applied(*crop, before, seed);
    REQUIRE(after.image.size() == cv::Size(20, 10));
    if (seed < 20) check_moved_together(before, after);
    const cv::Point at = sectile::test::source(after, 0, 0);
    ++corners[at.x][at.y];
  }
  for (const auto& row : corners)
    for (const int times : row) CHECK(times > 8);  // of 25
}

TEST_CASE("random_crop pads what is smaller, at a random place, with fill and ignored labels") {
  const auto crop = make<Transform>(R"({"type": "random_crop", "size": [30, 20], "fill": 9})");
  const auto before = annotated();
  std::set<int> tops;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto after = applied(*crop, before, seed);
    check_moved_together(before, after);
    const int top = -sectile::test::source(after, 0, 0).y;
    tops.insert(top);
    CHECK(top >= 0);
    CHECK(cv::countNonZero(after.labels == sectile::kIgnore) == 13 * 20);
    CHECK(after.image.at<cv::Vec3b>(top > 0 ? 0 : 29, 0) == cv::Vec3b(9, 9, 9));
  }
  CHECK(tops.size() == 14);
}

TEST_CASE("random_crop looks for a window in which no class has more than its share") {
  sectile::Sample sample;
  sample.image = cv::Mat(10, 200, CV_8U, 0.0);
  sample.labels = cv::Mat(10, 200, CV_16S, cv::Scalar(0));
  sample.labels(cv::Rect(150, 0, 50, 10)).setTo(1);
  const auto share_of_mixed = [&](const char* json) {
    const auto crop = make<Transform>(json);
    int mixed = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      const auto after = applied(*crop, sample, seed);
      const int ones = cv::countNonZero(after.labels == 1);
      mixed += ones >= 100 && ones <= 300;
    }
    return mixed;
  };
  CHECK(share_of_mixed(R"({"type": "random_crop", "size": [10, 40]})") < 75);
  CHECK(share_of_mixed(R"({"type": "random_crop", "size": [10, 40], "category_max_ratio": 0.76})") > 200);
}

TEST_CASE("random_crop refuses a size that is neither of an image nor of a volume") {
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "random_crop", "size": [30]})"),
                       doctest::Contains("/part/size: has 1 values"), sectile::SpecError);
  const auto deep = make<Transform>(R"({"type": "random_crop", "size": [2, 3, 4]})");
  CHECK_THROWS_WITH_AS(applied(*deep, annotated()), doctest::Contains("annotated: is an image"), sectile::DataError);
  sectile::Sample volume;
  const int sizes[] = {5, 6, 7};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(1));
  CHECK(sectile::extent(applied(*deep, volume).image) == sectile::Extent{2, 3, 4});
}

TEST_CASE("random_crop fills each channel and the labels with what it is told") {
  sectile::BuildContext context;
  auto labels = std::make_shared<sectile::LabelMap>();
  labels->classes = {{.name = "sky"}, {.name = "road"}};
  context.labels = labels;
  const auto crop =
      make<Transform>(R"({"type": "random_crop", "size": [17, 40], "fill": [1, 2, 3], "label_fill": "road"})", context);
  const auto after = applied(*crop, annotated());
  const bool at_left = sectile::test::source(after, 0, 0).x < 0;
  CHECK(after.image.at<cv::Vec3b>(0, at_left ? 0 : 39) == cv::Vec3b(1, 2, 3));
  CHECK(after.labels.at<std::int16_t>(0, at_left ? 0 : 39) == 1);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "random_crop", "label_fill": "raod"})", context),
                       doctest::Contains("/part/label_fill: names the class \"raod\""), sectile::SpecError);
}

TEST_CASE("random_crop looks at labels only where a class may have too large a share, or is to be in the center") {
  const auto looks = [](const char* json) {
    return std::dynamic_pointer_cast<sectile::GeometricTransform>(make<Transform>(json))->looks_at_pixels();
  };
  CHECK_FALSE(looks(R"({"type": "random_crop"})"));
  CHECK(looks(R"({"type": "random_crop", "category_max_ratio": 0.75})"));
  CHECK(looks(R"({"type": "random_crop", "class_probability": 0.1})"));
}

namespace {

// 40 x 60 pixels of class 0, but 300 of class 1 and one of class 2, in the corner.
sectile::Sample with_a_rare_class() {
  sectile::Sample sample;
  sample.image = cv::Mat(40, 60, CV_8UC3, cv::Scalar::all(9));
  sample.labels = cv::Mat(40, 60, CV_16S, cv::Scalar(0));
  sample.labels(cv::Rect(20, 10, 30, 10)).setTo(1);
  sample.labels.at<std::int16_t>(39, 59) = 2;
  return sample;
}

// The class at the pixel that a crop of [9, 11] has in its center, in crops by 3000 seeds; -1: where it is at the edge
// of the image.
std::map<int, double> classes_in_centers(const char* options, const sectile::Sample& sample) {
  const auto json = std::string(R"({"type": "random_crop", "size": [9, 11])").append(options).append("}");
  const auto crop = make<Transform>(json, sectile::test::context(4));
  std::map<int, double> shares;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const auto after = applied(*crop, sample, seed);
    const auto at = sectile::test::source(after, 5, 4);
    const bool edge = at.x == 5 || at.x == 54 || at.y == 4 || at.y == 35;
    shares[edge ? -1 : sample.labels.at<std::int16_t>(at)] += 1 / 3000.;
  }
  return shares;
}

}  // namespace

TEST_CASE("random_crop puts pixels of the classes in the center, each class as often and each of its pixels") {
  const auto sample = with_a_rare_class();
  auto shares = classes_in_centers(R"(, "class_probability": 1, "classes": ["1"])", sample);
  CHECK(shares[1] == doctest::Approx(1));
  shares =
      classes_in_centers(R"(, "class_probability": 1, "classes": ["1", "2", "3"])", sample);  // no pixel has class 3
  CHECK(shares[1] == doctest::Approx(0.5).epsilon(0.03));
  CHECK(shares[-1] == doctest::Approx(0.5).epsilon(0.03));
  // Of 2099 pixels of class 0, 959 have their window at the edge of the image.
  shares = classes_in_centers(R"(, "class_probability": 1)", sample);
  CHECK(shares[1] == doctest::Approx(1 / 3.).epsilon(0.03));
  CHECK(shares[0] == doctest::Approx(1 / 3. * 1140 / 2099).epsilon(0.03));

  const auto crop =
      make<Transform>(R"({"type": "random_crop", "size": [1, 1], "class_probability": 1, "classes": ["1"]})",
                      sectile::test::context(4));
  std::map<std::pair<int, int>, int> places;
  for (std::uint64_t seed = 0; seed < 9000; ++seed) {
    const auto at = sectile::test::source(applied(*crop, sample, seed), 0, 0);
    ++places[{at.x, at.y}];
  }
  CHECK(places.size() == 300);
  for (const auto& place : places) CHECK(place.second > 8);  // of 30
}

TEST_CASE("random_crop leaves other crops at random, and all of an image without the classes") {
  const auto sample = with_a_rare_class();
  auto shares = classes_in_centers(R"(, "class_probability": 0.33, "classes": ["1"])", sample);
  // The center of a random window is one of 32 x 50 pixels, of which 300 have class 1.
  CHECK(shares[1] == doctest::Approx(0.33 + 0.67 * 300 / 1600).epsilon(0.03));
  const auto anywhere = classes_in_centers("", sample);
  CHECK(classes_in_centers(R"(, "class_probability": 1, "classes": ["3"])", sample).at(1) ==
        doctest::Approx(anywhere.at(1)).epsilon(0.04));
  auto unlabelled = sample;
  unlabelled.labels = cv::Mat();
  const auto crop = make<Transform>(R"({"type": "random_crop", "size": [9, 11], "class_probability": 1})");
  CHECK(applied(*crop, unlabelled).image.size() == cv::Size(11, 9));
}

TEST_CASE("random_crop finds pixels of overlapping classes, of objects, and of volumes") {
  const auto context = sectile::test::context(3);
  const auto crop = make<Transform>(
      R"({"type": "random_crop", "size": [1, 1], "class_probability": 1, "classes": ["1", "2"]})", context);
  auto sample = with_a_rare_class();
  sample.labels = cv::Mat(40, 60, CV_32FC3, cv::Scalar(1, 0.4, sectile::kIgnore));
  sample.labels.at<cv::Vec3f>(7, 8) = {0, 0.5f, 1};
  for (const float second : {1.f, 0.4f}) {  // in the second round, no pixel has class 2
    sample.labels.at<cv::Vec3f>(7, 8)[2] = second;
    for (std::uint64_t seed = 0; seed < 20; ++seed)
      CHECK(sectile::test::source(applied(*crop, sample, seed), 0, 0) == cv::Point(8, 7));
  }

  sample.labels = cv::Mat();
  for (const int category : {0, 1, 2, 2}) {
    sectile::Instance instance;
    instance.category = category;
    instance.box = {float(10 * category + 3), 5, 1, 1};
    if (category == 1) {
      cv::Mat bitmap(40, 60, CV_8U, cv::Scalar(0));
      bitmap.at<std::uint8_t>(30, 2) = bitmap.at<std::uint8_t>(31, 2) = 1;
      instance.mask = sectile::Mask(bitmap);
    }
    sample.instances.push_back(instance);
  }
  sample.instances.push_back(sample.instances.front());
  sample.instances.back().category = 2, sample.instances.back().crowd = true;
  std::map<int, int> columns;
  for (std::uint64_t seed = 0; seed < 400; ++seed)
    ++columns[sectile::test::source(applied(*crop, sample, seed), 0, 0).x];
  CHECK(columns.size() == 2);
  CHECK(columns[2] > 150);  // of the mask
  CHECK(columns[23] > 150);

  sectile::Sample volume;
  const int sizes[] = {5, 6, 7};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(0)), volume.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(0));
  volume.labels.at<std::int16_t>(3, 1, 5) = 2;
  const auto cube = make<Transform>(
      R"({"type": "random_crop", "size": [1, 1, 1], "class_probability": 1, "classes": ["2"]})", context);
  CHECK(applied(*cube, volume, 3).labels.at<std::int16_t>(0, 0, 0) == 2);
}

TEST_CASE("random_crop refuses classes that it does not use or know") {
  const auto refuses = [](const char* options, const char* message) {
    const auto json = std::string(R"({"type": "random_crop", )").append(options).append("}");
    CHECK_THROWS_WITH_AS(make<Transform>(json, sectile::test::context(2)), doctest::Contains(message),
                         sectile::SpecError);
  };
  refuses(R"("classes": ["1"])", "/part/classes: are only used with class_probability");
  refuses(R"("class_probability": 1, "classes": ["7"])", "/part/classes/0: names the class \"7\"");
  refuses(R"("class_probability": 1.5)", "/part/class_probability");
}

// As in mmsegmentation, where a share must be less than cat_max_ratio, and the tenth window is taken as it is.
TEST_CASE("random_crop draws up to ten times, also where a class has exactly the largest share") {
  sectile::Sample sample;
  sample.image = cv::Mat(1, 40, CV_8U, 0.0);
  sample.labels = cv::Mat(1, 40, CV_16S);
  for (int x = 0; x < 40; ++x) sample.labels.at<std::int16_t>(0, x) = x % 3 == 2;
  for (int x = 20; x < 23; ++x) sample.labels.at<std::int16_t>(0, x) = static_cast<std::int16_t>(x - 18);
  // Of 38 windows of three pixels, those that start at 19 to 22 have three classes, and all others one class twice.
  const auto crop =
      make<Transform>(R"({"type": "random_crop", "size": [1, 3], "category_max_ratio": 0.66666666666666663})");
  int of_three_classes = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const int start = sectile::test::source(applied(*crop, sample, seed), 0, 0).x;
    of_three_classes += start >= 19 && start <= 22;
  }
  const double expected = 1000 * (1 - std::pow(34 / 38.0, 10));
  CHECK(std::abs(of_three_classes - expected) < 60);  // four standard deviations
}

TEST_CASE("random_crop counts no ignored pixels for the share of a class") {
  sectile::Sample sample;
  sample.image = cv::Mat(1, 40, CV_8U, 0.0);
  sample.labels = cv::Mat(1, 40, CV_16S, cv::Scalar(2));
  for (int x = 20; x < 25; ++x)
    sample.labels.at<std::int16_t>(0, x) = static_cast<std::int16_t>(std::max(x - 23, int{sectile::kIgnore}));
  // (2, -1, -1, -1, 0), (-1, -1, -1, 0, 1), (-1, -1, 0, 1, 2) and (-1, 0, 1, 2, 2) have no class of 60 %.
  const auto crop = make<Transform>(R"({"type": "random_crop", "size": [1, 5], "category_max_ratio": 0.6})");
  std::map<int, int> starts;
  for (std::uint64_t seed = 0; seed < 1000; ++seed)
    ++starts[sectile::test::source(applied(*crop, sample, seed), 0, 0).x];
  for (const int start : {19, 20, 21, 22}) CHECK(starts[start] > 120);  // of 173
}

TEST_CASE("random_crop looks for the share of a class in soft labels, overlapping classes and volumes") {
  const auto mixed = [](const sectile::Sample& sample, bool overlapping, const char* size, const char* ratio) {
    const auto crop = make<Transform>(std::string(R"({"type": "random_crop", "size": )")
                                          .append(size)
                                          .append(R"(, "category_max_ratio": )")
                                          .append(ratio)
                                          .append("}"),
                                      sectile::test::context(2, 1, overlapping));
    int found = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      const auto labels = applied(*crop, sample, seed).labels;
      const auto one_sided = [&](const auto& is_first) {
        const auto whole = sectile::extent(labels);
        for (int z = 0; z < whole.depth; ++z)
          for (int x = 0; x < whole.width; ++x)
            if (!is_first(z, x)) return false;
        return true;
      };
      if (labels.type() == CV_32FC2)
        found += !one_sided([&](int, int x) { return labels.at<cv::Vec2f>(0, x)[0] > 0.5f; });
      else
        found += !one_sided([&](int z, int x) { return labels.at<std::int16_t>(z, 0, x) == 0; });
    }
    return found;
  };
  sectile::Sample sample;
  sample.image = cv::Mat(1, 40, CV_8U, 0.0);
  sample.labels = cv::Mat(1, 40, CV_32FC2, cv::Scalar(0.6, 0.4));
  sample.labels(cv::Rect(20, 0, 2, 1)).setTo(cv::Scalar(0.4, 0.6));
  // Of 37 windows, 5 have a pixel of the second class.
  CHECK(mixed(sample, false, "[1, 4]", "1") < 80);
  CHECK(mixed(sample, false, "[1, 4]", "0.9") > 190);  // of 231
  sample.labels(cv::Rect(20, 0, 2, 1)).setTo(cv::Scalar(0, 0));
  CHECK(mixed(sample, true, "[1, 4]", "0.9") > 190);

  sectile::Sample volume;
  const int sizes[] = {20, 1, 4};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(0)), volume.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(0));
  volume.labels.at<std::int16_t>(10, 0, 2) = 1;
  CHECK(mixed(volume, false, "[2, 1, 4]", "1") < 60);      // 2 of 19
  CHECK(mixed(volume, false, "[2, 1, 4]", "0.95") > 160);  // 67 %: 202
}

TEST_CASE("random_crop by itself takes 256 x 256 pixels") {
  sectile::Sample sample;
  sample.image = cv::Mat(300, 401, CV_8U, cv::Scalar(1));
  CHECK(applied(*make<Transform>(R"({"type": "random_crop"})"), sample).image.size() == cv::Size(256, 256));
}
