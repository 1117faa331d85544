// One test for all geometric transforms: with their defaults they keep its rules as every transform of the build tree
// does (contract_test.cpp); here, with other options.
#include <sectile/transform.h>
#include <opencv2/core.hpp>

#include "contract.h"
#include "support/component.h"
#include "support/test.h"

namespace {

using sectile::GeometricTransform;
using sectile::Warp;

constexpr const char* kGeometricSpecs[] = {
    R"({"type": "affine", "scale": [0.5, 2], "rotate": [-180, 180], "shear": [-20, 20], "probability": 1})",
    R"({"type": "affine", "rotate": 90, "probability": 1})",
    R"({"type": "affine", "rotate": [180, 180], "fit_output": true, "probability": 1})",
    R"({"type": "affine", "rotate": [-45, 45], "scale": [0.7, 1.4], "keep_ratio": true, "balanced_scale": true,
        "fit_output": true, "probability": 1})",
    R"({"type": "affine", "translate_percent": [-0.5, 0.5], "label_fill": "class 2", "fill": 9, "probability": 1})",
    R"({"type": "affine", "translate_px": [-60, 60, 0, 5], "interpolation": "cubic", "probability": 1})",
    R"({"type": "crop", "size": [20, 90]})",
    R"({"type": "crop", "size": [60, 30], "position": "top_left", "fill": 7})",
    R"({"type": "crop", "window": [-3, -5, 20, 50], "label_fill": "class 2"})",
    R"({"type": "crop_foreground", "source": "labels", "background": ["class 0"], "margin": 3})",
    R"({"type": "crop_foreground", "threshold": 2, "k_divisible": 8})",
    R"({"type": "elastic", "alpha": 300, "sigma": 4, "probability": 1})",
    R"({"type": "elastic", "alpha": 30, "sigma": 5, "noise_distribution": "uniform", "same_dxdy": true,
        "approximate": true, "label_fill": "class 2", "interpolation": "cubic", "probability": 1})",
    R"({"type": "grid_distortion", "num_steps": 3, "distort_limit": [-0.9, 0.9], "normalized": false,
        "probability": 1})",
    R"({"type": "grid_distortion", "distort_limit": [-0.5, 0.5], "probability": 1})",
    R"({"type": "horizontal_flip", "probability": 1})",
    R"({"type": "large_scale_jitter", "target_size": [48, 40], "scale_range": [0.1, 2]})",
    R"({"type": "large_scale_jitter", "target_size": [30, 64], "scale_range": [0.5, 0.5], "interpolation": "area",
        "label_fill": "class 2"})",
    R"({"type": "optical_distortion", "distort_limit": [-0.8, 0.8], "probability": 1})",
    R"({"type": "optical_distortion", "distort_limit": [0.3, 0.3], "mode": "fisheye", "label_fill": "class 2",
        "probability": 1})",
    R"({"type": "pad", "divisor": 16, "position": "center", "fill": 3})",
    R"({"type": "pad", "size": [70, 60], "position": "end", "label_fill": "class 2"})",
    R"({"type": "perspective", "scale": [0.1, 0.2], "probability": 1})",
    R"({"type": "perspective", "scale": [0.05, 0.2], "keep_size": false, "fit_output": true, "label_fill": "class 2",
        "probability": 1})",
    R"({"type": "random_crop", "size": [20, 64], "fill": 5, "label_fill": "class 2"})",
    R"({"type": "random_crop", "size": [24, 24], "category_max_ratio": 0.6})",
    R"({"type": "random_crop", "size": [20, 30], "class_probability": 0.5, "classes": ["class 2"]})",
    R"({"type": "random_resized_crop", "size": [40, 30], "scale": [0.2, 0.8]})",
    R"({"type": "random_resized_crop", "size": [25, 70], "ratio": [0.3, 3], "interpolation": "area"})",
    R"({"type": "random_scale", "range": [0.3, 0.7], "interpolation": "area"})",
    R"({"type": "random_scale", "range": [1.3, 2.2], "interpolation": "cubic"})",
    R"({"type": "random_scale", "range": [0.5, 2], "interpolation": "nearest"})",
    R"({"type": "rotate", "limit": [-180, 180], "probability": 1})",
    R"({"type": "rotate", "limit": [90, 90], "probability": 1})",
    R"({"type": "rotate", "limit": [-180, 180], "rotate_method": "ellipse", "probability": 1})",
    R"({"type": "rotate", "limit": [-60, 60], "crop_border": true, "probability": 1})",
    R"({"type": "rotate", "limit": [10, 20], "label_fill": "class 2", "interpolation": "nearest", "probability": 1})",
    R"({"type": "rotate90", "probability": 1})",
    R"({"type": "transpose", "probability": 1})",
    R"({"type": "vertical_flip", "probability": 1})"};

