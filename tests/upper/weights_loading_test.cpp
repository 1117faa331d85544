// What of a file of weights goes into a network, what is refused, and what frozen parts keep.
#include <cmath>

#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/training/trainer.h"
#include "upper/weights/files/torch/torch_file.h"
#include "upper/weights/loading.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

const PluginIndex& plugins_and_toys() {
  static const PluginIndex index({SECTILE_BUILD_DIR "/lib/sectile/plugins", SECTILE_BUILD_DIR "/tests/plugins"});
  return index;
}

Pipeline pipeline(const std::string& changes = "{}") {
  SpecFile file;
  file.json = Json::parse(R"({
    "data": {"train": {"type": "synthetic", "count": 8, "size": [16, 16], "seed": 1},
             "val": {"type": "synthetic", "count": 2, "size": [16, 16], "seed": 2}},
    "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "toy", "backbone": {"type": "toy_attention"}},
    "loss": [{"type": "cross_entropy"}],
    "optimizer": {"type": "sgd", "lr": 0.1, "momentum": 0.9},
    "metrics": [{"type": "iou"}],
    "train": {"epochs": 2, "batch_size": 2, "workers": 0}
  })");
  file.json.merge_patch(Json::parse(changes));
  return Pipeline::for_training(plugins_and_toys(), read_spec(plugins_and_toys(), file), at::kCPU);
}

StateDict copy_of(torch::nn::Module& module) {
  StateDict copy;
  for (const auto& [name, tensor] : state_dict(module)) copy[name] = tensor.detach().clone();
  return copy;
}

// The weights of a network of another seed, so that nothing is there already that is to be loaded.
StateDict trained() { return copy_of(pipeline(R"({"train": {"seed": 7}})").model->module()); }

void move(StateDict& state, const std::string& from, const std::string& to) {
  auto node = state.extract(from);
  node.key() = to;
  state.insert(std::move(node));
}

// A file of weights that a spec names, in the model or in its backbone.
struct Start {
  test::Scratch folder;
  const fs::path file = folder / "w.pth";
  std::string note;

  explicit Start(const StateDict& weights) {
    PythonDict content;
    for (const auto& [name, tensor] : weights) content.emplace_back(name, tensor);
    write_torch_file(file, content);
  }
  Pipeline model(const std::string& options = "") {
    return noted(R"({"model": {"weights": ")" + file.string() + "\"" + options + "}}");
  }
  Pipeline backbone(const std::string& options = "") {
    return noted(R"({"model": {"backbone": {"weights": ")" + file.string() + "\"" + options + "}}}");
  }
  // What is said in place of starting, with the file as FILE.
  template <class Begin>
  std::string refusal(Begin begin) {
    try {
      begin();
    } catch (const DataError& error) {
      return test::replaced(error.what(), file.string(), "FILE");
    }
    return "started: " + note;
  }
  std::string refusal_by_model(const std::string& options = "") {
    return refusal([&] { model(options); });
  }

 private:
  Pipeline noted(const std::string& changes) {
    auto made = pipeline(changes);
    REQUIRE(made.notes.size() == 1);
    note = test::replaced(made.notes[0], file.string(), "FILE");
    return made;
  }
};

void check_same(const StateDict& state, const StateDict& wanted) {
  CHECK(state.size() == wanted.size());
  for (const auto& [name, tensor] : wanted) {
    CAPTURE(name);
    REQUIRE(state.count(name) == 1);
    CHECK(at::equal(state.at(name), tensor));
  }
}

std::string spec_refusal(const std::string& changes) {
  try {
    pipeline(changes);
  } catch (const SpecError& error) {
    return error.what();
  }
  return "accepted";
}

constexpr const char* kLax = R"(, "weights_strict": false)";

}  // namespace

TEST_CASE("a file with the network's own names is loaded whole") {
  const auto weights = trained();
  Start start(weights);
  const auto made = start.model();
  check_same(state_dict(made.model->module()), weights);
  CHECK(start.note == "FILE: 8 tensors loaded into model \"toy\"");
}

TEST_CASE("of a checkpoint with a moving average, that is taken, which its metrics are of") {
  const auto weights = trained();
  Start start(weights);
  Checkpoint checkpoint;
  checkpoint.spec = "{}";
  checkpoint.labels.classes.resize(1);
  checkpoint.model = copy_of(pipeline(R"({"train": {"seed": 8}})").model->module());
  checkpoint.ema = weights;
  save_checkpoint(start.file, checkpoint);
  check_same(state_dict(start.model().model->module()), weights);
  CHECK(start.note ==
        "FILE: 8 tensors loaded into model \"toy\"; these are its moving average (EMA), which its metrics are of");
  checkpoint.ema.clear();
  save_checkpoint(start.file, checkpoint);
  check_same(state_dict(start.model().model->module()), checkpoint.model);
  CHECK(start.note == "FILE: 8 tensors loaded into model \"toy\"");
}

