// FPN against segmentation_models_pytorch's (tests/parity/decoders.py).
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/decoders.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("fpn has the original's names, outputs and gradients") {
  check_decoder_with_backbones("fpn", R"("dropout": 0)");
  check_decoder(with_backbone("fpn", "resnet18", R"("dropout": 0, "merge_policy": "cat", "interpolation": "bilinear")"),
                "fpn cat");
  check_decoder(with_backbone("fpn", "resnet18", R"("dropout": 0, "depth": 4, "pyramid_channels": 48)"), "fpn depth 4");
  check_decoder(with_backbone("fpn", "resnet18", R"("dropout": 0, "depth": 3, "segmentation_channels": 64)"),
                "fpn depth 3");
}

TEST_CASE("fpn with a mix transformer is the original's, where each of its levels has channels") {
  check_decoder(with_backbone("fpn", "mit_b0", R"("dropout": 0)"), "fpn mit_b0");
  CHECK(refusal(with_backbone("fpn", "mit_b0", R"("depth": 4)"))
            .find("/part/backbone: \"mit_b0\" has no channels at "
                  "stride 2, which this decoder needs") != std::string::npos);
}

TEST_CASE("fpn keeps what all networks with a backbone keep") { check_decoder_contract("fpn", R"("dropout": 0)"); }

TEST_CASE("fpn at depth 3 adapts both convolutions of the image to other channels") {
  const auto model = small_decoder("fpn", R"("depth": 3)", 5);
  const auto report = load_state(model->module(), state_dict(small_decoder("fpn", R"("depth": 3)")->module()));
  CHECK(report.unexpected.empty());
  CHECK(report.missing.empty());
}

TEST_CASE("fpn's dropout is drawn in training, and none with dropout 0") {
  CHECK(is_drawn(*small_decoder("fpn")));
  CHECK_FALSE(is_drawn(*small_decoder("fpn", R"("dropout": 0)")));
}

TEST_CASE("fpn starts as the original does, and asks for sizes that its levels divide") {
  const auto model = small_decoder("fpn");
  CHECK(bound(*model, "decoder.seg_blocks.0.block.0.block.0.weight") ==
        doctest::Approx(std::sqrt(6.0 / (256 * 9))).epsilon(0.01));
  CHECK(bound(*model, "decoder.p5.bias") == 0);
  CHECK(model->traits().divisor == Extent{1, 32, 32});
  CHECK(small_decoder("fpn", R"("depth": 4)")->traits().divisor == Extent{1, 16, 16});
}

TEST_CASE("fpn's wrong options are refused with what to do") {
  const auto answer = [](const std::string& more) { return refusal(with_backbone("fpn", "resnet18", more)); };
  CHECK(answer(R"("segmentation_channels": 48)").find("is 48; expected a multiple of 32") != std::string::npos);
  CHECK(answer(R"("merge_policy": "mean")").find("cat") != std::string::npos);
  CHECK(answer(R"("dropout": 1)").find("/part/dropout") != std::string::npos);
}
