// Transforms: the same again from the same key, and annotation that keeps fitting its image.

#include <opencv2/core.hpp>

#include <sectile/transform.h>

#include "contract.h"

namespace sectile::contract {
namespace {

Sample sample(int seed, int height, int width, int type, bool annotated) {
  Sample made;
  made.id = "sample " + std::to_string(seed);
  cv::RNG random(static_cast<std::uint64_t>(seed) + 1);
  made.image = cv::Mat(height, width, type);
  random.fill(made.image, cv::RNG::UNIFORM, 0, 200);
  made.geometry.original = extent(made.image);
  if (!annotated) return made;
  made.labels = cv::Mat(height, width, CV_16S);
  random.fill(made.labels, cv::RNG::UNIFORM, -1, kClasses);
  Instance instance;
  instance.category = 1;
  cv::Mat mask = cv::Mat::zeros(height, width, CV_8U);
  mask(cv::Rect(width / 4, height / 4, width / 2, height / 2)) = cv::Scalar(1);
  instance.mask = Mask(mask);
  instance.box = instance.mask.box();
  made.instances.push_back(instance);
  made.targets["distance"] = cv::Mat(height, width, CV_32F, cv::Scalar(0.5));
  return made;
}

Sample applied(const Transform& transform, const Sample& input, std::uint64_t key) {
  Sample result = input;
  for (auto* pixels : {&result.image, &result.labels}) *pixels = pixels->clone();
  for (auto& [name, target] : result.targets) target = target.clone();
  const bool annotated = !input.labels.empty();
  Draw draw(Random{key}, [&](Random& random) {
    return sample(static_cast<int>(random.below(10)), input.image.rows, input.image.cols, input.image.type(),
                  annotated);
  });
  transform.apply(result, draw);
  return result;
}

bool same(const Sample& a, const Sample& b) {
  if (!same_pixels(a.image, b.image) || !same_pixels(a.labels, b.labels) || a.instances.size() != b.instances.size())
    return false;
  if (a.mean != b.mean || a.deviation != b.deviation || a.geometry.to_original != b.geometry.to_original) return false;
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
  for (const auto& [name, target] : result.targets)
    findings.expect(extent(target) == size, what + ": image and target \"" + name + "\" differ in size");
  for (const auto& instance : result.instances)
    findings.expect(instance.mask.empty() || extent(instance.mask.bitmap()) == size,
                    what + ": image and an instance's mask differ in size");
  if (result.labels.type() != CV_16SC1 || result.labels.empty()) return;
  double low = 0, high = 0;
  cv::minMaxLoc(result.labels, &low, &high);
  findings.expect(low >= kIgnore && high < kClasses, what + ": labels are not class numbers any more");
}

}  // namespace

Findings transform_contract(const Subject& subject) {
  Findings findings;
  const auto transform = build<Transform>(subject, context(kClasses));
  if (!transform) return findings;
  for (std::uint64_t key = 1; key <= 8; ++key)
    findings.attempt("an annotated image", [&] {
      const auto input = sample(1, 37, 53, CV_8UC3, true), untouched = sample(1, 37, 53, CV_8UC3, true);
      const auto result = applied(*transform, input, key);
      check_fit(findings, result, "an annotated image");
      findings.expect(same(result, applied(*transform, input, key)), "the same key gives another result");
      findings.expect(result.id == input.id, "the sample's name is changed");
      findings.expect(same(input, untouched), "pixels that the sample shares with others are changed");
    });
  findings.attempt("an image without annotation", [&] {
    const auto result = applied(*transform, sample(1, 37, 53, CV_8UC3, false), 1);
    check_fit(findings, result, "an image without annotation");
    findings.expect(result.labels.empty() && result.instances.empty(), "annotation appears where there was none");
  });
  findings.attempt("every pixel ignored", [&] {
    auto input = sample(1, 37, 53, CV_8UC3, true);
    input.labels.setTo(cv::Scalar(kIgnore));
    input.instances.clear();
    check_fit(findings, applied(*transform, input, 2), "every pixel ignored");
  });
  for (const int type : {CV_8UC1, CV_16UC1, CV_32FC3, CV_8UC(5)})
    findings.attempt_or_refuse("an image of another type", [&] {
      const auto result = applied(*transform, sample(1, 37, 53, type, true), 3);
      check_fit(findings, result, "an image of another type");
    });
  return findings;
}

}  // namespace sectile::contract
