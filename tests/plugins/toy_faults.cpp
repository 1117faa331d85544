// Components that break their contracts, each in the way that its option says.
#include <cmath>
#include <new>
#include <stdexcept>

#include <ATen/ATen.h>
#include <torch/nn/modules/conv.h>

#include <sectile/dataset.h>
#include <sectile/loss.h>
#include <sectile/metric.h>
#include <sectile/model.h>
#include <sectile/optimizer.h>
#include <sectile/sampler.h>
#include <sectile/schedule.h>
#include <sectile/transform.h>
#include <opencv2/core.hpp>

namespace {

using at::Tensor;
using sectile::Sample;

struct FaultOptions {
  std::string fault = "none";
  void declare(sectile::Options& options) { options.add("fault", &fault, "What goes wrong."); }
};

// Faults that every component can have.
void maybe_throw(const std::string& fault) {
  if (fault == "throws_a_number") throw 42;
  if (fault == "throws") throw std::logic_error("boom");
  if (fault == "memory") throw std::bad_alloc();
  if (fault == "torch") at::zeros({2}) + at::zeros({3});
  if (fault == "cv") cv::merge(std::vector<cv::Mat>{}, cv::Mat());
}

class Base {
 public:
  explicit Base(const FaultOptions& options) : fault_(options.fault) {
    if (fault_ == "constructor") throw 42;
  }

 protected:
  const std::string fault_;
};

struct DataOptions {
  FaultOptions common;
  int count = 4;
  int faulty = 1;
  void declare(sectile::Options& options) {
    common.declare(options);
    options.add("count", &count, "Samples.");
    options.add("faulty", &faulty, "The sample with the fault; -1: all.");
  }
};

// Images of 8 x 8, the right half of which is class 1 and bright.
class Data final : public sectile::Dataset {
 public:
  explicit Data(const DataOptions& options) : options_(options) {
    if (options.common.fault == "constructor") throw 42;
    for (const char* name : {"a", "b", "c"}) labels_.classes.push_back({.name = name});
  }
  std::size_t size() const override { return static_cast<std::size_t>(options_.count); }
  using Dataset::read;
  Sample read(std::size_t index, sectile::Parts) const override {
    Sample sample;
    sample.id = "image" + std::to_string(index);
    sample.image = cv::Mat(8, 8, CV_8UC3, cv::Scalar(0, 50, 100));
    sample.labels = cv::Mat(8, 8, CV_16S, cv::Scalar(0));
    const cv::Rect right(4, 0, 4, 8);
    sample.image(right).setTo(cv::Scalar(200, 150, 100));
    sample.labels(right).setTo(1);
    if (options_.faulty < 0 || static_cast<int>(index) == options_.faulty) spoil(sample);
    return sample;
  }
  const sectile::LabelMap& labels() const override { return labels_; }

 private:
  void spoil(Sample& sample) const {
    const auto& fault = options_.common.fault;
    maybe_throw(fault);
    if (fault == "empty") sample.image = cv::Mat();
    if (fault == "grey") cv::extractChannel(sample.image, sample.image, 0);
    if (fault == "two_channels") cv::merge(std::vector<cv::Mat>(2, cv::Mat(8, 8, CV_8U)), sample.image);
    if (fault == "depth") sample.image.convertTo(sample.image, CV_64F);
    if (fault == "nan") sample.image.convertTo(sample.image, CV_32F), sample.image.at<cv::Vec3f>(2, 2)[1] = NAN;
    if (fault == "label_too_high") sample.labels.at<std::int16_t>(3, 3) = 3;
    if (fault == "label_too_low") sample.labels.at<std::int16_t>(3, 3) = -2;
    if (fault == "labels_of_bytes") sample.labels.convertTo(sample.labels, CV_8U);
    if (fault == "labels_of_another_size") sample.labels = cv::Mat(8, 4, CV_16S, cv::Scalar(0));
    if (fault == "tag") sample.tags = {7};
    if (fault == "views") {  // each a part of a larger one
      cv::Mat image(10, 20, CV_8UC3, cv::Scalar(255, 255, 255)), labels(10, 20, CV_16S, cv::Scalar(2));
      cv::Mat weights(10, 20, CV_32F, cv::Scalar(-5)), bits(10, 20, CV_8U, cv::Scalar(1));
      const cv::Rect part(3, 1, 8, 8);
      sample.image.copyTo(image(part)), sample.labels.copyTo(labels(part));
      weights(part).setTo(0.5), bits(part).setTo(0), bits(cv::Rect(5, 2, 2, 3)).setTo(1);
      sample.image = image(part), sample.labels = labels(part), sample.targets["weights"] = weights(part);
      sample.instances.push_back({.category = 1, .mask = sectile::Mask(bits(part))});
    }
  }

