// Models and backbones: any size, any batch, trainable throughout, and the same again from a saved state.
#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <opencv2/core.hpp>

#include <sectile/backbone.h>
#include <sectile/model.h>

#include "contract.h"
#include "meta_device.h"
#include "upper/loading/batch.h"
#include "upper/weights/loading.h"

namespace sectile::contract {
namespace {

constexpr int kModelClasses = 5;

// Random images, or volumes, with labels and an object, padded as the host pads them; the model's own size where it has
// one.
Batch batch(const Model& model, int count, int height, int width) {
  const auto traits = model.traits();
  const bool volume = traits.dimensions.front() == 3;
  int depth = volume ? std::max(4, traits.least.depth) : 1;
  height = std::max(height, traits.least.height), width = std::max(width, traits.least.width);
  if (traits.window.height > 0)
    depth = std::max(1, traits.window.depth), height = traits.window.height, width = traits.window.width;
  const auto made = [&](int type) {
    const int sizes[] = {depth, height, width};
    return volume ? cv::Mat(3, sizes, type) : cv::Mat(height, width, type);
  };
  std::vector<Sample> samples;
  for (int i = 0; i < count; ++i) {
    Sample sample;
    sample.id = "image " + std::to_string(i);
    sample.image = made(CV_8UC3);
    cv::randu(sample.image, 0, 255);
    sample.mean = {127, 127, 127};
    sample.deviation = {60, 60, 60};
    sample.labels = made(CV_16S);
    cv::randu(sample.labels, 0, kModelClasses);
    if (!volume) {
      Instance instance;
      instance.category = 1;
      instance.box = cv::Rect2f(4, 4, 20, 12);
      cv::Mat mask = cv::Mat::zeros(height, width, CV_8U);
      mask(cv::Rect(4, 4, 20, 12)) = cv::Scalar(1);
      instance.mask = Mask(mask);
      sample.instances.push_back(instance);
    }
    samples.push_back(std::move(sample));
  }
  return collate(std::move(samples), {.traits = traits,
                                      .classes = kModelClasses,
                                      .objects = !volume,
                                      .training = true,
                                      .own_targets = dynamic_cast<const OwnTargets*>(&model)});
}

// Every floating-point tensor that the outputs hold.
void tensors(const Outputs& outputs, std::vector<at::Tensor>& all) {
  if (outputs.logits.defined()) all.push_back(outputs.logits);
  for (const auto& more : outputs.auxiliary) tensors(more, all);
  for (const auto& [name, tensor] : outputs.named)
    if (tensor.defined() && tensor.is_floating_point()) all.push_back(tensor);
}

std::vector<at::Tensor> evaluate(Model& model, const Batch& input) {
  const c10::NoGradGuard no_grad;
  model.module().eval();
  std::vector<at::Tensor> all;
  tensors(model.forward(input), all);
  return all;
}

bool same(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const at::Tensor& x, const at::Tensor& y) { return at::equal(x, y); });
}

void check_evaluation(Findings& findings, Model& model, const std::string& what, const Batch& input) {
  const c10::NoGradGuard no_grad;
  model.module().eval();
  const auto outputs = model.forward(input);
  std::vector<at::Tensor> all;
  tensors(outputs, all);
  findings.expect(!all.empty(), what + ": the outputs are empty");
  for (const auto& tensor : all)
    findings.expect(tensor.isfinite().all().item<bool>(), what + ": an output is not finite");
  if (outputs.logits.defined())
    findings.expect(outputs.logits.dim() == input.images.dim() && outputs.logits.size(0) == input.images.size(0) &&
                        outputs.logits.size(1) == kModelClasses,
                    what + ": logits are not [N, classes, …]");
  const auto predictions = model.decode(outputs, input, {.labels = true});
  findings.expect(predictions.size() == input.sizes.size(), what + ": not one prediction for each image");
  for (std::size_t i = 0; i < predictions.size() && outputs.logits.defined(); ++i) {
    const auto& labels = predictions[i].labels;
    const bool fits = labels.defined() && labels.dim() == input.images.dim() - 2 &&
                      labels.size(-2) == input.sizes[i].height && labels.size(-1) == input.sizes[i].width;
    findings.expect(fits, what + ": decoded labels have not the size of the file");
    if (fits)
      findings.expect(labels.min().item<std::int64_t>() >= 0 && labels.max().item<std::int64_t>() < kModelClasses,
                      what + ": decoded labels are not class numbers");
  }
}

bool decodes_objects(const Model& model) {
  const auto tasks = model.traits().tasks;
  return std::find(tasks.begin(), tasks.end(), Task::instance) != tasks.end();
}

