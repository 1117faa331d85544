// Mask R-CNN on images that detectors fail on: without objects, with hundreds, with one of one pixel, of crowds alone,
// and of different sizes in a batch.
#include <ATen/ATen.h>
#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/loss.h>
#include <sectile/model.h>

#include "support/test.h"
#include "upper/loading/batch.h"

using namespace sectile;
using namespace sectile::test;

namespace {

constexpr int kOddClasses = 3;

Instance rectangle(const cv::Rect& box, const cv::Size& size, bool crowd = false) {
  Instance made;
  made.category = (box.x + box.y) % kOddClasses;
  made.box = cv::Rect2f(box);
  cv::Mat mask = cv::Mat::zeros(size, CV_8U);
  mask(box) = cv::Scalar(1);
  made.mask = Mask(mask);
  made.crowd = crowd;
  return made;
}

Sample image_of(const cv::Size& size, std::vector<Instance> objects) {
  Sample sample;
  sample.id = "odd";
  sample.image = cv::Mat(size, CV_8UC3);
  cv::randu(sample.image, 0, 255);
  sample.mean = {127, 127, 127};
  sample.deviation = {60, 60, 60};
  sample.instances = std::move(objects);
  return sample;
}

std::vector<Instance> many(int count, const cv::Size& size) {
  std::vector<Instance> all;
  for (int i = 0; i < count; ++i)
    all.push_back(rectangle({i * 7 % (size.width - 8), i * 5 % (size.height - 6), 3 + i % 6, 3 + i % 4}, size));
  return all;
}

void check_odd(const std::string& type, std::vector<Sample> samples, const std::string& more = "") {
  at::manual_seed(3);
  auto of = context(kOddClasses);
  of.task = Task::instance;
  const auto model = make<Model>(R"({"type": ")" + type + R"(", "backbone": {"type": "resnet18"},
    "rpn_post_nms_top_n_train": 50, "rpn_post_nms_top_n_test": 50, "box_batch_size_per_image": 32,
    "box_score_thresh": 0.0, "box_detections_per_img": 10)" +
                                     more + "}",
                                 of);
  const auto loss = make<Loss>(R"({"type": "mask_rcnn"})", of);
  auto& module = model->module();
  const auto batch = collate(std::move(samples),
                             {.traits = model->traits(), .classes = kOddClasses, .objects = true, .training = true});
  module.train();
  at::Tensor sum = at::zeros({});
  for (const auto& [name, value] : (*loss)(model->forward(batch), batch)) {
    CAPTURE(name);
    CHECK(std::isfinite(value.item<double>()));
    sum = sum + value;
  }
  sum.backward();
  const c10::AutoGradMode no_grad(false);
  for (const auto& item : module.named_parameters()) {
    CAPTURE(item.key());
    if (!item.value().grad().defined()) continue;  // of masks, where no image has one
    CHECK(item.value().grad().isfinite().all().item<bool>());
    item.value().sub_(item.value().grad(), 1e-3);
  }
  module.eval();
  const auto predictions = model->decode(model->forward(batch), batch, {.instances = true, .masks = true});
  REQUIRE(predictions.size() == batch.sizes.size());
  for (std::size_t i = 0; i < predictions.size(); ++i)
    for (const auto& found : predictions[i].instances) {
      CHECK(std::isfinite(found.score));
      CHECK((found.box.width > 0 && found.box.height > 0));
      CHECK(found.box.x + found.box.width <= static_cast<float>(batch.sizes[i].width));
      CHECK(found.box.y + found.box.height <= static_cast<float>(batch.sizes[i].height));
      CHECK(found.mask.empty() == (type == "faster_rcnn"));
    }
}

}  // namespace

