// U-Net against the wide-spread PyTorch one (tests/parity/unet.py), and what a model must do.
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/compare.h"
#include "upper/weights/loading.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::shared_ptr<Model> small(const std::string& more = "", int channels = 3) {
  return make<Model>(R"({"type": "unet", "widths": [8, 16, 32])" + more + "}", context(4, channels));
}

constexpr const char* kVariants[] = {"", R"(, "up": "bilinear")", R"(, "norm": "none")",
                                     R"(, "norm": "none", "up": "bilinear")"};

}  // namespace

TEST_CASE("U-Net has the original's names, shapes and outputs, with transposed convolutions and bilinear") {
  for (const std::string up : {"transposed", "bilinear"}) {
    CAPTURE(up);
    const auto model = make<Model>(R"({"type": "unet", "up": ")" + up + "\"}", context(5));
    const auto wanted = expected("unet_" + up);
    check_names(model->module(), "unet_" + up);
    CHECK(parameter_count(model->module()) == wanted["parameters"]);
    fill_by_name(model->module());
    model->module().eval();
    const c10::AutoGradMode no_grad(false);
    REQUIRE(wanted["cases"].size() == 2);
    for (const auto& one : wanted["cases"])
      CHECK(distance(logits(*model, one["input"].get<std::vector<std::int64_t>>()), one["outputs"][0]) < 1e-4);
  }
}

TEST_CASE("U-Net's widths give its depth") {
  const auto model = small();
  const auto names = names_and_sizes(model->module());
  CHECK(names.count("down2.maxpool_conv.1.double_conv.3.weight 32 32 3 3") == 1);
  CHECK(names.count("up1.up.weight 32 16 2 2") == 1);
  CHECK(names.count("up2.conv.double_conv.0.weight 8 16 3 3") == 1);
  for (const auto& line : names) {
    CHECK_MESSAGE(!line.starts_with("down3"), line);
    CHECK_MESSAGE(!line.starts_with("up3"), line);
  }
  CHECK(logits(*small(R"(, "widths": [6, 10])"), {2, 3, 9, 7}).sizes() == at::IntArrayRef({2, 4, 9, 7}));
}

TEST_CASE("U-Net's widths need not double") {
  for (const std::string up : {"transposed", "bilinear"}) {
    const auto model = make<Model>(R"({"type": "unet", "widths": [5, 6, 14], "up": ")" + up + "\"}", context(2));
    CHECK(logits(*model, {2, 3, 16, 16}).sizes() == at::IntArrayRef({2, 2, 16, 16}));
  }
  const sectile::Json deep{{"type", "unet"}, {"widths", std::vector<int>(40, 2)}};
  CHECK_THROWS_WITH_AS(make<Model>(deep.dump(), context(2)), doctest::Contains("has 40 values; expected up to 16"),
                       sectile::SpecError);
}

TEST_CASE("U-Net without norm has biases and no norm") {
  const auto names = names_and_sizes(small(R"(, "norm": "none")")->module());
  CHECK(names.count("inc.double_conv.0.bias 8") == 1);
  CHECK(names.count("inc.double_conv.3.weight 8 8 3 3") == 1);
  CHECK(names.count("inc.double_conv.1.weight 8") == 0);
}

TEST_CASE("U-Net answers at the image's size, whatever that is, for one image or several") {
  for (const std::string variant : kVariants) {
    CAPTURE(variant);
    const auto model = small(variant);
    for (const bool training : {false, true}) {
      model->module().train(training);
      for (const std::vector<std::int64_t>& shape :
           {std::vector<std::int64_t>{1, 3, 32, 32}, {2, 3, 37, 51}, {1, 3, 5, 63}, {2, 3, 4, 4}}) {
        const auto answer = logits(*model, shape);
        CHECK(answer.sizes() == at::IntArrayRef({shape[0], 4, shape[2], shape[3]}));
        CHECK(answer.isfinite().all().item<bool>());
      }
    }
  }
}

TEST_CASE("every parameter of U-Net gets a gradient") {
  for (const std::string variant : kVariants) {
    CAPTURE(variant);
    check_gradients(*small(variant), {2, 3, 37, 51});
  }
}

TEST_CASE("U-Net folded for inference answers the same") {
  for (const std::string variant : kVariants) {
    CAPTURE(variant);
    const auto model = small(variant);
    fill_by_name(model->module());
    model->module().eval();
    const c10::AutoGradMode no_grad(false);
    const auto before = logits(*model, {2, 3, 37, 51});
    prepare_for_inference(model->module(), {.verify = true});
    forget_statistics(model->module());
    CHECK(distance(before, logits(*model, {2, 3, 37, 51})) < 1e-5);
  }
}

TEST_CASE("U-Net takes grey images") {
  CHECK(logits(*small("", 1), {2, 1, 16, 16}).sizes() == at::IntArrayRef({2, 4, 16, 16}));
}

TEST_CASE("U-Net's wrong options are refused with what to do") {
  const auto answer = [](const std::string& option) { return refusal(R"({"type": "unet", )" + option + "}"); };
  CHECK(answer(R"("widths": [64])").find("give 2 or more") != std::string::npos);
  CHECK(answer(R"("widths": [64, 0])").find("/part/widths/1") != std::string::npos);
  CHECK(answer(R"("widths": [64, 129], "up": "bilinear")").find("entry 1 is 129") != std::string::npos);
  CHECK(answer(R"("widths": [64, 129])") == "accepted");
  CHECK(answer(R"("up": "bilinaer")").find("bilinear") != std::string::npos);
  CHECK(answer(R"("norm": "batchnorm")").find("batch") != std::string::npos);
}

TEST_CASE("U-Net says how large an image must be, and that it takes images alone") {
  const auto traits = small()->traits();  // of two poolings
  CHECK(traits.least == Extent{1, 4, 4});
  CHECK(traits.dimensions == std::vector<int>{2});
  const auto model = small();
  model->module().eval();
  CHECK(logits(*model, {1, 3, 4, 4}).sizes() == at::IntArrayRef({1, 4, 4, 4}));
}

TEST_CASE("U-Net's classifier may have another number of classes in a file of weights") {
  const auto source = small();
  const auto model = make<Model>(R"({"type": "unet", "widths": [8, 16, 32]})", context(7));
  const auto report = load_state(model->module(), state_dict(source->module()));
  REQUIRE(report.reinitialized.size() == 2);  // bias and weight
  CHECK(report.reinitialized[1].file == "[4, 8, 1, 1]");
  CHECK(report.reinitialized[1].network == "[7, 8, 1, 1]");
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
}
