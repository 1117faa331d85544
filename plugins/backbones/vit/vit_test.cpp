// Vision transformers against those of MMSegmentation and timm (tests/parity/vit.py), and what a backbone must do.
#include <ATen/ATen.h>

#include <sectile/backbone.h>
#include <sectile/nn/transformer/position_embedding.h>

#include "support/test.h"

#include "parity/backbone_checks.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

void check_vit(const std::string& name, const std::string& type, const std::string& more = "") {
  CAPTURE(name);
  static const auto all = expected("vit");
  const auto backbone = make_backbone(backbone_json(type, more));
  check_parity(*backbone, all[name], features_of(*backbone));
}

StateDict state_of(Backbone& backbone) {
  StateDict file;
  for (const auto& [name, tensor] : state_dict(backbone)) file[name] = tensor.detach().clone();
  return file;
}

// timm's names.
StateDict as_timm(const StateDict& file) {
  StateDict renamed;
  for (const auto& [name, tensor] : file) {
    auto theirs = name;
    const auto replace = [&](const std::string& from, const std::string& to) {
      if (const auto at = theirs.find(from); at != std::string::npos) theirs.replace(at, from.size(), to);
    };
    if (theirs.starts_with("ln1.")) replace("ln1.", "norm.");
    if (theirs.starts_with("layers.")) replace("layers.", "blocks.");
    for (const auto& [ours, others] : {std::pair{"patch_embed.projection.", "patch_embed.proj."},
                                       {".ln1.", ".norm1."},
                                       {".ln2.", ".norm2."},
                                       {".attn.attn.in_proj_", ".attn.qkv."},
                                       {".attn.attn.out_proj.", ".attn.proj."},
                                       {".ffn.layers.0.0.", ".mlp.fc1."},
                                       {".ffn.layers.1.", ".mlp.fc2."}})
      replace(ours, others);
    renamed[theirs] = tensor;
  }
  return renamed;
}

}  // namespace

TEST_CASE("vision transformers have timm's values and gradients, at sizes other than their own too") {
  for (const auto* name : {"vit_tiny", "vit_small", "vit_base", "vit_large"})
    check_vit(name, name, R"("interpolate": "bicubic_antialias")");
}

TEST_CASE("a vision transformer without antialias and bias is MMSegmentation's") {
  check_vit("vit_tiny mmseg", "vit_tiny", R"("patch_bias": false)");
}

TEST_CASE("a file of timm loads into a vision transformer, whatever its classifier") {
  const auto whole = make_backbone(backbone_json("vit_tiny")), other = make_backbone(backbone_json("vit_tiny"));
  fill_by_name(*whole);
  auto file = as_timm(state_of(*whole));
  file["head.weight"] = at::zeros({1000, 192});
  file["head.bias"] = at::zeros({1000});
  const auto report = load_state(*other, file);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  REQUIRE(report.translations.size() == 1);
  CHECK(report.translations[0].dialect == "timm");
  const auto own = state_dict(*whole);
  for (const auto& [name, tensor] : state_dict(*other)) CHECK_MESSAGE(at::equal(tensor, own.at(name)), name);
}

TEST_CASE("a vision transformer's position embeddings of another image size are resized") {
  const auto small = make_backbone(backbone_json("vit_tiny", R"("image_size": 96)"));
  fill_by_name(*small);
  for (const auto* how : {"bicubic", "bicubic_antialias", "bilinear"}) {
    const auto large = make_backbone(
        backbone_json("vit_tiny", std::string(R"("image_size": 160, "interpolate": ")").append(how).append("\"")));
    const auto report = load_state(*large, state_of(*small));
    CHECK(report.adapted == std::vector<std::string>{"pos_embed"});
    CHECK(report.missing.empty());
    const auto wanted = nn::resize_positions(small->named_parameters()["pos_embed"], 1, 10, 10,
                                             how == std::string("bicubic")    ? nn::PositionResize::bicubic
                                             : how == std::string("bilinear") ? nn::PositionResize::bilinear
                                                                              : nn::PositionResize::bicubic_antialias);
    CHECK(at::equal(large->named_parameters()["pos_embed"], wanted));
  }
  auto file = state_of(*small);
  file["pos_embed"] = at::zeros({1, 8, 192});  // no square
  CHECK_THROWS_WITH(load_state(*make_backbone(backbone_json("vit_tiny")), file),
                    doctest::Contains("pos_embed: is [1, 8, 192] in the file and [1, 197, 192] in the network"));
}

TEST_CASE("a vision transformer takes images of any size and aspect, padded to whole patches") {
  const auto backbone = make_backbone(backbone_json("vit_tiny", R"("image_size": 64)"));
  fill_by_name(*backbone);
  backbone->eval();
  const c10::AutoGradMode no_grad(false);
  for (const auto& [height, width] : {std::pair(64, 64), {32, 128}, {128, 32}, {33, 47}, {1, 1}, {16, 240}}) {
    const auto images = formula_picture({1, 3, height, width});
    const auto features = backbone->features(images);
    REQUIRE(features.size() == 1);
    const std::int64_t rows = (height + 15) / 16, columns = (width + 15) / 16;
    CHECK(features[0].sizes() == at::IntArrayRef({1, 192, rows, columns}));
    const auto padded = at::constant_pad_nd(images, {0, columns * 16 - width, 0, rows * 16 - height});
    CHECK(at::equal(features[0], backbone->features(padded)[0]));
  }
}

