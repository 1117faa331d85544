// Segmenter against MMSegmentation's (tests/parity/segmenter.py), and what a model must do.
#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/network.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::shared_ptr<Model> segmenter(const std::string& backbone, const std::string& more = "", int classes = 5,
                                 int channels = 3) {
  return make<Model>(std::string(R"({"type": "segmenter", "decoder_drop_path_rate": 0, "backbone": )")
                         .append(backbone)
                         .append(more)
                         .append("}"),
                     context(classes, channels));
}

constexpr const char* kSmall = R"({"type": "vit_tiny", "image_size": 64})";
constexpr const char* kLinear = R"(, "decoder": "linear")";

}  // namespace

TEST_CASE("Segmenter has MMSegmentation's names, values and gradients") {
  const auto all = expected("segmenter");
  for (const auto& [name, wanted] : all.items()) {
    CAPTURE(name);
    const auto size = name.substr(0, name.find(' '));
    const auto backbone = std::string(R"({"type": ")")
                              .append(size)
                              .append(R"(", "patch_bias": false, "image_size": )")
                              .append(size == "vit_large" ? "640}" : "512}");
    const auto model = segmenter(backbone, name.ends_with("linear") ? kLinear : "", 150);
    check_parity(model->module(), wanted, logits_of(*model));
    if (name == "vit_tiny") CHECK(parameter_count(model->module()) == 6713196);
  }
}

TEST_CASE("Segmenter's head fits another number of classes, its class tokens and its norm of masks") {
  const auto one = segmenter(kSmall), other = segmenter(kSmall, "", 7);
  const auto report = load_state(other->module(), state_dict(one->module()));
  CHECK(report.reinitialized.size() == 3);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  const auto linear =
      load_state(segmenter(kSmall, kLinear, 7)->module(), state_dict(segmenter(kSmall, kLinear)->module()));
  CHECK(linear.reinitialized.size() == 2);
  StateDict wide = state_dict(one->module());
  wide["decode_head.cls_emb"] = at::zeros({1, 7, 100});  // of other channels
  CHECK_THROWS_WITH(load_state(other->module(), wide), doctest::Contains("decode_head.cls_emb"));
}

TEST_CASE("every parameter of Segmenter gets a gradient, and images may have any size and channels") {
  for (const auto* more : {"", kLinear}) {
    check_gradients(*segmenter(kSmall, more), {2, 3, 64, 96});
    const auto gray = segmenter(kSmall, more, 2, 1);
    gray->module().eval();
    for (const auto& [height, width] : {std::pair(64, 64), {37, 51}, {1, 9}})
      CHECK(logits(*gray, {1, 1, height, width}).sizes() == at::IntArrayRef({1, 2, height, width}));
  }
}

TEST_CASE("Segmenter prepared for inference answers the same") {
  for (const auto* more : {"", kLinear}) {
    const auto model = segmenter(kSmall, more);
    auto& module = model->module();
    fill_by_name(module);
    module.eval();
    const c10::AutoGradMode no_grad(false);
    const auto before = logits(*model, {2, 3, 64, 96});
    prepare_for_inference(module, {.format = at::MemoryFormat::ChannelsLast, .pack = true, .verify = true});
    CHECK(distance(before, logits(*model, {2, 3, 64, 96})) < 1e-4);
  }
}

TEST_CASE("Segmenter's decoder drops its branches in training, and has as many layers as it is told") {
  const auto model = make<Model>(R"({"type": "segmenter", "backbone": {"type": "vit_tiny", "image_size": 64}, )"
                                 R"("decoder_layers": 3, "decoder_drop_path_rate": 0.9})",
                                 context(3));
  fill_by_name(model->module());
  CHECK(distance(logits(*model, {4, 3, 32, 32}), logits(*model, {4, 3, 32, 32})) > 1e-3);
  const auto names = model->module().named_parameters().keys();
  CHECK(std::count(names.begin(), names.end(), "decode_head.layers.2.ln1.weight") == 1);
  CHECK(std::count(names.begin(), names.end(), "decode_head.layers.3.ln1.weight") == 0);
}

TEST_CASE("Segmenter's class tokens never decay") {
  const auto model = segmenter(kSmall);
  const auto groups = parameter_groups(model->module(), {});
  for (const auto& group : groups)
    for (const auto& name : group.names)
      if (name == "decode_head.cls_emb" || name == "backbone.pos_embed") CHECK_MESSAGE(!group.decay, name);
}

TEST_CASE("Segmenter's wrong options are refused with what to do") {
  CHECK(refusal(R"({"type": "segmenter", "decoder": "masks"})").find("/part/decoder") != std::string::npos);
  CHECK(refusal(R"({"type": "segmenter", "decoder_layers": 0})").find("/part/decoder_layers") != std::string::npos);
  CHECK(refusal(R"({"type": "segmenter", "backbone": {"type": "mit_b0", "drop_path_rate": 1}})")
            .find("/part/backbone/drop_path_rate") != std::string::npos);
  CHECK(refusal(R"({"type": "segmenter", "backbone": {"type": "efficientnet_b2"}})")
            .find("\"efficientnet_b2\" has 352 channels, and the mask decoder needs a multiple of 64") !=
        std::string::npos);
  CHECK(refusal(R"({"type": "segmenter", "decoder": "linear", "backbone": {"type": "efficientnet_b2"}})") ==
        "accepted");
}

TEST_CASE("Segmenter asks for whole patches, since its map is of the padded image") {
  for (const auto& [backbone, side] : {std::pair{R"({"type": "vit_tiny", "image_size": 64})", 16},
                                       {R"({"type": "dinov2_small"})", 14},
                                       {R"({"type": "resnet18"})", 32}})
    CHECK(segmenter(backbone)->traits().divisor == Extent{1, side, side});
}