// Decoded objects lie within the file, and their masks have its size.
void check_objects(Findings& findings, Model& model, const std::string& what, const Batch& input) {
  constexpr float kRounding = 1e-3f;
  const c10::NoGradGuard no_grad;
  model.module().eval();
  const auto predictions = model.decode(model.forward(input), input, {.instances = true, .masks = true});
  const bool has_masks = model.traits().masks;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const auto& size = input.truth[i].geometry.original;
    for (const auto& one : predictions[i].instances) {
      findings.expect(one.category >= 0 && one.category < kModelClasses, what + ": an object has no class number");
      findings.expect(one.score >= 0 && one.score <= 1, what + ": the score of an object is not within 0 and 1");
      findings.expect(one.box.x >= -kRounding && one.box.y >= -kRounding && one.box.width >= 0 && one.box.height >= 0 &&
                          one.box.x + one.box.width <= static_cast<float>(size.width) + kRounding &&
                          one.box.y + one.box.height <= static_cast<float>(size.height) + kRounding,
                      what + ": the box of an object is not within the file");
      findings.expect(one.mask.empty() != has_masks,
                      what + (has_masks ? ": an object has no mask" : ": an object has a mask"));
      findings.expect(one.mask.empty() || one.mask.bitmap().size() == cv::Size(size.width, size.height),
                      what + ": the mask of an object has not the size of the file");
    }
  }
}

void check_training(Findings& findings, Model& model, const Batch& input) {
  auto& module = model.module();
  module.train();
  module.zero_grad();
  std::vector<at::Tensor> all;
  tensors(model.forward(input), all);
  at::Tensor sum;
  for (const auto& tensor : all) {
    if (!tensor.requires_grad()) continue;
    const auto part = (tensor - 0.5).square().mean();
    sum = sum.defined() ? sum + part : part;
  }
  if (!sum.defined()) return findings.expect(false, "in training no output has a gradient");
  sum.backward();
  for (const auto& item : module.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    const auto& gradient = item.value().grad();
    findings.expect(gradient.defined(), "no gradient reaches the parameter \"" + item.key() + "\"");
    findings.expect(!gradient.defined() || gradient.isfinite().all().item<bool>(),
                    "the gradient of \"" + item.key() + "\" is not finite");
  }
}

std::vector<Instance> objects_of(Model& model, const Batch& input) {
  const c10::NoGradGuard no_grad;
  model.module().eval();
  return model.decode(model.forward(input), input, {.instances = true, .masks = true}).at(0).instances;
}

// Which objects a network without training finds depends on the last digit of its scores: most must be found again.
bool mostly_same(const std::vector<Instance>& before, const std::vector<Instance>& after) {
  constexpr double kShare = 0.9, kIou = 0.95, kScore = 1e-3;
  std::size_t found = 0;
  for (const auto& one : before)
    found += std::any_of(after.begin(), after.end(), [&](const Instance& other) {
      const double common = (one.box & other.box).area(), all = one.box.area() + other.box.area() - common;
      return one.category == other.category && std::abs(one.score - other.score) < kScore && common > kIou * all;
    });
  return static_cast<double>(found) >= kShare * static_cast<double>(before.size());
}

// Every layer compares its two forms by itself, and the whole network must answer the same.
void check_inference_form(Findings& findings, Model& model, const Batch& input) {
  const InferencePlan plan{.format = at::MemoryFormat::ChannelsLast, .pack = true, .verify = true};
  if (decodes_objects(model)) {
    const auto before = objects_of(model, input);
    prepare_for_inference(model.module(), plan);
    return findings.expect(mostly_same(before, objects_of(model, input)),
                           "its inference form finds other objects than its training form");
  }
  const auto before = evaluate(model, input);
  prepare_for_inference(model.module(), plan);
  const auto after = evaluate(model, input);
  for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i) {
    const double scale = std::max(1.0, before[i].abs().max().item<double>());
    findings.expect((before[i] - after[i]).abs().max().item<double>() <= 1e-3 * scale,
                    "its inference form answers otherwise than its training form");
  }
}

// Whole-step graphs and steps that nobody waits for rest on it. The model is of no use afterwards.
void check_no_peeking(Findings& findings, Model& model, const Batch& input) {
  if (model.traits().reads_values) return;
  const auto found = peeks([&] {
    to_meta(model.module());
    const auto there = on_meta(input);
    model.module().eval();
    model.forward(there);
    model.module().train();
    std::vector<at::Tensor> all;
    tensors(model.forward(there), all);
    for (const auto& tensor : all)
      if (tensor.requires_grad()) tensor.sum().backward({}, /*retain_graph=*/true);
  });
  findings.expect(found.empty(),
                  "it does not run on the meta device, where tensors have no values, and does not say "
                  "so (ModelTraits::reads_values): " +
                      found);
}

void check_state(Findings& findings, Model& model, Model& other, const Batch& input) {
  StateDict saved;
  for (const auto& [name, tensor] : state_dict(model.module())) saved[name] = tensor.detach().clone();
  const auto report = load_state(other.module(), saved);
  for (const auto& name : report.missing) findings.expect(false, "its own saved state lacks \"" + name + "\"");
  for (const auto& name : report.unexpected) findings.expect(false, "does not take back its own \"" + name + "\"");
  findings.expect(same(evaluate(model, input), evaluate(other, input)), "its saved state gives another output");
}

}  // namespace

