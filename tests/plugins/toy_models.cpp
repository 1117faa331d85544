// Models of the hard cases, from a plain network to one that answers all three tasks.
#include <algorithm>
#include <map>

#include <ATen/ATen.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <sectile/backbone.h>
#include <sectile/model.h>
#include <sectile/roles.h>

namespace {

using at::Tensor;
using sectile::Batch, sectile::BuildContext, sectile::Outputs, sectile::Prediction, sectile::Wanted;
namespace nn = torch::nn;

// --- A plain network, and nothing else. ---
struct PlainOptions {
  std::vector<int> widths = {16};
  void declare(sectile::Options& options) {
    options.add("widths", &widths, "Channels after each convolution.").at_least(1).not_empty();
  }
};

class Plain : public nn::Module {
 public:
  Plain(const PlainOptions& options, const BuildContext& context) {
    int channels = context.channels;
    for (const int width : options.widths) {
      convs_.push_back(register_module("conv" + std::to_string(convs_.size()),
                                       nn::Conv2d(nn::Conv2dOptions(channels, width, 3).padding(1))));
      channels = width;
    }
    head_ = register_module("head", nn::Conv2d(nn::Conv2dOptions(channels, context.classes(), 1)));
  }
  Tensor forward(Tensor x) {
    for (auto& conv : convs_) x = conv->forward(x).relu();
    return head_->forward(x);
  }

 private:
  std::vector<nn::Conv2d> convs_;
  nn::Conv2d head_{nullptr};
};

// --- The same for volumes; its kernel is one pixel, so that windows must join without a seam. ---
class Volume : public nn::Module {
 public:
  explicit Volume(const BuildContext& context)
      : head(register_module("head", nn::Conv3d(nn::Conv3dOptions(context.channels, context.classes(), 1)))) {}
  Tensor forward(const Tensor& x) { return head->forward(x); }
  sectile::ModelTraits traits() const { return {.dimensions = {3}, .divisor = {2, 2, 2}, .window = {2, 16, 16}}; }
  nn::Conv3d head;
};

// --- A model with an auxiliary head, on any backbone. ---
struct OnBackboneOptions {
  sectile::Ref<sectile::Backbone> backbone{"toy_backbone"};
  void declare(sectile::Options& options) { options.add("backbone", &backbone, "What makes the features."); }
};

class Pyramid : public nn::Module, public sectile::WeightRules {
 public:
  Pyramid(const OnBackboneOptions& options, const BuildContext& context) {
    backbone_ = register_module("backbone", sectile::build_backbone(options.backbone, context, {.levels = {0, 1}}));
    const auto levels = backbone_->levels();
    divisor_ = levels.back().stride;
    classifier_ =
        register_module("classifier", nn::Conv2d(nn::Conv2dOptions(levels.back().channels, context.classes(), 1)));
    auxiliary_ =
        register_module("aux_classifier", nn::Conv2d(nn::Conv2dOptions(levels.front().channels, context.classes(), 1)));
  }
  Outputs forward(const Tensor& images) {
    const auto features = backbone_->features(images);
    Outputs outputs, auxiliary;
    outputs.logits = classifier_->forward(features.back());
    if (!is_training()) return outputs;
    auxiliary.logits = auxiliary_->forward(features.front());
    outputs.auxiliary = {auxiliary};
    return outputs;
  }
  sectile::ModelTraits traits() const { return {.divisor = {1, divisor_, divisor_}}; }
  std::vector<std::string> head() const override { return {"classifier.", "aux_classifier."}; }
  std::vector<sectile::Dialect> dialects() const override {
    return {{"encoder-decoder", [](sectile::NamedTensors& tensors) {
               tensors.rename("encoder.*", "backbone.*");
               tensors.rename("decode_head.*", "classifier.*");
             }}};
  }