TEST_CASE("a file in which no name matches is refused, strict or not") {
  Start start({{"a.weight", at::ones({2})}, {"b.weight", at::ones({2})}});
  const std::string message =
      "/model/weights: FILE: has no weights for model \"toy\"\n"
      "  missing in the file (8): backbone.blocks.0.attn.k.weight, backbone.blocks.0.attn.q.weight, "
      "backbone.blocks.0.attn.v.weight and 5 more\n"
      "  unknown to the network (2): a.weight (the network has head.weight), b.weight\n"
      "is it a file of a different network?";
  CHECK(start.refusal_by_model() == message);
  CHECK(start.refusal_by_model(kLax) == message);
}

TEST_CASE("a missing name is refused, and noted where the spec allows it") {
  auto weights = trained();
  weights.erase("backbone.stem.weight");
  Start start(weights);
  CHECK(start.refusal_by_model() ==
        "/model/weights: FILE: does not fit model \"toy\"\n"
        "  missing in the file (1): backbone.stem.weight\n"
        "\"weights_strict\": false loads what matches, and keeps the initial values of the rest");
  start.model(kLax);
  CHECK(start.note ==
        "FILE: 7 tensors loaded into model \"toy\"; 1 missing in the file, initial values kept (backbone.stem.weight)");
}

TEST_CASE("an unexpected name is refused, and noted where the spec allows it") {
  auto weights = trained();
  weights["extra.weight"] = at::ones({1});
  Start start(weights);
  CHECK(start.refusal_by_model() ==
        "/model/weights: FILE: does not fit model \"toy\"\n"
        "  unknown to the network (1): extra.weight\n"
        "\"weights_strict\": false loads what matches, and keeps the initial values of the rest");
  start.model(kLax);
  CHECK(start.note == "FILE: 8 tensors loaded into model \"toy\"; 1 unknown to the network, ignored (extra.weight)");
}

TEST_CASE("a name that is spelled otherwise is told with the one that is meant") {
  auto weights = trained();
  move(weights, "backbone.stem.weight", "backbone.steam.weight");
  Start start(weights);
  CHECK(start.refusal_by_model() ==
        "/model/weights: FILE: does not fit model \"toy\"\n"
        "  missing in the file (1): backbone.stem.weight (the file has backbone.steam.weight)\n"
        "  unknown to the network (1): backbone.steam.weight (the network has backbone.stem.weight)\n"
        "\"weights_strict\": false loads what matches, and keeps the initial values of the rest");
}

TEST_CASE("a wrong shape is refused, strict or not, and nothing is written") {
  auto weights = trained();
  weights["backbone.blocks.1.attn.q.weight"] = at::ones({2, 5});
  Start start(weights);
  const std::string message =
      "/model/weights: FILE: does not fit model \"toy\"\n"
      "  of another shape or type (1): backbone.blocks.1.attn.q.weight is [2, 5] in the file and [2, 2] in the "
      "network\n"
      "use the model options that the file was made with";
  CHECK(start.refusal_by_model() == message);
  CHECK(start.refusal_by_model(kLax) == message);
  const auto made = pipeline();
  const auto before = copy_of(made.model->module());
  CHECK_THROWS_AS(load_state(made.model->module(), weights), DataError);
  check_same(state_dict(made.model->module()), before);
}

TEST_CASE("a backbone's file is told with the backbone's place and names") {
  Start start({{"steem.weight", at::ones({2, 3, 1, 1})}});
  CHECK(start.refusal([&] { start.backbone(); }) ==
        "/model/backbone/weights: FILE: has no weights for backbone \"toy_attention\"\n"
        "  missing in the file (7): blocks.0.attn.k.weight, blocks.0.attn.q.weight, blocks.0.attn.v.weight and 4 more\n"
        "  unknown to the network (1): steem.weight (the network has stem.weight)\n"
        "is it a file of a different network?");
}

TEST_CASE("prefixes that a wrapper put before all names are left out, also several") {
  const auto weights = trained();
  for (const std::string prefix : {"module.", "model.", "net.", "_orig_mod.", "module._orig_mod."}) {
    StateDict wrapped;
    for (const auto& [name, tensor] : weights) wrapped[prefix + name] = tensor;
    Start start(wrapped);
    const auto made = start.model();
    check_same(state_dict(made.model->module()), weights);
    const bool compiled = prefix.find("_orig_mod.") != std::string::npos;
    const auto rest = prefix.substr(0, prefix.find("_orig_mod."));
    CHECK(start.note == std::string("FILE: 8 tensors loaded into model \"toy\"; read ") +
                            (compiled ? "without the \"_orig_mod.\" of torch.compile in its names" : "") +
                            (compiled && !rest.empty() ? ", " : "") +
                            (rest.empty() ? "" : "without the prefix \"" + rest + "\" of its names"));
  }
  auto partly = weights;
  move(partly, "head.weight", "module.head.weight");
  CHECK(Start(partly).refusal_by_model().find("module.head.weight (the network has head.weight)") != std::string::npos);
}

