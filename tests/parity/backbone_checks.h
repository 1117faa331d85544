// What every backbone with nn::BackboneOptions must do, whatever its family. Included after support/test.h.
#pragma once

#include <sectile/backbone.h>
#include <sectile/nn/batch_norm.h>

#include "network.h"

namespace sectile::test {

inline std::shared_ptr<Backbone> make_backbone(const std::string& json, const FeatureRequest& request = {},
                                               int channels = 3) {
  auto asked = context(2, channels);
  asked.features = request;
  return make<Backbone>(json, asked);
}

// {"type": TYPE, OPTIONS}
inline std::string backbone_json(const std::string& type, const std::string& options = "") {
  return std::string(R"({"type": ")")
      .append(type)
      .append("\"")
      .append(options.empty() ? "" : ", ")
      .append(options)
      .append("}");
}

inline Forward features_of(Backbone& backbone) {
  return [&backbone](const at::Tensor& images) { return backbone.features(images); };
}

// One step of training with weights by name: the features, and what it leaves behind.
struct Step {
  std::vector<at::Tensor> features;
  std::map<std::string, at::Tensor> gradients;
  std::map<std::string, at::Tensor> buffers;
};
inline Step train_step(Backbone& backbone, const at::Tensor& images) {
  at::manual_seed(3);
  backbone.to(images.scalar_type());
  fill_by_name(backbone);
  backbone.train();
  Step step{backbone.features(images), {}, {}};
  auto loss = at::zeros({}, images.options());
  for (const auto& level : step.features) loss = loss + level.square().mean();
  loss.backward();
  for (const auto& item : backbone.named_parameters())
    if (item.value().grad().defined()) step.gradients[item.key()] = item.value().grad();
  for (const auto& item : backbone.named_buffers()) step.buffers[item.key()] = item.value();
  return step;
}

inline bool same_tensors(const std::map<std::string, at::Tensor>& a, const std::map<std::string, at::Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a)
    if (b.count(name) == 0 || !at::allclose(tensor, b.at(name), 1e-6, 1e-9)) return false;
  return true;
}

inline double largest_difference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].sizes() == b[i].sizes());
    if (a[i].numel() > 0) most = std::max(most, distance(a[i], b[i]));  // a level may have no channels
  }
  return most;
}

// Levels that are not asked for are not made, and a file of the whole network loads all the same.
inline void check_levels(const std::string& type, const std::vector<FeatureLevel>& wanted) {
  const auto whole = make_backbone(backbone_json(type));
  const auto all = whole->levels();
  REQUIRE(all.size() == wanted.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i].channels == wanted[i].channels);
    CHECK(all[i].stride == wanted[i].stride);
  }
  fill_by_name(*whole);
  whole->eval();
  const c10::AutoGradMode no_grad(false);
  const auto images = formula_picture({1, 3, 32, 32});
  const auto full = whole->features(images);
  const auto count = static_cast<int>(wanted.size());
  for (int last = 0; last < count; ++last) {
    const auto part = make_backbone(backbone_json(type), {.levels = {last - count, 0}});
    CHECK((last + 1 == count) == (parameter_count(*part) == parameter_count(*whole)));
    StateDict file;
    for (const auto& [name, tensor] : state_dict(*whole)) file[name] = tensor.detach().clone();
    const auto report = load_state(*part, file);
    CHECK(report.missing.empty());
    CHECK(report.unexpected.empty());
    part->eval();
    const auto some = part->features(images);
    REQUIRE(some.size() == 2);
    CHECK(at::equal(some[0], full[static_cast<std::size_t>(last)]));
    CHECK(at::equal(some[1], full[0]));
  }
}

// Dilated, all parameters stay the same, and no level is coarser than the output stride.
inline void check_output_strides(const std::string& type) {
  const auto own = make_backbone(backbone_json(type));
  for (const int stride : {8, 16, 32}) {
    const auto dilated = make_backbone(backbone_json(type), {.output_stride = stride});
    CHECK(names_and_sizes(*dilated) == names_and_sizes(*own));
    dilated->eval();
    const c10::AutoGradMode no_grad(false);
    const auto levels = dilated->levels();
    const auto features = dilated->features(formula_picture({1, 3, 96, 64}));
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const int expected = std::min(own->levels()[i].stride, stride);
      CHECK(levels[i].stride == expected);
      CHECK(features[i].size(2) == 96 / expected);
      CHECK(features[i].size(3) == 64 / expected);
    }
  }
  CHECK_THROWS_WITH_AS(make_backbone(backbone_json(type), {.output_stride = 4}),
                       doctest::Contains("has output strides 8, 16 and 32, and the model asks for 4"), SpecError);
}

