// MobileNetV3 against torchvision's (tests/parity/mobilenet_v3.py).
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/backbone_checks.h"

using namespace sectile;
using namespace sectile::test;

namespace {

void check_mobilenet_v3(const std::string& name, const FeatureRequest& request = {}) {
  CAPTURE(name);
  const auto backbone = make_backbone(backbone_json("mobilenet_v3_" + name.substr(0, 5)), request);
  check_parity(*backbone, expected("mobilenet_v3")[name], features_of(*backbone));
}

}  // namespace

TEST_CASE("MobileNetV3 has the original's names, features and gradients") {
  check_mobilenet_v3("large");
  check_mobilenet_v3("small");
}

TEST_CASE("MobileNetV3 dilated as the original does it, whatever the first block shall be") {
  check_mobilenet_v3("large_dilated", {.output_stride = 16});
  check_mobilenet_v3("large_stride_8", {.output_stride = 8, .dilate_first_block = true});
  check_mobilenet_v3("small_dilated", {.output_stride = 16});
}

TEST_CASE("MobileNetV3 makes the levels that are asked for, and follows the output stride") {
  check_levels("mobilenet_v3_large", {{16, 2}, {24, 4}, {40, 8}, {80, 16}, {960, 32}});
  check_levels("mobilenet_v3_small", {{16, 2}, {16, 4}, {24, 8}, {40, 16}, {576, 32}});
  check_output_strides("mobilenet_v3_large");
  check_output_strides("mobilenet_v3_small");
}

TEST_CASE("MobileNetV3's options of all backbones have an effect") {
  for (const auto* type : {"mobilenet_v3_large", "mobilenet_v3_small"}) {
    check_drop_path(type);
    check_frozen_norm(type);
    check_checkpointing(type);
    check_image_channels(type, "0.0.weight");
    check_depths(*make_backbone(backbone_json(type)));
  }
}

TEST_CASE("MobileNetV3 takes a file for classification, whose names and last layers are others") {
  const auto backbone = make_backbone(backbone_json("mobilenet_v3_small"));
  StateDict file{{"classifier.0.weight", at::zeros({1024, 576})}, {"classifier.3.bias", at::zeros({1000})}};
  for (const auto& [name, tensor] : state_dict(*backbone)) file["features." + name] = at::full_like(tensor, 2);
  const auto report = load_state(*backbone, file);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  CHECK(backbone->named_parameters()["1.block.0.0.weight"].eq(2).all().item<bool>());
}

TEST_CASE("MobileNetV3 starts as the original does") {
  const auto backbone = make_backbone(backbone_json("mobilenet_v3_large"));
  const auto parameters = backbone->named_parameters();
  CHECK(parameters["16.0.weight"].std().item<double>() == doctest::Approx(std::sqrt(2.0 / 960)).epsilon(0.02));
  CHECK_FALSE(parameters["4.block.2.fc1.bias"].any().item<bool>());
}

// Case batchnorm_eps_per_family: read off instances of torchvision 0.26 and segmentation_models_pytorch 0.6.0.
TEST_CASE("the norms of each family have the original's eps and momentum") {
  const struct {
    const char* type;
    double eps;
    double momentum;
  } families[] = {{"resnet50", 1e-5, 0.1},
                  {"mobilenet_v2", 1e-5, 0.1},
                  {"mobilenet_v3_large", 1e-3, 0.01},
                  {"mobilenet_v3_small", 1e-3, 0.01},
                  {"efficientnet_b0", 1e-3, 0.01},
                  {"efficientnet_b4", 1e-3, 0.01},
                  {"efficientnet_b7", 1e-3, 0.01}};
  for (const auto& family : families) {
    CAPTURE(family.type);
    check_eps_and_momentum(*make_backbone(backbone_json(family.type)), family.eps, family.momentum);
  }
  nn::BatchNorm norm({.channels = 1, .eps = 1e-3});
  norm.running_mean.fill_(0.4), norm.running_var.fill_(2e-4);
  norm.to(at::kDouble);
  norm.eval();
  CHECK(norm.forward(at::full({1, 1, 1, 1}, 0.9, at::kDouble)).item<double>() == doctest::Approx(14.433756729740644));
}
