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

bool is_random(const SampleSource& source) {
  constexpr std::size_t kDraws = 6;
  if (source.transforms.empty()) return false;
  const auto read = source.read(0);
  const auto draw = [&](std::size_t epoch) {
    auto sample = read;
    sample.image = read.image.clone();  // a transform may modify it in place
    sample.labels = read.labels.clone();
    return source.transformed(std::move(sample), {.epoch = epoch}).image;
  };
  const auto first = draw(0);
  for (std::size_t epoch = 1; epoch < kDraws; ++epoch)
    if (!same_pixels(first, draw(epoch))) return true;
  return false;
}

}  // namespace

std::vector<std::string> evaluation_notes(const Dataset& trained, const std::vector<std::string>& told,
                                          const SampleSource& source, const std::string& pointer) {
  std::vector<std::string> notes;
  for (const auto& note : source.notes)
    if (std::find(told.begin(), told.end(), note) == told.end()) notes.push_back(note);
  AllProblems untold;  // reading the samples reports them
  untold.try_to("", [&] {
    if (const auto note = on_trained_images(trained, *source.data)) notes.push_back(pointer + ": " + *note);
  });
  untold.try_to("", [&] {
    if (is_random(source))
      notes.emplace_back(
          "/transforms/val: is random, so that an image is not predicted as it is evaluated; use transforms without "
          "chance there");
  });
  return notes;
}

}  // namespace sectile
