#include "evaluation_notes.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>

#include <opencv2/core.hpp>

#include "../../ground/all_problems.h"

namespace sectile {
namespace {

bool same_pixels(const cv::Mat& a, const cv::Mat& b) {
  return a.size == b.size && a.type() == b.type() && a.isContinuous() && b.isContinuous() &&
         std::memcmp(a.data, b.data, a.total() * a.elemSize()) == 0;
}

// Files in different folders often have the same names: whether the images are the same is seen from the first one.
std::optional<std::string> on_trained_images(const Dataset& trained, const Dataset& other) {
  std::unordered_map<std::string, std::size_t> ids;
  for (std::size_t i = 0; i < trained.size(); ++i) ids.emplace(trained.id_of(i), i);
  std::size_t count = 0, first = 0;
  for (std::size_t i = 0; i < other.size(); ++i)
    if (ids.count(other.id_of(i)) && count++ == 0) first = i;
  if (count == 0) return std::nullopt;
  const auto id = other.id_of(first);
  constexpr Parts kImage{.image = true, .labels = false, .objects = false};
  if (!same_pixels(trained.read(ids.at(id), kImage).image, other.read(first, kImage).image)) return std::nullopt;
  return std::to_string(count) + " of " + std::to_string(other.size()) +
         " samples have ids of training samples, and the first one, " + id +
         ", is the same image: values are better for images that were trained on";
}

struct Seen {
  bool is_random = false, is_invertible = true;
};

// Of the transforms, in a few applications to the first sample.
Seen seen_of(const SampleSource& source) {
  constexpr std::size_t kDraws = 6;
  Seen seen;
  if (source.transforms.empty()) return seen;
  const auto read = source.read(0);
  const auto draw = [&](std::size_t epoch) {
    auto sample = read;
    sample.image = read.image.clone();  // a transform may modify it in place
    sample.labels = read.labels.clone();
    sample = source.transformed(std::move(sample), {.epoch = epoch});
    seen.is_invertible &= sample.geometry.invertible;
    return sample.image;
  };
  const auto first = draw(0);
  for (std::size_t epoch = 1; epoch < kDraws; ++epoch) seen.is_random |= !same_pixels(first, draw(epoch));
  return seen;
}

}  // namespace

std::vector<std::string> evaluation_notes(const Dataset& trained, const std::vector<std::string>& told,
                                          const SampleSource& source, const std::string& pointer) {
  std::vector<std::string> notes;
  const auto add = [&](const std::string& note) {
    if (std::find(told.begin(), told.end(), note) == told.end()) notes.push_back(note);
  };
  for (const auto& note : source.notes) add(note);
  AllProblems untold;  // reading the samples reports them
  untold.try_to("", [&] {
    if (const auto note = on_trained_images(trained, *source.data)) add(pointer + ": " + *note);
  });
  untold.try_to("", [&] {
    const auto seen = seen_of(source);
    if (!seen.is_invertible)
      add("/transforms/val: moves pixels in a way that cannot be inverted, as elastic does, so that evaluation at the "
          "size of the file and prediction will fail; use such transforms in \"train\" only");
    if (seen.is_random)
      add("/transforms/val: is random, so that an image is not predicted as it is evaluated; use transforms without "
          "chance there");
  });
  return notes;
}

}  // namespace sectile
