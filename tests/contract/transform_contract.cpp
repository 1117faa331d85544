// Transforms: the same again from the same key, in any thread, and annotation that keeps fitting its image.
#include <algorithm>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/nested.h>

#include "contract.h"

namespace sectile::contract {
namespace {

const std::vector<int> kImage{37, 53}, kVolume{5, 21, 18};  // sizes: [height, width] or [depth, height, width]

cv::Mat random_pixels(cv::RNG& random, const std::vector<int>& sizes, int type, double least, double most) {
  cv::Mat pixels(static_cast<int>(sizes.size()), sizes.data(), type);
  random.fill(pixels, cv::RNG::UNIFORM, least, most);
  return pixels;
}

Sample sample(int seed, const std::vector<int>& sizes, int type, bool annotated) {
  Sample made;
  made.id = "sample " + std::to_string(seed);
  cv::RNG random(static_cast<std::uint64_t>(seed) + 1);
  made.image = random_pixels(random, sizes, type, 0, CV_MAT_DEPTH(type) == CV_32F ? 1 : 200);
  made.geometry.original = extent(made.image);
  if (!annotated) return made;
  made.labels = random_pixels(random, sizes, CV_16S, -1, kClasses);
  made.targets["distance"] = cv::Mat(static_cast<int>(sizes.size()), sizes.data(), CV_32F, cv::Scalar(0.5));
  if (std::any_of(sizes.begin(), sizes.end(), [](int size) { return size < 2; })) return made;
  std::vector<cv::Range> middle;
  for (const int size : sizes) middle.emplace_back(size / 4, size / 4 + size / 2);
  cv::Mat mask = cv::Mat::zeros(static_cast<int>(sizes.size()), sizes.data(), CV_8U);
  mask(middle) = cv::Scalar(1);
  Instance instance;
  instance.category = 1;
  instance.mask = Mask(mask);
  instance.box = instance.mask.box();
  made.instances.push_back(instance);
  return made;
}

// The result shares its pixels with the input, as samples in a cache and those that others draw do.
Sample applied(const Transform& transform, const Sample& input, std::uint64_t key) {
  Sample result = input;
  const bool annotated = !input.labels.empty();
  auto sizes = kImage;
  if (!input.image.empty()) sizes.assign(input.image.size.p, input.image.size.p + input.image.dims);
  Draw draw(Random{key}, [&](Random& random) {
    return sample(static_cast<int>(random.below(10)), sizes, input.image.type(), annotated);
  });
  transform.apply(result, draw);
  return result;
}

bool same(const Sample& a, const Sample& b) {
  if (!same_pixels(a.image, b.image) || !same_pixels(a.labels, b.labels) ||
      !same_pixels(a.segment_ids, b.segment_ids) || a.instances.size() != b.instances.size() ||
      a.targets.size() != b.targets.size())
    return false;
  if (a.mean != b.mean || a.deviation != b.deviation || a.geometry.to_original != b.geometry.to_original) return false;
  for (const auto& [name, target] : a.targets)
    if (!b.targets.count(name) || !same_pixels(target, b.targets.at(name))) return false;
  for (std::size_t i = 0; i < a.instances.size(); ++i)
    if (a.instances[i].box != b.instances[i].box ||
        !same_pixels(a.instances[i].mask.bitmap(), b.instances[i].mask.bitmap()))
      return false;
  return true;
}

void check_fit(Findings& findings, const Sample& result, const std::string& what) {
  const auto size = extent(result.image);
  findings.expect(!result.image.empty(), what + ": the image is gone");
  findings.expect(result.labels.empty() || extent(result.labels) == size, what + ": image and labels differ in size");
  findings.expect(result.segment_ids.empty() || extent(result.segment_ids) == size,
                  what + ": image and segment ids differ in size");
  for (const auto& [name, target] : result.targets)
    findings.expect(extent(target) == size, what + ": image and target \"" + name + "\" differ in size");
  for (const auto& instance : result.instances)
    findings.expect(instance.mask.empty() || extent(instance.mask.bitmap()) == size,
                    what + ": image and an instance's mask differ in size");
  if (result.labels.type() != CV_16SC1 || result.labels.empty()) return;
  double low = 0, high = 0;
  cv::minMaxIdx(result.labels, &low, &high);
  findings.expect(low >= kIgnore && high < kClasses, what + ": labels are not class numbers any more");
}

bool has_option(const Subject& subject, const std::string& name) {
  const auto values = subject.component.options->make();
  Options options;
  subject.component.options->declare(values.get(), options);
  return std::any_of(options.all().begin(), options.all().end(),
                     [&](const auto& option) { return option->name == name; });
}

// What holds for every sample.
void check_one(Findings& findings, const Transform& transform, const std::function<Sample()>& make, std::uint64_t key,
               const std::string& what) {
  const auto input = make();
  const auto result = applied(transform, input, key);
  check_fit(findings, result, what);
  findings.expect(same(input, make()), what + ": pixels that the sample shares with others are changed");
  findings.expect(same(result, applied(transform, input, key)), what + ": the same key gives another result");
  findings.expect(result.id == input.id, what + ": the sample's name is changed");
}

// Of a sample whose image is missing or has no pixel, the annotation may be changed; but nothing is read or made up.
void check_without_pixels(Findings& findings, const Transform& transform) {
  for (const cv::Mat& none : {cv::Mat(), cv::Mat(0, 5, CV_8UC3), cv::Mat(5, 0, CV_32FC1)})
    for (const bool annotated : {true, false}) {
      auto input = sample(1, kImage, CV_8UC3, annotated);
      input.image = none;
      const auto what = "an image of " + std::to_string(none.rows) + " x " + std::to_string(none.cols) + " pixels";
      findings.attempt_or_refuse(
          what, [&] { findings.expect(applied(transform, input, 1).image.empty(), what + ": gets pixels"); },
          "has no image");
    }
}

// A transform that is not applied changes nothing and costs nothing.
void check_never(Findings& findings, const Subject& subject) {
  const auto never = build<Transform>(subject, context(kClasses), {{"probability", 0}});
  const auto input = sample(1, kImage, CV_8UC3, true);
  for (std::uint64_t key = 1; key <= 8; ++key) {
    const auto result = applied(*never, input, key);
    findings.expect(same(result, input), "a sample is changed with probability 0");
    findings.expect(result.image.data == input.image.data && result.labels.data == input.labels.data,
                    "pixels are copied with probability 0");
  }
}

bool refuses(const Transform& transform, const Sample& input) {
  try {
    applied(transform, input, 3);
    return false;
  } catch (const DataError&) {
    return true;
  }
}

// What a transform cannot take, it refuses at the first sample, and not only when chance has it applied: a training
// would stop in the middle.
void check_seldom(Findings& findings, const Subject& subject, const Transform& always) {
  const auto seldom = build<Transform>(subject, context(kClasses), {{"probability", 0.0001}});
  if (dynamic_cast<const HasEffects*>(seldom.get())) return;  // of nested transforms and of mixing, others may refuse
  for (const auto& sizes : {kImage, kVolume})
    for (const int depth : {CV_8U, CV_16U, CV_16S, CV_32F})
      for (const int channels : {1, 3, 4, 7}) {
        const auto input = sample(1, sizes, CV_MAKETYPE(depth, channels), true);
        findings.expect(refuses(*seldom, input) == refuses(always, input),
                        std::string(sizes.size() == 3 ? "a volume" : "an image").append(" of ") +
                            cv::typeToString(input.image.type()) + " is refused only when chance has it applied");
      }
}

// Each of several threads makes of a sample what one thread makes of it.
void check_threads(Findings& findings, const Transform& transform) {
  constexpr std::size_t kSamples = 8;
  const auto make = [&](std::size_t i) {
    return applied(transform, sample(static_cast<int>(i), kImage, CV_8UC3, true), i + 1);
  };
  std::vector<Sample> alone;
  for (std::size_t i = 0; i < kSamples; ++i) alone.push_back(make(i));
  for (const std::size_t threads : {1, 2, 4}) {
    std::vector<Sample> made(kSamples);
    std::vector<std::string> errors(threads);
    {
      std::vector<std::jthread> workers;
      for (std::size_t t = 0; t < threads; ++t)
        workers.emplace_back([&, t] {
          try {
            for (std::size_t i = t; i < kSamples; i += threads) made[i] = make(i);
          } catch (const std::exception& error) {
            errors[t] = error.what();
          }
        });
    }
    for (const auto& error : errors) findings.expect(error.empty(), "in a thread, it throws " + error);
    for (std::size_t i = 0; i < kSamples; ++i)
      findings.expect(same(made[i], alone[i]), std::to_string(threads) + " threads give another result than one");
  }
}

// Sizes of results that are small, where there are options for them: by default, some are large.
Json with_small_results(const Subject& subject, Json given) {
  for (const char* name : {"size", "target_size"})
    if (has_option(subject, name)) given[name] = {40, 48};
  try {
    build(subject, context(kClasses), given);
    return given;
  } catch (const std::exception&) {  // a size of another kind
    given.erase("size");
    given.erase("target_size");
    return given;
  }
}

}  // namespace

Findings transform_contract(const Subject& subject) {
  Findings findings;
  const bool by_chance = has_option(subject, "probability");
  const auto given = by_chance ? Json{{"probability", 1}} : Json::object();
  const auto by_default = build<Transform>(subject, context(kClasses), given);
  if (!by_default) return findings;
  const auto image = [] { return sample(1, kImage, CV_8UC3, true); };
  findings.attempt("an annotated image", [&] { check_one(findings, *by_default, image, 1, "an annotated image"); });
  if (by_chance) {
    findings.attempt("probability 0", [&] { check_never(findings, subject); });
    findings.attempt("probability 0.0001", [&] { check_seldom(findings, subject, *by_default); });
  }

  const auto transform = build<Transform>(subject, context(kClasses), with_small_results(subject, given));
  for (std::uint64_t key = 2; key <= 8; ++key)
    findings.attempt("an annotated image", [&] { check_one(findings, *transform, image, key, "an annotated image"); });
  findings.attempt("several threads", [&] { check_threads(findings, *transform); });
  findings.attempt("an image without annotation", [&] {
    const auto result = applied(*transform, sample(1, kImage, CV_8UC3, false), 1);
    check_fit(findings, result, "an image without annotation");
    findings.expect(result.labels.empty() && result.instances.empty(), "annotation appears where there was none");
  });
  findings.attempt_or_refuse("an image with segments and a target of class numbers", [&] {
    auto input = image();
    input.labels.convertTo(input.segment_ids, CV_32S, 1, 1);
    input.targets["border"] = input.labels.clone();
    for (int category = 0; category < kClasses; ++category) input.segments.push_back({category + 1, category, false});
    const auto untouched = input.segment_ids.clone();
    check_fit(findings, applied(*transform, input, 2), "an image with segments");
    findings.expect(same_pixels(input.segment_ids, untouched), "segment ids that the sample shares are changed");
  });
  findings.attempt("every pixel ignored", [&] {
    auto input = image();
    input.labels.setTo(cv::Scalar(kIgnore));
    input.instances.clear();
    check_fit(findings, applied(*transform, input, 2), "every pixel ignored");
  });
  for (const int depth : {CV_8U, CV_16U, CV_16S, CV_32F})
    for (const int channels : {1, 3, 4, 7}) {
      const int type = CV_MAKETYPE(depth, channels);
      const auto name = std::string("an image of ").append(cv::typeToString(type));
      findings.attempt_or_refuse(name, [&] {
        check_one(
            findings, *transform, [&] { return sample(1, kImage, type, true); }, 3, name);
      });
    }
  for (const auto& [name, sizes] : {std::pair<const char*, std::vector<int>>("an image of one pixel", {1, 1}),
                                    {"an image of one row", {1, 30}},
                                    {"an image of one column", {30, 1}}})
    findings.attempt(name, [&, what = std::string(name), &size = sizes] {
      check_one(
          findings, *transform, [&] { return sample(1, size, CV_8UC3, true); }, 4, what);
    });
  for (const auto& size : {kVolume, {1, 20, 30}, {1, 1, 1}})
    for (const int type : {CV_8UC1, CV_8UC3, CV_16SC1, CV_32FC1}) {
      const auto what = "a volume of " + std::to_string(size[0]) + " slices of " + cv::typeToString(type);
      const auto step = [&] {
        check_one(
            findings, *transform, [&] { return sample(1, size, type, true); }, 4, what);
      };
      findings.attempt_or_refuse(what, step, type == CV_8UC3 ? "volume" : "");  // of others, the type may be the reason
    }
  check_without_pixels(findings, *transform);
  const auto of_warps = geometric_contract(*transform);
  for (const auto& broken : of_warps.broken()) findings.expect(false, broken);
  return findings;
}

}  // namespace sectile::contract
