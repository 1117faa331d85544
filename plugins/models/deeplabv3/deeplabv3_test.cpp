// DeepLabV3 against torchvision's and segmentation_models_pytorch's (tests/parity/deeplabv3.py), and what a model must
// do.
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/network.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::shared_ptr<Model> deeplabv3(const std::string& backbone, const std::string& more = "", int classes = 21,
                                 int channels = 3) {
  const auto spec = std::string(R"({"type": "deeplabv3", "backbone": {"type": ")")
                        .append(backbone)
                        .append("\"}")
                        .append(more)
                        .append("}");
  return make<Model>(spec, context(classes, channels));
}

constexpr const char* kSmallDeepLab = R"(, "channels": 16, "atrous_rates": [1, 2])";

void check_deeplabv3(const std::string& name, Model& model) {
  CAPTURE(name);
  static const auto all = expected("deeplabv3");
  check_parity(model.module(), all[name], logits_of(model));
}

}  // namespace

TEST_CASE("DeepLabV3 has torchvision's names, values and gradients") {
  for (const auto& [backbone, parameters] : {std::pair{"resnet50", 42004074}, {"resnet101", 60996202}}) {
    const auto model = deeplabv3(backbone, R"(, "aux_loss": true, "dropout": 0, "aux_dropout": 0)");
    check_deeplabv3(backbone, *model);
    CHECK(parameter_count(model->module()) == parameters);
  }
  const auto model =
      deeplabv3("mobilenet_v3_large", R"(, "output_stride": 16, "aux_loss": true, "dropout": 0, "aux_dropout": 0)");
  check_deeplabv3("mobilenet_v3_large", *model);
  CHECK(parameter_count(model->module()) == 11029328);
}

TEST_CASE("DeepLabV3 has segmentation_models_pytorch's names, values and gradients") {
  const std::string smp = R"(, "preset": "smp", "dropout": 0)";
  check_deeplabv3("smp_resnet18", *deeplabv3("resnet18", smp, 5));
  check_deeplabv3("smp_mobilenet_v2", *deeplabv3("mobilenet_v2", smp, 5));
  check_deeplabv3("smp_efficientnet_b0", *make<Model>(R"({"type": "deeplabv3", "preset": "smp", "dropout": 0,
                                   "backbone": {"type": "efficientnet_b0", "drop_path_rate": 0}})",
                                                      context(5)));
  check_deeplabv3(
      "smp_resnet18_separable",
      *deeplabv3("resnet18",
                 smp + R"(, "output_stride": 16, "channels": 48, "atrous_rates": [2, 3, 5], "separable": true)", 5));
}

TEST_CASE("DeepLabV3's names depend on the preset and on the convolution before the classifier") {
  const auto names = [](const std::string& more) {
    return names_and_sizes(deeplabv3("resnet18", std::string(kSmallDeepLab).append(more))->module());
  };
  CHECK(names("").count("classifier.4.weight 21 16 1 1") == 1);
  CHECK(names("").count("classifier.1.weight 16 16 3 3") == 1);
  CHECK(names("").count("classifier.0.convs.3.1.weight 16 512 1 1") == 1);
  CHECK(names(R"(, "head_conv": false)").count("classifier.1.weight 21 16 1 1") == 1);
  const auto empty = names(R"(, "atrous_rates": [], "head_conv": false)");
  CHECK(empty.count("classifier.0.convs.1.1.weight 16 512 1 1") == 1);
  CHECK(empty.count("classifier.0.project.0.weight 16 32 1 1") == 1);
  const auto smp = names(R"(, "preset": "smp", "head_conv": false)");
  CHECK(smp.count("segmentation_head.0.weight 21 16 1 1") == 1);
  CHECK(smp.count("decoder.conv.weight 16 16 3 3") == 0);
}

TEST_CASE("older files of segmentation_models_pytorch load into DeepLabV3") {
  const auto model = deeplabv3("resnet18", std::string(kSmallDeepLab).append(R"(, "preset": "smp")"));
  StateDict file;
  for (const auto& [name, tensor] : state_dict(model->module())) {
    auto old = name;
    for (const auto& [now, then] : {std::pair<std::string, std::string>{"decoder.aspp.", "decoder.0."},
                                    {"decoder.conv.", "decoder.1."},
                                    {"decoder.bn.", "decoder.2."}})
      if (name.starts_with(now)) old = then + name.substr(now.size());
    file[old] = tensor.detach().clone();
  }
  const auto report = load_state(model->module(), file);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  CHECK(report.translations.size() == 1);
}

TEST_CASE("DeepLabV3's corners are aligned as its preset does, unless the option says otherwise") {
  const auto made = [](const std::string& more) {
    const auto model = deeplabv3("resnet18", std::string(kSmallDeepLab).append(more), 2);
    fill_by_name(model->module());
    model->module().eval();
    return logits(*model, {1, 3, 32, 40});
  };
  const auto usual = made(""), aligned = made(R"(, "align_corners": true)");
  CHECK(at::equal(usual, made(R"(, "align_corners": false)")));
  CHECK_FALSE(at::equal(usual, aligned));
  // The centers of the corner pixels coincide: those of 4 x 5 features.
  CHECK(usual.sizes() == aligned.sizes());
  const std::string smp = R"(, "preset": "smp")";
  CHECK(at::equal(made(smp), made(smp + R"(, "align_corners": true)")));
  CHECK_FALSE(at::equal(made(smp), made(smp + R"(, "align_corners": false)")));
}