 private:
  std::shared_ptr<sectile::Backbone> backbone_;
  nn::Conv2d classifier_{nullptr}, auxiliary_{nullptr};
  int divisor_ = 1;
};

// --- Two stages, like Mask R-CNN: truth decides what is sampled in training; in inference a grid of proposals is
// scored. ---
class ToyRcnn final : public nn::Module, public sectile::Model, public sectile::OwnTargets {
 public:
  ToyRcnn(const OnBackboneOptions& options, const BuildContext& context) : classes_(context.classes()) {
    backbone_ = register_module("backbone", sectile::build_backbone(options.backbone, context, {.levels = {0}}));
    const int channels = backbone_->levels().front().channels;
    class_head_ = register_module("class_head", nn::Linear(channels * kSide * kSide, classes_ + 1));
    mask_head_ = register_module("mask_head", nn::Conv2d(nn::Conv2dOptions(channels, 1, 1)));
    center_head_ = register_module("center_head", nn::Conv2d(nn::Conv2dOptions(channels, 1, 1)));
  }
  nn::Module& module() override { return *this; }
  sectile::ModelTraits traits() const override {
    return {.tasks = {sectile::Task::instance}, .divisor = {1, 4, 4}, .loss = "toy_rcnn", .reads_values = true};
  }

  // The centres of objects, at half the images' size: made by the loader's threads.
  std::map<std::string, Tensor> own_targets(const sectile::Sample& sample,
                                            const sectile::Extent& padded) const override {
    auto centers = at::zeros({1, padded.height / 2, padded.width / 2});
    for (const auto& object : sample.instances) {
      const auto at = (object.box.tl() + object.box.br()) / 4;
      centers[0][std::int64_t(at.y)][std::int64_t(at.x)] = 1;
    }
    return {{"centers", centers}};
  }

  Outputs forward(const Batch& batch) override {
    const auto features = backbone_->features(batch.images).front();
    std::vector<Tensor> pooled, mask_targets;
    std::vector<std::int64_t> owner, targets, positive;
    std::vector<float> boxes;
    for (std::size_t n = 0; n < batch.sizes.size(); ++n) {
      const auto image = static_cast<std::int64_t>(n);
      const auto take = [&](const cv::Rect2f& box, int target) {
        pooled.push_back(pool(features[image], box, 0.5f));
        owner.push_back(image), targets.push_back(target);
        boxes.insert(boxes.end(), {box.x, box.y, box.width, box.height});
      };
      for (const auto& box : proposals(batch.sizes[n])) take(box, classes_);  // background, unless proven otherwise
      if (!is_training()) continue;
      const auto& objects = batch.objects[n];
      for (std::int64_t k = 0; k < objects.classes.size(0); ++k) {
        const auto* b = objects.boxes[k].const_data_ptr<float>();
        const cv::Rect2f box(b[0], b[1], b[2] - b[0], b[3] - b[1]);
        positive.push_back(static_cast<std::int64_t>(pooled.size()));
        mask_targets.push_back(pool(objects.masks[k].unsqueeze(0).to(at::kFloat), box, 1.0f)[0]);
        take(box, static_cast<int>(objects.classes[k].item<std::int64_t>()));
      }
    }
    const auto all = at::stack(pooled);  // [M, C, S, S]
    const auto kept = at::tensor(at::ArrayRef<std::int64_t>(positive), at::kLong);
    Outputs outputs;
    outputs.named["class_logits"] = class_head_->forward(all.flatten(1));
    outputs.named["class_targets"] = at::tensor(at::ArrayRef<std::int64_t>(targets));
    outputs.named["mask_logits"] = mask_head_->forward(is_training() ? all.index_select(0, kept) : all).squeeze(1);
    outputs.named["mask_targets"] = mask_targets.empty() ? at::zeros({0, kSide, kSide}) : at::stack(mask_targets);
    outputs.named["owner"] = at::tensor(at::ArrayRef<std::int64_t>(owner));
    outputs.named["boxes"] = at::tensor(at::ArrayRef<float>(boxes)).view({-1, 4});
    outputs.named["centers"] = center_head_->forward(features);
    return outputs;
  }