TEST_CASE("any prefix of most names is left out where the rest then matches, and tensors beside them are told") {
  const auto weights = trained();
  StateDict wrapped{{"loss.weight", at::ones({3})}};
  for (const auto& [name, tensor] : weights) wrapped["network.unet." + name] = tensor;
  Start start(wrapped);
  CHECK(start.refusal_by_model() ==
        "/model/weights: FILE: does not fit model \"toy\", read without the prefix \"network.unet.\" of its names\n"
        "  unknown to the network (1): loss.weight\n"
        "\"weights_strict\": false loads what matches, and keeps the initial values of the rest");
  check_same(state_dict(start.model(kLax).model->module()), weights);
}

TEST_CASE("names that a network need not know are noted, also if a prefix was before them") {
  const auto made = pipeline();
  StateDict wrapped{{"module.scale", at::ones({})}};
  for (const auto& [name, tensor] : trained()) wrapped["module." + name] = tensor;
  CHECK_THROWS_AS(start_from(made.model->module(), wrapped, {"w.pt", "model"}), DataError);
  const auto started =
      start_from(made.model->module(), wrapped, {"w.pt", "model", true, WeightsChannels::rgb, {"module.scale"}});
  CHECK(started.whole);
  CHECK(started.note.ends_with("1 not needed by the network, ignored (scale)"));
}

TEST_CASE("a dialect of a module deep inside splits a fused tensor, in whatever model it stands") {
  const auto weights = trained();
  auto fused = weights;
  for (const std::string block : {"backbone.blocks.0.attn.", "backbone.blocks.1.attn."}) {
    fused[block + "qkv.weight"] =
        at::cat({weights.at(block + "q.weight"), weights.at(block + "k.weight"), weights.at(block + "v.weight")});
    for (const char* part : {"q", "k", "v"}) fused.erase(block + part + ".weight");
  }
  Start start(fused);
  const auto made = start.model();
  check_same(state_dict(made.model->module()), weights);
  CHECK(start.note ==
        "FILE: 8 tensors loaded into model \"toy\"; read by the dialect \"fused_qkv\" of backbone.blocks.0.attn, "
        "backbone.blocks.1.attn");

  StateDict outside;  // both the backbone's and the blocks' dialect, in a file of the backbone alone
  for (const auto& [name, tensor] : fused)
    if (name.starts_with("backbone."))
      outside["module." + test::replaced(test::replaced(name, "backbone.", ""), "blocks.", "layers.")] = tensor;
  for (const char* number : {"0", "1"})
    move(outside, std::string("module.layers.") + number + ".attn.qkv.weight",
         std::string("module.layers.") + number + ".self.qkv.weight");
  outside["module.fc.weight"] = at::ones({10, 2});
  Start of_backbone(outside);
  const auto other = of_backbone.backbone();
  auto loaded = copy_of(other.model->module());
  loaded["head.weight"] = weights.at("head.weight");
  check_same(loaded, weights);
  CHECK(of_backbone.note ==
        "FILE: 7 tensors loaded into backbone \"toy_attention\"; read without the prefix \"module.\" of its names, by "
        "the dialect \"fused_qkv\" of blocks.0.attn, blocks.1.attn, by the dialect \"layers\" of the network itself");
}

TEST_CASE("each module's dialect is chosen by itself") {
  const auto weights = trained();
  auto mixed = weights;
  const std::string block = "backbone.blocks.1.attn.";
  mixed[block + "qkv.weight"] =
      at::cat({weights.at(block + "q.weight"), weights.at(block + "k.weight"), weights.at(block + "v.weight")});
  for (const char* part : {"q", "k", "v"}) mixed.erase(block + part + ".weight");
  Start start(mixed);
  check_same(state_dict(start.model().model->module()), weights);
  CHECK(start.note ==
        "FILE: 8 tensors loaded into model \"toy\"; read by the dialect \"fused_qkv\" of backbone.blocks.1.attn");
}

TEST_CASE("a head for other classes stays as made, and a stem for other channels is adapted") {
  auto weights = trained();
  weights["head.weight"] = at::ones({21, 2, 1, 1});
  weights["backbone.stem.weight"] = at::tensor({3.0F, 6.0F}).view({2, 1, 1, 1});
  Start start(weights);
  const auto made = start.model();
  CHECK(start.note ==
        "FILE: 6 tensors loaded into model \"toy\"; 1 adapted to the network's shape (backbone.stem.weight); 1 in "
        "the head, which has a different number of classes, initial values kept (head.weight)");
  CHECK(at::equal(state_dict(made.model->module()).at("backbone.stem.weight").flatten(1),
                  at::tensor({1.0F, 1.0F, 1.0F, 2.0F, 2.0F, 2.0F}).view({2, 3})));
  CHECK(at::equal(state_dict(made.model->module()).at("head.weight"),
                  state_dict(pipeline().model->module()).at("head.weight")));
}