inline void check_drop_path(const std::string& type) {
  const auto images = formula_picture({4, 3, 32, 32});
  const auto step = [&](const char* rate) {
    const auto made = make_backbone(backbone_json(type, std::string(R"("drop_path_rate": )").append(rate)));
    return std::pair(train_step(*made, images), made);
  };
  const auto [without, plain] = step("0");
  const auto [with, dropped] = step("0.9");
  CHECK(at::equal(without.features.front(), with.features.front()));
  CHECK(distance(without.features.back(), with.features.back()) > 1e-3);
  fill_by_name(*plain), fill_by_name(*dropped);
  plain->eval(), dropped->eval();
  const c10::AutoGradMode no_grad(false);
  CHECK(largest_difference(plain->features(images), dropped->features(images)) == 0);
  CHECK(refusal<Backbone>(backbone_json(type, R"("drop_path_rate": 1)")).find("/part/drop_path_rate") !=
        std::string::npos);
}

// Frozen norms have no parameters, and training changes nothing about them.
inline void check_frozen_norm(const std::string& type) {
  const auto frozen = make_backbone(backbone_json(type, R"("norm": "frozen_batch", "drop_path_rate": 0)"));
  const auto images = formula_picture({1, 3, 32, 32});
  for (const auto& item : frozen->named_parameters()) {
    const bool of_conv = item.value().dim() > 1 || item.key().ends_with(".bias");
    CHECK_MESSAGE(of_conv, item.key());
  }
  fill_by_name(*frozen);
  std::map<std::string, at::Tensor> before;
  for (const auto& item : frozen->named_buffers()) before[item.key()] = item.value().clone();
  const auto step = train_step(*frozen, images);
  CHECK(same_tensors(before, step.buffers));
  frozen->eval();
  const c10::AutoGradMode no_grad(false);
  CHECK(largest_difference(frozen->features(images), step.features) < 1e-6);
}

inline void check_checkpointing(const std::string& type) {
  const auto images = formula_picture({3, 3, 32, 32}).to(at::kDouble);
  const auto options = [&](const char* checkpointing) {
    return backbone_json(type,
                         std::string(R"("drop_path_rate": 0.5, "gradient_checkpointing": )").append(checkpointing));
  };
  const auto plain = make_backbone(options("false")), twice = make_backbone(options("true"));
  const auto a = train_step(*plain, images), b = train_step(*twice, images);
  CHECK(a.gradients.size() == plain->parameters().size());
  CHECK(same_tensors(a.gradients, b.gradients));
  CHECK(same_tensors(a.buffers, b.buffers));
}

inline void check_image_channels(const std::string& type, const std::string& image_conv) {
  for (const int channels : {1, 5}) {
    const auto made = make_backbone(backbone_json(type), {.levels = {-1}}, channels);
    CHECK(made->named_parameters()[image_conv].size(1) == channels);
    CHECK(made->features(formula_picture({2, channels, 32, 32})).size() == 1);
  }
}

inline void check_eps_and_momentum(Backbone& backbone, double eps, double momentum) {
  int norms = 0;
  for (const auto& module : backbone.modules(/*include_self=*/false))
    if (const auto* norm = dynamic_cast<const nn::BatchNorm*>(module.get())) {
      ++norms;
      CHECK(norm->options.eps == eps);
      CHECK(norm->options.momentum == doctest::Approx(momentum).epsilon(1e-12));
    }
  CHECK(norms > 0);
}

// Each stage is a depth, from 0 on, and no parameter is outside one.
inline void check_depths(Backbone& backbone) {
  const auto& rules = dynamic_cast<const WeightRules&>(backbone);
  std::set<int> depths;
  for (const auto& item : backbone.named_parameters()) depths.insert(rules.depth(item.key()));
  CHECK(depths == std::set<int>{0, 1, 2, 3, 4});
}

}  // namespace sectile::test
