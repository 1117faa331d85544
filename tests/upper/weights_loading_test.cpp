// What of a file of weights goes into a network, and what is refused.
#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>

#include "weights_start.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("a first convolution of a half-precision file is adapted in float32") {
  const auto stored = at::arange(1, 28, at::kFloat).mul_(0.137).view({1, 3, 3, 3}).to(at::kHalf);
  for (const int channels : {1, 2, 5}) {
    const auto made = adapt_input_channels(stored, channels);
    CHECK((made.scalar_type() == at::kFloat));
    CHECK(at::equal(made, adapt_input_channels(stored.to(at::kFloat), channels)));
  }
}

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

  // As many classes by other names may be others, or others' order.
  const auto made = start.model();
  checkpoint.labels = *made.context.labels;
  save_checkpoint(start.file, checkpoint);
  start.model();
  CHECK(start.note == "FILE: 8 tensors loaded into model \"toy\"");
  std::swap(checkpoint.labels.classes[1], checkpoint.labels.classes[2]);
  save_checkpoint(start.file, checkpoint);
  start.model();
  CHECK(start.note.find("; its class 1 was \"" + made.context.labels->classes[2].name + "\", and is \"") !=
        std::string::npos);
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
  CHECK(started.ends_with("1 not needed by the network, ignored (scale)"));
}

TEST_CASE("the counter of an averaged model is not needed") {
  StateDict averaged{{"n_averaged", at::tensor(3)}};
  for (const auto& [name, tensor] : trained()) averaged["module." + name] = tensor;
  Start start(averaged);
  check_same(state_dict(start.model().model->module()), trained());
  CHECK(start.note.ends_with("1 not needed by the network, ignored (n_averaged)"));
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
        "the head, which has another shape here (other classes, or other options), initial values kept (head.weight is "
        "[21, 2, 1, 1] "
        "in the file and [5, 2, 1, 1] in the network)");
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
  REQUIRE(report.reinitialized.size() == 2);
  CHECK(report.reinitialized[0].name == "outc.conv.bias");
  CHECK(report.reinitialized[1].network == "[3, 2, 1, 1]");
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
    const auto made_of = std::string("{") + type + "}";
    const auto three = test::make<Model>(made_of, test::context(2)),
               four = test::make<Model>(made_of, test::context(2, 4));
    const auto weights = copy_of(three->module());
    CHECK(start_from(four->module(), weights, {"w.pth", "model \"x\""}) ==
          "w.pth: " + std::to_string(weights.size() - 1) +
              " tensors loaded into model \"x\"; 1 adapted to the network's shape (" + stem + ")");
    const auto theirs = weights.at(stem), ours = state_dict(four->module()).at(stem);
    for (int channel = 0; channel < 4; ++channel)
      CHECK(at::allclose(ours.select(1, channel), theirs.select(1, channel % 3) * 0.75));
    const auto grey = test::make<Model>(made_of, test::context(2, 1));
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
  CHECK(start_from(made.model->module(), weights, {"w.pth", "model \"toy\""}) ==
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
    start_from(*norm, file, whole_file("old.pth"));
    CHECK(norm->num_batches_tracked.item<std::int64_t>() == 0);
    norm->eval();
    const auto output = norm->forward(at::tensor({5.0F, -1.0F + 2e-3F}).view({1, 2, 1, 1})).flatten();
    CHECK(output[0].item<double>() == doctest::Approx(1 + 2 * 2 / std::sqrt(4 + 1e-5)).epsilon(1e-6));
    CHECK(output[1].item<double>() == doctest::Approx(0.5 + 2e-3 / std::sqrt(2e-5)).epsilon(1e-4));
  }
}
