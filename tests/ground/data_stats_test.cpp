// Statistics of datasets against numpy's (data_stats.py), and of objects by hand.
#include <cstdlib>
#include <fstream>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "ground/checking/data_stats.h"
#include "ground/checking/sample_findings.h"
#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"

namespace fs = std::filesystem;
using namespace sectile;

namespace {

Json expected() {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/ground/data_stats.json");
  return Json::parse(file);
}

std::vector<SplitStats> stats_of(const std::vector<Split>& splits, int workers = 2) {
  return data_stats(splits, workers, [](const std::string&, std::size_t, std::size_t) {});
}

std::vector<Split> opened(const std::shared_ptr<const SpecFile>& spec) {
  return open_splits(read_data_spec(test::plugins(), *spec), "");
}
std::vector<Split> opened(const Json& spec) {
  auto file = std::make_shared<SpecFile>();
  file->json = spec;
  return opened(std::shared_ptr<const SpecFile>(file));
}

void compare(const std::vector<double>& found, const Json& wanted, double tolerance) {
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(found[i] - wanted[i].get<double>()) <= tolerance * std::max(1., std::abs(found[i])));
  }
}

// Counts are equal, and numbers but for the order of float64 sums in numpy.
void compare(const SplitStats& found, const Json& wanted) {
  constexpr double kRounding = 1e-12, kSums = 1e-10;
  CAPTURE(found.name);
  CHECK(found.images == wanted["images"].get<std::int64_t>());
  CHECK(found.labeled == found.images);
  CHECK(found.skipped == 0);
  CHECK(found.ignored == wanted["ignored"].get<std::int64_t>());
  CHECK(static_cast<double>(found.ignored) / static_cast<double>(found.label_values) ==
        doctest::Approx(wanted["ignored_share"].get<double>()).epsilon(kRounding));
  REQUIRE(found.classes.size() == wanted["pixels"].size());
  std::vector<double> shares;
  for (std::size_t c = 0; c < found.classes.size(); ++c) {
    const auto& of = found.classes[c].frequency;
    CHECK(of.pixels == wanted["pixels"][c].get<std::int64_t>());
    CHECK(of.images == wanted["class_images"][c].get<std::int64_t>());
    shares.push_back(static_cast<double>(of.pixels) / static_cast<double>(of.counted));
  }
  compare(shares, wanted["share"], kRounding);
  for (const auto rule : kWeightRules) {
    CAPTURE(name_of(rule));
    compare(class_weights(rule, found.frequencies()), wanted["class_weights"][name_of(rule)], kRounding);
  }
  REQUIRE(found.pixels.size() == 1);
  compare(found.pixels[0].mean, wanted["mean"], kSums);
  compare(found.pixels[0].deviation, wanted["deviation"], kSums);
  const auto is = [&](const Extent& size, const char* name) {
    CHECK(size.height == wanted[name][0].get<int>());
    CHECK(size.width == wanted[name][1].get<int>());
  };
  is(found.sizes.smallest, "smallest");
  is(found.sizes.median, "median");
  is(found.sizes.largest, "largest");
  CHECK(found.sizes.different == wanted["different"].get<std::int64_t>());
}

// As data_stats.py makes it.
Json made_dataset(const test::Scratch& scratch) {
  const int sizes[][2] = {{5, 7}, {6, 4}, {5, 7}, {9, 3}};
  fs::create_directories(scratch / "images");
  fs::create_directories(scratch / "masks");
  for (int i = 0; i < 4; ++i) {
    cv::Mat image(sizes[i][0], sizes[i][1], CV_16UC3), mask(image.size(), CV_8U);
    for (int y = 0; y < image.rows; ++y)
      for (int x = 0; x < image.cols; ++x) {
        for (int c = 0; c < 3; ++c)
          image.at<cv::Vec3w>(y, x)[c] =
              static_cast<std::uint16_t>((i * 7919 + y * 613 + x * 1009 + c * 4001 + y * x * 37) * 5 % 65536);
        const int label = (x * (1 + i) + 2 * y + i) % 5;
        mask.at<std::uint8_t>(y, x) = static_cast<std::uint8_t>(label >= 3 ? 255 : label);
      }
    write_png(scratch / ("images/" + std::to_string(i) + ".png"), image);
    write_png(scratch / ("masks/" + std::to_string(i) + ".png"), mask);
  }
  return {{"type", "image_folder"},
          {"root", scratch.path().string()},
          {"masks", "masks"},
          {"classes", {{{"name", "a"}}, {{"name", "b"}}, {{"name", "c"}}, {{"name", "never"}}}},
          {"ignore", {255}}};
}

