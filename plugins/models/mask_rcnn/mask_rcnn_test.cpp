// Mask R-CNN against torchvision's (tests/parity/mask_rcnn.py), and what it must do with odd images.
#include <cstdlib>

#include <ATen/ATen.h>

#include <sectile/data/image_io.h>
#include <sectile/loss.h>
#include <sectile/named_tensors.h>
#include <sectile/roles.h>

#include "support/test.h"

#include "ground/weights/catalogue.h"
#include "parity/network.h"
#include "upper/weights/loading.h"

using namespace sectile;
using namespace sectile::test;

namespace {

constexpr int kPartHeight = 160, kPartWidth = 224;

std::shared_ptr<Model> mask_rcnn_of(const std::string& more, int classes = 90) {
  auto of = context(classes);
  of.task = Task::instance;
  return make<Model>(std::string(R"({"type": "mask_rcnn", "box_score_thresh": 0, "rpn_pre_nms_top_n_train": 200,
    "rpn_pre_nms_top_n_test": 200, "rpn_post_nms_top_n_train": 60, "rpn_post_nms_top_n_test": 60,
    "box_detections_per_img": 30)")
                         .append(more)
                         .append("}"),
                     of);
}

constexpr const char* kV1 = R"(, "backbone": {"type": "resnet50", "norm": "frozen_batch"})";
constexpr const char* kV2 = R"(, "version": "v2", "backbone": {"type": "resnet50"})";
constexpr const char* kCountAll = R"(, "rpn_batch_size_per_image": 10000000, "box_batch_size_per_image": 10000000)";

// As in the script.
void fill_detector(Model& model, const std::string& version) {
  static const std::map<std::string, std::map<std::string, double>> factors{
      {"v1", {{"bbox_pred", 0.02}, {"cls_score", 0.001}, {"cls_logits", 0.002}, {"mask_fcn_logits", 0.01}}},
      {"v2", {{"bbox_pred", 0.002}, {"cls_score", 0.001}, {"cls_logits", 0.002}, {"mask_fcn_logits", 0.01}}}};
  model.module().to(at::kDouble);
  fill_by_name(model.module());
  const c10::AutoGradMode no_grad(false);
  for (const auto& item : model.module().named_parameters())
    for (const auto& [part, factor] : factors.at(version))
      if (item.key().find(part) != std::string::npos) item.value().mul_(factor);
}

at::Tensor part_of(const std::string& folder, const std::string& name) {
  const cv::Mat pixels = read_image(folder + "/coco128/train2017/" + name + ".jpg");
  auto image = at::from_blob(pixels.data, {pixels.rows, pixels.cols, 3}, at::kByte);
  return (image.slice(0, 0, kPartHeight).slice(1, 0, kPartWidth).to(at::kDouble) / 255 - 0.45).permute({2, 0, 1});
}

Batch batch_of(const std::vector<at::Tensor>& images) {
  Batch batch;
  batch.images = at::stack(images).contiguous(at::MemoryFormat::ChannelsLast);
  for (const auto& image : images) {
    batch.sizes.push_back({1, static_cast<int>(image.size(1)), static_cast<int>(image.size(2))});
    Sample truth;
    truth.geometry.original = batch.sizes.back();
    batch.truth.push_back(truth);
  }
  return batch;
}

Objects ellipses(int index) {
  Objects objects;
  objects.boxes =
      at::tensor({20., 30., 100., 110., 60., 40., 210., 150., 170., 10., 200., 60.}, at::kDouble).view({3, 4}) +
      index * 5;
  objects.classes = at::tensor({0, 16, 89}, at::kLong);
  objects.crowd = at::zeros({3}, at::kBool);
  const auto y = (at::arange(kPartHeight, at::kDouble) + 0.5).unsqueeze(1),
             x = (at::arange(kPartWidth, at::kDouble) + 0.5).unsqueeze(0);
  std::vector<at::Tensor> masks;
  for (int i = 0; i < 3; ++i) {
    const auto corner = [&](int axis) { return objects.boxes[i][axis].item<double>(); };
    masks.push_back((((x - (corner(0) + corner(2)) / 2) / (corner(2) - corner(0))).square() +
                     ((y - (corner(1) + corner(3)) / 2) / (corner(3) - corner(1))).square()) <= 0.25);
  }
  objects.masks = at::stack(masks);
  return objects;
}

void check_detections(Model& model, const Json& wanted, const std::string& folder) {
  const c10::AutoGradMode no_grad(false);
  model.module().eval();
  for (const auto& one : wanted) {
    CAPTURE(one["image"].get<std::string>());
    const auto batch = batch_of({part_of(folder, one["image"])});
    const auto outputs = model.forward(batch);
    for (const char* name : {"proposals", "boxes", "scores", "masks"}) {
      CAPTURE(name);
      CHECK(distance(outputs.at(name), one[name]) < 1e-6);
    }
    const auto classes = one["classes"].get<std::vector<std::int64_t>>();
    CHECK(outputs.at("classes").equal(at::tensor(classes, at::kLong)));
    const auto found = model.decode(outputs, batch, {.instances = true, .masks = true}).at(0).instances;
    REQUIRE(found.size() == classes.size());
    std::int64_t differ = 0, pixels = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].category == classes[i]);
      const auto area = one["areas"][i].get<std::int64_t>();
      differ += std::abs(found[i].mask.area() - area);
      pixels += area;
    }
    CHECK(differ <= pixels / 10000);
  }
}

