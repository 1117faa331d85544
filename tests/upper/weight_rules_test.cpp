// What a network's rules allow of a file of weights: other heads, channels and names.
#include <torch/nn/module.h>

#include "weights_start.h"

using namespace sectile;
using namespace sectile::test;

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
  const auto file = whole_file("w.pth", "model \"fcn\"");

  const auto extra = start_from(without, full, file);
  CHECK(extra ==
        "w.pth: 4 tensors loaded into model \"fcn\"; 2 not needed by the network, ignored (aux_classifier.4.bias, "
        "aux_classifier.4.weight)");
  CHECK(at::equal(copy_of(without).at("classifier.4.weight"), full.at("classifier.4.weight")));

  const auto missing = start_from(with, bare, file);
  CHECK(missing ==
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
  CHECK(opened("decode_head.conv_seg.")
            .find("/model/weights: FILE: does not have all weights of model \"fast_scnn\"\n  missing in the file (2): "
                  "decode_head.conv_seg") == 0);
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
    CHECK(start_from(net, file, options) ==
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
    start_from(net, file, whole_file("w.pth"));
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
    const auto started = start_from(net, {{kept, values + (*kept == 'o')}}, whole_file("w.safetensors"));
    CHECK(started == std::string("w.safetensors: 1 tensors loaded into model; 1 shared with another of the network (") +
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
