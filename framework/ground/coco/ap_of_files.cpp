// Average precision of a file of results for a file of instances.
#include <algorithm>
#include <atomic>
#include <climits>
#include <cmath>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include <sectile/data/coco_file.h>
#include <sectile/data/rle.h>
#include <sectile/error.h>

#include "average_precision.h"
#include "json_file.h"

namespace sectile {
namespace {

// ComparedObjects that keep their memory from one image to the next.
class ComparedObjects {
 public:
  void clear() { used_ = 0; }
  ComparedObject& next() {
    if (used_ == all_.size()) all_.push_back(std::make_unique<ComparedObject>());
    return *all_[used_++];
  }

 private:
  std::vector<std::unique_ptr<ComparedObject>> all_;
  std::size_t used_ = 0;
};

struct Files {
  const CocoFile& truth;
  const CocoResults& results;
  bool results_have_boxes;
};

class Worker {
 public:
  Worker(const Files& files, const ApOptions& options)
      : files_(files), counts(options, static_cast<int>(files.truth.categories().size())) {}

  void add(int image) {
    const auto truths = files_.truth.of_image(image), found = files_.results.of_image(image);
    shapes_.clear();
    // Objects of one class are neighbours, detections by falling score; equal ones as in the file.
    sort(truths, truth_order_, [](const auto&, const auto&) { return false; });
    sort(found, found_order_, [](const auto& a, const auto& b) { return a.score > b.score; });
    auto next_truth = truth_order_.begin(), next_found = found_order_.begin();
    while (next_truth != truth_order_.end() || next_found != found_order_.end()) {
      const int category = std::min(next_truth == truth_order_.end() ? INT_MAX : truths[*next_truth].category,
                                    next_found == found_order_.end() ? INT_MAX : found[*next_found].category);
      group_truths_.clear();
      group_found_.clear();
      for (; next_truth != truth_order_.end() && truths[*next_truth].category == category; ++next_truth)
        group_truths_.push_back(&shape(truths[*next_truth], image, true, true));
      const bool compared = !group_truths_.empty();
      for (; next_found != found_order_.end() && found[*next_found].category == category; ++next_found)
        if (group_found_.size() < static_cast<std::size_t>(counts.options.max_detections.back()))
          group_found_.push_back(&shape(found[*next_found], image, false, compared));
      matcher_.match(files_.truth.images()[static_cast<std::size_t>(image)].id, category, group_truths_, group_found_);
    }
  }

 private:
  template <class Before>
  static void sort(std::span<const CocoAnnotation> all, std::vector<std::uint32_t>& order, const Before& before) {
    order.resize(all.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](auto i, auto j) {
      const auto &a = all[i], &b = all[j];
      if (a.category != b.category) return a.category < b.category;
      if (before(a, b)) return true;
      if (before(b, a)) return false;
      return i < j;
    });
  }

  const ComparedObject& shape(const CocoAnnotation& one, int image, bool is_truth, bool compared) {
    auto& made = shapes_.next();
    made.crowd = is_truth && one.crowd;
    made.score = one.score;
    made.box = one.box;
    const bool area_of_box = !is_truth && files_.results_have_boxes;
    const bool by_box = counts.options.kind == ApKind::box;
    // What is compared with nothing needs no pixels, unless its area is that of its mask.
    if ((by_box && one.has_box) || (!compared && area_of_box)) {
      made.area = is_truth && std::isfinite(one.area) ? one.area : one.box.width * one.box.height;
      return made;
    }
    try {
      read_region(one, image, is_truth, made);
    } catch (const DataError& error) {
      throw DataError(where(one, image, is_truth), error.what());
    }
    if (by_box) made.box = made.region.box;
    made.area = is_truth && std::isfinite(one.area) ? one.area
                : area_of_box                       ? one.box.width * one.box.height
                                                    : static_cast<double>(made.region.area);
    return made;
  }

  void read_region(const CocoAnnotation& one, int image, bool is_truth, ComparedObject& made) {
    const auto& stated = files_.truth.images()[static_cast<std::size_t>(image)].size;
    const auto& mask = one.mask;
    if (mask.form == CocoMask::Form::text && (stated.empty() || mask.size == stated))
      made.region.assign(without_escapes(mask.json, buffer_), mask.size);
    else if (mask.form == CocoMask::Form::none && one.has_box && !stated.empty() && !is_truth)
      made.region.assign(rle_of(one.box, stated));  // as pycocotools does with results of boxes
    else if (mask.form == CocoMask::Form::none)
      throw DataError("segmentation", is_truth && one.has_box
                                          ? "is missing, and masks are compared; boxes can be instead"
                                          : "is missing, and there is no bbox");
    else
      made.region.assign(mask_of(mask, stated).rle());
    if (counts.options.kind == ApKind::boundary)
      made.boundary = boundary_of(made.region, boundary_width_of(counts.options, made.region.size));
  }

  std::string where(const CocoAnnotation& one, int image, bool is_truth) const {
    const auto id = files_.truth.images()[static_cast<std::size_t>(image)].id;
    const auto which = one.id == CocoAnnotation::kNoId ? "an annotation" : "annotation " + std::to_string(one.id);
    return (is_truth ? files_.truth.file().string() + ": " + which : files_.results.file().string() + ": a result") +
           " of image " + std::to_string(id);
  }

