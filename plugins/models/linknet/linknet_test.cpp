// LinkNet against segmentation_models_pytorch's (tests/parity/decoders.py).
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/decoders.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("linknet has the original's names, outputs and gradients") {
  check_decoder_with_backbones("linknet");
  check_decoder(with_backbone("linknet", "resnet18", R"("depth": 4)"), "linknet depth 4");
  check_decoder(with_backbone("linknet", "resnet18", R"("norm": "none")"), "linknet bare");
}

TEST_CASE("linknet keeps what all networks with a backbone keep") { check_decoder_contract("linknet"); }

TEST_CASE("linknet starts as the original does, which leaves transposed convolutions as torch makes them") {
  const auto model = small_decoder("linknet");
  CHECK(bound(*model, "decoder.blocks.0.block.0.0.weight") == doctest::Approx(std::sqrt(6.0 / 512)).epsilon(0.01));
  CHECK(bound(*model, "decoder.blocks.0.block.1.0.weight") ==
        doctest::Approx(std::sqrt(1.0 / (128 * 16))).epsilon(0.01));
  CHECK(bound(*model, "decoder.blocks.0.block.1.0.bias") > 0);
}

TEST_CASE("linknet asks for sizes that its levels divide") {
  CHECK(small_decoder("linknet")->traits().divisor == Extent{1, 32, 32});
  CHECK(small_decoder("linknet", R"("depth": 3)")->traits().divisor == Extent{1, 8, 8});
}

TEST_CASE("linknet's wrong options are refused") {
  const auto answer = [](const std::string& more) { return refusal(with_backbone("linknet", "resnet18", more)); };
  CHECK(answer(R"("depth": 1)").find("/part/depth") != std::string::npos);
  CHECK(answer(R"("norm": "layer")").find("batch") != std::string::npos);
}

TEST_CASE("linknet refuses a backbone with a level that has no channels, as the original does") {
  CHECK(refusal(with_backbone("linknet", "mit_b0")).find("\"mit_b0\" has no channels at stride 2") !=
        std::string::npos);
}
