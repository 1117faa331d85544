// DINOv2 against transformers' (tests/parity/dinov2.py), and what a backbone must do.
#include <ATen/ATen.h>

#include <sectile/backbone.h>

#include "support/test.h"

#include "parity/backbone_checks.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

void check_dinov2(const std::string& name, const std::string& type, const std::string& more = "") {
  CAPTURE(name);
  static const auto all = expected("dinov2");
  const auto backbone = make_backbone(backbone_json(type, more));
  check_parity(*backbone, all[name], [&](const at::Tensor& images) {
    // The original does not look at what is left beyond whole patches.
    return backbone->features(images.narrow(2, 0, images.size(2) / 14 * 14).narrow(3, 0, images.size(3) / 14 * 14));
  });
}

StateDict as_transformers_5(Backbone& backbone) {
  StateDict file;
  for (const auto& [name, tensor] : state_dict(backbone)) {
    auto theirs = name;
    for (const auto& [ours, new_one] : {std::pair{".attention.attention.query.", ".attention.q_proj."},
                                        {".attention.attention.key.", ".attention.k_proj."},
                                        {".attention.attention.value.", ".attention.v_proj."},
                                        {".attention.output.dense.", ".attention.o_proj."}})
      if (const auto at = theirs.find(ours); at != std::string::npos)
        theirs.replace(at, std::string(ours).size(), new_one);
    file[theirs] = tensor.detach().clone();
  }
  return file;
}

}  // namespace

TEST_CASE("DINOv2 has transformers' names, values and gradients") {
  for (const std::string size : {"small", "base", "large"}) {
    check_dinov2("dinov2_" + size, "dinov2_" + size);
    check_dinov2("dinov2_" + size + " registers", "dinov2_" + size + "_registers");
  }
}

TEST_CASE("DINOv2's positions are resized as transformers', with antialiasing where it has registers") {
  for (const auto& [name, type] : {std::pair<std::string, std::string>{"dinov2_small", "dinov2_small"},
                                   {"dinov2_small registers", "dinov2_small_registers"}})
    check_dinov2(name + " 98", type, R"("image_size": 98)");
}

TEST_CASE("a file of transformers 5, with the token of hidden patches, loads into DINOv2") {
  for (const auto* type : {"dinov2_small", "dinov2_small_registers"}) {
    const auto whole = make_backbone(backbone_json(type)), other = make_backbone(backbone_json(type));
    fill_by_name(*whole);
    auto file = as_transformers_5(*whole);
    file["embeddings.mask_token"] = at::zeros({1, 384});
    const auto report = load_state(*other, file);
    CHECK(report.missing.empty());
    CHECK(report.unexpected.empty());
    CHECK(report.ignored == std::vector<std::string>{"embeddings.mask_token"});
    REQUIRE(report.translations.size() == 1);
    CHECK(report.translations[0].dialect == "transformers 5");
    const auto own = state_dict(*whole);
    for (const auto& [name, tensor] : state_dict(*other)) CHECK_MESSAGE(at::equal(tensor, own.at(name)), name);
  }
}

TEST_CASE("DINOv2 pads images to whole patches, and resizes positions of another image size") {
  const auto backbone = make_backbone(backbone_json("dinov2_small", R"("image_size": 70)"));
  fill_by_name(*backbone);
  backbone->eval();
  const c10::AutoGradMode no_grad(false);
  const auto images = formula_picture({1, 3, 43, 15});
  const auto features = backbone->features(images)[0];
  CHECK(features.sizes() == at::IntArrayRef({1, 384, 4, 2}));
  CHECK(at::equal(features, backbone->features(at::constant_pad_nd(images, {0, 13, 0, 13}))[0]));
  StateDict file;
  for (const auto& [name, tensor] : state_dict(*backbone)) file[name] = tensor.detach().clone();
  const auto report = load_state(*make_backbone(backbone_json("dinov2_small")), file);
  CHECK(report.adapted == std::vector<std::string>{"embeddings.position_embeddings"});
}

TEST_CASE("DINOv2's branches start unscaled, and its tokens never decay") {
  const auto backbone = make_backbone(backbone_json("dinov2_small_registers"));
  const auto parameters = backbone->named_parameters();
  CHECK(parameters["encoder.layer.3.layer_scale1.lambda1"].min().item<double>() == 1);
  const auto& rules = dynamic_cast<const WeightRules&>(*backbone);
  for (const auto* name : {"embeddings.cls_token", "embeddings.position_embeddings", "embeddings.register_tokens"}) {
    CHECK_FALSE(rules.decays(name));
    CHECK(rules.depth(name) == 0);
  }
  CHECK(rules.depth("encoder.layer.11.norm1.weight") == 12);
  CHECK(rules.depth("layernorm.weight") == 12);
}

TEST_CASE("DINOv2 prepared for inference gives the same features, and takes any number of channels") {
  const auto backbone = make_backbone(backbone_json("dinov2_small_registers"));
  fill_by_name(*backbone);
  backbone->eval();
  const c10::AutoGradMode no_grad(false);
  const auto images = formula_picture({2, 3, 56, 42});
  const auto before = backbone->features(images);
  prepare_for_inference(*backbone, {.format = at::MemoryFormat::ChannelsLast, .pack = true, .verify = true});
  CHECK(distance(before[0], backbone->features(images.contiguous(at::MemoryFormat::ChannelsLast))[0]) < 1e-4);
  check_image_channels("dinov2_small", "embeddings.patch_embeddings.projection.weight");
}

TEST_CASE("DINOv2's wrong options are refused") {
  const auto answer = [](const std::string& option) {
    return refusal<Backbone>(backbone_json("dinov2_small", option));
  };
  CHECK(answer(R"("image_size": 224, "patch_bias": true)").find("patch_bias") != std::string::npos);
  CHECK(answer(R"("image_size": 512)").find("is 512; expected a multiple of 14, the side of a patch") !=
        std::string::npos);
}
