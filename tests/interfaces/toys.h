// Runs of the toy components of tests/plugins, each from a spec.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/nn/module.h>

#include "support/component.h"
#include "support/test.h"
#include "upper/inference/evaluation.h"
#include "upper/training/pipeline.h"

namespace sectile::test {

inline const PluginIndex& toys() {
  at::set_num_threads(1);  // tensors are tiny here
  static const PluginIndex index({SECTILE_BUILD_DIR "/tests/toys", SECTILE_BUILD_DIR "/lib/sectile/plugins"});
  return index;
}

inline PipelineSpec toy_spec(const Json& json) {
  SpecFile file;
  file.json = json;
  const bool of_objects = file.json.value("task", "semantic") == "instance";
  if (!file.json.contains("metrics")) file.json["metrics"] = {{{"type", of_objects ? "toy_recall" : "iou"}}};
  return read_spec(toys(), file);
}

inline bool close(const at::Tensor& a, const at::Tensor& b, double tolerance = 1e-5) {
  return a.sizes() == b.sizes() && at::allclose(a.to(at::kFloat), b.to(at::kFloat), tolerance, tolerance);
}

// A pipeline with the plainest of training loops.
struct Toy {
  Pipeline pipeline;

  explicit Toy(const Json& json) : pipeline(Pipeline::for_training(toys(), toy_spec(json), at::kCPU)) {}

  Sample prepare(std::size_t index) const { return pipeline.prepare({.index = index}).sample; }
  Batch batch(const std::vector<std::size_t>& indexes) const {
    std::vector<Sample> samples;
    for (const auto index : indexes) samples.push_back(prepare(index));
    return pipeline.collate(std::move(samples), /*training=*/true);
  }
  Batch batch_of(std::vector<Sample> samples, bool training = false) const {
    return pipeline.collate(std::move(samples), training);
  }
  at::Tensor loss(const Batch& batch, std::map<std::string, double>* log = nullptr) {
    pipeline.model->module().train();
    const auto [sum, terms] = pipeline.loss(pipeline.model->forward(batch), batch);
    for (const auto& term : terms)
      if (log) (*log)[term.name] = term.value.item<double>();
    return sum;
  }
  // Of the last step, on all samples.
  double train(int steps, double lr) {
    std::vector<std::size_t> all(pipeline.training.data->size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    double value = 0;
    for (int step = 0; step < steps; ++step) {
      pipeline.model->module().zero_grad();
      const auto sum = loss(batch(all));
      sum.backward();
      value = sum.item<double>();
      const c10::AutoGradMode no_grad(false);
      for (auto& parameter : pipeline.model->module().parameters())
        if (parameter.grad().defined()) parameter.sub_(parameter.grad(), lr);
    }
    return value;
  }
  std::vector<MetricReport> evaluate() const {
    std::vector<MetricReport> reports;
    for (auto& [name, report] : sectile::evaluate(pipeline, pipeline.source("val")).reports) reports.push_back(report);
    return reports;
  }
  std::vector<Prediction> predict(std::vector<Sample> samples, const Wanted& wanted) const {
    const c10::AutoGradMode no_grad(false);
    pipeline.model->module().eval();
    const auto batch = batch_of(std::move(samples));
    return pipeline.model->decode(pipeline.infer(batch, wanted.named), batch, wanted);
  }
};

// The spec of most cases: two heads on a backbone.
inline Json dense() {
  return Json::parse(R"({
    "data": {"train": {"type": "toy_shapes"}, "val": {"type": "toy_shapes"}},
    "transforms": {"train": [{"type": "toy_flip"}, {"type": "random_crop", "size": [24, 24]}, {"type": "normalize"}],
                   "val": [{"type": "normalize"}]},
    "model": {"type": "toy_pyramid", "backbone": {"type": "toy_backbone", "width": 16}},
    "loss": [{"type": "cross_entropy"}, {"type": "dice", "weight": 0.5, "auxiliary": 0.2}]
  })");
}

}  // namespace sectile::test