  const Files& files_;

 public:
  ApCounts counts;

 private:
  ImageMatcher matcher_{counts};
  ComparedObjects shapes_;
  std::vector<std::uint32_t> truth_order_, found_order_;
  std::vector<const ComparedObject*> group_truths_, group_found_;
  std::string buffer_;
};

// Of the first image that cannot be read, whichever thread comes to it.
class FirstError {
 public:
  void keep(int image) {
    const std::lock_guard lock(mutex_);
    if (image < image_) image_ = image, error_ = std::current_exception();
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  int image_ = INT_MAX;
  std::exception_ptr error_;
};

ApCounts counts_of(const Files& files, const ApOptions& options, int threads) {
  const int images = static_cast<int>(files.truth.images().size());
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < std::max(1, std::min({threads, images, kMostThreads})); ++i)
    workers.push_back(std::make_unique<Worker>(files, options));
  std::atomic<int> next = 0;
  FirstError error;
  const auto work = [&](Worker& worker) {
    constexpr int kAtOnce = 16;
    for (int first = next.fetch_add(kAtOnce); first < images; first = next.fetch_add(kAtOnce))
      for (int image = first; image < std::min(images, first + kAtOnce); ++image) try {
          worker.add(image);
        } catch (const std::exception&) {
          error.keep(image);
        }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < workers.size(); ++i) others.emplace_back([&, i] { work(*workers[i]); });
    work(*workers[0]);
  }
  error.rethrow();
  for (std::size_t i = 1; i < workers.size(); ++i) workers[0]->counts.merge(workers[i]->counts);
  return std::move(workers[0]->counts);
}

void refuse_faults(const CocoFile& truth) {
  const auto& faults = truth.faults();
  if (faults.empty()) return;
  throw DataError(truth.file().string() + ": " + faults[0].place,
                  faults[0].message + (faults.size() > 1 ? "; and " + std::to_string(faults.size() - 1) +
                                                               " more images or annotations cannot be used"
                                                         : ""));
}

bool have_boxes(const CocoResults& results) {
  const auto all = results.all();
  const bool have = !all.empty() && all[0].has_box;
  for (const auto& one : all)
    if (one.has_box != have)
      throw DataError(results.file().string(),
                      "has results with a bbox and results without one; give all of them one, or none");
  return have;
}

std::vector<std::string> notes_of(const CocoFile& truth, const CocoResults& results) {
  std::vector<std::string> notes;
  const auto count = [](std::size_t number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
  };
  std::size_t all_unlisted = 0;
  for (const auto& [id, number] : results.unlisted_categories()) all_unlisted += number;
  if (all_unlisted)
    notes.push_back(count(all_unlisted, "result") + " of category ids that " + truth.file().string() +
                    " does not list, such as " + std::to_string(results.unlisted_categories()[0].first) +
                    ", do not count; category_id must be the id in \"categories\", not a position");
  if (!truth.unlisted_images().empty())
    notes.push_back("annotations of " + count(truth.unlisted_images().size(), "image") +
                    " that \"images\" does not list, such as " + std::to_string(truth.unlisted_images()[0]) +
                    ", do not count");
  const auto annotations = truth.annotations();
  if (std::any_of(annotations.begin(), annotations.end(), [](const auto& one) { return one.id == 0; }))
    notes.emplace_back("an annotation has the id 0: it can be found here, and never with pycocotools");
  const auto without_area =
      std::count_if(annotations.begin(), annotations.end(), [](const auto& one) { return std::isnan(one.area); });
  if (without_area)
    notes.push_back(count(static_cast<std::size_t>(without_area), "annotation") +
                    " without a stated area: that of the mask or box decides the size range");
  return notes;
}

}  // namespace

ApOfFilesResult average_precision(const std::filesystem::path& truth_file, const std::filesystem::path& results_file,
                                  const ApOfFilesOptions& options) {
  const CocoFile truth(truth_file);
  if (!truth.has_annotations())
    throw DataError(truth_file.string(),
                    "has no list \"annotations\": it is of images whose objects are not published");
  refuse_faults(truth);
  const CocoResults results(results_file, truth, {options.threads, options.kind != ApKind::box});
  const Files files{truth, results, have_boxes(results)};
  ApOfFilesResult made;
  auto of_kind = options.ap;
  const auto all = results.all();
  made.kind = of_kind.kind = options.kind.value_or(
      std::any_of(all.begin(), all.end(), [](const auto& one) { return one.mask.form != CocoMask::Form::none; })
          ? ApKind::mask
          : ApKind::box);
  made.report = counts_of(files, of_kind, options.threads).compute(options.threads);
  for (const auto& category : truth.categories()) made.categories.push_back(category.name);
  made.images = truth.images().size();
  const auto annotations = truth.annotations();
  made.crowds = static_cast<std::size_t>(
      std::count_if(annotations.begin(), annotations.end(), [](const auto& one) { return one.crowd; }));
  made.objects = annotations.size() - made.crowds;
  made.detections = results.all().size();
  made.notes = notes_of(truth, results);
  made.convention = std::string("pycocotools 2.0; objects' sizes by their stated area, detections' by that of their ") +
                    (files.results_have_boxes ? "box" : "mask");
  return made;
}

}  // namespace sectile