  // Boxes go to the file's coordinates first and masks are pasted there, at full resolution.
  std::vector<Prediction> decode(const Outputs& outputs, const Batch& batch, const Wanted& wanted) const override {
    std::vector<Prediction> predictions(batch.sizes.size());
    for (std::size_t n = 0; n < predictions.size(); ++n) predictions[n].id = batch.truth[n].id;
    if (!wanted.instances) return predictions;
    const auto scores = outputs.at("class_logits").softmax(1).slice(1, 0, classes_).contiguous();
    const auto [best, category] = scores.max(1);
    for (std::int64_t m = 0; m < scores.size(0); ++m) {
      const auto n = static_cast<std::size_t>(outputs.at("owner")[m].item<std::int64_t>());
      const auto* b = outputs.at("boxes")[m].const_data_ptr<float>();
      const auto box = sectile::restore(cv::Rect2f(b[0], b[1], b[2], b[3]), batch, n);
      const auto& size = batch.truth[n].geometry.original;
      const cv::Rect whole =
          cv::Rect(cv::Point(box.tl()), cv::Point(box.br())) & cv::Rect(0, 0, size.width, size.height);
      if (whole.empty()) continue;
      predictions[n].instances.push_back(
          {.category = static_cast<int>(category[m].item<std::int64_t>()), .box = box, .score = best[m].item<float>()});
      if (!wanted.masks) continue;
      const auto mask = at::upsample_bilinear2d(outputs.at("mask_logits")[m].view({1, 1, kSide, kSide}),
                                                {whole.height, whole.width}, false)[0][0]
                            .gt(0)
                            .to(at::kByte)
                            .contiguous();
      cv::Mat bits(size.height, size.width, CV_8U, cv::Scalar(0));
      cv::Mat(whole.height, whole.width, CV_8U, mask.data_ptr()).copyTo(bits(whole));
      predictions[n].instances.back().mask = sectile::Mask(sectile::Mask(bits).rle());
    }
    return predictions;
  }

 private:
  static constexpr int kSide = 4;
  static std::vector<cv::Rect2f> proposals(const sectile::Extent& size) {
    std::vector<cv::Rect2f> boxes;
    const float w = float(size.width) / 3, h = float(size.height) / 3;
    for (int y = 0; y < 3; ++y)
      for (int x = 0; x < 3; ++x) boxes.emplace_back(float(x) * w, float(y) * h, w, h);
    return boxes;
  }
  static Tensor pool(const Tensor& map, const cv::Rect2f& box, float scale) {  // [C, h, w] → [C, S, S]
    const auto cut = [](float from, float length, std::int64_t limit) {
      const auto first = std::clamp<std::int64_t>(std::int64_t(from), 0, limit - 1);
      return std::pair(first, std::clamp<std::int64_t>(std::int64_t(from + length), first + 1, limit) - first);
    };
    const auto [y, height] = cut(box.y * scale, box.height * scale, map.size(1));
    const auto [x, width] = cut(box.x * scale, box.width * scale, map.size(2));
    return at::adaptive_avg_pool2d(map.narrow(1, y, height).narrow(2, x, width), {kSide, kSide});
  }