Findings model_contract(const Subject& subject) {
  Findings findings;
  at::manual_seed(1);
  cv::theRNG().state = 1;
  auto settings = context(kModelClasses);
  const auto model = build<Model>(subject, settings);
  if (!model) return findings;
  const auto traits = model->traits();
  findings.expect(!traits.tasks.empty(), "it names no task that it can decode");
  findings.expect(!traits.dimensions.empty(), "it takes neither images nor volumes");
  for (const int side : {traits.divisor.depth, traits.divisor.height, traits.divisor.width, traits.least.depth,
                         traits.least.height, traits.least.width})
    findings.expect(side >= 1, "a size divisor or least size is below 1");
  findings.expect(!traits.pad_to_window || traits.window.height > 0, "it pads to a window that it does not name");
  if (!findings.broken().empty()) return findings;
  const auto pair = batch(*model, 2, 96, 128);
  findings.attempt("training", [&] { check_training(findings, *model, pair); });
  findings.attempt("a batch of two", [&] { check_evaluation(findings, *model, "a batch of two", pair); });
  const auto odd = batch(*model, 1, 97, 131);
  findings.attempt("one image of odd size", [&] {
    check_evaluation(findings, *model, "one image of odd size", odd);
    findings.expect(same(evaluate(*model, odd), evaluate(*model, odd)),
                    "evaluation gives another output when repeated");
  });
  if (decodes_objects(*model))
    findings.attempt("decoding objects", [&] {
      check_objects(findings, *model, "a batch of two", pair);
      auto halved = odd;  // as a transform that doubles the size makes it
      auto& geometry = halved.truth[0].geometry;
      geometry.original.height = 49, geometry.original.width = 66;
      geometry.to_original = cv::Matx44d::diag({66. / 131, 49. / 97, 1, 1});
      check_objects(findings, *model, "an image that was enlarged", halved);
      geometry.original.height = 131, geometry.original.width = 97;
      geometry.to_original = cv::Matx44d(0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
      check_objects(findings, *model, "an image that was turned", halved);
    });
  findings.attempt("one image of the least size", [&] {
    check_evaluation(findings, *model, "one image of the least size", batch(*model, 1, 24, 24));
  });
  findings.attempt("saving and loading its state",
                   [&] { check_state(findings, *model, *build<Model>(subject, settings), odd); });
  findings.attempt("its inference form",
                   [&] { check_inference_form(findings, *build<Model>(subject, settings), odd); });
  findings.attempt_or_refuse("images with one channel", [&] {
    settings.channels = 1;
    const auto gray = build<Model>(subject, settings);
    auto input = odd;
    input.images = odd.images.narrow(1, 0, 1).contiguous();
    check_evaluation(findings, *gray, "images with one channel", input);
  });
  settings.channels = 3;
  check_no_peeking(findings, *build<Model>(subject, settings), pair);
  return findings;
}

Findings backbone_contract(const Subject& subject) {
  Findings findings;
  const auto backbone = build<Backbone>(subject, context(kModelClasses));
  if (!backbone) return findings;
  const auto levels = backbone->levels();
  findings.expect(!levels.empty(), "it has no levels");
  int coarsest = 1;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    findings.expect(i == 0 || levels[i].stride >= levels[i - 1].stride, "its levels are not ordered finest first");
    coarsest = std::max(coarsest, levels[i].stride);
  }
  findings.attempt("the finest level alone, when that is asked for", [&] {
    auto asked = context(kModelClasses);
    asked.features.levels = {0};
    const auto finest = build<Backbone>(subject, asked)->levels();
    findings.expect(finest.size() == 1 && finest[0].stride == levels[0].stride,
                    "asked for one level of features, it gives others");
  });
  findings.attempt("computing features", [&] {
    backbone->train();
    const auto features = backbone->features(at::randn({2, 3, 3 * coarsest, 2 * coarsest}));
    if (features.size() != levels.size()) return findings.expect(false, "it has not one feature map for each level");
    at::Tensor sum = at::zeros({});
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const auto stride = levels[i].stride;
      findings.expect(
          features[i].sizes() == at::IntArrayRef({2, levels[i].channels, 3 * coarsest / stride, 2 * coarsest / stride}),
          "level " + std::to_string(i) + " has not the channels or the stride that it states");
      sum = sum + features[i].square().mean();
    }
    sum.backward();
    for (const auto& item : backbone->named_parameters())
      findings.expect(!item.value().requires_grad() || item.value().grad().defined(),
                      "no gradient reaches the parameter \"" + item.key() + "\"");
  });
  return findings;
}

}  // namespace sectile::contract
