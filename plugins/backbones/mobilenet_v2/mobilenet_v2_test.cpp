// MobileNetV2 against torchvision's and segmentation_models_pytorch's (tests/parity/mobilenet_v2.py).
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/backbone_checks.h"

using namespace sectile;
using namespace sectile::test;

namespace {

constexpr const char* kHalf = R"("width_mult": 0.5, "round_nearest": 1, "last_conv": false)";

void check_mobilenet_v2(const std::string& name, const std::string& options = "", const FeatureRequest& request = {}) {
  CAPTURE(name);
  const auto backbone = make_backbone(backbone_json("mobilenet_v2", options), request);
  check_parity(*backbone, expected("mobilenet_v2")[name], features_of(*backbone));
}

}  // namespace

TEST_CASE("MobileNetV2 has the original's names, features and gradients") { check_mobilenet_v2("mobilenet_v2"); }

TEST_CASE("MobileNetV2's channels follow its width") { check_mobilenet_v2("width_1.4", R"("width_mult": 1.4)"); }

TEST_CASE("MobileNetV2 dilated as segmentation_models_pytorch does it") {
  check_mobilenet_v2("output_stride_16", "", {.output_stride = 16, .dilate_first_block = true});
  check_mobilenet_v2("output_stride_8", "", {.output_stride = 8, .dilate_first_block = true});
}

TEST_CASE("MobileNetV2 dilated as TensorFlow does it, at half width and without the last convolution") {
  check_mobilenet_v2("tensorflow_stride_8", kHalf, {.output_stride = 8});
  const auto half = make_backbone(backbone_json("mobilenet_v2", kHalf));
  std::vector<std::int64_t> channels;
  for (int block = 1; block <= 17; ++block)
    channels.push_back(half->named_parameters()["features." + std::to_string(block) + ".conv." +
                                                std::to_string(block == 1 ? 1 : 2) + ".weight"]
                           .size(0));
  CHECK(channels == std::vector<std::int64_t>{8, 12, 12, 16, 16, 16, 32, 32, 32, 32, 48, 48, 48, 80, 80, 80, 160});
}

TEST_CASE("MobileNetV2 makes the levels that are asked for, and follows the output stride") {
  check_levels("mobilenet_v2", {{16, 2}, {24, 4}, {32, 8}, {96, 16}, {1280, 32}});
  check_output_strides("mobilenet_v2");
}

TEST_CASE("MobileNetV2's options of all backbones have an effect") {
  check_drop_path("mobilenet_v2");
  check_frozen_norm("mobilenet_v2");
  check_checkpointing("mobilenet_v2");
  check_image_channels("mobilenet_v2", "features.0.0.weight");
  const auto backbone = make_backbone(backbone_json("mobilenet_v2"));
  check_eps_and_momentum(*backbone, 1e-5, 0.1);
  check_eps_and_momentum(*make_backbone(backbone_json("mobilenet_v2", R"("eps": 1e-3, "momentum": 0.2)")), 1e-3, 0.2);
  check_depths(*backbone);
}

TEST_CASE("MobileNetV2 takes a file for classification, whose last layers it does not use") {
  const auto backbone = make_backbone(backbone_json("mobilenet_v2", R"("last_conv": false)"));
  auto file = state_dict(*make_backbone(backbone_json("mobilenet_v2")));
  file["classifier.1.weight"] = at::zeros({1000, 1280});
  file["classifier.1.bias"] = at::zeros({1000});
  const auto report = load_state(*backbone, file);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
}

TEST_CASE("MobileNetV2 starts as the original does") {
  const auto backbone = make_backbone(backbone_json("mobilenet_v2"));
  const auto weight = backbone->named_parameters()["features.18.0.weight"];
  CHECK(weight.std().item<double>() == doctest::Approx(std::sqrt(2.0 / 1280)).epsilon(0.02));
}

TEST_CASE("MobileNetV2's wrong options are refused") {
  const auto answer = [](const std::string& option) {
    return refusal<Backbone>(backbone_json("mobilenet_v2", option));
  };
  CHECK(answer(R"("width_mult": 0)").find("/part/width_mult") != std::string::npos);
  CHECK(answer(R"("widht_mult": 1)").find("width_mult") != std::string::npos);
  CHECK(answer(R"("norm": "group")").find("frozen_batch") != std::string::npos);
}
