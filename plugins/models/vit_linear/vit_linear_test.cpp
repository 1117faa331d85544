// A linear layer on a vision transformer against DINOv2's head (tests/parity/vit_linear.py), and what a model must do.
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/network.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::shared_ptr<Model> vit_linear(const std::string& backbone, int classes = 5, int channels = 3) {
  return make<Model>(std::string(R"({"type": "vit_linear", "backbone": )").append(backbone).append("}"),
                     context(classes, channels));
}

constexpr const char* kSmallVit = R"({"type": "vit_tiny", "image_size": 64})";

}  // namespace

TEST_CASE("vit_linear has the names, values and gradients of DINOv2's head on each backbone") {
  const auto all = expected("vit_linear");
  for (const auto& [name, backbone] :
       {std::pair{"vit_tiny", R"({"type": "vit_tiny", "interpolate": "bicubic_antialias"})"},
        {"dinov2_small", R"({"type": "dinov2_small", "image_size": 98})"},
        {"dinov2_small registers", R"({"type": "dinov2_small_registers", "image_size": 98})"}}) {
    CAPTURE(name);
    const auto model = vit_linear(backbone);
    check_parity(model->module(), all[name], logits_of(*model));
  }
}

TEST_CASE("the head of vit_linear fits another number of classes") {
  const auto report = load_state(vit_linear(kSmallVit, 7)->module(), state_dict(vit_linear(kSmallVit)->module()));
  CHECK(report.reinitialized.size() == 2);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
}

TEST_CASE("every parameter of vit_linear gets a gradient, and images may have any size and channels") {
  check_gradients(*vit_linear(kSmallVit), {2, 3, 64, 96});
  for (const auto* backbone : {kSmallVit, R"({"type": "dinov2_small_registers"})", R"({"type": "mit_b0"})"}) {
    const auto gray = vit_linear(backbone, 2, 1);
    gray->module().eval();
    for (const auto& [height, width] : {std::pair(64, 64), {37, 51}, {1, 9}})
      CHECK(logits(*gray, {1, 1, height, width}).sizes() == at::IntArrayRef({1, 2, height, width}));
  }
}

TEST_CASE("vit_linear prepared for inference answers the same") {
  const auto model = vit_linear(kSmallVit);
  auto& module = model->module();
  fill_by_name(module);
  module.eval();
  const c10::AutoGradMode no_grad(false);
  const auto before = logits(*model, {2, 3, 64, 96});
  prepare_for_inference(module, {.format = at::MemoryFormat::ChannelsLast, .pack = true, .verify = true});
  CHECK(distance(before, logits(*model, {2, 3, 64, 96})) < 1e-4);
}

TEST_CASE("with all 13 depths of its backbone frozen, vit_linear trains its linear layer and its norm alone") {
  const auto model = vit_linear(kSmallVit);
  freeze(*model->module().named_children()["backbone"], 13, "backbone");
  for (const auto& item : model->module().named_parameters())
    CHECK_MESSAGE(item.value().requires_grad() == item.key().starts_with("decode_head."), item.key());
}

TEST_CASE("vit_linear asks for whole patches, since its map is of the padded image") {
  for (const auto& [backbone, side] : {std::pair{R"({"type": "vit_tiny", "image_size": 64})", 16},
                                       {R"({"type": "dinov2_small"})", 14},
                                       {R"({"type": "resnet18"})", 32}})
    CHECK(vit_linear(backbone)->traits().divisor == Extent{1, side, side});
}
