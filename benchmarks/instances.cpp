// Times Mask R-CNN from the pixels of an image to its objects, and what it is made of:
//   bench_instances predict SPEC IMAGE WARM_UP RUNS
//   bench_instances roi_align|roi_align_backward|nms|paste_rle INPUTS WARM_UP RUNS
// INPUTS: a file of tensors, from peers/instances.py. Prints the milliseconds of each run, and the answer for
// comparison, as the peer does.
#include <chrono>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <opencv2/core/utility.hpp>

#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
#include <sectile/nn/detection/nms.h>
#include <sectile/nn/detection/paste_masks.h>
#include <sectile/nn/detection/roi_align.h>
#include <sectile/session.h>

#include "upper/weights/files/weights_file.h"

namespace {

namespace nn = sectile::nn;
using Tensors = std::map<std::string, at::Tensor>;

struct Timing {
  int warm_up, runs;
};

template <class Value, class Show>
void print_list(const char* name, const std::vector<Value>& values, const Show& show) {
  std::cout << ", \"" << name << "\": [";
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::cout << (i ? ", " : "");
    show(values[i]);
  }
  std::cout << "]";
}

template <class Value>
void print_list(const char* name, const std::vector<Value>& values) {
  print_list(name, values, [](const Value& value) { std::cout << value; });
}

// What `work` returns, after the milliseconds of its runs.
template <class Work>
auto timed(const Timing& timing, const Work& work) {
  decltype(work()) answer;
  std::cout << std::setprecision(9) << "{\"ms\": [";
  for (int run = -timing.warm_up; run < timing.runs; ++run) {
    answer = decltype(work())();  // not two at once
    const auto start = std::chrono::steady_clock::now();
    answer = work();
    const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
    if (run >= 0) std::cout << (run ? ", " : "") << passed.count();
  }
  std::cout << "]";
  return answer;
}

void predict(const char* spec, const char* file, const Timing& timing) {
  const sectile::Session session(spec);
  const auto image = sectile::read_image(file);
  const auto found = timed(timing, [&] { return session.predict(image); }).instances;
  std::vector<float> scores, boxes;
  std::vector<int> classes;
  std::vector<std::int64_t> areas;
  for (const auto& one : found) {
    scores.push_back(one.score);
    classes.push_back(one.category);
    for (const float side : {one.box.x, one.box.y, one.box.x + one.box.width, one.box.y + one.box.height})
      boxes.push_back(side);
    areas.push_back(one.mask.area());
  }
  print_list("scores", scores);
  print_list("classes", classes);
  print_list("boxes", boxes);
  print_list("areas", areas);
}

// Some of the numbers.
void print_some(const std::vector<at::Tensor>& all) {
  constexpr std::int64_t kShown = 64;
  std::vector<float> values;
  for (const auto& tensor : all) {
    const auto flat = tensor.contiguous().flatten();
    for (std::int64_t i = 0; i < kShown; ++i) values.push_back(flat[i * (flat.numel() / kShown)].item<float>());
  }
  print_list("values", values);
}

constexpr int kLevels = 4;

// Channels last, as the pyramid makes them.
std::vector<at::Tensor> pyramid_of(const Tensors& inputs) {
  std::vector<at::Tensor> pyramid;
  for (int i = 0; i < kLevels; ++i)
    pyramid.push_back(inputs.at("features." + std::to_string(i)).contiguous(at::MemoryFormat::ChannelsLast));
  return pyramid;
}

at::Tensor pooled(const Tensors& inputs, const std::vector<at::Tensor>& pyramid) {
  std::vector<double> scales;
  for (int i = 0; i < kLevels; ++i) scales.push_back(1. / (4 << i));
  const auto& levels = inputs.at("levels");
  std::vector<nn::RoiPlace> places;
  for (std::int64_t i = 0; i < levels.size(0); ++i)
    places.push_back({0, static_cast<int>(levels.const_data_ptr<std::int64_t>()[i])});
  return nn::roi_align(pyramid, scales, inputs.at("boxes"), places, {});
}

void roi_align(const Tensors& inputs, const Timing& timing) {
  const c10::InferenceMode inference;
  const auto pyramid = pyramid_of(inputs);
  print_some({timed(timing, [&] { return pooled(inputs, pyramid); })});
}

void roi_align_backward(const Tensors& inputs, const Timing& timing) {
  auto pyramid = pyramid_of(inputs);
  for (auto& level : pyramid) level.requires_grad_();
  const auto regions = pooled(inputs, pyramid);
  // Not channels last, as the layer that follows makes it.
  const auto gradient = at::arange(regions.numel(), at::kDouble).mul_(0.1).sin_().to(at::kFloat).view(regions.sizes());
  print_some(
      timed(timing, [&] { return torch::autograd::grad({regions}, pyramid, {gradient}, /*retain_graph=*/true); }));
}

void nms(const Tensors& inputs, const Timing& timing) {
  const auto classes = inputs.find("classes");
  const auto kept = timed(timing, [&] {
    return nn::nms(inputs.at("boxes"), inputs.at("scores"), classes == inputs.end() ? at::Tensor() : classes->second,
                   inputs.at("iou_threshold").item<double>());
  });
  print_list("kept", std::vector<std::int64_t>(kept.const_data_ptr<std::int64_t>(),
                                               kept.const_data_ptr<std::int64_t>() + kept.numel()));
}

void paste_rle(const Tensors& inputs, const Timing& timing) {
  const auto size = [&](int axis) { return inputs.at("image_size")[axis].item<int>(); };
  const cv::Size image(size(1), size(0));
  const auto texts = timed(timing, [&] {
    std::vector<std::string> made;
    for (const auto& mask : nn::paste_masks(inputs.at("masks"), inputs.at("boxes"), image))
      made.push_back(sectile::to_coco(mask));
    return made;
  });
  std::vector<std::int64_t> areas;
  for (const auto& text : texts) areas.push_back(sectile::area_of(sectile::from_coco(text, image)));
  print_list("areas", areas);
}

}  // namespace

int main(int count, char** words) {
  cv::setNumThreads(0);
  const std::string action = words[1];
  const Timing timing{std::stoi(words[count - 2]), std::stoi(words[count - 1])};
  if (action == "predict") {
    predict(words[2], words[3], timing);
  } else {
    const std::map<std::string, std::function<void(const Tensors&, const Timing&)>> parts{
        {"roi_align", roi_align}, {"roi_align_backward", roi_align_backward}, {"nms", nms}, {"paste_rle", paste_rle}};
    parts.at(action)(sectile::read_weights(words[2]).state, timing);
  }
  std::cout << "}\n";
}
