// Panoptic quality of files: COCO's JSON and PNGs, of a truth and of predictions.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <thread>

#include <sectile/data/folders.h>
#include <sectile/data/image_size.h>
#include <sectile/data/panoptic_quality.h>
#include <sectile/error.h>

#include "../component_call.h"
#include "../images/image_format.h"
#include "segment_matcher.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr int kMostThreads = 256;
constexpr std::size_t kShown = 20;  // of what is wrong

std::string count_of(std::size_t number, const char* what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

// As panopticapi names it, or as `predict` writes it.
fs::path folder_of_masks(const fs::path& json, const std::optional<fs::path>& named) {
  if (named) {
    if (!is_folder(*named))
      throw DataError(named->string(), "is not a folder; expected that of the PNGs of " + json.string());
    return *named;
  }
  auto beside = json;
  beside.replace_extension();
  if (is_folder(beside)) return beside;
  return json.has_parent_path() ? json.parent_path() : fs::path(".");
}

std::vector<Segment> segments_of(const PanopticImage& image) {
  std::vector<Segment> made;
  made.reserve(image.segments.size());
  for (const auto& one : image.segments) made.push_back({one.id, one.category, one.crowd});
  return made;
}

// What is wrong, by image, whichever thread finds it.
class Faults {
 public:
  void add(std::size_t image, std::string text) {
    const std::lock_guard lock(mutex_);
    by_image_.emplace(image, std::move(text));
  }
  bool none() const { return by_image_.empty(); }
  [[noreturn]] void refuse(const PanopticFiles& files) const {
    std::string all = "cannot be compared with " + files.truth.string() + ":";
    if (by_image_.size() == 1) throw DataError(files.predictions.string(), all + " " + by_image_.begin()->second);
    std::size_t shown = 0;
    for (const auto& [image, text] : by_image_)
      if (++shown <= kShown) all += "\n  " + text;
    if (shown > kShown) all += "\n  and " + std::to_string(shown - kShown) + " more";
    throw DataError(files.predictions.string(), all);
  }

 private:
  std::mutex mutex_;
  std::multimap<std::size_t, std::string> by_image_;
};

struct Side {
  fs::path json, masks;
  const std::vector<PanopticImage>& images;

  std::string place(std::size_t image) const {
    const auto& one = images[image];
    return json.string() + ": " + one.place + " (image " + std::to_string(one.id) + ")";
  }
  fs::path png(std::size_t image) const { return masks / images[image].mask; }
  // The map of an image. Throws DataError.
  cv::Mat read(std::size_t image) const {
    const auto& one = images[image];
    if (!one.fault.empty()) throw DataError(place(image), one.fault);
    return read_panoptic_png(png(image));
  }
  bool is_turned(std::size_t image) const { return images[image].fault.empty() && stated_orientation(png(image)) != 1; }
  void demand_same_segments(std::size_t image, const SegmentList& list) const {
    if (!list.unlisted.empty())
      throw DataError(png(image).string(), "has segments that segments_info does not list, with the ids " +
                                               listed_ids(list.unlisted) + "; see " + place(image) +
                                               ", and whether this is the folder of the panoptic PNGs");
    if (const auto bare = list.without_pixels(); !bare.empty())
      throw DataError(png(image).string(), "has no pixel of the segments " + listed_ids(bare) +
                                               ", which segments_info lists; see " + place(image));
  }
};

class Comparison {
 public:
  Comparison(const Side& truth, const Side& predictions, int categories)
      : counts(static_cast<std::size_t>(categories)), truth_(truth), predictions_(predictions) {}

  void add(std::size_t image) {
    std::error_code unknown;
    same_files += fs::equivalent(truth_.png(image), predictions_.png(image), unknown);
    turned += truth_.is_turned(image) + predictions_.is_turned(image);
    const auto ids = truth_.read(image), found_ids = predictions_.read(image);
    if (ids.size() != found_ids.size())
      demand_same_size(predictions_.png(image), found_ids.size(), truth_.png(image), ids.size());
    const auto truths = segments_of(truth_.images[image]), found = segments_of(predictions_.images[image]);
    matcher_.compare(ids, truths, found_ids, found, static_cast<int>(counts.size()));
    truth_.demand_same_segments(image, matcher_.truths());
    predictions_.demand_same_segments(image, matcher_.found());
    matcher_.match(counts);
    for (std::size_t i = 0; i < truths.size(); ++i) {
      const auto& stated = truth_.images[image].segments[i].area;
      other_areas += stated && *stated != static_cast<double>(matcher_.truths().found[i].area);
      crowds += truths[i].crowd;
    }
    segments += truths.size();
    found_segments += found.size();
  }

  std::vector<PanopticCounts> counts;
  std::size_t segments = 0, crowds = 0, found_segments = 0;
  std::size_t other_areas = 0;  // true segments whose stated area is not that of their pixels
  std::size_t same_files = 0;   // images whose PNG is the same file on both sides
  std::size_t turned = 0;       // PNGs that state an orientation

 private:
  const Side &truth_, &predictions_;
  SegmentMatcher matcher_;
};

// The images to compare. Adds faults for those without prediction.
std::vector<std::size_t> images_of(const Side& truth, const Side& predictions, const PanopticResults& results,
                                   Faults& faults) {
  std::vector<std::size_t> compared, missing;
  for (std::size_t i = 0; i < truth.images.size(); ++i) {
    if (truth.images[i].place.empty()) continue;
    (predictions.images[i].place.empty() ? missing : compared).push_back(i);
  }
  const auto ids = [](std::size_t number, const auto& id_of) {
    constexpr std::size_t kMost = 5;
    std::string text;
    for (std::size_t i = 0; i < std::min(kMost, number); ++i) text += (i ? ", " : "") + std::to_string(id_of(i));
    return number > kMost ? text + " and " + std::to_string(number - kMost) + " more" : text;
  };
  if (!missing.empty())
    faults.add(0, "has no prediction for " + count_of(missing.size(), "image") + " that " + truth.json.string() +
                      " annotates: " + ids(missing.size(), [&](std::size_t i) { return truth.images[missing[i]].id; }));
  if (!results.unlisted.empty())
    faults.add(
        0, "has predictions for " + count_of(results.unlisted.size(), "image") + " that " + truth.json.string() +
               " does not list: " + ids(results.unlisted.size(), [&](std::size_t i) { return results.unlisted[i]; }));
  return compared;
}

std::vector<std::string> notes_of(const Side& truth, const Side& predictions, std::size_t other_areas,
                                  std::size_t same_files, std::size_t turned) {
  std::vector<std::string> notes;
  std::size_t bare = 0, unasked = 0;
  for (std::size_t i = 0; i < truth.images.size(); ++i) {
    bare += truth.images[i].place.empty();
    unasked += truth.images[i].place.empty() && !predictions.images[i].place.empty();
  }
  if (bare)
    notes.push_back(truth.json.string() + ": " + count_of(bare, "image") + " without annotation " +
                    (bare == 1 ? "does" : "do") + " not count" +
                    (unasked ? ", though predicted: " + std::to_string(unasked) : ""));
  std::error_code unknown;
  if (same_files && !fs::equivalent(truth.json, predictions.json, unknown))
    notes.push_back(predictions.json.string() + ": the PNG of " + count_of(same_files, "image") +
                    " is that of the truth, the same file in " + predictions.masks.string() +
                    ": the truth is compared with itself unless the JSON files differ");
  if (turned)
    notes.push_back(count_of(turned, "PNG") + " with an EXIF orientation " + (turned == 1 ? "is" : "are") +
                    " turned as it says, as datasets do; panopticapi takes pixels as stored");
  if (other_areas)
    notes.push_back(truth.json.string() + ": " + count_of(other_areas, "segment") +
                    " with a stated area that is not the number of its pixels: pixels count, where panopticapi takes "
                    "what is stated");
  return notes;
}

}  // namespace