TEST_CASE("a vision transformer's layers are its depths, and its last norm is of the last one") {
  const auto backbone = make_backbone(backbone_json("vit_tiny"));
  const auto& rules = dynamic_cast<const WeightRules&>(*backbone);
  for (const auto* name : {"cls_token", "pos_embed", "patch_embed.projection.weight"}) CHECK(rules.depth(name) == 0);
  CHECK(rules.depth("layers.0.ln1.weight") == 1);
  CHECK(rules.depth("layers.11.ffn.layers.1.bias") == 12);
  CHECK(rules.depth("ln1.weight") == 12);
  for (const auto* name : {"cls_token", "pos_embed"}) CHECK_FALSE(rules.decays(name));
  CHECK(rules.decays("layers.0.attn.attn.in_proj_weight"));
  freeze(*backbone, 3, "backbone");
  for (const auto& item : backbone->named_parameters()) {
    const int depth = rules.depth(item.key());
    CHECK_MESSAGE(item.value().requires_grad() == (depth > 2), item.key());
  }
}

TEST_CASE("layer-wise learning rates fall from a vision transformer's last layer to its patches") {
  const auto backbone = make_backbone(backbone_json("vit_tiny"));
  Kind<Optimizer>::Common options;
  options.layer_decay = 0.5;
  std::map<std::string, double> scales;
  for (const auto& group : parameter_groups(*backbone, options))
    for (const auto& name : group.names) scales[name] = group.lr_scale;
  CHECK(scales.at("ln1.weight") == 0.5);
  CHECK(scales.at("layers.11.ln1.weight") == 0.5);
  CHECK(scales.at("layers.0.attn.attn.in_proj_weight") == std::pow(0.5, 12));
  CHECK(scales.at("pos_embed") == std::pow(0.5, 13));
}

TEST_CASE("a vision transformer's stochastic depth and gradient checkpointing") {
  const auto images = formula_picture({6, 3, 32, 32});
  const auto step = [&](const std::string& more, at::ScalarType type = at::kFloat) {
    const auto made = make_backbone(backbone_json("vit_tiny", more));
    return train_step(*made, images.to(type));
  };
  const auto plain = step(R"("drop_path_rate": 0)"), dropped = step(R"("drop_path_rate": 0.9)");
  CHECK(distance(plain.features[0], dropped.features[0]) > 1e-3);
  const auto once = step(R"("drop_path_rate": 0.5)", at::kDouble),
             twice = step(R"("drop_path_rate": 0.5, "gradient_checkpointing": true)", at::kDouble);
  CHECK(once.gradients.size() == 150);
  CHECK(same_tensors(once.gradients, twice.gradients));
}

TEST_CASE("a vision transformer prepared for inference gives the same features") {
  const auto backbone = make_backbone(backbone_json("vit_tiny"));
  fill_by_name(*backbone);
  backbone->eval();
  const c10::AutoGradMode no_grad(false);
  const auto images = formula_picture({2, 3, 64, 48});
  const auto before = backbone->features(images);
  prepare_for_inference(*backbone, {.format = at::MemoryFormat::ChannelsLast, .pack = true, .verify = true});
  CHECK(distance(before[0], backbone->features(images.contiguous(at::MemoryFormat::ChannelsLast))[0]) < 1e-4);
}

TEST_CASE("a vision transformer takes images of any number of channels") {
  check_image_channels("vit_tiny", "patch_embed.projection.weight");
}

TEST_CASE("a vision transformer starts as MMSegmentation's") {
  const auto backbone = make_backbone(backbone_json("vit_small"));
  const auto parameters = backbone->named_parameters();
  for (const auto* name : {"layers.3.attn.attn.in_proj_weight", "layers.3.ffn.layers.1.weight", "pos_embed"})
    CHECK(parameters[name].std().item<double>() == doctest::Approx(0.02).epsilon(0.05));
  CHECK(parameters["layers.3.attn.attn.in_proj_bias"].abs().max().item<double>() == 0);
}

TEST_CASE("a vision transformer's wrong options are refused with what to do") {
  const auto answer = [](const std::string& option) { return refusal<Backbone>(backbone_json("vit_tiny", option)); };
  CHECK(answer(R"("image_size": 100)").find("is 100; expected a multiple of 16, the side of a patch") !=
        std::string::npos);
  CHECK(answer(R"("image_size": 0)").find("/part/image_size") != std::string::npos);
  CHECK(answer(R"("interpolate": "nearest")").find("bicubic_antialias") != std::string::npos);
  CHECK(answer(R"("drop_path_rate": 1)").find("/part/drop_path_rate") != std::string::npos);
  CHECK(answer(R"("norm": "batch")").find("norm") != std::string::npos);
  const auto of_request = [](const FeatureRequest& request) { make_backbone(backbone_json("vit_tiny"), request); };
  CHECK_THROWS_WITH_AS(of_request({.output_stride = 8}),
                       doctest::Contains("has features at stride 16, and the model asks for 8"), SpecError);
  CHECK_THROWS_WITH_AS(of_request({.levels = {0, 1}}), doctest::Contains("has one level of features, at stride 16"),
                       SpecError);
  CHECK_NOTHROW(of_request({.output_stride = 16, .levels = {-1}}));
}
