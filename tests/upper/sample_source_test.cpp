#include "upper/loading/sample_source.h"

#include <set>
#include <utility>

#include <sectile/error.h>
#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/component.h"

using namespace sectile;
using test::annotated;
using test::make;

namespace {

// Annotated samples, with as many support samples.
class Toy final : public Dataset {
 public:
  explicit Toy(std::size_t support = 0) : support_(support) {}
  std::size_t size() const override { return 5; }
  Sample read(std::size_t index, Parts) const override {
    auto sample = annotated({23 + static_cast<int>(index), 17});
    sample.id = std::to_string(index);
    for (std::size_t i = 0; i < support_; ++i) sample.support.push_back(annotated({31, 20}));
    return sample;
  }
  const LabelMap& labels() const override { return labels_; }

 private:
  std::size_t support_;
  LabelMap labels_;
};

// Changes pixels, by what it sees.
class Brighten final : public Transform {
 public:
  void apply(Sample& sample, Draw& draw) const override {
    sample.image = sample.image + cv::Scalar::all(cv::mean(sample.image)[0] > 0 ? draw.random.uniform(5, 20) : 0);
  }
};

// Cuts the window that begins at the first pixel of class 1.
class CropAtLabel final : public GeometricTransform {
 public:
  bool looks_at_pixels() const override { return true; }
  Warp warp(const Sample& sample, Draw&) const override {
    for (int y = 0; y < sample.labels.rows; ++y)
      for (int x = 0; x < sample.labels.cols; ++x)
        if (sample.labels.at<std::int16_t>(y, x) == 1) return Warp::crop(x, y, 0, {1, 9, 12});
    return Warp::crop(0, 0, 0, {1, 9, 12});
  }
};

// Notes what it is shown.
class Watch final : public GeometricTransform {
 public:
  Warp warp(const Sample& sample, Draw&) const override {
    seen.push_back(sample);
    return Warp::crop(0, 0, 0, extent(sample.image));
  }
  mutable std::vector<Sample> seen;
};

class LoseImage final : public Transform {
 public:
  void apply(Sample& sample, Draw&) const override { sample.image = cv::Mat(); }
};

class CutAllAway final : public GeometricTransform {
 public:
  Warp warp(const Sample&, Draw&) const override { return Warp::crop(0, 0, 0, {1, 0, 9}); }
};

// Only the samples that are named can be read.
class PartlyBad final : public Dataset {
 public:
  explicit PartlyBad(std::set<std::size_t> good) : good_(std::move(good)) {}
  std::size_t size() const override { return 6; }
  Sample read(std::size_t index, Parts) const override {
    if (!good_.count(index)) throw DataError(std::to_string(index), "is damaged");
    auto sample = annotated({20, 17});
    sample.id = std::to_string(index);
    return sample;
  }
  const LabelMap& labels() const override { return labels_; }

 private:
  std::set<std::size_t> good_;
  LabelMap labels_;
};

// Becomes the sample that it is given to mix in.
class TakeOther final : public Transform {
 public:
  void apply(Sample& sample, Draw& draw) const override { sample = draw.another(); }
};

TransformChain chain(const std::vector<const char*>& parts) {
  TransformChain made;
  for (const char* json : parts) made.push_back(make<Transform>(json));
  return made;
}

// pixels_too: not where an edge stands before a change of scale. What is behind it is blended with, or is not.
void check_alike(const Sample& fused, const Sample& in_a_row, bool pixels_too = true) {
  REQUIRE(fused.image.size() == in_a_row.image.size());
  CHECK(cv::norm(fused.labels, in_a_row.labels, cv::NORM_INF) == 0);
  CHECK(cv::norm(fused.segment_ids, in_a_row.segment_ids, cv::NORM_INF) == 0);
  if (pixels_too) CHECK(cv::norm(fused.image, in_a_row.image, cv::NORM_INF) <= 2);
  for (int i = 0; i < 16; ++i)
    CHECK(fused.geometry.to_original.val[i] == doctest::Approx(in_a_row.geometry.to_original.val[i]));
  CHECK(fused.instances.size() == in_a_row.instances.size());
}

void check_fusing(const Toy& data, const TransformChain& transforms, bool pixels_too = true) {
  const std::shared_ptr<const Dataset> shared(&data, [](const Dataset*) {});
  const SampleSource in_a_row{shared, transforms, 7}, fused{shared, transforms, 7, true};
  for (std::size_t epoch = 0; epoch < 4; ++epoch)
    for (std::size_t i = 0; i < data.size(); ++i) {
      const auto one = fused.prepare({.epoch = epoch, .index = i}),
                 other = in_a_row.prepare({.epoch = epoch, .index = i});
      check_alike(one, other, pixels_too);
      REQUIRE(one.support.size() == other.support.size());
      for (std::size_t shot = 0; shot < one.support.size(); ++shot)
        check_alike(one.support[shot], other.support[shot], pixels_too);
    }
}

constexpr const char* kScale = R"({"type": "random_scale", "range": [0.7, 1.9]})";
constexpr const char* kTurn = R"({"type": "rotate90"})";
constexpr const char* kFlip = R"({"type": "horizontal_flip"})";
constexpr const char* kCrop = R"({"type": "random_crop", "size": [19, 26], "fill": [9, 8, 7]})";
constexpr const char* kCareful = R"({"type": "random_crop", "size": [11, 12], "category_max_ratio": 0.6})";
constexpr const char* kPad = R"({"type": "pad", "divisor": 16, "fill": 3, "position": "center"})";

}  // namespace

