// LR-ASPP against torchvision's (tests/parity/lraspp.py), and on other backbones.
#include <ATen/ATen.h>

#include <sectile/nn/batch_norm.h>

#include "support/test.h"

#include "parity/network.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::shared_ptr<Model> lraspp(int classes, const std::string& options = "", int channels = 3) {
  return make<Model>(std::string(R"({"type": "lraspp")").append(options).append("}"), context(classes, channels));
}

}  // namespace

TEST_CASE("LR-ASPP has the original's names, logits and gradients") {
  const auto model = lraspp(21);
  CHECK(parameter_count(model->module()) == 3221538);
  check_parity(model->module(), expected("lraspp")["lraspp"], logits_of(*model));
}

TEST_CASE("LR-ASPP answers at the image's size on any backbone, and takes grey images") {
  for (const std::string backbone : {"mobilenet_v3_small", "mobilenet_v2", "efficientnet_b0"})
    for (const auto* stride : {"8", "16", "32"}) {
      CAPTURE(backbone);
      const auto model =
          lraspp(3, std::string(R"(, "output_stride": )").append(stride).append(R"(, "backbone": {"type": ")") +
                        backbone + "\"}");
      model->module().eval();
      const c10::AutoGradMode no_grad(false);
      CHECK(logits(*model, {1, 3, 70, 97}).sizes() == at::IntArrayRef({1, 3, 70, 97}));
    }
  CHECK(logits(*lraspp(3, "", 1), {2, 1, 64, 64}).sizes() == at::IntArrayRef({2, 3, 64, 64}));
}

TEST_CASE("LR-ASPP's fine features have stride 8, and are the first of that stride in a dilated backbone") {
  const auto channels = [](const std::string& options) {
    return lraspp(3, options)->module().named_parameters()["classifier.low_classifier.weight"].size(1);
  };
  CHECK(channels("") == 40);
  CHECK(channels(R"(, "output_stride": 8)") == 40);
  CHECK(channels(R"(, "backbone": {"type": "mobilenet_v2"})") == 32);
}

TEST_CASE("LR-ASPP's options have an effect") {
  const auto parameters = lraspp(3, R"(, "inter_channels": 24)")->module().named_parameters();
  CHECK(parameters["classifier.cbr.0.weight"].sizes() == at::IntArrayRef({24, 960, 1, 1}));
  CHECK(parameters["classifier.high_classifier.weight"].sizes() == at::IntArrayRef({3, 24, 1, 1}));
  const auto differs = [](const std::string& options) {
    const auto at_16 = lraspp(3), other = lraspp(3, options);
    for (const auto& model : {at_16, other}) fill_by_name(model->module()), model->module().eval();
    return distance(logits(*at_16, {1, 3, 64, 64}), logits(*other, {1, 3, 64, 64})) > 1e-3;
  };
  CHECK(differs(R"(, "output_stride": 8)"));
  CHECK(differs(R"(, "output_stride": 32)"));
  CHECK_FALSE(differs(R"(, "output_stride": 16)"));
}

TEST_CASE("every parameter of LR-ASPP gets a gradient, as it is initialised") {
  check_gradients(*lraspp(3), {2, 3, 97, 65});
}

TEST_CASE("LR-ASPP's wrong options are refused with what to do") {
  const auto answer = [](const std::string& option) { return refusal(R"({"type": "lraspp", )" + option + "}"); };
  CHECK(answer(R"("output_stride": 12)").find("is 12; expected 8, 16 or 32") != std::string::npos);
  CHECK(answer(R"("inter_channels": 0)").find("/part/inter_channels") != std::string::npos);
  CHECK(answer(R"("backbone": {"type": "mobilenet_v3_larg"})").find("mobilenet_v3_large") != std::string::npos);
}

TEST_CASE("LR-ASPP's classifiers may have another number of classes in a file of weights") {
  const auto source = lraspp(21), model = lraspp(7);
  const auto report = load_state(model->module(), state_dict(source->module()));
  CHECK(report.reinitialized.size() == 4);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
}