class Prepared final : public Dataset {
 public:
  explicit Prepared(std::vector<Sample> samples) : samples_(std::move(samples)) {
    for (const char* name : {"road", "car", "man"}) {
      LabelClass made;
      made.name = name;
      made.thing = made.name != "road";
      labels_.classes.push_back(made);
    }
  }
  std::size_t size() const override { return samples_.size(); }
  using Dataset::read;
  Sample read(std::size_t index, Parts) const override { return samples_[index]; }
  const LabelMap& labels() const override { return labels_; }

 private:
  std::vector<Sample> samples_;
  LabelMap labels_;
};

std::vector<Split> prepared(std::vector<Sample> samples) {
  return {{"train", std::make_shared<Prepared>(std::move(samples)), ""}};
}

Sample blank(const std::string& id, const cv::Mat& image) {
  Sample sample;
  sample.id = id;
  sample.image = image;
  return sample;
}

Instance object(int category, cv::Rect2f box, std::optional<double> area = {}, bool crowd = false) {
  Instance instance;
  instance.category = category;
  instance.box = box;
  instance.area = area;
  instance.crowd = crowd;
  return instance;
}

}  // namespace

TEST_CASE("statistics of a made dataset of 16 bits equal numpy's, with any number of workers") {
  const test::Scratch scratch;
  const auto splits = opened({{"data", {{"train", made_dataset(scratch)}}}});
  const auto all = stats_of(splits);
  REQUIRE(all.size() == 1);
  compare(all[0], expected()["made"]);
  CHECK(all[0].pixels[0].max_value == 65535);
  CHECK(all[0].sizes.most_frequent == Extent{1, 5, 7});
  CHECK(all[0].sizes.most_frequent_count == 2);
  for (const int workers : {1, 3, 9}) CHECK(stats_json(stats_of(splits, workers)) == stats_json(all));
}

TEST_CASE("statistics of real datasets equal numpy's") {
  const char* folder = std::getenv("SECTILE_DATA");
  if (!folder || !fs::exists(fs::path(folder) / "camvid") || !fs::exists(fs::path(folder) / "voc-mini")) {
    MESSAGE("skipped: SECTILE_DATA names no folder with camvid and voc-mini");
    return;
  }
  for (const char* name : {"camvid", "voc"}) {
    const auto wanted = expected()[name];
    const auto all =
        stats_of(opened(open_spec(fs::path(SECTILE_SOURCE_DIR "/specs") / (std::string(name) + ".json"), {})));
    REQUIRE(all.size() == wanted.size());
    for (const auto& split : all) compare(split, wanted[split.name]);
  }
}