  int classes_;
  std::shared_ptr<sectile::Backbone> backbone_;
  nn::Linear class_head_{nullptr};
  nn::Conv2d mask_head_{nullptr}, center_head_{nullptr};
};

// --- Queries, like Mask2Former: one set of masks answers all three tasks. ---
class ToyQueries final : public nn::Module, public sectile::Model {
 public:
  ToyQueries(const OnBackboneOptions& options, const BuildContext& context) : labels_(context.labels) {
    backbone_ = register_module("backbone", sectile::build_backbone(options.backbone, context, {.levels = {0}}));
    const int channels = backbone_->levels().front().channels;
    queries_ = register_parameter("queries", at::randn({2, kQueries, channels}));
    class_head_ = register_module("class_head", nn::Linear(channels, context.classes() + 1));
  }
  nn::Module& module() override { return *this; }
  sectile::ModelTraits traits() const override {
    return {.tasks = {sectile::Task::semantic, sectile::Task::instance, sectile::Task::panoptic},
            .divisor = {1, 4, 4},
            .loss = "toy_query_matching"};
  }
  Outputs forward(const Batch& batch) override {
    const auto features = backbone_->features(batch.images).front();  // [N, C, h, w]
    const auto layer = [&](std::int64_t index) {
      Outputs outputs;
      const auto pooled = queries_[index].unsqueeze(0) + features.mean({2, 3}).unsqueeze(1);
      outputs.named["class_logits"] = class_head_->forward(pooled);
      outputs.named["mask_logits"] = at::einsum("qc,nchw->nqhw", {queries_[index], features});
      return outputs;
    };
    auto outputs = layer(1);
    if (is_training()) outputs.auxiliary.push_back(layer(0));
    return outputs;
  }
  std::vector<Prediction> decode(const Outputs& outputs, const Batch& batch, const Wanted& wanted) const override {
    std::vector<Prediction> predictions;
    for (std::size_t n = 0; n < batch.sizes.size(); ++n) {
      const auto image = static_cast<std::int64_t>(n);
      const auto classes = outputs.at("class_logits")[image].softmax(-1);                         // [Q, K + 1]
      const auto masks = sectile::restore(outputs.at("mask_logits")[image], batch, n).sigmoid();  // [Q, H, W]
      const auto kinds = classes.slice(1, 0, classes.size(1) - 1);
      Prediction prediction;
      prediction.id = batch.truth[n].id;
      const auto scores = at::einsum("qk,qhw->khw", {kinds, masks});
      if (wanted.labels) prediction.labels = scores.argmax(0);
      if (wanted.scores) prediction.scores = scores;
      const auto [best, category] = kinds.max(1);
      const auto winner = (best.view({-1, 1, 1}) * masks).argmax(0);
      if (wanted.segments) prediction.segment_ids = (winner + 1).to(at::kInt);
      for (std::int64_t q = 0; q < kinds.size(0); ++q) {
        const int kind = static_cast<int>(category[q].item<std::int64_t>());
        if (wanted.segments && (winner == q).any().item<bool>())
          prediction.segments.push_back({.id = static_cast<std::int32_t>(q + 1), .category = kind});
        if (!wanted.instances || !labels_->classes[static_cast<std::size_t>(kind)].thing) continue;
        const auto bits = masks[q].gt(0.5).to(at::kByte).cpu().contiguous();
        sectile::Mask mask(cv::Mat(int(bits.size(0)), int(bits.size(1)), CV_8U, bits.data_ptr()).clone());
        prediction.instances.push_back(
            {.category = kind, .box = mask.box(), .mask = mask, .score = best[q].item<float>()});
      }
      predictions.push_back(std::move(prediction));
    }
    return predictions;
  }

 private:
  static constexpr int kQueries = 6;
  std::shared_ptr<const sectile::LabelMap> labels_;
  std::shared_ptr<sectile::Backbone> backbone_;
  Tensor queries_;
  nn::Linear class_head_{nullptr};
};

// --- Few shots: the query's pixels are compared with the mean feature of the support's object and background. ---
class Prototypes final : public nn::Module, public sectile::Model {
 public:
  Prototypes(const OnBackboneOptions& options, const BuildContext& context) {
    backbone_ = register_module("backbone", sectile::build_backbone(options.backbone, context, {.levels = {0}}));
    if (context.classes() != 2) throw sectile::DataError("prototypes", "wants episodes: background and object");
  }
  nn::Module& module() override { return *this; }
  sectile::ModelTraits traits() const override { return {.divisor = {1, 4, 4}}; }
  Outputs forward(const Batch& batch) override {
    if (batch.support.empty()) throw sectile::PluginError("prototypes", "wants episodes; use dataset toy_episodes");
    std::vector<Tensor> means;
    for (int kind = 0; kind < 2; ++kind) {
      Tensor sum, count;
      for (const auto& shot : batch.support) {
        const auto features = backbone_->features(shot.images).front();
        const auto where =
            at::adaptive_avg_pool2d((shot.labels == kind).to(at::kFloat).unsqueeze(1), features.sizes().slice(2));
        const auto one = (features * where).sum({2, 3}), weight = where.sum({2, 3});
        sum = sum.defined() ? sum + one : one;
        count = count.defined() ? count + weight : weight;
      }
      means.push_back(sum / count.clamp_min(1e-3));  // [N, C]
    }
    const auto query = backbone_->features(batch.images).front();
    Outputs outputs;
    outputs.logits = 10 * at::cosine_similarity(query.unsqueeze(1), at::stack(means, 1).unsqueeze(-1).unsqueeze(-1), 2);
    return outputs;
  }

