// Files of strangers: whatever they hold, they are read or refused with a DataError, soon, and in little memory.
// SECTILE_MUTATIONS: how many files per reader; unset, 300.
#include <ctime>

#include <sectile/data/average_precision.h>
#include <sectile/data/coco_file.h>
#include <sectile/data/coco_panoptic_file.h>
#include <sectile/error.h>

#include "../allocation_peak.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/text_mutator.h"

using namespace sectile;

namespace {

const std::string kInstances =
    R"({"images": [{"id": 1, "width": 40, "height": 30, "file_name": "a.jpg"}, {"id": 20, "width": 64, "height": 64}],
 "categories": [{"id": 3, "name": "x", "supercategory": "y"}, {"id": 90, "name": "z"}],
 "annotations": [{"id": 7, "image_id": 20, "category_id": 90, "bbox": [1, 2, 3.5, 4], "area": 14.25, "iscrowd": 0,
 "segmentation": [[0.5, 0, 40.25, 0, 40, 40, 0, 40], [6, 0, 8, 0, 8, 2]]},
 {"id": 8, "image_id": 1, "category_id": 3, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 1, "segmentation": {"size": [30, 40], "counts": [0, 2, 1198]}},
 {"id": 9, "image_id": 1, "category_id": 3, "bbox": [0, 0, 2, 2], "area": 4, "segmentation": {"size": [30, 40], "counts": "T3n0^Q1"}}]})";
const std::string kResults =
    R"([{"image_id": 20, "category_id": 90, "score": 0.75, "bbox": [0, 0, 40, 40], "segmentation": {"size": [64, 64], "counts": [5, 100, 28, 300, 3663]}},
 {"image_id": 1, "category_id": 3, "score": 1e-3, "bbox": [0, 0, 2.5, 2], "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]}])";

const std::string kPanoptic =
    R"({"images": [{"id": 1, "width": 40, "height": 30, "file_name": "a.jpg"}, {"id": 20, "file_name": "b.jpg"}],
 "categories": [{"id": 3, "name": "x", "supercategory": "y", "isthing": 1, "color": [1, 2, 3]}, {"id": 90, "name": "z", "isthing": 0}],
 "annotations": [{"image_id": 20, "file_name": "b.png", "segments_info": [{"id": 7, "category_id": 90, "bbox": [1, 2, 3.5, 4], "area": 14, "iscrowd": 0},
 {"id": 16777215, "category_id": 3, "area": 4, "iscrowd": 1}]}, {"image_id": 1, "file_name": "a.png", "segments_info": []}]})";

double seconds_of_work() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

template <class Read>
void try_texts(const std::string& seed, const Read& read) {
  constexpr double kLongest = 1;
  constexpr std::size_t kMost = 150u << 20;  // of borders that cross columns of a huge image (rle.cpp)
  test::TextMutator mutator;
  int read_whole = 0;
  const int count = test::mutations();
  for (int i = 0; i < count; ++i) {
    const auto text = mutator.next(seed);
    const double start = seconds_of_work();
    const AllocationPeak peak;
    std::string surprise;
    try {
      read(text);
      ++read_whole;
    } catch (const DataError&) {
    } catch (const std::exception& error) {
      surprise = error.what();
    }
    const double taken = seconds_of_work() - start;
    CHECK_MESSAGE((surprise.empty() && taken < kLongest && peak.bytes() < kMost),
                  i << ": " << surprise << " " << taken << " s, " << peak.bytes() << " bytes\n"
                    << text);
  }
  CHECK(read_whole < count);
  CHECK(read_whole > 0);
}

}  // namespace

TEST_CASE("damaged files of instances are read or refused") {
  const test::Scratch scratch;
  try_texts(kInstances, [&](const std::string& text) {
    const CocoFile file(scratch.write("file.json", text));
    for (const auto& one : file.annotations()) {
      int short_rings = 0;
      const auto mask = mask_of(one.mask, file.images()[static_cast<std::size_t>(one.image)].size, &short_rings);
      if (!mask.empty()) mask.area();
    }
  });
}

TEST_CASE("damaged files of panoptic segments are read or refused") {
  const test::Scratch scratch;
  try_texts(kPanoptic, [&](const std::string& text) { read_coco_panoptic(scratch.write("file.json", text)); });
}

TEST_CASE("damaged files of results are evaluated or refused") {
  const test::Scratch scratch;
  const auto truth = scratch.write("truth.json", kInstances);
  for (const auto kind : {ApKind::mask, ApKind::box, ApKind::boundary})
    try_texts(kResults, [&](const std::string& text) {
      ApOfFilesOptions options;
      options.kind = kind;
      average_precision(truth, scratch.write("file.json", text), options);
    });
}
