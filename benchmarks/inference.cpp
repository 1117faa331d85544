// Times the forward pass of one image through the network of a spec with weights:
//   bench_inference SPEC HEIGHT WIDTH WARM_UP RUNS
// Prints the milliseconds of each run, and some of the logits for comparison.
#include <chrono>
#include <iostream>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <opencv2/core/utility.hpp>

#include "upper/network/network.h"
#include "upper/network/open.h"

int main(int, char** words) {
  cv::setNumThreads(0);
  const int height = std::stoi(words[2]), width = std::stoi(words[3]), warm_up = std::stoi(words[4]);
  const auto network =
      sectile::open_published(words[1], {.metrics = false}, [](const std::string& note) { std::cerr << note << "\n"; });
  const c10::InferenceMode inference;
  sectile::Sample sample;
  sample.image = cv::Mat::zeros(height, width, CV_8UC3);
  auto batch = network.collate({sample});
  const auto shape = batch.images.sizes().vec();
  batch.images = at::arange(batch.images.numel(), at::kDouble).mul_(0.1).sin_().to(at::kFloat).view(shape);
  batch = network.placed(batch);
  at::Tensor logits;
  std::cout << "{\"ms\": [";
  for (int run = -warm_up; run < std::stoi(words[5]); ++run) {
    const auto start = std::chrono::steady_clock::now();
    logits = network.forward(batch).logits;
    const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
    if (run >= 0) std::cout << (run ? ", " : "") << passed.count();
  }
  const auto flat = logits.contiguous().flatten();
  std::cout << "], \"logits\": [";
  constexpr int kShown = 32;
  for (int i = 0; i < kShown; ++i) std::cout << (i ? ", " : "") << flat[i * (flat.numel() / kShown)].item<float>();
  std::cout << "]}\n";
}
