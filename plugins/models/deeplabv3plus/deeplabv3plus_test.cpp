// DeepLabV3+ against segmentation_models_pytorch's (tests/parity/decoders.py).
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/decoders.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("deeplabv3plus has the original's names, outputs and gradients") {
  check_decoder_with_backbones("deeplabv3plus", R"("dropout": 0)");
  check_decoder(
      with_backbone("deeplabv3plus", "resnet18",
                    R"("dropout": 0, "output_stride": 8, "atrous_rates": [2, 3, 5], "aspp_separable": false)"),
      "deeplabv3plus stride 8");
  check_decoder(with_backbone("deeplabv3plus", "resnet18", R"("dropout": 0, "depth": 4, "channels": 40)"),
                "deeplabv3plus depth 4");
}

TEST_CASE("deeplabv3plus with a mix transformer is the original's, whose last stages are dilated") {
  check_decoder(with_backbone("deeplabv3plus", "mit_b0", R"("dropout": 0)"), "deeplabv3plus mit_b0");
  check_decoder(with_backbone("deeplabv3plus", "mit_b0", R"("dropout": 0, "output_stride": 8)"),
                "deeplabv3plus stride 8 mit_b0");
}

TEST_CASE("deeplabv3plus keeps what all networks with a backbone keep") {
  check_decoder_contract("deeplabv3plus", R"("dropout": 0)");
}

TEST_CASE("deeplabv3plus' dropout is drawn in training, and none with dropout 0") {
  CHECK(is_drawn(*small_decoder("deeplabv3plus")));
  CHECK_FALSE(is_drawn(*small_decoder("deeplabv3plus", R"("dropout": 0)")));
}

TEST_CASE("deeplabv3plus asks for sizes that its output stride divides") {
  CHECK(small_decoder("deeplabv3plus")->traits().divisor == Extent{1, 16, 16});
  CHECK(small_decoder("deeplabv3plus", R"("output_stride": 8)")->traits().divisor == Extent{1, 8, 8});
  CHECK(small_decoder("deeplabv3plus", R"("depth": 3)")->traits().divisor == Extent{1, 8, 8});
}

TEST_CASE("deeplabv3plus starts as the original does, whose decoder is as torch makes it") {
  const auto model = small_decoder("deeplabv3plus");
  CHECK(bound(*model, "decoder.block1.0.weight") == doctest::Approx(std::sqrt(1.0 / 64)).epsilon(0.01));
  CHECK(bound(*model, "segmentation_head.0.bias") > 0);
}

TEST_CASE("deeplabv3plus' wrong options are refused with what to do") {
  const auto answer = [](const std::string& more) { return refusal(with_backbone("deeplabv3plus", "resnet18", more)); };
  CHECK(answer(R"("output_stride": 4)").find("/part/output_stride: is 4; expected 8 or 16") != std::string::npos);
  CHECK(answer(R"("atrous_rates": [1, 2])").find("/part/atrous_rates") != std::string::npos);
  CHECK(answer(R"("dropout": 1)").find("/part/dropout") != std::string::npos);
}