TEST_CASE("detectors train on and predict odd images, alone and in batches of different sizes") {
  const cv::Size small(64, 48), wide(96, 40);
  const std::map<std::string, std::function<Sample()>> images{
      {"without objects", [&] { return image_of(small, {}); }},
      {"300 objects", [&] { return image_of(small, many(300, small)); }},
      {"one pixel",
       [&] {
         return image_of(small, {rectangle({40, 7, 1, 1}, small)});
       }},
      {"crowds alone",
       [&] {
         return image_of(small, {rectangle({0, 0, 30, 30}, small, true)});
       }},
      {"whole image",
       [&] {
         return image_of(small, {rectangle({0, 0, 64, 48}, small)});
       }},
      {"no area", [&] {
         auto flat = rectangle({5, 5, 10, 10}, small);
         flat.box.width = 0;
         flat.mask = Mask();
         return image_of(small, {flat, rectangle({20, 20, 9, 9}, small)});
       }}};
  for (const std::string type : {"mask_rcnn", "faster_rcnn"}) {
    CAPTURE(type);
    for (const auto& [name, make_image] : images) {
      CAPTURE(name);
      check_odd(type, {make_image()});
    }
    check_odd(type, {image_of(wide, many(5, wide)), image_of(small, {}), image_of({33, 70}, many(2, {33, 70})),
                     image_of({1, 1}, {})});
  }
  check_odd("mask_rcnn", {image_of(wide, many(5, wide)), image_of(small, {})}, R"(, "class_agnostic_masks": true)");
  check_odd("mask_rcnn", {image_of(wide, many(5, wide)), image_of(small, {})}, R"(, "version": "v2")");
  // No proposal is good enough.
  check_odd("mask_rcnn", {image_of(small, {}), image_of(small, {})}, R"(, "rpn_score_thresh": 1.0)");
}

TEST_CASE("objects without masks teach Mask R-CNN nothing of masks, which is an error where no object has one") {
  auto of = context(kOddClasses);
  of.task = Task::instance;
  const cv::Size small(64, 48);
  auto bare = rectangle({5, 5, 20, 20}, small);
  bare.mask = Mask();
  const auto train_on = [&](const std::string& type, const std::vector<Instance>& first, int batches) {
    const auto model = make<Model>(R"({"type": ")" + type + R"(", "backbone": {"type": "resnet18"},
      "rpn_post_nms_top_n_train": 10, "box_batch_size_per_image": 4})",
                                   of);
    model->module().train();
    for (int i = 0; i < batches; ++i) {
      std::vector<Sample> samples;
      samples.push_back(image_of(small, i == 0 ? first : std::vector<Instance>{bare}));
      model->forward(collate(std::move(samples),
                             {.traits = model->traits(), .classes = kOddClasses, .objects = true, .training = true}));
    }
  };
  CHECK_NOTHROW(train_on("mask_rcnn", {bare}, 9));
  CHECK_NOTHROW(train_on("mask_rcnn", {rectangle({5, 5, 20, 20}, small)}, 11));
  CHECK_NOTHROW(train_on("faster_rcnn", {bare}, 11));
  CHECK_THROWS_WITH_AS(train_on("mask_rcnn", {bare}, 10), doctest::Contains("no object has a mask"), DataError);
}

TEST_CASE("each of many objects learns its own mask, also where those of an image are too many to resize at once") {
  auto of = context(kOddClasses);
  of.task = Task::instance;
  constexpr int kObjects = 300;
  const cv::Size large(192, 192);  // 300 masks of them are more than 2^23 pixels
  const auto model = make<Model>(R"({"type": "mask_rcnn", "backbone": {"type": "resnet18"},
    "rpn_post_nms_top_n_train": 1, "box_batch_size_per_image": 2000, "box_positive_fraction": 1.0})",
                                 of);
  model->module().train();
  std::vector<Sample> samples;
  samples.push_back(image_of(large, many(kObjects, large)));
  const auto outputs = model->forward(collate(
      std::move(samples), {.traits = model->traits(), .classes = kOddClasses, .objects = true, .training = true}));
  // Objects fill their boxes, which are proposals too; another's mask is empty there.
  const auto& targets = outputs.at("mask/targets");
  CHECK(targets.sub(0.5).abs().max().item<float>() < 0.5001);
  const auto covered = targets.mean(at::IntArrayRef({1, 2})) > 0.6;
  CHECK(covered.size(0) >= kObjects);
  CHECK(covered.sum().item<std::int64_t>() >= kObjects);
}

TEST_CASE("class-agnostic masks are one for each object, and others one for each class") {
  auto of = context(kOddClasses);
  of.task = Task::instance;
  for (const auto& [option, channels] : {std::pair{"false", kOddClasses + 1}, {"true", 1}}) {
    const auto model = make<Model>(std::string(R"({"type": "mask_rcnn", "backbone": {"type": "resnet18"},
      "class_agnostic_masks": )")
                                       .append(option)
                                       .append("}"),
                                   of);
    const auto parameters = model->module().named_parameters();
    CHECK(parameters["roi_heads.mask_predictor.mask_fcn_logits.weight"].size(0) == channels);
    CHECK(parameters["roi_heads.box_predictor.bbox_pred.weight"].size(0) == 4 * (kOddClasses + 1));
  }
}
