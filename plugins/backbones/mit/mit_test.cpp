// Mix transformers against those of transformers and segmentation_models_pytorch (tests/parity/mit.py), and what a
// backbone must do.
#include <ATen/ATen.h>

#include <sectile/backbone.h>

#include "support/test.h"

#include "parity/backbone_checks.h"
#include "parity/transformers_names.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

const FeatureRequest kFourLevels{.levels = {1, 2, 3, 4}};

std::shared_ptr<Backbone> mit(const std::string& type, const std::string& more = R"("drop_path_rate": 0)") {
  return make_backbone(backbone_json(type, more), kFourLevels);
}

void check_mit(const std::string& name, const std::string& type, const std::string& more = "") {
  CAPTURE(name);
  static const auto all = expected("mit");
  const auto backbone = mit(type, std::string(R"("drop_path_rate": 0)").append(more.empty() ? "" : ", ").append(more));
  check_parity(*backbone, all[name], features_of(*backbone));
}

StateDict state_of(Backbone& backbone) {
  StateDict file;
  for (const auto& [name, tensor] : state_dict(backbone)) file[name] = tensor.detach().clone();
  return file;
}

// The names of the paper's code, with keys and values in one tensor.
StateDict as_original(const StateDict& file) {
  StateDict renamed;
  for (const auto& [name, tensor] : file) {
    const auto part = name.substr(8, name.find('.', 8) - 8);
    const auto rest = name.substr(8 + part.size() + 1);
    const auto stage = std::to_string(std::stoi(rest.substr(0, 1)) + 1);
    const auto tail = rest.substr(1);
    if (part == "patch_embeddings") {
      renamed["patch_embed" + stage + replaced(tail, ".layer_norm.", ".norm.")] = tensor;
    } else if (part == "layer_norm") {
      renamed["norm" + stage + tail] = tensor;
    } else {
      if (tail.find(".self.value.") != std::string::npos) continue;
      auto theirs = "block" + stage + tail;
      auto value = tensor;
      if (theirs.find(".self.key.") != std::string::npos) {
        value = at::cat({tensor, file.at(replaced(name, ".key.", ".value."))});
        theirs = replaced(theirs, ".attention.self.key.", ".attn.kv.");
      }
      for (const auto& [ours, old_one] : {std::pair{".layer_norm_1.", ".norm1."},
                                          {".layer_norm_2.", ".norm2."},
                                          {".attention.self.query.", ".attn.q."},
                                          {".attention.output.dense.", ".attn.proj."},
                                          {".attention.self.sr.", ".attn.sr."},
                                          {".attention.self.layer_norm.", ".attn.norm."},
                                          {".mlp.dense1.", ".mlp.fc1."},
                                          {".mlp.dense2.", ".mlp.fc2."}})
        theirs = replaced(theirs, ours, old_one);
      renamed[theirs] = value;
    }
  }
  return renamed;
}

void check_loads_whole(const StateDict& file, const StateDict& wanted, const std::string& dialect) {
  const auto other = mit("mit_b0");
  const auto report = load_state(*other, file);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  REQUIRE(report.translations.size() == 1);
  CHECK(report.translations[0].dialect == dialect);
  for (const auto& [name, tensor] : state_dict(*other)) CHECK_MESSAGE(at::equal(tensor, wanted.at(name)), name);
}

}  // namespace

TEST_CASE("mix transformers have transformers' names, values and gradients") {
  for (const auto* name : {"mit_b0", "mit_b1", "mit_b2", "mit_b3", "mit_b4", "mit_b5"}) check_mit(name, name);
}

TEST_CASE("a mix transformer with eps 1e-6 is that of segmentation_models_pytorch") {
  check_mit("mit_b0 smp", "mit_b0", R"("eps": 1e-6)");
}

TEST_CASE("a mix transformer's eps is that of transformers unless it is given") {
  const auto all = expected("mit");
  for (const auto& one : all["eps"]["cases"]) {
    const double eps = one["eps"].get<double>();
    CAPTURE(eps);
    const auto own = mit("mit_b0"), given = mit("mit_b0", R"("drop_path_rate": 0, "eps": 1e-6)");
    const auto backbone = eps == 1e-5 ? own : given;
    const c10::AutoGradMode no_grad(false);
    for (const auto& each : {own, given}) {
      each->to(at::kDouble);
      fill_by_name(*each);
      for (auto& item : each->named_parameters())
        if (item.key().find("patch_embeddings") != std::string::npos &&
            item.key().find("layer_norm") != std::string::npos)
          item.value().mul_(one["factor"].get<double>());
      each->eval();
    }
    const auto images = formula_picture(one["input"].get<std::vector<std::int64_t>>()).to(at::kDouble);
    CHECK(worst(backbone->features(images), one["eval"]) < 1e-6);
    CHECK(worst((eps == 1e-5 ? given : own)->features(images), one["eval"]) > 1e-3);
  }
}