TEST_CASE("fused transforms give the samples that transforms in a row give, with the same random numbers") {
  check_fusing(Toy(), chain({kScale, kTurn, kFlip, kCrop, kPad}));
  check_fusing(Toy(), chain({kCrop, kPad, kScale, kTurn, kFlip, kCrop}), false);
  check_fusing(Toy(2), chain({kScale, kFlip, kCrop}));
}

TEST_CASE("a transform that looks at pixels or labels sees the right ones, and starts another run") {
  check_fusing(Toy(), chain({kScale, kFlip, kCareful, kTurn, kPad}));
  auto transforms = chain({kScale, kFlip});
  transforms.push_back(std::make_shared<CropAtLabel>());
  transforms.push_back(make<Transform>(kTurn));
  check_fusing(Toy(), transforms);
  transforms.push_back(std::make_shared<Brighten>());
  transforms.push_back(make<Transform>(kFlip));
  check_fusing(Toy(1), transforms);
}

TEST_CASE("while warps are held back, transforms see the size that the image will have, and its geometry") {
  const auto before = std::make_shared<Watch>(), behind = std::make_shared<Watch>();
  auto transforms = chain({kTurn, kScale});
  transforms.insert(transforms.begin(), before);
  transforms.push_back(behind);
  for (const bool fuse : {false, true})
    SampleSource{std::make_shared<Toy>(), transforms, 3, fuse}.prepare({.epoch = 1, .index = 2});
  REQUIRE(behind->seen.size() == 2);
  const Sample &real = behind->seen[0], &held_back = behind->seen[1];
  CHECK(held_back.image.size() == real.image.size());
  CHECK(held_back.image.type() == real.image.type());
  CHECK(held_back.id == "2");
  CHECK(held_back.geometry.to_original == real.geometry.to_original);
  CHECK(held_back.labels.empty());
  CHECK_FALSE(before->seen[1].labels.empty());  // nothing was held back yet
}

TEST_CASE("images that belong to no dataset are fused alike") {
  const auto transforms = chain({R"({"type": "random_scale", "range": [0.5, 0.5]})", kPad});
  check_alike(transformed_alone(annotated(), transforms, true), transformed_alone(annotated(), transforms));
}

TEST_CASE("a sample of which a transform left no pixel is refused by what comes behind, fused or not") {
  for (const bool fuse : {false, true}) {
    CAPTURE(fuse);
    auto transforms = chain({R"({"type": "grid_distortion", "probability": 1})"});
    const auto prepared = [&] {
      SampleSource{std::make_shared<Toy>(), transforms, 3, fuse}.prepare({.epoch = 0, .index = 2});
    };
    transforms.insert(transforms.begin(), std::make_shared<LoseImage>());
    CHECK_THROWS_WITH_AS(prepared(), doctest::Contains("2: has no image: its size is 0 x 0 pixels, expected at least"),
                         DataError);
    transforms.front() = std::make_shared<CutAllAway>();
    CHECK_THROWS_WITH_AS(prepared(), doctest::Contains("0 x 9 pixels"), DataError);
  }
}

TEST_CASE("a sample that cannot be mixed in is replaced by the next one where bad samples are skipped") {
  const auto taken = [](const std::set<std::size_t>& good, std::size_t epoch, bool skip_bad) {
    SampleSource source{std::make_shared<PartlyBad>(good), {std::make_shared<TakeOther>()}, 4};
    source.skip_bad = skip_bad;
    return source.prepare({.epoch = epoch, .index = 3}).id;
  };
  std::set<std::string> ids;
  for (std::size_t epoch = 0; epoch < 30; ++epoch) {
    const auto chosen = taken({0, 1, 2, 3, 4, 5}, epoch, false);
    CHECK(taken({0, 1, 2, 3, 4, 5}, epoch, true) == chosen);
    const auto first = std::stoul(chosen);
    // From the chosen one on, without the sample itself.
    const std::string expected = first == 1 ? "1" : "0";
    CHECK(taken({0, 1, 3}, epoch, true) == expected);
    ids.insert(expected);
    CHECK(taken({3}, epoch, true) == "3");  // there is no other
    if (first != 0 && first != 1)
      CHECK_THROWS_WITH_AS(taken({0, 1, 3}, epoch, false), doctest::Contains("is damaged"), DataError);
  }
  CHECK(ids.size() == 2);
  CHECK_THROWS_WITH_AS(taken({0, 1}, 0, true), doctest::Contains("3: is damaged"), DataError);
}
