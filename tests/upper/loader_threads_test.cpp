// Transforms that mix samples and hold others, applied by several loader threads at once.
#include <chrono>
#include <thread>

#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "upper/loading/loader.h"
#include "upper/loading/sample_source.h"

using namespace sectile;

namespace {

class ThreadedSamples final : public Dataset {
 public:
  std::size_t size() const override { return 7; }
  Sample read(std::size_t index, Parts) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // as a disk takes, so that the threads take turns
    auto sample = test::annotated({30 + static_cast<int>(index), 27});
    sample.id = std::to_string(index);
    sample.targets.erase("nearest");  // class numbers, which mixup refuses
    return sample;
  }
  const LabelMap& labels() const override { return labels_; }

 private:
  LabelMap labels_;
};

constexpr const char* kThreadedTransforms[] = {
    R"({"type": "sequence", "transforms": [{"type": "resize", "size": [40, 40]},
        {"type": "mosaic", "target_size": [48, 48], "cell_shape": [40, 40]}, {"type": "copy_paste"}]})",
    R"({"type": "distance_map", "of": "components"})",
    R"({"type": "some_of", "n": [1, 4], "transforms": [{"type": "elastic", "alpha": 20, "sigma": 5},
        {"type": "grid_distortion"}, {"type": "optical_distortion"}, {"type": "noise"}, {"type": "clahe"},
        {"type": "motion_blur"}, {"type": "perspective"}, {"type": "jpeg_compression"}, {"type": "fog"},
        {"type": "shadow"}, {"type": "hue_saturation"}, {"type": "cutmix"}, {"type": "large_scale_jitter",
         "target_size": [44, 44]}, {"type": "noise", "mode": "poisson"}, {"type": "equalize"}, {"type": "coarse_dropout"}]})",
    R"({"type": "random_crop", "size": [32, 32], "class_probability": 0.5})",
    R"({"type": "one_of", "transforms": [{"type": "mixup", "probability": 1}, {"type": "sometimes", "transforms": [
        {"type": "cutmix"}, {"type": "horizontal_flip"}]}]})",
    R"({"type": "normalize", "method": "percentile"})"};

// The samples of one epoch, each drawn several times.
std::vector<Sample> loaded_by(int threads, bool fuse) {
  SampleSource source{std::make_shared<ThreadedSamples>(), {}, 5, fuse};
  for (const char* json : kThreadedTransforms)
    source.transforms.push_back(test::make<Transform>(json, test::context(4)));
  constexpr std::size_t kParts = 7;
  using Samples = std::vector<Sample>;
  Loader<Sample, Samples> loader(
      {[] { return std::int64_t{8}; }, [](std::int64_t) { return kParts; },
       [&](std::int64_t whole, std::size_t part) {
         return source.prepare({.index = part, .occurrence = static_cast<std::size_t>(whole), .batch = whole});
       },
       [](std::int64_t, Samples parts) { return parts; }},
      threads);
  Samples all;
  while (!loader.done())
    for (auto& sample : loader.next()) all.push_back(std::move(sample));
  return all;
}

void check_threaded_same(const Sample& a, const Sample& b) {
  CAPTURE(a.id);
  REQUIRE(a.image.size() == b.image.size());
  CHECK(cv::norm(a.image, b.image, cv::NORM_INF) == 0);
  REQUIRE(a.labels.type() == b.labels.type());
  CHECK(cv::norm(a.labels, b.labels, cv::NORM_INF) == 0);
  CHECK(cv::norm(a.targets.at("distance_map"), b.targets.at("distance_map"), cv::NORM_INF) == 0);
  REQUIRE(a.instances.size() == b.instances.size());
  for (std::size_t i = 0; i < a.instances.size(); ++i) {
    CHECK(a.instances[i].id == b.instances[i].id);
    CHECK(a.instances[i].box == b.instances[i].box);
  }
  CHECK(a.mean == b.mean);
  CHECK(a.deviation == b.deviation);
}

}  // namespace

TEST_CASE("samples that are mixed, warped and nested are the same for any number of loader threads") {
  for (const bool fuse : {false, true}) {
    const auto expected = loaded_by(0, fuse);
    REQUIRE(expected.size() == 56);
    const auto found = loaded_by(4, fuse);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) check_threaded_same(found[i], expected[i]);
  }
}