TEST_CASE("a head is left as made for another number of classes alone, its weight and bias together") {
  const auto model = test::make<Model>(R"({"type": "unet", "widths": [2, 4]})", test::context(3));
  const auto before = copy_of(model->module());
  const auto with = [&](const at::Tensor& weight, const at::Tensor& bias) {
    auto file = before;
    file["outc.conv.weight"] = weight;
    file["outc.conv.bias"] = bias;
    return file;
  };
  const auto report = load_state(model->module(), with(at::ones({5, 2, 1, 1}), at::ones({3})));
  CHECK(report.reinitialized == std::vector<std::string>{"outc.conv.bias", "outc.conv.weight"});
  check_same(state_dict(model->module()), before);

  const auto refused = [&](const at::Tensor& weight, const at::Tensor& bias, const std::string& what) {
    CHECK_THROWS_WITH_AS(load_state(model->module(), with(weight, bias)), (what + ", and no rule covers it").c_str(),
                         DataError);
  };
  const auto bias = at::ones({5});
  refused(at::ones({5, 4, 1, 1}), bias,
          "outc.conv.weight: is [5, 4, 1, 1] in the file and [3, 2, 1, 1] in the network");
  refused(at::ones({5, 2, 3, 3}), bias,
          "outc.conv.weight: is [5, 2, 3, 3] in the file and [3, 2, 1, 1] in the network");
  refused(at::ones({5, 2}), bias, "outc.conv.weight: is [5, 2] in the file and [3, 2, 1, 1] in the network");
  refused(at::ones({5, 2, 1, 1}), at::ones({}), "outc.conv.bias: is [] in the file and [3] in the network");
  check_same(state_dict(model->module()), before);
}

TEST_CASE("numbers of another kind are refused, but other precisions and counters are not") {
  const auto model = test::make<Model>(R"({"type": "unet", "widths": [2, 4]})", test::context(3));
  const auto before = copy_of(model->module());
  const auto with = [&](const std::string& name, at::ScalarType type) {
    auto file = before;
    file[name] = file.at(name).to(type);
    return file;
  };
  for (const auto type : {at::kLong, at::kByte, at::kBool, at::kComplexFloat}) {
    CAPTURE(c10::toString(type));
    CHECK_THROWS_WITH_AS(load_state(model->module(), with("outc.conv.bias", type)),
                         (std::string("outc.conv.bias: is ") + c10::toString(type) +
                          " [3] in the file and Float [3] in the network, and no rule covers it")
                             .c_str(),
                         DataError);
  }
  for (const auto type : {at::kHalf, at::kBFloat16, at::kDouble})
    CHECK(load_state(model->module(), with("outc.conv.bias", type)).misfits.empty());
  CHECK(load_state(model->module(), with("inc.double_conv.1.num_batches_tracked", at::kFloat)).misfits.empty());
}

TEST_CASE("a stem of three channels starts one of four, in every model that has the rule") {
  for (const auto& [type, stem] :
       {std::pair(R"("type": "unet", "widths": [2, 4])", "inc.double_conv.0.weight"),
        std::pair(R"("type": "fast_scnn")", "backbone.learning_to_downsample.conv.conv.weight")}) {
    CAPTURE(type);
    const auto json = std::string("{") + type + "}";
    const auto three = test::make<Model>(json, test::context(2)), four = test::make<Model>(json, test::context(2, 4));
    const auto weights = copy_of(three->module());
    CHECK(start_from(four->module(), weights, {"w.pth", "model \"x\""}).note ==
          "w.pth: " + std::to_string(weights.size() - 1) +
              " tensors loaded into model \"x\"; 1 adapted to the network's shape (" + stem + ")");
    const auto theirs = weights.at(stem), ours = state_dict(four->module()).at(stem);
    for (int channel = 0; channel < 4; ++channel)
      CHECK(at::allclose(ours.select(1, channel), theirs.select(1, channel % 3) * 0.75));
    const auto grey = test::make<Model>(json, test::context(2, 1));
    start_from(grey->module(), weights, {"w.pth", "model \"x\""});
    CHECK(at::allclose(state_dict(grey->module()).at(stem), theirs.sum(1, true)));
    CHECK_THROWS_AS(start_from(three->module(), copy_of(four->module()), {"w.pth", "model \"x\""}), DataError);
    start_from(three->module(), weights, {"w.pth", "model \"x\"", true, WeightsChannels::bgr});
    CHECK(at::equal(state_dict(three->module()).at(stem), theirs.flip(1)));
  }
}