TEST_CASE("DeepLabV3 of segmentation_models_pytorch takes multiples of its output stride, and torchvision's any size") {
  const auto divisor = [](const std::string& more) {
    return deeplabv3("resnet18", std::string(kSmallDeepLab).append(more))->traits().divisor;
  };
  CHECK(divisor("") == Extent{1, 1, 1});
  CHECK(divisor(R"(, "preset": "smp")") == Extent{1, 8, 8});
  CHECK(divisor(R"(, "preset": "smp", "output_stride": 16)") == Extent{1, 16, 16});
}

TEST_CASE("DeepLabV3's auxiliary output is of features at 1/8, in training only, with half the weight") {
  const auto model = deeplabv3("resnet18", std::string(kSmallDeepLab).append(R"(, "aux_loss": true)"));
  const auto outputs = model->forward(batch_of({2, 3, 37, 51}));
  REQUIRE(outputs.auxiliary.size() == 1);
  CHECK(outputs.auxiliary[0].weight == 0.5);
  CHECK(outputs.auxiliary[0].logits.sizes() == at::IntArrayRef({2, 21, 37, 51}));
  model->module().eval();
  CHECK(model->forward(batch_of({1, 3, 37, 51})).auxiliary.empty());
  const auto without = deeplabv3("resnet18", kSmallDeepLab);
  const auto report = load_state(without->module(), state_dict(model->module()));
  CHECK(report.unexpected.empty());
  CHECK(report.ignored.size() == 8);
  CHECK(load_state(model->module(), state_dict(without->module())).without.size() == 8);
}

TEST_CASE("every parameter of DeepLabV3 gets a gradient, with one image channel or five") {
  for (const auto* more : {R"(, "aux_loss": true)", R"(, "separable": true)", R"(, "head_conv": false)"})
    check_gradients(*deeplabv3("resnet18", std::string(kSmallDeepLab).append(more)), {2, 3, 37, 51});
  for (const int channels : {1, 5}) {
    const auto model = deeplabv3("resnet18", kSmallDeepLab, 2, channels);
    model->module().eval();
    CHECK(logits(*model, {1, channels, 9, 1}).sizes() == at::IntArrayRef({1, 2, 9, 1}));
  }
}

TEST_CASE("DeepLabV3's dropouts are drawn in training, and its eps is that of the head's norms") {
  const auto differs = [](const std::string& more, bool auxiliary) {
    const auto model = deeplabv3("resnet18", std::string(kSmallDeepLab).append(R"(, "aux_loss": true)").append(more));
    const auto made = [&] {
      const auto outputs = model->forward(batch_of({2, 3, 64, 64}));
      return auxiliary ? outputs.auxiliary[0].logits : outputs.logits;
    };
    const auto first = made();
    return distance(first, made()) > 1e-3;
  };
  CHECK(differs("", false));
  CHECK_FALSE(differs(R"(, "dropout": 0)", false));
  CHECK(differs(R"(, "dropout": 0)", true));
  CHECK_FALSE(differs(R"(, "aux_dropout": 0)", true));
  const auto with_eps = [](const std::string& eps) {
    const auto model = deeplabv3("resnet18", std::string(kSmallDeepLab).append(R"(, "eps": )").append(eps));
    fill_by_name(model->module());
    model->module().eval();
    return logits(*model, {1, 3, 32, 32});
  };
  CHECK(distance(with_eps("1e-5"), with_eps("0.5")) > 1e-2);
}

TEST_CASE("DeepLabV3's mean first is the same network with the columns of its projection moved") {
  const auto usual = deeplabv3("resnet18", kSmallDeepLab, 2);
  const auto first = deeplabv3("resnet18", std::string(kSmallDeepLab).append(R"(, "mean_first": true)"), 2);
  for (const auto* model : {&usual, &first}) {
    fill_by_name((*model)->module());
    (*model)->module().eval();
  }
  const c10::AutoGradMode no_grad(false);
  const auto before = logits(*first, {1, 3, 32, 40});
  CHECK(distance(logits(*usual, {1, 3, 32, 40}), before) > 1e-3);
  auto weight = usual->module().named_parameters()["classifier.0.project.0.weight"];  // of 4 branches of 16 channels
  weight.copy_(weight.roll(-16, 1));
  CHECK(distance(logits(*usual, {1, 3, 32, 40}), before) < 1e-5);
}

TEST_CASE("DeepLabV3 starts as its preset's original") {
  const auto usual = deeplabv3("resnet18", "")->module().named_parameters();
  const auto smp = deeplabv3("resnet18", R"(, "preset": "smp")")->module().named_parameters();
  const auto deviation = [](const at::Tensor& weight) { return weight.std().item<double>(); };
  CHECK(deviation(usual["classifier.1.weight"]) == doctest::Approx(std::sqrt(1 / (3.0 * 256 * 9))).epsilon(0.02));
  CHECK(deviation(smp["decoder.conv.weight"]) == doctest::Approx(std::sqrt(2 / (256.0 * 9))).epsilon(0.02));
  CHECK(smp["segmentation_head.0.bias"].abs().max().item<float>() == 0);
}

TEST_CASE("DeepLabV3's wrong options are refused") {
  const auto answer = [](const std::string& option) { return refusal(R"({"type": "deeplabv3", )" + option + "}"); };
  CHECK(answer(R"("aux_loss": true, "preset": "smp")").find("has no second head") != std::string::npos);
  CHECK(answer(R"("atrous_rates": [12, 0])").find("/part/atrous_rates/1") != std::string::npos);
  CHECK(answer(R"("atrous_rates": [2147483647])").find("/part/atrous_rates/0") != std::string::npos);
  CHECK(answer(R"("preset": "timm")").find("torchvision") != std::string::npos);
  CHECK(answer(R"("output_stride": 4)").find("/part/backbone/type") != std::string::npos);
}