PqOfFilesResult panoptic_quality(const PanopticFiles& files) {
  const auto truth_file = read_coco_panoptic(files.truth);
  const auto results = read_coco_panoptic_results(files.predictions, truth_file);
  const Side truth{files.truth, folder_of_masks(files.truth, files.truth_masks), truth_file.images};
  const Side predictions{files.predictions, folder_of_masks(files.predictions, files.predictions_masks),
                         results.images};
  Faults faults;
  const auto images = images_of(truth, predictions, results, faults);
  if (images.empty() && faults.none())
    throw DataError(files.truth.string(), "annotates no image; expected at least one");

  // What is counted adds up exactly, so that it does not matter which thread compares which image.
  const auto workers = std::min(images.size(), static_cast<std::size_t>(std::clamp(files.threads, 1, kMostThreads)));
  std::vector<std::unique_ptr<Comparison>> comparisons;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, workers); ++i)
    comparisons.push_back(
        std::make_unique<Comparison>(truth, predictions, static_cast<int>(truth_file.categories.size())));
  std::atomic<std::size_t> next = 0;
  const auto work = [&](Comparison& comparison) {
    for (auto i = next++; i < images.size(); i = next++) try {
        comparison.add(images[i]);
      } catch (const DataError& error) {
        faults.add(images[i] + 1, error.what());
      } catch (...) {
        faults.add(images[i] + 1, predictions.png(images[i]).string() + ": cannot be compared with " +
                                      truth.png(images[i]).string() + ": " + reason_of_exception());
      }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < comparisons.size(); ++i) try {
        others.emplace_back([&, i] { work(*comparisons[i]); });
      } catch (const std::system_error&) {  // threads that cannot be started are done without
        break;
      }
    work(*comparisons[0]);
  }
  if (!faults.none()) faults.refuse(files);

  std::vector<bool> things;
  for (const auto& category : truth_file.categories) things.push_back(category.thing);
  PanopticQuality quality(things);
  PqOfFilesResult made;
  std::size_t other_areas = 0, same_files = 0, turned = 0;
  for (const auto& one : comparisons) {
    std::vector<std::int64_t> state;
    for (const auto& counts : one->counts)
      for (const auto number : counts.numbers()) state.push_back(number);
    quality.merge_state(state);
    made.segments += one->segments;
    made.crowds += one->crowds;
    made.found += one->found_segments;
    other_areas += one->other_areas;
    same_files += one->same_files;
    turned += one->turned;
  }
  made.report = quality.compute();
  made.categories = truth_file.categories;
  made.images = images.size();
  made.segments -= made.crowds;
  made.notes = notes_of(truth, predictions, other_areas, same_files, turned);
  made.convention =
      "Panoptic quality of Kirillov et al. 2019, by the rules of panopticapi: segments of one category match above an "
      "IoU of 0.5, without what is predicted on void; mean over the categories with true or predicted segments; "
      "predictions mostly on void or a crowd of their category do not count";
  return made;
}

}  // namespace sectile
