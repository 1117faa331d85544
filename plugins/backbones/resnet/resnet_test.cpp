// ResNets against those of torchvision, timm, segmentation_models_pytorch and mmsegmentation (tests/parity/resnet.py),
// and what a backbone must do.
#include <ATen/ATen.h>

#include <sectile/backbone.h>

#include "support/test.h"

#include "parity/backbone_checks.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::shared_ptr<Backbone> resnet(const std::string& type, const FeatureRequest& request = {},
                                 const std::string& more = "", int channels = 3) {
  auto asked = context(2, channels);
  asked.features = request;
  return make<Backbone>(std::string(R"({"type": ")").append(type).append("\"").append(more).append("}"), asked);
}

void check_resnet(const std::string& name, const std::string& type, const FeatureRequest& request = {}) {
  CAPTURE(name);
  static const auto all = expected("resnet");
  const auto backbone = resnet(type, request);
  check_parity(*backbone, all[name], [&](const at::Tensor& images) { return backbone->features(images); });
}

std::vector<int> strides_of(const Backbone& backbone) {
  std::vector<int> strides;
  for (const auto& level : backbone.levels()) strides.push_back(level.stride);
  return strides;
}

// All levels of a small picture in training.
struct Trained {
  std::vector<at::Tensor> levels, buffers;
};
Trained trained_resnet(Backbone& backbone) {
  fill_by_name(backbone);
  backbone.train();
  Trained trained;
  trained.levels = backbone.features(formula_picture({2, 3, 64, 48}));
  for (const auto& buffer : backbone.buffers()) trained.buffers.push_back(buffer.clone());
  return trained;
}

bool close_to(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const at::Tensor& x, const at::Tensor& y) {
    return (x.to(at::kDouble) - y.to(at::kDouble)).abs().max().item<double>() <=
           1e-5 * std::max(1e-6, y.to(at::kDouble).abs().max().item<double>());
  });
}

}  // namespace

TEST_CASE("ResNets have torchvision's names, values and gradients") {
  for (const auto* name : {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
                           "resnext101_32x8d", "wide_resnet50_2"})
    check_resnet(name, name);
}

TEST_CASE("ResNetV1c has mmsegmentation's names, values and gradients") {
  for (const auto* name : {"resnet18_v1c", "resnet34_v1c", "resnet50_v1c", "resnet101_v1c", "resnet152_v1c"})
    check_resnet(name, name);
}

TEST_CASE("dilated ResNets are those of torchvision, timm and mmsegmentation") {
  check_resnet("resnet18_os8", "resnet18", {.output_stride = 8});
  check_resnet("resnet18_os16", "resnet18", {.output_stride = 16});
  check_resnet("resnet50_os8", "resnet50", {.output_stride = 8});
  check_resnet("resnet50_os16", "resnet50", {.output_stride = 16});
  check_resnet("resnet18_v1c_os8", "resnet18_v1c", {.output_stride = 8});
  check_resnet("resnet50_v1c_os8", "resnet50_v1c", {.output_stride = 8});
}

TEST_CASE("ResNets dilated from the first block are those of segmentation_models_pytorch and mmsegmentation") {
  for (const std::string type : {"resnet18", "resnet50"})
    for (const int stride : {8, 16})
      check_resnet(type + "_smp_os" + std::to_string(stride), type,
                   {.output_stride = stride, .dilate_first_block = true});
  check_resnet("resnet18_v1c_first_os8", "resnet18_v1c", {.output_stride = 8, .dilate_first_block = true});
  check_resnet("resnet50_v1c_first_os8", "resnet50_v1c", {.output_stride = 8, .dilate_first_block = true});
}

TEST_CASE("a ResNet's levels are at strides 2 to its output stride, and no layer is made beyond those asked for") {
  CHECK(strides_of(*resnet("resnet18")) == std::vector<int>{2, 4, 8, 16, 32});
  CHECK(strides_of(*resnet("resnet18", {.output_stride = 32})) == std::vector<int>{2, 4, 8, 16, 32});
  CHECK(strides_of(*resnet("resnet18", {.output_stride = 16})) == std::vector<int>{2, 4, 8, 16, 16});
  CHECK(strides_of(*resnet("resnet18", {.output_stride = 8})) == std::vector<int>{2, 4, 8, 8, 8});
  CHECK(strides_of(*resnet("resnet18", {.output_stride = 8, .levels = {-1, 1}})) == std::vector<int>{8, 4});
  const auto two = resnet("resnet50", {.levels = {0, 2}});
  CHECK(two->levels()[1].channels == 512);
  CHECK(two->features(formula_picture({2, 3, 32, 32}))[1].sizes() == at::IntArrayRef({2, 512, 4, 4}));
  CHECK(two->named_children().keys() == std::vector<std::string>{"conv1", "bn1", "layer1", "layer2"});
  CHECK(resnet("resnet18", {.levels = {0}})->named_children().size() == 2);
}