TEST_CASE("batch counters may be missing in a file that is too old to have any") {
  const auto made = pipeline(R"({"model": {"backbone": {"type": "toy_stages"}}})");
  auto weights = copy_of(made.model->module());
  const auto counter = [](const std::string& name) { return name.ends_with("num_batches_tracked"); };
  auto some = weights;
  some.erase("backbone.stages.0.norm.num_batches_tracked");
  CHECK_THROWS_AS(start_from(made.model->module(), some, {"w.pth", "model \"toy\""}), DataError);
  std::erase_if(weights, [&](const auto& item) { return counter(item.first); });
  CHECK(start_from(made.model->module(), weights, {"w.pth", "model \"toy\""}).note ==
        "w.pth: 28 tensors loaded into model \"toy\"; 6 batch counters left at 0, which this file is too old to have "
        "(backbone.stages.0.norm.num_batches_tracked, backbone.stages.0.plain.num_batches_tracked, "
        "backbone.stages.1.norm.num_batches_tracked and 3 more)");
}

TEST_CASE(
    "a batch norm without a counter in the file, or with one of another form, starts at 0 and computes the same") {
  torch::nn::BatchNorm2d norm(torch::nn::BatchNorm2dOptions(2).eps(1e-5));
  const StateDict old{{"weight", at::tensor({2.0F, 1.0F})},
                      {"bias", at::tensor({1.0F, 0.5F})},
                      {"running_mean", at::tensor({3.0F, -1.0F})},
                      {"running_var", at::tensor({4.0F, 1e-5F})}};  // as small as eps, which then counts
  for (const auto& counter : {at::Tensor(), at::zeros({1}, at::kLong), at::zeros({}), at::zeros({1})}) {
    auto file = old;
    if (counter.defined()) file["num_batches_tracked"] = counter;
    CHECK(start_from(*norm, file, {"old.pth", "backbone"}).whole);
    CHECK(norm->num_batches_tracked.item<std::int64_t>() == 0);
    norm->eval();
    const auto output = norm->forward(at::tensor({5.0F, -1.0F + 2e-3F}).view({1, 2, 1, 1})).flatten();
    CHECK(output[0].item<double>() == doctest::Approx(1 + 2 * 2 / std::sqrt(4 + 1e-5)).epsilon(1e-6));
    CHECK(output[1].item<double>() == doctest::Approx(0.5 + 2e-3 / std::sqrt(2e-5)).epsilon(1e-4));
  }
}

namespace {

// As torchvision's: a backbone, a classifier and, for training alone, an auxiliary one.
struct AuxiliaryNet : torch::nn::Module, WeightRules {
  explicit AuxiliaryNet(bool auxiliary) {
    add("backbone.conv1");
    add("classifier.4");
    if (auxiliary) add("aux_classifier.4");
  }
  std::vector<std::string> optional_layers() const override { return {"aux_classifier."}; }

 private:
  void add(const std::string& name) {
    const auto dot = name.find('.');
    auto& conv = *register_module(name.substr(0, dot), std::make_shared<torch::nn::Module>("Part"))
                      ->register_module(name.substr(dot + 1), std::make_shared<torch::nn::Module>("Conv"));
    conv.register_parameter("weight", at::randn({3, 3, 1, 1}));
    conv.register_parameter("bias", at::randn({3}));
  }
};

}  // namespace

TEST_CASE("an auxiliary head may be missing in the file or be there besides, and nothing else may") {
  AuxiliaryNet with(true), without(false);
  const auto full = copy_of(with), bare = copy_of(without);
  const WeightsFile file{"w.pth", "model \"fcn\""};

  const auto extra = start_from(without, full, file);
  CHECK(extra.whole);
  CHECK(extra.note ==
        "w.pth: 4 tensors loaded into model \"fcn\"; 2 not needed by the network, ignored (aux_classifier.4.bias, "
        "aux_classifier.4.weight)");
  CHECK(at::equal(copy_of(without).at("classifier.4.weight"), full.at("classifier.4.weight")));

  const auto missing = start_from(with, bare, file);
  CHECK(missing.whole);
  CHECK(missing.note ==
        "w.pth: 4 tensors loaded into model \"fcn\"; 2 of optional layers missing in the file, initial values kept "
        "(aux_classifier.4.bias, aux_classifier.4.weight)");
  CHECK(at::equal(copy_of(with).at("classifier.4.weight"), bare.at("classifier.4.weight")));
  CHECK(at::equal(copy_of(with).at("aux_classifier.4.weight"), full.at("aux_classifier.4.weight")));

  for (const auto& complete : {full, bare}) {
    auto lacking = complete, besides = complete, other_shape = complete;
    lacking.erase("classifier.4.bias");
    CHECK_THROWS_WITH_AS(start_from(with, lacking, file),
                         doctest::Contains("missing in the file (1): classifier.4.bias"), DataError);
    besides["aux_classifier_2.weight"] = at::ones({1});
    CHECK_THROWS_WITH_AS(start_from(without, besides, file),
                         doctest::Contains("unknown to the network (1): aux_classifier_2.weight"), DataError);
    other_shape["aux_classifier.4.weight"] = at::ones({3, 3, 3, 3});
    CHECK_THROWS_WITH_AS(start_from(with, other_shape, file), doctest::Contains("aux_classifier.4.weight is [3, 3, 3"),
                         DataError);
  }
}

