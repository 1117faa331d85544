// Files of strangers: whatever they hold, they are read or refused with a DataError, soon, and in little memory.
// SECTILE_MUTATIONS: how many files per reader; unset, 300.
#include <cstdlib>
#include <ctime>
#include <random>

#include <sectile/data/average_precision.h>
#include <sectile/data/coco_file.h>
#include <sectile/error.h>

#include "../allocation_peak.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;

namespace {

const std::string kInstances =
    R"({"images": [{"id": 1, "width": 40, "height": 30, "file_name": "a.jpg"}, {"id": 20, "width": 64, "height": 64}],
 "categories": [{"id": 3, "name": "x", "supercategory": "y"}, {"id": 90, "name": "z"}],
 "annotations": [{"id": 7, "image_id": 20, "category_id": 90, "bbox": [1, 2, 3.5, 4], "area": 14.25, "iscrowd": 0,
 "segmentation": [[0.5, 0, 40.25, 0, 40, 40, 0, 40], [6, 0, 8, 0, 8, 2]]},
 {"id": 8, "image_id": 1, "category_id": 3, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 1, "segmentation": {"size": [30, 40], "counts": [0, 2, 1198]}},
 {"id": 9, "image_id": 1, "category_id": 3, "bbox": [0, 0, 2, 2], "area": 4, "segmentation": {"size": [30, 40], "counts": "5Q1J0O2N1"}}]})";
const std::string kResults =
    R"([{"image_id": 20, "category_id": 90, "score": 0.75, "bbox": [0, 0, 40, 40], "segmentation": {"size": [64, 64], "counts": [5, 100, 28, 300, 3663]}},
 {"image_id": 1, "category_id": 3, "score": 1e-3, "bbox": [0, 0, 2.5, 2], "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]}])";

// Texts that are damaged at any place, or have other values and signs at one.
class TextMutator {
 public:
  std::string next(std::string text) {
    for (std::size_t times = 1 + below(3); times > 0; --times) change(text);
    return text;
  }

 private:
  std::size_t below(std::size_t count) { return count ? random_() % count : 0; }

  void change(std::string& text) {
    static const char* const kTexts[] = {"NaN",
                                         "Infinity",
                                         "-1",
                                         "0",
                                         "1e308",
                                         "-1e308",
                                         "1e-320",
                                         "99999999999999999999",
                                         "4294967296",
                                         "2147483647",
                                         "1073741824",
                                         "65535",
                                         "null",
                                         "true",
                                         "\"x\"",
                                         "[]",
                                         "{}",
                                         "[[]]",
                                         "[1,2]",
                                         "\"\\\\\"",
                                         "\"\\u0000\"",
                                         "\xff",
                                         "{\"size\": [1073741824, 3], \"counts\": [0]}",
                                         "[",
                                         "]",
                                         "{",
                                         "}",
                                         ",",
                                         ":",
                                         "\"",
                                         "\\",
                                         "[[[[[[[[[[[[[[[["};
    const auto at = below(text.size());
    switch (below(6)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random_());
        return;
      case 1:
        text.resize(at);
        return;
      case 2:
        text.erase(at, 1 + below(30));
        return;
      case 3:
        text.insert(at, text.substr(below(text.size()), below(200)));
        return;
      case 4:
        text.insert(at, kTexts[below(std::size(kTexts))]);
        return;
      default:
        replace_number(text, at, kTexts[below(std::size(kTexts))]);
    }
  }

  static void replace_number(std::string& text, std::size_t from, const char* by) {
    const auto first = text.find_first_of("0123456789", from);
    if (first == std::string::npos) return;
    text.replace(first, text.find_first_not_of("0123456789.", first) - first, by);
  }

  std::mt19937_64 random_{1};
};

double seconds_of_work() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

template <class Read>
void try_texts(const std::string& seed, const Read& read) {
  const char* const wanted = std::getenv("SECTILE_MUTATIONS");
  constexpr double kLongest = 1;
  constexpr std::size_t kMost = 150u << 20;  // of borders that cross columns of a huge image (rle.cpp)
  TextMutator mutator;
  int read_whole = 0;
  const int count = wanted ? std::atoi(wanted) : 300;
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