void check_losses(Model& model, const Json& wanted, const std::string& folder, at::ScalarType type) {
  model.module().to(type);
  model.module().train();
  auto batch = batch_of({part_of(folder, "000000000061"), part_of(folder, "000000000394")});
  batch.images = batch.images.to(type);
  batch.objects = {ellipses(0), ellipses(1)};
  const auto terms = (*make<Loss>(R"({"type": "mask_rcnn"})", context(90)))(model.forward(batch), batch);
  const std::map<std::string, std::string> names{{"objectness", "loss_objectness"},
                                                 {"rpn_box", "loss_rpn_box_reg"},
                                                 {"classifier", "loss_classifier"},
                                                 {"box", "loss_box_reg"},
                                                 {"mask", "loss_mask"}};
  REQUIRE(terms.size() == names.size());
  at::Tensor sum = at::zeros({}, at::kDouble);
  for (const auto& [name, value] : terms) {
    CAPTURE(name);
    CHECK((value.scalar_type() == type));
    // torchvision computes that of objectness in float32.
    const double tolerance = type == at::kFloat ? 1e-4 : name == "objectness" ? 1e-6 : 1e-8;
    CHECK(value.item<double>() == doctest::Approx(wanted["losses"][names.at(name)].get<double>()).epsilon(tolerance));
    sum = sum + value;
  }
  if (type == at::kFloat) return;
  sum.backward();
  check_gradients(model.module(), wanted);
}

}  // namespace

TEST_CASE("Mask R-CNN has torchvision's names, proposals, objects, losses and gradients") {
  const char* data = std::getenv("SECTILE_DATA");
  static const auto all = expected("mask_rcnn");
  for (const auto& [name, options, parameters] : {std::tuple{"v1", kV1, 44401393}, std::tuple{"v2", kV2, 46359409}}) {
    CAPTURE(name);
    const auto model = mask_rcnn_of(std::string(options).append(kCountAll));
    check_state_names(model->module(), all[name]);
    CHECK(parameter_count(model->module()) == parameters);
    if (!data) {
      MESSAGE("skipped: values need coco128/ in the folder that SECTILE_DATA names");
      continue;
    }
    fill_detector(*model, name);
    check_detections(*model, all[name]["detections"], data);
    check_losses(*model, all[name]["training"], data, at::kDouble);
    check_losses(*model, all[name]["training"], data, at::kFloat);
  }
}

namespace {

// torchvision's heads for 91 numbers, and its names from before 0.13 or today's.
std::map<std::string, at::Tensor> torchvision_file(torch::nn::Module& module, bool older) {
  std::map<std::string, at::Tensor> file;
  for (const auto& item : module.named_parameters()) {
    auto name = item.key();
    for (const auto& [now, before] : {std::pair{"rpn.head.conv.0.0.", "rpn.head.conv."},
                                      {"inner_blocks.2.0.", "inner_blocks.2."},
                                      {"layer_blocks.0.0.", "layer_blocks.0."},
                                      {"mask_head.3.0.", "mask_head.mask_fcn4."}})
      if (const auto at = name.find(now); older && at != std::string::npos)
        name.replace(at, std::string(now).size(), before);
    file[name] = item.value();
  }
  for (const auto& [part, each] :
       {std::pair{"box_predictor.cls_score", 1}, {"box_predictor.bbox_pred", 4}, {"mask_predictor.mask_fcn_logits", 1}})
    for (const char* of : {"weight", "bias"}) {
      auto& tensor = file.at(std::string("roi_heads.").append(part).append(".").append(of));
      auto sizes = tensor.sizes().vec();
      sizes[0] = 91 * each;
      std::vector<std::int64_t> rows(sizes.size(), 1);
      rows[0] = sizes[0];
      tensor = at::arange(sizes[0], at::kFloat).view(rows).expand(sizes).clone();
    }
  return file;
}

}  // namespace