TEST_CASE("published weights without an auxiliary head predict, and those without the classifier do not") {
  const auto weights = copy_of(pipeline(R"({"model": {"type": "fast_scnn", "backbone": null}})").model->module());
  const auto opened = [&](const std::string& dropped) {
    auto some = weights;
    std::erase_if(some, [&](const auto& item) { return item.first.starts_with(dropped); });
    Start start(some);
    SpecFile spec;
    spec.json = Json::parse(R"({"data": {"train": {"type": "synthetic", "count": 1, "size": [32, 32]}},
                                "transforms": {"val": [{"type": "normalize"}]}, "metrics": [{"type": "iou"}],
                                "model": {"type": "fast_scnn", "weights_strict": false}})");
    spec.json["model"]["weights"] = start.file.string();
    return start.refusal([&] {
      auto network = Network::from_weights(read_spec(plugins_and_toys(), spec), at::kCPU);
      start.note = test::replaced(network.notes.at(0), start.file.string(), "FILE");
    });
  };
  CHECK(opened("auxiliary_head.").find("of optional layers missing in the file, initial values kept") !=
        std::string::npos);
  CHECK(opened("decode_head.conv_seg.").find("/model/weights: FILE does not have all weights of the network: ") == 0);
}

namespace {

struct ImageConv : torch::nn::Module, WeightRules {
  ImageConv(std::int64_t channels, int spatial, bool named = true) : named_(named) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(2 + spatial), 1);
    shape[1] = channels;
    weight = register_parameter("weight", at::zeros(shape));
  }
  std::vector<std::string> image_convs() const override {
    return named_ ? std::vector<std::string>{"weight"} : std::vector<std::string>{};
  }
  at::Tensor weight;

 private:
  bool named_;
};

}  // namespace

TEST_CASE("weights that were trained on BGR images answer the same on RGB, with their first convolution reversed") {
  // One pixel, and its mean and deviation, as R, G, B.
  const auto pixel = at::tensor({10.0F, 20.0F, 30.0F}), mean = at::tensor({1.0F, 2.0F, 3.0F}),
             deviation = at::tensor({1.0F, 2.0F, 4.0F});
  const auto trained_on_bgr = at::tensor({1.0F, 2.0F, 4.0F});
  const auto answer_in_bgr = ((pixel.flip(0) - mean.flip(0)) / deviation.flip(0) * trained_on_bgr).sum();
  CHECK(answer_in_bgr.item<double>() == 1 * 6.75 + 2 * 9 + 4 * 9);
  for (const int spatial : {2, 3}) {
    CAPTURE(spatial);
    ImageConv net(3, spatial), four(4, spatial), grey(1, spatial);
    const StateDict file{{"weight", trained_on_bgr.view(net.weight.sizes())}};
    const auto answer = [&] { return ((pixel - mean) / deviation * net.weight.flatten()).sum().item<double>(); };
    WeightsFile options{"w.pth", "backbone \"x\""};
    start_from(net, file, options);
    CHECK(answer() == 1 * 9 + 2 * 9 + 4 * 6.75);  // not reversed: close, and wrong
    options.channels = WeightsChannels::bgr;
    CHECK(start_from(net, file, options).note ==
          "w.pth: 1 tensors loaded into backbone \"x\"; 1 with its input channels reversed (bgr) (weight)");
    CHECK(answer() == answer_in_bgr.item<double>());
    CHECK(at::equal(file.at("weight").flatten(), trained_on_bgr));  // the file's stay
    start_from(four, file, options);                                // and then adapted
    CHECK(at::equal(four.weight.flatten(), at::tensor({3.0F, 1.5F, 0.75F, 3.0F})));
    start_from(grey, file, options);
    CHECK(grey.weight.item<double>() == 7);
  }
}

