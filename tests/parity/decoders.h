// What the tests of networks with any backbone share (decoders.py). Included after support/test.h.
#pragma once

#include "network.h"

namespace sectile::test {

inline std::string with_backbone(const std::string& model, const std::string& backbone, const std::string& more = "") {
  const std::string kept = backbone.starts_with("efficientnet") ? R"(, "drop_path_rate": 0)"
                           : backbone.starts_with("mit")        ? R"(, "drop_path_rate": 0, "eps": 1e-6)"
                                                                : "";
  return R"({"type": ")" + model + R"(", "backbone": {"type": ")" + backbone + "\"" + kept + "}" +
         (more.empty() ? "" : ", " + more) + "}";
}

inline std::shared_ptr<Model> small_decoder(const std::string& model, const std::string& more = "", int channels = 3) {
  return make<Model>(with_backbone(model, "resnet18", more), context(5, channels));
}

// name: of the expected values.
inline void check_decoder(const std::string& spec, const std::string& name) {
  CAPTURE(name);
  const auto model = make<Model>(spec, context(5));
  static const Json all = expected("decoders");
  check_parity(model->module(), all[name], logits_of(*model));
}

// With each of three backbones.
inline void check_decoder_with_backbones(const std::string& model, const std::string& more = "") {
  for (const char* backbone : {"resnet18", "mobilenet_v2", "efficientnet_b0"})
    check_decoder(with_backbone(model, backbone, more), model + " " + backbone);
}

inline void check_folded_decoder(Model& model) {
  auto& module = model.module();
  fill_by_name(module);
  module.eval();
  const c10::AutoGradMode no_grad(false);
  const auto before = logits(model, {2, 3, 64, 96});
  prepare_for_inference(module, {.verify = true});
  forget_statistics(module);
  CHECK(distance(before, logits(model, {2, 3, 64, 96})) < 1e-4);
}

// What all these networks have in common.
inline void check_decoder_contract(const std::string& type, const std::string& more = "") {
  const auto model = small_decoder(type, more);
  auto& module = model->module();
  SUBCASE("the head fits another number of classes, and is initialized as the original's") {
    const auto other = make<Model>(with_backbone(type, "resnet18", more), context(7));
    const auto report = load_state(other->module(), state_dict(module));
    REQUIRE(report.reinitialized.size() == 2);
    CHECK(report.missing.empty());
    CHECK(report.unexpected.empty());
  }
  SUBCASE("a classifier of whole images in a file is ignored") {
    auto file = state_dict(module);
    file["classification_head.3.weight"] = at::zeros({2, 2});
    const auto report = load_state(module, file);
    CHECK(report.unexpected.empty());
    CHECK(report.ignored.size() == 1);
  }
  SUBCASE("every parameter gets a gradient") { check_gradients(*model, {2, 3, 64, 96}); }
  SUBCASE("images have any number of channels") {
    for (const int channels : {1, 5}) {
      const auto many = small_decoder(type, more, channels);
      many->module().eval();
      CHECK(logits(*many, {1, channels, 64, 32}).sizes() == at::IntArrayRef({1, 5, 64, 32}));
    }
  }
  SUBCASE("folded for inference it answers the same") { check_folded_decoder(*model); }
}

// The largest weight of a parameter.
inline double bound(Model& model, const std::string& name) {
  return model.module().named_parameters()[name].abs().max().item<double>();
}

inline bool is_drawn(Model& model) {  // whether training draws random numbers
  model.module().train();
  const auto first = logits(model, {2, 3, 64, 64}), second = logits(model, {2, 3, 64, 64});
  return distance(first, second) > 1e-3;
}

}  // namespace sectile::test
