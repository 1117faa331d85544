// PSPNet against segmentation_models_pytorch's (tests/parity/decoders.py).
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/decoders.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("pspnet has the original's names, outputs and gradients") {
  check_decoder_with_backbones("pspnet", R"("dropout": 0)");
  check_decoder(with_backbone("pspnet", "resnet18", R"("dropout": 0, "depth": 5, "channels": 96)"), "pspnet depth 5");
  check_decoder(with_backbone("pspnet", "resnet18", R"("dropout": 0, "norm": "none")"), "pspnet bare");
}

TEST_CASE("pspnet with a mix transformer is the original's") {
  check_decoder(with_backbone("pspnet", "mit_b0", R"("dropout": 0)"), "pspnet mit_b0");
}

TEST_CASE("pspnet keeps what all networks with a backbone keep") {
  check_decoder_contract("pspnet", R"("dropout": 0)");
}

TEST_CASE("pspnet makes no stage that it does not use, and a file may have them") {
  const auto model = small_decoder("pspnet");
  for (const auto& line : names_and_sizes(model->module())) CHECK_MESSAGE(!line.starts_with("encoder.layer3"), line);
  auto file = state_dict(model->module());
  for (const auto& [name, tensor] : state_dict(small_decoder("pspnet", R"("depth": 5)")->module()))
    if (name.starts_with("encoder.")) file[name] = tensor;
  const auto report = load_state(model->module(), file);
  CHECK(report.ignored.size() == 60);
  CHECK(report.unexpected.empty());
  CHECK(report.missing.empty());
}

TEST_CASE("pspnet's dropout is drawn in training, and none with dropout 0") {
  CHECK(is_drawn(*small_decoder("pspnet")));
  CHECK_FALSE(is_drawn(*small_decoder("pspnet", R"("dropout": 0)")));
}

TEST_CASE("pspnet asks for sizes that its stride divides") {
  CHECK(small_decoder("pspnet")->traits().divisor == Extent{1, 8, 8});
  CHECK(small_decoder("pspnet", R"("depth": 4)")->traits().divisor == Extent{1, 16, 16});
}

TEST_CASE("pspnet's wrong options are refused") {
  const auto answer = [](const std::string& more) { return refusal(with_backbone("pspnet", "resnet18", more)); };
  CHECK(answer(R"("depth": 6)").find("/part/depth") != std::string::npos);
  CHECK(answer(R"("channels": 0)").find("/part/channels") != std::string::npos);
  CHECK(answer(R"("norm": "group")").find("batch") != std::string::npos);
}
