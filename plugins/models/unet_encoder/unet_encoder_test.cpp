// U-Net with a backbone against segmentation_models_pytorch's (tests/parity/decoders.py).
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/decoders.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("unet_encoder has the original's names, outputs and gradients") {
  check_decoder_with_backbones("unet_encoder");
  check_decoder(with_backbone("unet_encoder", "resnet18", R"("attention": "scse", "interpolation": "bilinear")"),
                "unet_encoder scse");
  check_decoder(with_backbone("unet_encoder", "resnet18", R"("depth": 3, "channels": [24, 16, 8], "norm": "none")"),
                "unet_encoder depth 3");
}

TEST_CASE("unet_encoder with a mix transformer is the original's, whose level at stride 2 has no channels") {
  check_decoder(with_backbone("unet_encoder", "mit_b0"), "unet_encoder mit_b0");
  check_decoder(with_backbone("unet_encoder", "mit_b0", R"("attention": "scse")"), "unet_encoder scse mit_b0");
  const auto model = make<Model>(with_backbone("unet_encoder", "mit_b0"), context(5));
  check_folded_decoder(*model);
  CHECK(logits(*model, {1, 3, 33, 47}).sizes() == at::IntArrayRef({1, 5, 33, 47}));
}

TEST_CASE("unet_encoder keeps what all networks with a backbone keep") { check_decoder_contract("unet_encoder"); }

TEST_CASE("unet_encoder with attention folded for inference answers the same") {
  check_folded_decoder(*small_decoder("unet_encoder", R"("attention": "scse")"));
}

TEST_CASE("unet_encoder answers at the image's size, whatever that is") {
  const auto model = small_decoder("unet_encoder");
  model->module().eval();
  const c10::AutoGradMode no_grad(false);
  for (const auto& [height, width] : {std::pair(32, 32), {33, 65}, {47, 100}, {17, 20}, {1, 1}})
    CHECK(logits(*model, {1, 3, height, width}).sizes() == at::IntArrayRef({1, 5, height, width}));
  CHECK(model->traits().divisor == Extent{1, 1, 1});
  CHECK(model->traits().least == Extent{1, 1, 1});
}

TEST_CASE("unet_encoder starts as the original does") {
  const auto model = small_decoder("unet_encoder");
  CHECK(bound(*model, "decoder.blocks.1.conv2.0.weight") == doctest::Approx(std::sqrt(6.0 / (128 * 9))).epsilon(0.01));
  CHECK(bound(*model, "segmentation_head.0.weight") == doctest::Approx(std::sqrt(6.0 / (21 * 9))).epsilon(0.02));
  CHECK(bound(*model, "segmentation_head.0.bias") == 0);
}

TEST_CASE("unet_encoder's wrong options are refused with what to do") {
  const auto answer = [](const std::string& more) { return refusal(with_backbone("unet_encoder", "resnet18", more)); };
  CHECK(
      answer(R"("channels": [64, 32])").find("/part/channels: has 2 values, and depth is 5: give one for each level") !=
      std::string::npos);
  CHECK(answer(R"("depth": 4)").find("has 5 values, and depth is 4") != std::string::npos);
  CHECK(answer(R"("depth": 2)").find("/part/depth") != std::string::npos);
  CHECK(answer(R"("channels": [64, 64, 32, 16, 8], "attention": "scse")").find("entry 4 is 8") != std::string::npos);
  CHECK(answer(R"("attention": "sese")").find("scse") != std::string::npos);
  CHECK(answer(R"("interpolation": "cubic")").find("bilinear") != std::string::npos);
}