TEST_CASE("objects are counted by class and by the stated area, or that of the mask, or of the box") {
  const cv::Mat image(200, 200, CV_8UC3, cv::Scalar(10, 20, 30));
  auto first = blank("first", image), second = blank("second", image.clone()), third = blank("third", image.clone());
  first.instances = {
      object(1, {0, 0, 31, 33}),           // 1023: small
      object(1, {0, 0, 32, 32}),           // 1024: medium
      object(1, {0, 0, 96, 96}),           // 9216: large
      object(2, {0, 0, 190, 190}, 5),      // stated: small
      object(2, {0, 0, 190, 190}, 9215.5)  // stated: medium
  };
  second.instances = {object(2, {0, 0, 150, 150}), object(1, {0, 0, 150, 150}, {}, /*crowd=*/true)};
  cv::Mat bits(200, 200, CV_8U, cv::Scalar(0));
  bits(cv::Rect(3, 3, 40, 40)).setTo(1);
  second.instances[0].mask = Mask(bits);  // 1600: medium
  Polygons polygons;
  polygons.size = {200, 200};
  polygons.rings = {{{10, 10}, {110, 10}, {110, 110}, {10, 110}}, {{120, 10}, {130, 10}, {130, 20}, {120, 20}}};
  second.instances.push_back(object(2, {10, 10, 120, 100}));
  second.instances[2].mask = Mask(polygons);  // 10100: large
  CHECK(area_of(second.instances[2]) == 10100);
  const auto all = stats_of(prepared({first, second, third}));
  using Sizes = std::array<std::int64_t, 3>;
  CHECK(all[0].classes[0].objects == Sizes{0, 0, 0});
  CHECK(all[0].classes[1].objects == Sizes{1, 1, 1});
  CHECK(all[0].classes[2].objects == Sizes{1, 2, 1});
  CHECK(all[0].classes[1].crowds == 1);
  CHECK(all[0].classes[2].frequency.images == 2);
  CHECK(all[0].labeled == 0);
  CHECK(all[0].objects.least == 0);
  CHECK(all[0].objects.most == 5);
  CHECK(all[0].objects.images_without == 1);
  CHECK(all[0].objects.median == 2);
  CHECK(all[0].objects.mean == doctest::Approx(7. / 3));
  CHECK(class_weights(WeightRule::inverse_frequency, all[0].frequencies()).empty());  // no labels
  CHECK(stats_text(all).find("inverse_frequency") == std::string::npos);
  CHECK(stats_text(all).find(": 3 images, 2 with objects\n") != std::string::npos);
  const auto json = Json::parse(stats_json(all));
  CHECK(json["splits"][0]["class_weights"]["enet"].is_null());
  CHECK(json["splits"][0]["classes"][2]["medium"] == 2);
}

TEST_CASE("a map of segments alone gives pixels and objects; void and unlisted segments are ignored") {
  auto sample = blank("a", cv::Mat(100, 100, CV_8UC3, cv::Scalar(1, 2, 3)));
  sample.segment_ids = cv::Mat(100, 100, CV_32S, cv::Scalar(0));
  sample.segment_ids(cv::Rect(0, 0, 100, 50)).setTo(7);   // road: stuff
  sample.segment_ids(cv::Rect(0, 50, 50, 40)).setTo(8);   // car
  sample.segment_ids(cv::Rect(60, 50, 10, 10)).setTo(9);  // car
  sample.segment_ids(cv::Rect(90, 90, 10, 10)).setTo(5);  // not listed
  sample.segments = {{7, 0, false}, {8, 1, false}, {9, 1, false}};
  const auto stats = stats_of(prepared({sample}))[0];
  CHECK(stats.classes[0].frequency.pixels == 5000);
  CHECK(stats.classes[1].frequency.pixels == 2100);
  CHECK(stats.classes[0].all_objects() == 0);
  CHECK(stats.classes[1].objects == std::array<std::int64_t, 3>{1, 1, 0});
  CHECK(stats.ignored == 2900);
  CHECK(stats.label_values == 10000);
}

TEST_CASE("overlapping classes are counted each for itself") {
  auto sample = blank("a", cv::Mat(1, 4, CV_8UC1, cv::Scalar(9)));
  sample.labels = cv::Mat(1, 4, CV_32FC3, cv::Scalar::all(0));
  sample.labels.at<cv::Vec3f>(0, 0) = {1, 0.5f, 0.49f};
  sample.labels.at<cv::Vec3f>(0, 1) = {1, -1, 0};
  const auto all = stats_of(prepared({sample}));
  CHECK(stats_text(all).find("\"inverse\" of a loss is inverse_frequency, divided by its mean") != std::string::npos);
  const auto& stats = all[0];
  CHECK(stats.classes[0].frequency.pixels == 2);
  CHECK(stats.classes[0].frequency.counted == 4);
  CHECK(stats.classes[1].frequency.pixels == 1);
  CHECK(stats.classes[1].frequency.counted == 3);
  CHECK(stats.classes[2].frequency.images == 0);
  CHECK(stats.label_values == 12);
  CHECK(stats.ignored == 1);
  const auto weights = class_weights(WeightRule::inverse_frequency, stats.frequencies());
  CHECK(weights == std::vector<double>{1, 1.5, 0});  // 4 / (2 · 2) and 3 / (2 · 1)
}