TEST_CASE("torchvision's files of COCO have older names, and rows of numbers that COCO does not use") {
  auto of = context(80);
  auto labels = std::make_shared<LabelMap>();
  const auto coco = find_entry("torchvision/maskrcnn_resnet50_fpn");
  REQUIRE(coco);
  for (const auto& name : coco->class_names) labels->classes.push_back({.name = name});
  of.labels = labels;
  of.task = Task::instance;
  const std::string json = R"({"type": "mask_rcnn", "backbone": {"type": "resnet18"}})";
  const auto model = make<Model>(json, of);
  NamedTensors file(torchvision_file(model->module(), true));
  const auto dialects = dynamic_cast<WeightRules&>(*model).dialects();
  REQUIRE(dialects.size() == 1);
  dialects[0].translate(file);
  for (const auto& item : model->module().named_parameters()) {
    CAPTURE(item.key());
    REQUIRE(file.tensors().contains(item.key()));
    CHECK(file.tensors().at(item.key()).sizes() == item.value().sizes());
  }
  const auto row = [&](const std::string& name, std::int64_t index) {
    return file.tensors().at("roi_heads." + name)[index].flatten()[0].item<double>();
  };
  // Class 11 is the stop sign, number 13: row 12 with that of nothing.
  CHECK(labels->classes[11].name == "stop sign");
  CHECK(row("box_predictor.cls_score.bias", 12) == 13);
  CHECK(row("box_predictor.bbox_pred.weight", 12 * 4 + 3) == 13 * 4 + 3);
  CHECK(row("mask_predictor.mask_fcn_logits.weight", 80) == 90);
  CHECK(row("box_predictor.cls_score.weight", 0) == 0);

  for (const bool older : {true, false}) {
    CAPTURE(older);
    const auto loaded = make<Model>(json, of);
    auto whole = torchvision_file(loaded->module(), older);
    for (const auto& item : loaded->module().named_buffers()) whole[item.key()] = item.value();
    const auto report = load_state(loaded->module(), whole);
    CHECK(report.missing.empty());
    CHECK(report.unexpected.empty());
    CHECK(report.misfits.empty());
    CHECK(loaded->module().named_parameters()["roi_heads.box_predictor.cls_score.bias"][12].item<double>() == 13);
  }

  // Other classes keep all rows, so that the host says that the head does not fit.
  const auto other = make<Model>(json, context(80));
  NamedTensors same(torchvision_file(other->module(), true));
  dynamic_cast<WeightRules&>(*other).dialects()[0].translate(same);
  CHECK(same.tensors().at("roi_heads.box_predictor.cls_score.bias").size(0) == 91);
}

TEST_CASE("Mask R-CNN's wrong options are refused") {
  const auto answer = [](const std::string& option) {
    return refusal<Model>(R"({"type": "mask_rcnn", "backbone": {"type": "resnet18"}, )" + option + "}");
  };
  CHECK(answer(R"("anchor_sizes": [32, 64])").find("has 2 numbers; one for each of the 5 levels") != std::string::npos);
  CHECK(answer(R"("anchor_sizes": [0, 1, 2, 3, 4])").find("/part/anchor_sizes/0") != std::string::npos);
  CHECK(answer(R"("anchor_sizes": [1.4, 4, 8, 16, 32])").find("/part/anchor_sizes/0: is too small") !=
        std::string::npos);
  CHECK(answer(R"("anchor_sizes": [8, 16, 32, 64, 128], "anchor_ratios": [0.01])").find("anchor_sizes/0") !=
        std::string::npos);
  CHECK(answer(R"("anchor_ratios": [])").find("/part/anchor_ratios") != std::string::npos);
  CHECK(answer(R"("rpn_fg_iou_thresh": 0.2)").find("/part/rpn_bg_iou_thresh") != std::string::npos);
  CHECK(answer(R"("box_fg_iou_thresh": 0.2)").find("/part/box_bg_iou_thresh") != std::string::npos);
  CHECK(answer(R"("box_batch_size_per_image": 3)").find("/part/box_positive_fraction") != std::string::npos);
  CHECK(answer(R"("rpn_positive_fraction": 0.001)").find("/part/rpn_positive_fraction") != std::string::npos);
  CHECK(answer(R"("box_score_thresh": 1.5)").find("/part/box_score_thresh") != std::string::npos);
  CHECK(answer(R"("version": "v3")").find("v1") != std::string::npos);
  CHECK(answer(R"("box_detections_per_image": 5)").find("box_detections_per_img") != std::string::npos);
  CHECK(refusal<Model>(R"({"type": "faster_rcnn", "class_agnostic_masks": true})").find("class_agnostic_masks") !=
        std::string::npos);
}
