// Transforms that hold other transforms, in the host's chain: with deferred warps around them, and samples mixed in.
#include <set>

#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "upper/loading/sample_source.h"

using namespace sectile;
using test::annotated;
using test::make;

namespace {

// The number of a sample is the value of its last channel.
class NestedNumbered final : public Dataset {
 public:
  std::size_t size() const override { return 5; }
  Sample read(std::size_t index, Parts) const override {
    auto sample = annotated({23 + static_cast<int>(index), 17});
    sample.id = std::to_string(index);
    cv::Mat channel(sample.image.size(), CV_8U, cv::Scalar(10 * static_cast<double>(index + 1)));
    cv::insertChannel(channel, sample.image, 2);
    return sample;
  }
  const LabelMap& labels() const override { return labels_; }

 private:
  LabelMap labels_;
};

SampleSource nested_source(const std::vector<const char*>& parts, bool fuse = false) {
  SampleSource source{std::make_shared<NestedNumbered>(), {}, 7, fuse};
  for (const char* json : parts) source.transforms.push_back(make<Transform>(json, test::context(4)));
  return source;
}

void check_nested_same(const Sample& a, const Sample& b, double difference) {
  REQUIRE(a.image.size() == b.image.size());
  CHECK(cv::norm(a.image, b.image, cv::NORM_INF) <= difference);
  CHECK(cv::norm(a.labels, b.labels, cv::NORM_INF) == 0);
  CHECK(cv::norm(a.segment_ids, b.segment_ids, cv::NORM_INF) == 0);
  REQUIRE(a.instances.size() == b.instances.size());
  for (std::size_t i = 0; i < a.instances.size(); ++i) CHECK(a.instances[i].id == b.instances[i].id);
  for (int i = 0; i < 16; ++i) CHECK(a.geometry.to_original.val[i] == doctest::Approx(b.geometry.to_original.val[i]));
}

// The values of the last channel.
std::set<int> nested_numbers(const Sample& sample) {
  cv::Mat channel;
  cv::extractChannel(sample.image, channel, 2);
  return std::set<int>(channel.begin<std::uint8_t>(), channel.end<std::uint8_t>());
}

constexpr const char* kNestedFlips = R"({"type": "sequence", "transforms": [
    {"type": "horizontal_flip"},
    {"type": "sometimes", "transforms": [{"type": "vertical_flip"}, {"type": "rotate90"}]}]})";
constexpr const char* kNestedChoice = R"({"type": "one_of", "probability": 0.8, "weights": [1, 2], "transforms": [
    {"type": "random_crop", "size": [12, 14]}, {"type": "some_of", "n": [1, 2], "transforms": [
        {"type": "pad", "size": [30, 30], "fill": 3}, {"type": "vertical_flip"}]}]})";
constexpr const char* kNestedMixing = R"({"type": "sequence", "transforms": [
    {"type": "pad", "size": [32, 32], "fill": 0}, {"type": "copy_paste", "probability": 1},
    {"type": "cutmix", "probability": 1}]})";

}  // namespace

TEST_CASE("nested transforms between deferred warps give the samples that they give without fusing") {
  const std::vector<const char*> parts{R"({"type": "random_scale", "range": [0.7, 1.9]})", kNestedFlips,
                                       R"({"type": "horizontal_flip"})", kNestedChoice,
                                       R"({"type": "pad", "divisor": 16})"};
  const auto in_a_row = nested_source(parts), fused = nested_source(parts, true);
  for (std::size_t epoch = 0; epoch < 6; ++epoch)
    for (std::size_t index = 0; index < 5; ++index)
      check_nested_same(fused.prepare({.epoch = epoch, .index = index}),
                        in_a_row.prepare({.epoch = epoch, .index = index}), 2);
}

TEST_CASE("a sample is the same whenever it is prepared, also if others are mixed in inside nested transforms") {
  const auto source = nested_source({R"({"type": "horizontal_flip"})", kNestedMixing}),
             again = nested_source({R"({"type": "horizontal_flip"})", kNestedMixing});
  again.prepare({.epoch = 3, .index = 4});  // what was prepared before does not matter
  std::set<std::set<int>> mixtures;
  for (std::size_t epoch = 0; epoch < 8; ++epoch)
    for (std::size_t index = 0; index < 5; ++index) {
      const auto one = source.prepare({.epoch = epoch, .index = index});
      check_nested_same(one, again.prepare({.epoch = epoch, .index = index}), 0);
      CHECK(one.image.size() == cv::Size(32, 32));
      mixtures.insert(nested_numbers(one));
    }
  CHECK(mixtures.size() > 10);
}

TEST_CASE("a mixing transform inside a sequence gets samples after the transforms in front of the sequence") {
  const auto source = nested_source({R"({"type": "resize", "size": [16, 16]})", R"({"type": "pad", "size": [20, 20]})",
                                     R"({"type": "sequence", "transforms": [{"type": "mosaic", "probability": 1,
                                         "target_size": [40, 40], "cell_shape": [40, 40], "fit_mode": "none",
                                         "center_range": [0.5, 0.5]}]})"});
  for (std::size_t index = 0; index < 5; ++index) {
    const auto sample = source.prepare({.epoch = 2, .index = index});
    REQUIRE(sample.image.size() == cv::Size(40, 40));
    for (const auto& [x, y] : {std::pair(0, 0), {20, 0}, {0, 20}, {20, 20}}) {
      const cv::Mat part = sample.image(cv::Rect(x, y, 20, 20));
      CHECK(part.at<cv::Vec3b>(0, 0)[2] > 0);                   // 16 x 16 pixels of an image
      CHECK(part.at<cv::Vec3b>(19, 19) == cv::Vec3b(0, 0, 0));  // and the padding
    }
    CHECK_FALSE(sample.geometry.invertible);
  }
}