TEST_CASE("mean and deviation of floats, signed and volumes; kinds of images apart") {
  cv::Mat floats(1, 4, CV_32FC1);
  const float values[] = {0.5f, 1.5f, -2, 4};
  std::copy(std::begin(values), std::end(values), floats.ptr<float>());
  cv::Mat more(1, 2, CV_32FC1, cv::Scalar(10));
  const int extents[] = {2, 2, 3};
  cv::Mat volume(3, extents, CV_16S, cv::Scalar(-100));
  volume.at<std::int16_t>(1, 1, 2) = 500;
  const auto stats = stats_of(prepared({blank("a", floats), blank("v", volume), blank("b", more)}))[0];
  REQUIRE(stats.pixels.size() == 2);
  CHECK(stats.pixels[0].depth == CV_32F);
  CHECK(stats.pixels[0].images == 2);
  CHECK(stats.pixels[0].mean[0] == doctest::Approx(4).epsilon(1e-12));
  CHECK(stats.pixels[0].deviation[0] == doctest::Approx(std::sqrt(126.5 / 6)).epsilon(1e-12));
  CHECK(stats.pixels[1].depth == CV_16S);
  CHECK(stats.pixels[1].pixels == 12);
  CHECK(stats.pixels[1].mean[0] == doctest::Approx(-50).epsilon(1e-12));
  CHECK(stats.pixels[1].deviation[0] == doctest::Approx(std::sqrt(27500.)).epsilon(1e-12));
  CHECK(stats.sizes.largest == Extent{2, 2, 3});
}

TEST_CASE("samples that cannot be used are left out, counted and told") {
  auto bad = blank("bad", cv::Mat(2, 2, CV_8UC1, cv::Scalar(9)));
  bad.labels = cv::Mat(2, 2, CV_16S, cv::Scalar(3));
  auto fine = blank("fine", cv::Mat(2, 2, CV_8UC1, cv::Scalar(51)));
  auto empty = blank("empty", cv::Mat());
  auto wrong = blank("wrong", fine.image);
  wrong.tags = {-1};
  const auto all = stats_of(prepared({bad, fine, empty, wrong}));
  CHECK(all[0].skipped == 3);
  CHECK(all[0].images == 1);
  CHECK(all[0].pixels[0].mean == std::vector<double>{0.2});
  CHECK(all[0].reasons.size() == 3);
  CHECK(stats_text(all).find("3 of 4 samples cannot be used and are not counted:\n  bad: ") != std::string::npos);
}

TEST_CASE("class weights by hand") {
  // Three images of 100 counted pixels: class 0 in all, class 1 in one, class 2 nowhere.
  const std::vector<ClassFrequency> classes{{250, 300, 300, 3}, {50, 300, 100, 1}, {0, 300, 0, 0}};
  const auto check = [&](WeightRule rule, const std::vector<double>& wanted) {
    const auto found = class_weights(rule, classes);
    REQUIRE(found.size() == wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(wanted[i]).epsilon(1e-9));
  };
  check(WeightRule::inverse_frequency, {0.6, 3, 0});
  check(WeightRule::median_frequency, {0.8, 4. / 3, 0});  // frequencies 5/6 and 1/2, median 2/3
  check(WeightRule::enet, {1.62078279312, 5.84288746042, 50.4983497918});
  check(WeightRule::effective_number, {0.500375156273, 1.49962484373, 0});
  CHECK(class_weights(WeightRule::enet, {}).empty());
}