  DataOptions options_;
  sectile::LabelMap labels_;
};

class Change final : public Base, public sectile::Transform {
 public:
  using Base::Base;
  void apply(Sample& sample, sectile::Draw&) const override {
    if (sample.id == "image1") maybe_throw(fault_);
  }
};

class Network : public torch::nn::Module, public sectile::Model, private Base {
 public:
  Network(const FaultOptions& options, const sectile::BuildContext& context)
      : Base(options), channels_(context.channels), classes_(context.classes()) {
    const int more = fault_ == "one_class_more" ? 1 : fault_ == "one_class_less" ? -1 : 0;
    head_ = torch::nn::Conv2d(torch::nn::Conv2dOptions(channels_, classes_ + more, 1));
    if (fault_ != "not_registered") register_module("head", head_);
    if (fault_ == "frozen")
      for (auto& parameter : parameters()) parameter.set_requires_grad(false);
  }
  sectile::Outputs forward(const sectile::Batch& batch) override {
    maybe_throw(fault_);
    if (fault_.ends_with("_if_small") && batch.images.size(3) < 8) maybe_throw(fault_.substr(0, fault_.find('_')));
    if (fault_ == "late") register_parameter("late", at::ones({1}));
    if (fault_ == "replaced")
      head_ = replace_module("head", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels_, classes_, 1)));
    sectile::Outputs outputs;
    outputs.logits = head_->forward(batch.images);
    if (fault_ == "not_finite") outputs.logits = outputs.logits / 0;
    if (fault_ == "one_image") outputs.logits = outputs.logits.slice(0, 0, 1);
    if (fault_ == "flat") outputs.logits = outputs.logits.flatten(2);
    if (fault_ == "numbers") outputs.logits = outputs.logits.to(at::kLong);
    return outputs;
  }
  torch::nn::Module& module() override { return *this; }
  sectile::ModelTraits traits() const override {
    sectile::ModelTraits traits;
    if (fault_ == "no_divisor") traits.divisor = {0, 0, 0};
    if (fault_ == "huge_divisor") traits.divisor.width = 1 << 30;
    return traits;
  }
  std::vector<sectile::Prediction> decode(const sectile::Outputs& outputs, const sectile::Batch& batch,
                                          const sectile::Wanted& wanted) const override {
    auto predictions = sectile::Model::decode(outputs, batch, wanted);
    if (fault_ == "no_prediction") predictions.clear();
    if (fault_ == "no_labels") predictions[0].labels = Tensor();
    if (fault_ == "small_labels") predictions[0].labels = predictions[0].labels.slice(0, 0, 3);
    if (fault_ == "short_labels") predictions[0].labels = predictions[0].labels.to(at::kShort);
    if (fault_ == "class_too_high") predictions[0].labels = predictions[0].labels + 7;
    return predictions;
  }

 private:
  int channels_, classes_;
  torch::nn::Conv2d head_{nullptr};
};

class Difference final : public Base, public sectile::Loss {
 public:
  using Base::Base;
  sectile::LossTerms operator()(const sectile::Outputs& outputs, const sectile::Batch& batch) const override {
    maybe_throw(fault_);
    const auto each = at::cross_entropy_loss(outputs.logits, batch.labels, {}, at::Reduction::None);
    if (fault_ == "map") return {{"each", each}};
    if (fault_ == "no_term") return {};
    if (fault_ == "undefined") return {{"", Tensor()}};
    if (fault_ == "no_gradient") return {{"", each.mean().detach()}};
    return {{"", each.mean()}};
  }
};

class Score final : public Base, public sectile::Metric {
 public:
  using Base::Base;
  sectile::Wanted wanted() const override {
    if (fault_ == "wanted") throw 42;
    return {.labels = true};
  }
  void update(const sectile::Prediction&, const sectile::Truth& truth) override {
    if (truth.sample.id == "image1") maybe_throw(fault_);
  }
  sectile::MetricReport compute() const override {
    if (fault_ == "compute") throw 42;
    return {.values = {{"score", 1}}};
  }
  std::vector<Tensor> state() const override { return {}; }
  void merge(const std::vector<Tensor>&) override {}
};

class Steps final : public Base, public sectile::Optimizer {
 public:
  using Base::Base;
  void step(const std::vector<sectile::ParameterGroup>&, double) override { maybe_throw(fault_); }
};

class Rate final : public Base, public sectile::Schedule {
 public:
  using Base::Base;
  double factor(const sectile::SchedulePoint&) const override {
    maybe_throw(fault_);
    return fault_ == "negative" ? -1 : 1;
  }
};

class Order final : public Base, public sectile::Sampler {
 public:
  using Base::Base;
  std::vector<std::size_t> draw(const sectile::EpochRequest& wanted, sectile::Random) const override {
    maybe_throw(fault_);
    return std::vector<std::size_t>(wanted.samples);
  }
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<Data, DataOptions>("toy_faulty", "Gives a bad sample."),
               sectile::transform<Change, FaultOptions>("toy_faulty", "Fails for a sample."),
               sectile::model<Network, FaultOptions>("toy_faulty", "Returns what it should not."),
               sectile::loss<Difference, FaultOptions>("toy_faulty", "Returns what it should not."),
               sectile::metric<Score, FaultOptions>("toy_faulty", "Fails for a sample."),
               sectile::optimizer<Steps, FaultOptions>("toy_faulty", "Fails."),
               sectile::schedule<Rate, FaultOptions>("toy_faulty", "Fails."),
               sectile::sampler<Order, FaultOptions>("toy_faulty", "Fails."))
