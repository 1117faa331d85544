// SegFormer against transformers' (tests/parity/segformer.py), and what a model must do.
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/network.h"
#include "parity/transformers_names.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::shared_ptr<Model> segformer(const std::string& backbone = "mit_b0", const std::string& more = "", int classes = 5,
                                 int channels = 3) {
  return make<Model>(std::string(R"({"type": "segformer", "dropout": 0, "backbone": {"type": ")")
                         .append(backbone)
                         .append(R"(", "drop_path_rate": 0})")
                         .append(more)
                         .append("}"),
                     context(classes, channels));
}

void check_segformer(const std::string& name, const std::string& backbone, const std::string& more = "") {
  CAPTURE(name);
  static const auto all = expected("segformer");
  const auto model = segformer(backbone, more, 150);
  check_parity(model->module(), all[name], logits_of(*model));
}

}  // namespace

TEST_CASE("SegFormer has transformers' names, values and gradients") {
  for (const auto* name : {"mit_b0", "mit_b1"}) check_segformer(name, name);
  for (const auto* name : {"mit_b2", "mit_b3", "mit_b4", "mit_b5"})
    check_segformer(name, name, R"(, "decoder_hidden_size": 768)");
}

TEST_CASE("SegFormer's head fits another number of classes") {
  const auto small = segformer(), other = segformer("mit_b0", "", 7);
  const auto report = load_state(other->module(), state_dict(small->module()));
  CHECK(report.reinitialized.size() == 2);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
}

TEST_CASE("a file of transformers 5 loads into SegFormer, backbone and decoder") {
  const auto whole = segformer(), other = segformer();
  fill_by_name(whole->module());
  StateDict file;
  for (const auto& [name, tensor] : state_dict(whole->module())) {
    const std::string backbone = "segformer.";
    const auto theirs = name.starts_with(backbone)
                            ? backbone + transformers_5_name(name.substr(backbone.size()))
                            : replaced(name, "decode_head.linear_c.", "decode_head.linear_projections.");
    file[theirs] = tensor.detach().clone();
  }
  const auto report = load_state(other->module(), file);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  const auto own = state_dict(whole->module());
  for (const auto& [name, tensor] : state_dict(other->module())) CHECK_MESSAGE(at::equal(tensor, own.at(name)), name);
}

TEST_CASE("every parameter of SegFormer gets a gradient, and images may have any size and channels") {
  check_gradients(*segformer(), {2, 3, 64, 96});
  const auto gray = segformer("mit_b0", "", 2, 1);
  gray->module().eval();
  for (const auto& [height, width] : {std::pair(64, 64), {37, 51}, {1, 9}})
    CHECK(logits(*gray, {1, 1, height, width}).sizes() == at::IntArrayRef({1, 2, height, width}));
}

TEST_CASE("SegFormer folded for inference answers the same, and holds no norm of the decoder in use") {
  const auto model = segformer();
  auto& module = model->module();
  fill_by_name(module);
  module.eval();
  const c10::AutoGradMode no_grad(false);
  const auto before = logits(*model, {2, 3, 64, 96});
  prepare_for_inference(module, {.format = at::MemoryFormat::ChannelsLast, .pack = true, .verify = true});
  forget_statistics(module);
  CHECK(distance(before, logits(*model, {2, 3, 64, 96})) < 1e-4);
  prepare_for_inference(module, {.format = at::MemoryFormat::ChannelsLast, .pack = true});
  CHECK(distance(before, logits(*model, {2, 3, 64, 96})) < 1e-4);
}

TEST_CASE("SegFormer computes in float64 and in bfloat16") {
  const auto model = segformer();
  auto& module = model->module();
  fill_by_name(module);
  module.eval();
  const c10::AutoGradMode no_grad(false);
  const auto single = logits(*model, {1, 3, 64, 96});
  const auto half = segformer();
  fill_by_name(half->module());
  half->module().eval();
  prepare_for_inference(half->module(), {.precision = at::kBFloat16, .verify = true});
  CHECK((half->module().named_parameters()["decode_head.classifier.weight"].scalar_type() == at::kBFloat16));
  module.to(at::kDouble);
  Batch batch;
  batch.images = formula_picture({1, 3, 64, 96}).to(at::kDouble);
  const auto precise = model->forward(batch).logits;
  CHECK((precise.scalar_type() == at::kDouble));
  CHECK(distance(precise, single.to(at::kDouble)) < 1e-4);
  prepare_for_inference(module, {.verify = true});
  CHECK(distance(precise, model->forward(batch).logits) < 1e-12);
}

TEST_CASE("SegFormer takes other backbones with four levels, and refuses those with fewer") {
  const auto model = make<Model>(R"({"type": "segformer", "backbone": {"type": "resnet18"}})", context(3));
  CHECK(model->module().named_parameters()["decode_head.linear_c.3.proj.weight"].sizes() ==
        at::IntArrayRef({256, 512}));
  model->module().eval();
  CHECK(logits(*model, {1, 3, 33, 65}).sizes() == at::IntArrayRef({1, 3, 33, 65}));
  CHECK(refusal(R"({"type": "segformer", "backbone": {"type": "vit_tiny"}})").find("has one level of features") !=
        std::string::npos);
}

TEST_CASE("SegFormer's dropout is drawn in training") {
  const auto differs = [](const std::string& dropout) {
    const auto model = make<Model>(std::string(R"({"type": "segformer", "backbone": {"type": "mit_b0", )")
                                       .append(R"("drop_path_rate": 0}, "dropout": )")
                                       .append(dropout)
                                       .append("}"),
                                   context(3));
    return distance(logits(*model, {2, 3, 64, 64}), logits(*model, {2, 3, 64, 64})) > 1e-3;
  };
  CHECK(differs("0.5"));
  CHECK_FALSE(differs("0"));
}

TEST_CASE("SegFormer's wrong options are refused") {
  CHECK(refusal(R"({"type": "segformer", "decoder_hidden_size": 0})").find("/part/decoder_hidden_size") !=
        std::string::npos);
  CHECK(refusal(R"({"type": "segformer", "dropout": 1})").find("/part/dropout") != std::string::npos);
  CHECK(refusal(R"({"type": "segformer", "backbone": {"type": "mit_b6"}})").find("mit_b") != std::string::npos);
}