TEST_CASE("a ResNet's file may have the classifier, and stages that the network does not have") {
  const auto whole = resnet("resnet18");
  StateDict file;
  for (const auto& [name, tensor] : state_dict(*whole)) file[name] = tensor.detach().clone();
  file["fc.weight"] = at::zeros({1000, 512});
  file["fc.bias"] = at::zeros({1000});
  for (const auto* more : {"", R"(, "norm": "frozen_batch")"}) {
    const auto part = resnet("resnet18", {.levels = {1, 2}}, more);
    const auto report = load_state(*part, file);
    CHECK(report.missing.empty());
    CHECK(report.unexpected.empty());
    CHECK(report.reinitialized.empty());
  }
}

TEST_CASE("a ResNet takes images of any number of channels, and adapts a file's first convolution") {
  StateDict file;
  for (const auto& [name, tensor] : state_dict(*resnet("resnet18_v1c"))) file[name] = tensor.detach().clone();
  for (const int channels : {1, 5}) {
    const auto backbone = resnet("resnet18_v1c", {}, "", channels);
    CHECK(load_state(*backbone, file).adapted == std::vector<std::string>{"stem.0.weight"});
    backbone->eval();
    CHECK(backbone->features(formula_picture({1, channels, 33, 40})).back().sizes() == at::IntArrayRef({1, 512, 2, 2}));
    CHECK(resnet("resnet50", {}, "", channels)->named_parameters()["conv1.weight"].size(1) == channels);
  }
}

TEST_CASE("ResNets make the levels that are asked for, and follow the output stride") {
  check_levels("resnet18", {{64, 2}, {64, 4}, {128, 8}, {256, 16}, {512, 32}});
  check_levels("resnet50_v1c", {{64, 2}, {256, 4}, {512, 8}, {1024, 16}, {2048, 32}});
  for (const auto* type : {"resnet18", "resnet50", "resnet18_v1c"}) check_output_strides(type);
}

TEST_CASE("ResNets' options of all backbones have an effect") {
  for (const auto* type : {"resnet18", "resnet50_v1c"}) {
    check_drop_path(type);
    check_frozen_norm(type);
    check_checkpointing(type);
    check_depths(*make_backbone(backbone_json(type)));
  }
}

TEST_CASE("a ResNet's eps and momentum are those of its norms") {
  const auto levels = [](const std::string& more) {
    const auto backbone = resnet("resnet18", {}, more);
    return trained_resnet(*backbone);
  };
  const auto usual = levels(""), other = levels(R"(, "momentum": 0.3)"), coarse = levels(R"(, "eps": 0.1)");
  CHECK(close_to(usual.levels, other.levels));
  CHECK_FALSE(close_to(usual.buffers, other.buffers));
  CHECK_FALSE(close_to(usual.levels, coarse.levels));
}

TEST_CASE("a ResNet starts as torchvision's and as mmsegmentation's") {
  const auto plain = resnet("resnet50")->named_parameters(), v1c = resnet("resnet50_v1c")->named_parameters();
  CHECK(plain["layer3.1.conv2.weight"].std().item<double>() ==
        doctest::Approx(std::sqrt(2.0 / (256 * 9))).epsilon(0.02));
  CHECK(plain["layer1.0.bn3.weight"].min().item<float>() == 1);
  CHECK(v1c["layer1.0.bn3.weight"].abs().max().item<float>() == 0);
  CHECK(v1c["layer1.0.bn2.weight"].min().item<float>() == 1);
  CHECK(v1c["layer1.0.downsample.1.weight"].min().item<float>() == 1);
}

TEST_CASE("a ResNet freezes its stem and stages in order") {
  for (const auto* type : {"resnet18", "resnet18_v1c"}) {
    const auto backbone = resnet(type);
    freeze(*backbone, 2, "backbone");
    for (const auto& item : backbone->named_parameters()) {
      const bool later = item.key()[0] == 'l' && item.key()[5] > '1';
      CHECK_MESSAGE(item.value().requires_grad() == later, item.key());
    }
    CHECK_THROWS_AS(freeze(*backbone, 6, "backbone"), OptionError);
  }
}

TEST_CASE("a ResNet folded for inference gives the same features") {
  for (const auto* type : {"resnet18", "resnet50", "resnext50_32x4d", "resnet18_v1c"}) {
    const auto backbone = resnet(type, {.output_stride = 8});
    fill_by_name(*backbone);
    backbone->eval();
    const c10::AutoGradMode no_grad(false);
    const auto before = backbone->features(formula_picture({2, 3, 65, 48}));
    prepare_for_inference(*backbone, {.verify = true});
    for (auto& buffer : backbone->buffers()) buffer.fill_(7);
    const auto after = backbone->features(formula_picture({2, 3, 65, 48}));
    for (std::size_t i = 0; i < before.size(); ++i) CHECK(distance(before[i], after[i]) < 1e-4);
  }
}

TEST_CASE("a ResNet's wrong options are refused") {
  const auto answer = [](const std::string& option) { return refusal<Backbone>(backbone_json("resnet18", option)); };
  CHECK(answer(R"("norm": "instance")").find("frozen_batch") != std::string::npos);
  CHECK(answer(R"("drop_path_rate": 1)").find("/part/drop_path_rate") != std::string::npos);
  CHECK(answer(R"("eps": 0)").find("/part/eps") != std::string::npos);
  CHECK(answer(R"("gradient_checkpointnig": true)").find("gradient_checkpointing") != std::string::npos);
}