TEST_CASE("channels that cannot be reversed are an error that says why, and nothing is written") {
  WeightsFile options{"w.pth", "backbone \"x\"", true, WeightsChannels::bgr};
  const std::string begin = "w.pth: has no input channels to reverse for \"weights_channels\": \"bgr\": ";
  ImageConv named(3, 2), unnamed(3, 2, false), four(4, 2);
  const auto refusal = [&](ImageConv& net, const at::Tensor& weight) {
    CHECK_THROWS_AS(start_from(net, {{"weight", weight}}, options), DataError);
    CHECK(!net.weight.any().item<bool>());
    try {
      start_from(net, {{"weight", weight}}, options);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal(unnamed, at::ones({1, 3, 1, 1})) ==
        begin + "backbone \"x\" does not name its first convolution (WeightRules::image_convs)");
  CHECK(refusal(four, at::ones({1, 4, 1, 1})) == begin + "no weight with 3 input channels");
  CHECK(refusal(named, at::ones({1, 1, 1, 1})) == begin + "no weight with 3 input channels");
}

TEST_CASE("the channels of weights are an option of a model and of its backbone, which needs weights") {
  const auto weights = trained();
  const auto stem = weights.at("backbone.stem.weight");
  const std::string bgr = R"(, "weights_channels": "bgr")";
  Start start(weights);
  const auto reversed = [&](const Pipeline& made) {
    return at::equal(state_dict(made.model->module()).at("backbone.stem.weight"), stem.flip(1));
  };
  CHECK(reversed(start.model(bgr)));
  CHECK(start.note.ends_with("; 1 with its input channels reversed (bgr) (backbone.stem.weight)"));
  CHECK(!reversed(start.model(R"(, "weights_channels": "rgb")")));
  StateDict of_backbone;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with("backbone.")) of_backbone[test::replaced(name, "backbone.", "")] = tensor;
  CHECK(reversed(Start(of_backbone).backbone(bgr)));
  auto other_head = weights;
  other_head["head.weight"] = at::ones({21, 2, 1, 1});
  CHECK(reversed(Start(other_head).model(bgr)));
  CHECK(spec_refusal(R"({"model": {"weights_channels": "bgr"}})") ==
        "/model/weights_channels: is \"bgr\", and there are no \"weights\" to load; remove it");
  CHECK(spec_refusal(R"({"model": {"backbone": {"weights_channels": "bgr"}}})")
            .find("/model/backbone/weights_channels") == 0);
}

namespace {

// With parts whose names look like those of wrappers.
struct OddNames : torch::nn::Module {
  OddNames() {
    for (const std::string name :
         {"encoder.layer1.conv.weight", "encoder.module_list.0.bias", "head.module.0.weight", "_orig_modulator.gain"}) {
      torch::nn::Module* owner = this;
      std::size_t at = 0;
      for (auto dot = name.find('.'); dot != std::string::npos; at = dot + 1, dot = name.find('.', at)) {
        const auto part = name.substr(at, dot - at);
        const auto children = owner->named_children();
        owner = (children.contains(part) ? children[part]
                                         : owner->register_module(part, std::make_shared<torch::nn::Module>("Part")))
                    .get();
      }
      owner->register_parameter(name.substr(at), at::randn({2}));
    }
  }
};

}  // namespace

TEST_CASE("the prefixes of wrappers go in either order and inside a name, and names like them stay") {
  OddNames source;
  const auto weights = copy_of(source);
  const auto loaded_from = [&](auto renamed) {
    OddNames net;
    StateDict file;
    for (const auto& [name, tensor] : weights) file[renamed(name)] = tensor;
    CHECK(start_from(net, file, {"w.pth", "model"}).whole);
    check_same(copy_of(net), weights);
  };
  for (const std::string prefix : {"module._orig_mod.", "_orig_mod.module.", "module.module.", "_orig_mod._orig_mod."})
    loaded_from([&](const std::string& name) { return prefix + name; });
  loaded_from([](const std::string& name) { return test::replaced(name, "encoder.", "encoder._orig_mod."); });
  loaded_from([](const std::string& name) { return "module." + test::replaced(name, "head.", "head._orig_mod."); });
  auto one_of_all = weights;
  move(one_of_all, "encoder.layer1.conv.weight", "module.encoder.layer1.conv.weight");
  OddNames net;
  CHECK_THROWS_WITH_AS(start_from(net, one_of_all, {"w.pth", "model"}),
                       doctest::Contains("unknown to the network (1): module.encoder.layer1.conv.weight"), DataError);
}

TEST_CASE("of two names of the same weights, a file may have one") {
  struct Tied : torch::nn::Module {
    Tied() { register_parameter("out", register_parameter("emb", at::zeros({2, 3}))); }
  } net;
  const auto values = at::arange(6, at::kFloat).view({2, 3});
  for (const char* kept : {"emb", "out"}) {
    const auto started = start_from(net, {{kept, values + (*kept == 'o')}}, {"w.safetensors", "model"});
    CHECK(started.whole);
    CHECK(started.note ==
          std::string("w.safetensors: 1 tensors loaded into model; 1 shared with another of the network (") +
              (*kept == 'e' ? "out)" : "emb)"));
    CHECK(at::equal(net.parameters()[0], values + (*kept == 'o')));
    CHECK(net.named_parameters()["out"].is_same(net.named_parameters()["emb"]));
  }
}

TEST_CASE("entries of a state dict that are no tensors are left out, and named") {
  const auto weights = trained();
  Start start({});
  PythonDict state{{"mask_values", PythonList{0, 1}}, {"version", 3}};
  for (const auto& [name, tensor] : weights) state.emplace_back(name, tensor);
  state.emplace_back("settings", PythonDict{{"lr", 0.1}});
  for (const auto& content : {state, PythonDict{{"state_dict", state}, {"epoch", 7}}}) {
    write_torch_file(start.file, content);
    check_same(state_dict(start.model().model->module()), weights);
    CHECK(start.note.ends_with("; not tensors, ignored: mask_values, version"));
  }
}