 private:
  std::shared_ptr<sectile::Backbone> backbone_;
};

// --- Deep supervision with weights of its own: halves, as nnU-Net has them. ---
class Deep : public nn::Module {
 public:
  explicit Deep(const BuildContext& context)
      : head_(register_module("head", nn::Conv2d(nn::Conv2dOptions(context.channels, context.classes(), 1)))) {}
  Outputs forward(const Tensor& images) {
    Outputs outputs;
    outputs.logits = head_->forward(images);
    for (const double weight : {0.5, 0.25, 0.125}) {
      Outputs coarser;
      coarser.logits = at::avg_pool2d(outputs.auxiliary.empty() ? outputs.logits : outputs.auxiliary.back().logits, 2);
      coarser.weight = weight;
      outputs.auxiliary.push_back(coarser);
    }
    return outputs;
  }
  sectile::ModelTraits traits() const { return {.divisor = {1, 8, 8}, .least = {1, 16, 16}}; }

 private:
  nn::Conv2d head_{nullptr};
};

// --- A second head, which has a loss, a target and a prediction of its own. ---
class TwoHeads : public nn::Module {
 public:
  explicit TwoHeads(const BuildContext& context)
      : body_(register_module("body", nn::Conv2d(nn::Conv2dOptions(context.channels, 8, 3).padding(1)))),
        classes_(register_module("classes", nn::Conv2d(nn::Conv2dOptions(8, context.classes(), 1)))),
        edges_(register_module("edges", nn::Conv2d(nn::Conv2dOptions(8, 1, 1)))) {}
  Outputs forward(const Tensor& images) {
    const auto features = body_->forward(images).relu();
    Outputs outputs;
    outputs.logits = classes_->forward(features);
    outputs.named["edges"] = edges_->forward(features);
    return outputs;
  }

 private:
  nn::Conv2d body_{nullptr}, classes_{nullptr}, edges_{nullptr};
};

// --- A decoder that asks its backbone for an output stride of 8 and for two of its levels. ---
class Stride8 : public nn::Module {
 public:
  Stride8(const OnBackboneOptions& options, const BuildContext& context)
      : backbone_(register_module(
            "backbone", sectile::build_backbone(options.backbone, context, {.output_stride = 8, .levels = {1, -1}}))),
        head_(register_module(
            "head", nn::Conv2d(nn::Conv2dOptions(backbone_->levels().back().channels, context.classes(), 1)))) {}
  Tensor forward(const Tensor& images) { return head_->forward(backbone_->features(images).back()); }
  sectile::ModelTraits traits() const { return {.divisor = {1, 8, 8}}; }

 private:
  std::shared_ptr<sectile::Backbone> backbone_;
  nn::Conv2d head_{nullptr};
};

// --- Looks at a value, and does not say so: the contract suite must see it. ---
class Peeking : public nn::Module {
 public:
  explicit Peeking(const BuildContext& context)
      : head_(register_module("head", nn::Conv2d(nn::Conv2dOptions(context.channels, context.classes(), 1)))) {}
  Tensor forward(const Tensor& images) {
    const auto logits = head_->forward(images);
    return logits.max().item<float>() > 0 ? logits : logits * 2;
  }

 private:
  nn::Conv2d head_{nullptr};
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::model<Plain, PlainOptions>("toy_plain", "A few convolutions at full resolution."),
               sectile::model<Volume>("toy_volume", "One convolution over volumes."),
               sectile::model<Pyramid, OnBackboneOptions>("toy_pyramid", "Two heads on a backbone."),
               sectile::model<ToyRcnn, OnBackboneOptions>("toy_rcnn", "Two-stage instances."),
               sectile::model<ToyQueries, OnBackboneOptions>("toy_queries", "Masks from queries, for all tasks."),
               sectile::model<Prototypes, OnBackboneOptions>("toy_prototypes", "Few-shot segmentation by prototypes."),
               sectile::model<Deep>("toy_deep", "Three auxiliary outputs with weights of their own."),
               sectile::model<TwoHeads>("toy_two_heads", "Classes, and edges beside them."),
               sectile::model<Stride8, OnBackboneOptions>("toy_stride8", "A decoder at an eighth of the size."),
               sectile::model<Peeking>("toy_peeking", "Reads a value on the host."))
