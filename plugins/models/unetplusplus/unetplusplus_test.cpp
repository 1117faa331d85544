// U-Net++ against segmentation_models_pytorch's (tests/parity/decoders.py).
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/decoders.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("unetplusplus has the original's names, outputs and gradients") {
  check_decoder_with_backbones("unetplusplus");
  check_decoder(with_backbone("unetplusplus", "resnet18", R"("attention": "scse", "interpolation": "bilinear")"),
                "unetplusplus scse");
  check_decoder(with_backbone("unetplusplus", "resnet18", R"("depth": 3, "channels": [24, 16, 8])"),
                "unetplusplus depth 3");
}

TEST_CASE("unetplusplus keeps what all networks with a backbone keep") { check_decoder_contract("unetplusplus"); }

TEST_CASE("unetplusplus asks for sizes that its levels divide") {
  CHECK(small_decoder("unetplusplus")->traits().divisor == Extent{1, 32, 32});
  CHECK(small_decoder("unetplusplus", R"("depth": 3, "channels": [8, 8, 8])")->traits().divisor == Extent{1, 8, 8});
}

TEST_CASE("unetplusplus without norm has biases") {
  const auto names = names_and_sizes(small_decoder("unetplusplus", R"("norm": "none")")->module());
  CHECK(names.count("decoder.blocks.x_0_0.conv1.0.bias 256") == 1);
  CHECK(names.count("decoder.blocks.x_0_0.conv1.1.weight 256") == 0);
}

TEST_CASE("unetplusplus' wrong options are refused with what to do") {
  const auto answer = [](const std::string& more) { return refusal(with_backbone("unetplusplus", "resnet18", more)); };
  CHECK(
      answer(R"("channels": [64, 32])").find("/part/channels: has 2 values, and depth is 5: give one for each level") !=
      std::string::npos);
  CHECK(answer(R"("channels": [64, 64, 32, 16, 8], "attention": "scse")").find("entry 4 is 8") != std::string::npos);
  CHECK(answer(R"("depth": 6)").find("/part/depth") != std::string::npos);
}

TEST_CASE("unetplusplus refuses a backbone with a level that has no channels, as the original does") {
  CHECK(refusal(with_backbone("unetplusplus", "mit_b0")).find("\"mit_b0\" has no channels at stride 2") !=
        std::string::npos);
}