TEST_CASE("files of transformers 5 and of the paper's code load into a mix transformer") {
  const auto whole = mit("mit_b0");
  fill_by_name(*whole);
  const auto file = state_of(*whole);
  StateDict renamed;
  for (const auto& [name, tensor] : file) renamed[transformers_5_name(name)] = tensor;
  check_loads_whole(renamed, file, "transformers 5");
  auto original = as_original(file);
  original["head.weight"] = at::zeros({1000, 256});
  check_loads_whole(original, file, "segmentation_models_pytorch, which needs the eps 1e-6");
  const auto like_original = mit("mit_b0", R"("eps": 1e-6)");
  CHECK(load_state(*like_original, original).translations.at(0).dialect == "segmentation_models_pytorch");
}

TEST_CASE("a mix transformer has a level of stride 2 without channels, and no stage beyond those asked for") {
  check_levels("mit_b0", {{0, 2}, {32, 4}, {64, 8}, {160, 16}, {256, 32}});
  const auto all = make_backbone(backbone_json("mit_b0"));
  const auto features = all->features(formula_picture({2, 3, 33, 47}));
  REQUIRE(features.size() == 5);
  CHECK(features[0].sizes() == at::IntArrayRef({2, 0, 16, 23}));
  CHECK(features[1].sizes() == at::IntArrayRef({2, 32, 9, 12}));
  CHECK(features[4].sizes() == at::IntArrayRef({2, 256, 2, 2}));
  CHECK(parameter_count(*make_backbone(backbone_json("mit_b0"), {.levels = {0}})) == 0);
  CHECK(all->features(formula_picture({1, 3, 1, 40}))[1].sizes() == at::IntArrayRef({1, 32, 1, 10}));
}

TEST_CASE("mix transformers' options of all backbones have an effect") {
  check_drop_path("mit_b0");
  check_checkpointing("mit_b0");
  check_output_strides("mit_b0");
  check_image_channels("mit_b0", "encoder.patch_embeddings.0.proj.weight");
}

TEST_CASE("a mix transformer drops both branches of a block") {
  for (const auto* other : {"mlp.dense2.", "attention.output.dense."}) {
    const auto backbone = make_backbone(backbone_json("mit_b0", R"("drop_path_rate": 0.9)"), {.levels = {-1}});
    const c10::AutoGradMode no_grad(false);
    fill_by_name(*backbone);
    for (auto& item : backbone->named_parameters())  // the branch of this layer adds nothing in any block
      if (item.key().find(other) != std::string::npos) item.value().zero_();
    backbone->train();
    const auto images = formula_picture({8, 3, 32, 32});
    CHECK(distance(backbone->features(images)[0], backbone->features(images)[0]) > 1e-3);
  }
}

TEST_CASE("a mix transformer freezes its stages in order, all parameters of each") {
  const auto backbone = mit("mit_b1");
  const auto& rules = dynamic_cast<const WeightRules&>(*backbone);
  std::set<int> depths;
  for (const auto& item : backbone->named_parameters()) depths.insert(rules.depth(item.key()));
  CHECK(depths == std::set<int>{0, 1, 2, 3});
  freeze(*backbone, 1, "backbone");
  for (const auto& item : backbone->named_parameters())
    CHECK_MESSAGE(item.value().requires_grad() == (rules.depth(item.key()) > 0), item.key());
}

TEST_CASE("a mix transformer prepared for inference gives the same features") {
  const auto backbone = mit("mit_b0");
  fill_by_name(*backbone);
  backbone->eval();
  const c10::AutoGradMode no_grad(false);
  const auto images = formula_picture({2, 3, 65, 48});
  const auto before = backbone->features(images);
  prepare_for_inference(*backbone, {.format = at::MemoryFormat::ChannelsLast, .pack = true, .verify = true});
  const auto after = backbone->features(images.contiguous(at::MemoryFormat::ChannelsLast));
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(distance(before[i], after[i]) < 1e-4);
}

TEST_CASE("a mix transformer starts as MMSegmentation's") {
  const auto parameters = mit("mit_b1")->named_parameters();
  const auto deviation = [&](const std::string& name) { return parameters[name].std().item<double>(); };
  CHECK(deviation("encoder.block.3.0.mlp.dense1.weight") == doctest::Approx(0.02).epsilon(0.02));
  CHECK(deviation("encoder.block.3.0.mlp.dwconv.dwconv.weight") == doctest::Approx(std::sqrt(2.0 / 9)).epsilon(0.02));
  CHECK(deviation("encoder.patch_embeddings.3.proj.weight") ==
        doctest::Approx(std::sqrt(2.0 / (9 * 512))).epsilon(0.02));
  CHECK(parameters["encoder.block.0.0.attention.self.sr.bias"].abs().max().item<double>() == 0);
}

TEST_CASE("a mix transformer's wrong options are refused") {
  const auto answer = [](const std::string& option) { return refusal<Backbone>(backbone_json("mit_b0", option)); };
  CHECK(answer(R"("eps": 0)").find("/part/eps") != std::string::npos);
  CHECK(answer(R"("norm": "batch")").find("norm") != std::string::npos);
}
