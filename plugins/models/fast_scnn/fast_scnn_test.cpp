// Fast-SCNN against mmsegmentation's (tests/parity/fast_scnn.py), and what a model must do.
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/compare.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::shared_ptr<Model> fast_scnn(int classes, int channels = 3) {
  return make<Model>(R"({"type": "fast_scnn"})", context(classes, channels));
}

// The model itself in training mode, so that it has auxiliary outputs; all below it in evaluation mode.
void evaluate_with_auxiliaries(Model& model) {
  model.module().train();
  for (const auto& child : model.module().children()) child->eval();
}

}  // namespace

TEST_CASE("Fast-SCNN has the original's names, shapes and number of parameters") {
  const auto model = fast_scnn(19);
  check_names(model->module(), "fast_scnn");
  CHECK(parameter_count(model->module()) == expected("fast_scnn")["parameters"]);
  CHECK(parameter_count(model->module()) == 1456617);
}

TEST_CASE("Fast-SCNN's three heads give the original's outputs") {
  const auto model = fast_scnn(19);
  fill_by_name(model->module());
  const c10::AutoGradMode no_grad(false);
  const auto wanted = expected("fast_scnn");
  REQUIRE(wanted["cases"].size() == 2);
  for (const auto& one : wanted["cases"]) {
    const auto shape = one["input"].get<std::vector<std::int64_t>>();
    evaluate_with_auxiliaries(*model);
    const auto outputs = model->forward(batch_of(shape));
    REQUIRE(outputs.auxiliary.size() == 2);
    CHECK(distance(outputs.logits, one["outputs"][0]) < 1e-4);
    CHECK(distance(outputs.auxiliary[0].logits, one["outputs"][1]) < 1e-4);
    CHECK(distance(outputs.auxiliary[1].logits, one["outputs"][2]) < 1e-4);
    model->module().eval();
    CHECK(distance(logits(*model, shape), one["outputs"][0]) < 1e-4);
  }
}

TEST_CASE("Fast-SCNN has auxiliary outputs in training only") {
  const auto model = fast_scnn(3);
  CHECK(model->forward(batch_of({2, 3, 64, 64})).auxiliary.size() == 2);
  model->module().eval();
  CHECK(model->forward(batch_of({2, 3, 64, 64})).auxiliary.empty());
}

TEST_CASE("Fast-SCNN takes one image of any size from 32 x 32") {
  const auto model = fast_scnn(3);
  model->module().eval();
  const c10::AutoGradMode no_grad(false);
  CHECK(logits(*model, {1, 3, 32, 32}).sizes() == at::IntArrayRef({1, 3, 4, 4}));
  CHECK(logits(*model, {1, 3, 33, 127}).sizes() == at::IntArrayRef({1, 3, 5, 16}));
  CHECK(logits(*model, {1, 3, 33, 127}).isfinite().all().item<bool>());
  CHECK(model->traits().least == Extent{1, 32, 32});
}

TEST_CASE("every parameter of Fast-SCNN gets a gradient, as it is initialised") {
  check_gradients(*fast_scnn(3), {2, 3, 71, 65});
}

TEST_CASE("Fast-SCNN trained on one image says why that cannot be") {
  CHECK_THROWS_WITH_AS(
      logits(*fast_scnn(3), {1, 3, 64, 64}),
      "batch norm: training with one value per channel (one image, 1 x 1 features), which has no "
      "variance; train with two or more images per batch, without an incomplete last one (\"drop_last\": true), "
      "or with larger images",
      DataError);
}

TEST_CASE("Fast-SCNN starts with He's normal distribution, and with classifiers near zero") {
  const auto model = fast_scnn(19);
  const auto parameters = model->module().named_parameters();
  const auto deviation = [&](const std::string& name) { return parameters[name].std().item<double>(); };
  CHECK(deviation("backbone.global_feature_extractor.out.conv.weight") ==
        doctest::Approx(std::sqrt(2.0 / (128 * 9))).epsilon(0.02));
  CHECK(deviation("decode_head.conv_seg.weight") == doctest::Approx(0.01).epsilon(0.1));
  CHECK(parameters["auxiliary_head.1.conv_seg.bias"].any().item<bool>() == false);
}

TEST_CASE("Fast-SCNN folded for inference answers the same") {
  const auto model = fast_scnn(3);
  fill_by_name(model->module());
  model->module().eval();
  const c10::AutoGradMode no_grad(false);
  const auto before = logits(*model, {2, 3, 75, 101});
  prepare_for_inference(model->module());
  forget_statistics(model->module());
  CHECK(distance(before, logits(*model, {2, 3, 75, 101})) < 1e-5);
}

TEST_CASE("Fast-SCNN takes grey images") {
  CHECK(logits(*fast_scnn(3, 1), {2, 1, 64, 64}).sizes() == at::IntArrayRef({2, 3, 8, 8}));
}

TEST_CASE("Fast-SCNN's dropout is drawn in training, and none with dropout 0") {
  const auto differs = [](const std::string& dropout) {
    const auto model = make<Model>(R"({"type": "fast_scnn", "dropout": )" + dropout + "}", context(3));
    const auto first = logits(*model, {2, 3, 64, 64}), second = logits(*model, {2, 3, 64, 64});
    return distance(first, second) > 1e-3;
  };
  CHECK(differs("0.5"));
  CHECK_FALSE(differs("0"));
}

TEST_CASE("Fast-SCNN's momentum is that of the running statistics") {
  const auto mean = [](const std::string& momentum) {
    const auto model = make<Model>(R"({"type": "fast_scnn", "momentum": )" + momentum + "}", context(3));
    fill_by_name(model->module());
    std::vector<at::Tensor> before, moved;
    for (const auto& item : model->module().named_buffers())
      if (item.key().ends_with("running_mean")) before.push_back(item.value().clone());
    logits(*model, {2, 3, 64, 64});
    for (const auto& item : model->module().named_buffers())
      if (item.key().ends_with("running_mean")) moved.push_back(item.value() - before[moved.size()]);
    return at::cat(moved);
  };
  CHECK(distance(mean("0.1"), 10 * mean("0.01")) < 1e-4);
}

TEST_CASE("Fast-SCNN's wrong options are refused") {
  CHECK(refusal(R"({"type": "fast_scnn", "dropout": 1})").find("/part/dropout") != std::string::npos);
  CHECK(refusal(R"({"type": "fast_scnn", "dropuot": 0.1})").find("dropout") != std::string::npos);
  CHECK(refusal(R"({"type": "fast_scnn", "momentum": -1})").find("/part/momentum") != std::string::npos);
}
