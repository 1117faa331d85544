// FCN against torchvision's (tests/parity/fcn.py), and what a model must do.
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/network.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::shared_ptr<Model> fcn(const std::string& more, int classes = 21, int channels = 3) {
  return make<Model>(std::string(R"({"type": "fcn")").append(more).append("}"), context(classes, channels));
}

constexpr const char* kSmallFcn = R"(, "backbone": {"type": "resnet18"}, "aux_loss": true)";

}  // namespace

TEST_CASE("FCN has torchvision's names, values and gradients") {
  const auto all = expected("fcn");
  for (const std::string name : {"resnet50", "resnet101"}) {
    CAPTURE(name);
    const auto model =
        fcn(std::string(R"(, "aux_loss": true, "dropout": 0, "backbone": {"type": ")").append(name).append("\"}"));
    check_parity(model->module(), all[name], logits_of(*model));
    if (name == "resnet50") CHECK(parameter_count(model->module()) == 35322218);
    if (name == "resnet101") CHECK(parameter_count(model->module()) == 54314346);
  }
}

TEST_CASE("FCN's auxiliary output is of features at 1/8, in training only, with half the weight") {
  for (const auto& [stride, channels] : {std::pair{"8", 256}, {"16", 128}, {"32", 128}}) {
    const auto model = fcn(std::string(kSmallFcn).append(R"(, "output_stride": )").append(stride));
    CHECK(model->module().named_parameters()["aux_classifier.0.weight"].size(1) == channels);
    const auto outputs = model->forward(batch_of({2, 3, 40, 64}));
    REQUIRE(outputs.auxiliary.size() == 1);
    CHECK(outputs.auxiliary[0].weight == 0.5);
    CHECK(outputs.auxiliary[0].logits.sizes() == at::IntArrayRef({2, 21, 40, 64}));
    model->module().eval();
    CHECK(model->forward(batch_of({1, 3, 40, 64})).auxiliary.empty());
  }
  const auto without = fcn(R"(, "backbone": {"type": "resnet18"})");
  CHECK(without->forward(batch_of({2, 3, 40, 64})).auxiliary.empty());
}

TEST_CASE("a file of an FCN with an auxiliary head loads without, and the other way round") {
  const auto with = fcn(kSmallFcn), without = fcn(R"(, "backbone": {"type": "resnet18"})");
  const auto report = load_state(without->module(), state_dict(with->module()));
  CHECK(report.unexpected.empty());
  CHECK(report.ignored.size() == 8);
  const auto back = load_state(with->module(), state_dict(without->module()));
  CHECK(back.missing.empty());
  CHECK(back.without.size() == 8);
  const auto other = load_state(fcn(kSmallFcn, 4)->module(), state_dict(with->module()));
  CHECK(other.reinitialized.size() == 4);
}

TEST_CASE("every parameter of FCN gets a gradient, and images may have any size and channels") {
  check_gradients(*fcn(kSmallFcn), {2, 3, 37, 51});
  const auto grey = fcn(kSmallFcn, 2, 1);
  grey->module().eval();
  CHECK(logits(*grey, {1, 1, 1, 9}).sizes() == at::IntArrayRef({1, 2, 1, 9}));
}

TEST_CASE("FCN's dropout is drawn in training, and none with dropout 0") {
  const auto differs = [](const std::string& dropout) {
    const auto model = fcn(std::string(kSmallFcn).append(R"(, "dropout": )").append(dropout));
    const auto first = logits(*model, {2, 3, 64, 64}), second = logits(*model, {2, 3, 64, 64});
    return distance(first, second) > 1e-3;
  };
  CHECK(differs("0.5"));
  CHECK_FALSE(differs("0"));
}

TEST_CASE("FCN's wrong options are refused") {
  CHECK(refusal(R"({"type": "fcn", "output_stride": 4})").find("/part/backbone/type") != std::string::npos);
  CHECK(refusal(R"({"type": "fcn", "dropout": 1})").find("/part/dropout") != std::string::npos);
  CHECK(refusal(R"({"type": "fcn", "backbone": {"type": "resnet51"}})").find("resnet50") != std::string::npos);
}