// By the pixels of the image, though it does not say that it looks at them.
class PeekingCrop final : public GeometricTransform {
 public:
  Warp warp(const sectile::Sample& sample, sectile::Draw&) const override {
    const bool dark = !sample.image.empty() && cv::norm(sample.image, cv::NORM_INF) == 0;
    return Warp::crop(dark ? 1 : 0, 0, 0, sectile::extent(sample.image));
  }
};

class CountingCrop final : public GeometricTransform {
 public:
  Warp warp(const sectile::Sample& sample, sectile::Draw&) const override {
    return Warp::crop(++calls_, 0, 0, sectile::extent(sample.image));
  }

 private:
  mutable int calls_ = 0;
};

bool broke_rule(const sectile::Transform& transform, const std::string& text) {
  const auto findings = sectile::contract::geometric_contract(transform);
  for (const auto& finding : findings.broken())
    if (finding.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("geometric transforms keep image, annotation and geometry together, whatever their options are") {
  for (const char* spec : kGeometricSpecs) {
    CAPTURE(std::string(spec));
    const auto transform =
        sectile::test::make<sectile::Transform>(spec, sectile::contract::context(sectile::contract::kClasses));
    REQUIRE(dynamic_cast<const GeometricTransform*>(transform.get()) != nullptr);
    const auto findings = sectile::contract::geometric_contract(*transform);
    for (const auto& finding : findings.broken()) FAIL_CHECK(finding);
  }
}

TEST_CASE("every geometric transform takes volumes") {
  int geometric = 0;
  for (const auto& name : sectile::test::plugins().names("transform")) {
    CAPTURE(name);
    const auto transform = sectile::contract::build<sectile::Transform>(
        {sectile::test::plugins(), sectile::test::plugins().load("transform", name)},
        sectile::contract::context(sectile::contract::kClasses));
    if (!dynamic_cast<const GeometricTransform*>(transform.get())) continue;
    ++geometric;
    const int sizes[] = {2, 12, 15};
    for (std::uint64_t key = 0; key < 4; ++key) {
      sectile::Sample sample;
      sample.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(7));
      sample.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(1));
      sectile::Draw draw(sectile::Random{key}, nullptr);
      CHECK_NOTHROW(transform->apply(sample, draw));
      CHECK(sample.image.dims == 3);
      CHECK(sectile::extent(sample.labels) == sectile::extent(sample.image));
    }
  }
  CHECK(geometric >= 17);
}

TEST_CASE("a wrong number of fills is refused at the first sample, though chance does not have it applied") {
  for (const char* name : {"affine", "elastic", "grid_distortion", "optical_distortion", "perspective", "rotate"}) {
    CAPTURE(std::string(name));
    const auto transform = sectile::test::make<sectile::Transform>(
        std::string(R"({"type": ")").append(name).append(R"(", "fill": [1, 2, 3], "probability": 0})"));
    sectile::Sample sample;
    sample.id = "bands";
    sample.image = cv::Mat(12, 15, CV_8UC4, cv::Scalar::all(7));
    sectile::Draw draw(sectile::Random{1}, nullptr);
    CHECK_THROWS_WITH_AS(transform->apply(sample, draw), doctest::Contains("bands: has 4 channels, and \"fill\" 3"),
                         sectile::DataError);
  }
}

TEST_CASE("the contract of geometric transforms sees one that hides what its warp depends on") {
  CHECK(broke_rule(PeekingCrop(), "depends on pixels or annotation, and looks_at_pixels() is false"));
  CHECK(broke_rule(CountingCrop(), "the same key gives another warp"));
}
