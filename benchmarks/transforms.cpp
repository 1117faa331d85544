// Times of transforms in one thread, as peers/transforms.py measures them: bench_transforms IMAGE LABELS. Each line of
// standard input is a request, {"transform": {"type": …}, "seconds": how long at least}, and each line of standard
// output its answer, {"ms": per call, "calls": how many}.
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

#include <opencv2/core.hpp>
#include <opencv2/core/utility.hpp>

#include <sectile/data/image_io.h>
#include <sectile/transform.h>

#include "support/component.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kClasses = 12, kWarmUp = 3, kLeastCalls = 5;

sectile::Sample read_sample(const char* image, const char* labels) {
  sectile::Sample sample;
  sample.id = image;
  sample.image = sectile::read_raw_image(image).pixels;
  sectile::read_raw_image(labels).pixels.convertTo(sample.labels, CV_16S);
  sample.geometry.original = sectile::extent(sample.image);
  return sample;
}

sectile::Json measured(const sectile::Transform& transform, const sectile::Sample& input, double seconds) {
  std::uint64_t calls = 0, pixels = 0;
  const auto call = [&] {
    sectile::Sample sample = input;  // without its pixels, which transforms do not write to
    sectile::Draw draw(sectile::Random{++calls}, [&](sectile::Random&) { return input; });
    transform.apply(sample, draw);
    pixels += sample.image.total();
  };
  for (int i = 0; i < kWarmUp; ++i) call();
  calls = 0;
  const auto start = Clock::now();
  std::chrono::duration<double> passed{};
  while (calls < std::uint64_t{kLeastCalls} || passed.count() < seconds) {
    call();
    passed = Clock::now() - start;
  }
  return {{"ms", passed.count() * 1e3 / static_cast<double>(calls)}, {"calls", calls}, {"pixels", pixels}};
}

// As the first batch of a training does: the memory of images that are freed stays with the process, which otherwise
// returns it and asks for it again in each call.
void use_memory() {
  constexpr int kOfBatch = 1 << 24;
  const cv::Mat batch(1, kOfBatch, CV_8U, cv::Scalar(1));
}

}  // namespace

int main(int, char** words) {
  cv::setNumThreads(1);
  use_memory();
  const auto sample = read_sample(words[1], words[2]);
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = sectile::Json::parse(line);
    const auto transform =
        sectile::test::make<sectile::Transform>(request["transform"].dump(), sectile::test::context(kClasses));
    std::cout << measured(*transform, sample, request["seconds"].get<double>()).dump() << std::endl;
  }
}
