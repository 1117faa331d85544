// EfficientNet against segmentation_models_pytorch's (tests/parity/efficientnet.py).
#include <ATen/ATen.h>

#include <sectile/named_tensors.h>
#include <sectile/roles.h>

#include "support/test.h"

#include "parity/backbone_checks.h"

using namespace sectile;
using namespace sectile::test;

namespace {

void check_efficientnet(const std::string& name, const FeatureRequest& request = {}) {
  CAPTURE(name);
  const auto backbone =
      make_backbone(backbone_json("efficientnet_" + name.substr(0, 2), R"("drop_path_rate": 0)"), request);
  check_parity(*backbone, expected("efficientnet")[name], features_of(*backbone));
}

}  // namespace

TEST_CASE("EfficientNet B0 to B3 have the original's names, features and gradients") {
  for (const auto* name : {"b0", "b1", "b1_least", "b2", "b3"}) check_efficientnet(name);
}

TEST_CASE("EfficientNet B4 to B7 have the original's names, features and gradients") {
  for (const auto* name : {"b4", "b5", "b6", "b7"}) check_efficientnet(name);
}

TEST_CASE("EfficientNet dilated as the original does it, whatever the first block shall be") {
  check_efficientnet("b0_output_stride_16", {.output_stride = 16});
  check_efficientnet("b0_output_stride_8", {.output_stride = 8, .dilate_first_block = true});
  check_efficientnet("b3_output_stride_8", {.output_stride = 8});
}

TEST_CASE("EfficientNet with torchvision's padding has its features and gradients, and takes its names") {
  const std::string preset = R"("drop_path_rate": 0, "preset": "torchvision")";
  const auto b0 = make_backbone(backbone_json("efficientnet_b0", preset + R"(, "eps": 1e-5, "momentum": 0.1)"));
  check_parity(*b0, expected("efficientnet")["torchvision_b0"], features_of(*b0));
  const auto b5 = make_backbone(backbone_json("efficientnet_b5", preset));
  check_parity(*b5, expected("efficientnet")["torchvision_b5"], features_of(*b5));
  // The digest of names that check_parity compares is that of the names here; those of the files:
  const auto dialects = dynamic_cast<WeightRules&>(*b0).dialects();
  REQUIRE(dialects.size() == 1);
  const auto translated = [&](const std::string& name) {
    NamedTensors file({{name, at::zeros({1})}});
    dialects[0].translate(file);
    return file.tensors().begin()->first;
  };
  CHECK(translated("features.0.0.weight") == "_conv_stem.weight");
  CHECK(translated("features.0.1.running_mean") == "_bn0.running_mean");
  CHECK(translated("features.1.0.block.0.0.weight") == "_blocks.0._depthwise_conv.weight");
  CHECK(translated("features.1.0.block.1.fc1.bias") == "_blocks.0._se_reduce.bias");
  CHECK(translated("features.1.0.block.2.1.bias") == "_blocks.0._bn2.bias");
  CHECK(translated("features.2.1.block.0.0.weight") == "_blocks.2._expand_conv.weight");
  CHECK(translated("features.7.0.block.2.fc2.weight") == "_blocks.15._se_expand.weight");
  CHECK(translated("features.7.0.block.3.0.weight") == "_blocks.15._project_conv.weight");
  CHECK(translated("features.8.1.weight") == "_bn1.weight");
  CHECK(translated("classifier.1.weight") == "_fc.weight");
  const auto smp = make_backbone(backbone_json("efficientnet_b0"));
  CHECK(dynamic_cast<WeightRules&>(*smp).dialects().empty());
}

TEST_CASE("EfficientNet makes the levels that are asked for, and follows the output stride") {
  check_levels("efficientnet_b0", {{32, 2}, {24, 4}, {40, 8}, {112, 16}, {320, 32}});
  check_output_strides("efficientnet_b0");
  check_output_strides("efficientnet_b3");
}

// The sizes from which segmentation_models_pytorch 0.6.0's encoders run, with output strides 32, 16 and 8.
TEST_CASE("EfficientNet takes images as small as the original does, and refuses smaller ones") {
  const int least[8][3] = {{32, 16, 8}, {16, 16, 8}, {4, 4, 4},   {12, 12, 4},
                           {28, 12, 4}, {8, 8, 8},   {16, 16, 8}, {24, 8, 8}};
  const c10::AutoGradMode no_grad(false);
  for (int variant = 0; variant < 8; ++variant)
    for (int i = 0; i < 3; ++i) {
      const int side = least[variant][i];
      CAPTURE(variant);
      CAPTURE(side);
      const auto backbone =
          make_backbone(backbone_json("efficientnet_b" + std::to_string(variant)), {.output_stride = 32 >> i});
      backbone->eval();
      CHECK(backbone->features(formula_picture({1, 3, side, side + 1})).back().numel() > 0);
      CHECK_THROWS_WITH(backbone->features(formula_picture({1, 3, side + 1, side - 1})),
                        doctest::Contains("images have at least"));
    }
  CHECK_THROWS_WITH(make_backbone(backbone_json("efficientnet_b0"))->features(formula_picture({1, 3, 40, 31})),
                    doctest::Contains("at least 32 x 32 pixels for this EfficientNet, and these have 40 x 31"));
  const auto part = make_backbone(backbone_json("efficientnet_b0"), {.levels = {1}});
  part->eval();
  CHECK(part->features(formula_picture({1, 3, 4, 4}))[0].size(2) == 1);
}

TEST_CASE("EfficientNet's options of all backbones have an effect") {
  check_drop_path("efficientnet_b0");
  check_frozen_norm("efficientnet_b0");
  check_checkpointing("efficientnet_b0");
  check_image_channels("efficientnet_b0", "_conv_stem.weight");
  check_depths(*make_backbone(backbone_json("efficientnet_b0")));
}

TEST_CASE("EfficientNet has stochastic depth by default, as the original") {
  const auto images = formula_picture({2, 3, 64, 64});
  const auto features = [&](const std::string& options) {
    const auto backbone = make_backbone(backbone_json("efficientnet_b1", options));
    return train_step(*backbone, images).features.back();
  };
  CHECK(at::equal(features(""), features(R"("drop_path_rate": 0.2)")));
  CHECK_FALSE(at::equal(features(""), features(R"("drop_path_rate": 0)")));
}

TEST_CASE("EfficientNet takes a file for classification, whose last layers it does not use") {
  const auto backbone = make_backbone(backbone_json("efficientnet_b0"));
  auto file = state_dict(*backbone);
  for (const auto* name : {"_conv_head.weight", "_bn1.weight", "_bn1.running_mean", "_fc.weight", "_fc.bias"})
    file[name] = at::zeros({1});
  const auto report = load_state(*backbone, file);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
}

TEST_CASE("EfficientNet's wrong options are refused") {
  const auto answer = [](const std::string& option) {
    return refusal<Backbone>(backbone_json("efficientnet_b0", option));
  };
  CHECK(answer(R"("drop_connect_rate": 0.2)").find("drop_connect_rate") != std::string::npos);
  CHECK(answer(R"("eps": 0)").find("/part/eps") != std::string::npos);
}