TEST_CASE("named tensors are renamed, split, joined and dropped by patterns, and none is lost") {
  const auto names = [](NamedTensors& tensors) {
    std::string text;
    for (const auto& item : tensors.tensors()) text += (text.empty() ? "" : " ") + item.first;
    return text;
  };
  const auto a = at::arange(6, at::kFloat).view({6, 1});
  NamedTensors file({{"x.0.y.1.w", a}, {"x.10.y.2.w", a}, {"x.w", a}});
  file.rename("x.*.y.*.w", "*/*");
  CHECK(names(file) == "0/1 10/2 x.w");
  file.rename("*/*", "z.*");  // one star of two: the first
  CHECK(names(file) == "x.w z.0 z.10");
  file.rename("z.*", "x.w");  // taken, and by two
  CHECK(names(file) == "x.w z.0 z.10");
  file.split("z.*", 0, {"*.a", "*.b", "*.c"});
  CHECK(names(file) == "0.a 0.b 0.c 10.a 10.b 10.c x.w");
  CHECK(at::equal(file.tensors().at("10.b"), a.narrow(0, 2, 2)));
  file.split("x.w", 0, {"p", "q", "r", "s"});  // 6 rows are not four equal parts
  file.split("x.w", 2, {"p", "q"});            // and there are two dimensions
  CHECK(names(file) == "0.a 0.b 0.c 10.a 10.b 10.c x.w");
  file.drop("10.c");
  file.join({"*.a", "*.b", "*.c"}, 0, "z.*");  // 10 lacks a part
  CHECK(names(file) == "10.a 10.b x.w z.0");
  CHECK(at::equal(file.tensors().at("z.0"), a));
  file.drop("*.*");
  CHECK(names(file) == "");
  CHECK_THROWS_AS(file.rename("x.*", "*.*"), std::invalid_argument);
  CHECK_THROWS_AS(file.split("x.*", 0, {}), std::invalid_argument);
}

TEST_CASE("stages are frozen where there are any, and as many as there are") {
  CHECK(spec_refusal(R"({"model": {"backbone": {"freeze": 1}}})") ==
        "/model/backbone/freeze: does not apply to backbone \"toy_attention\", which has no stages; remove it, or "
        "freeze parameters with /optimizer/groups");
  CHECK(spec_refusal(R"({"model": {"backbone": {"type": "toy_stages", "freeze": 4}}})") ==
        "/model/backbone/freeze: is 4, and backbone \"toy_stages\" has 3 stages");
  CHECK(spec_refusal(R"({"model": {"backbone": {"type": "toy_stages", "freeze": 3}}})") == "accepted");
}

TEST_CASE("frozen stages keep weights and statistics bit for bit, through evaluations and when a run goes on") {
  const std::string by_option = R"({"model": {"backbone": {"type": "toy_stages", "freeze": 2}}})";
  const std::string by_group =
      R"({"model": {"backbone": {"type": "toy_stages"}},
          "optimizer": {"groups": [{"match": "backbone.stages.0.*", "freeze": true},
                                   {"match": "backbone.stages.1.*", "freeze": true}]}})";
  for (const auto& changes : {by_option, by_group}) {
    CAPTURE(changes);
    const test::Scratch folder;
    auto first = pipeline(changes);
    const auto before = copy_of(first.model->module());
    TrainListener listener;
    int steps = 0;
    listener.stepped = [&](const StepReport&) { ++steps; };
    const auto one_after_the_first_evaluation = [&] { return steps == 5; };
    train(first, folder.path(), {listener}, {.interrupted = one_after_the_first_evaluation, .resume_from = {}});
    auto second = pipeline(changes);
    train(second, folder.path(), {}, {.resume_from = folder / "last.pth"});
    for (const auto* made : {&first, &second})
      for (const auto& [name, tensor] : state_dict(made->model->module())) {
        CAPTURE(name);
        CHECK(at::equal(tensor, before.at(name)) != (name.starts_with("backbone.stages.2.") || name == "head.weight"));
      }
  }
}

TEST_CASE("a norm goes on learning its statistics while one of its parameters learns") {
  const std::string groups =
      R"({"model": {"backbone": {"type": "toy_stages"}},
          "optimizer": {"groups": [{"match": "backbone.stages.0.norm.weight", "freeze": true},
                                   {"match": "backbone.stages.1.norm.*", "freeze": true}]}})";
  const test::Scratch folder;
  auto made = pipeline(groups);
  const auto before = copy_of(made.model->module());
  train(made, folder.path(), {});
  for (const auto& [name, learns] :
       {std::pair("backbone.stages.0.norm.running_mean", true), std::pair("backbone.stages.1.norm.running_mean", false),
        std::pair("backbone.stages.1.plain.running_mean", true)}) {
    CAPTURE(name);
    CHECK(at::equal(state_dict(made.model->module()).at(name), before.at(name)) != learns);
  }
}
