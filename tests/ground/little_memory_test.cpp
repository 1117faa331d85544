// Files that are too large for the memory there is are named.
#include <sectile/data/coco_panoptic_file.h>
#include <sectile/data/image_io.h>
#include <sectile/data/panoptic_quality.h>
#include <sectile/error.h>
#include <opencv2/core.hpp>

#include "support/memory_limit.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;

namespace {

template <class Work>
std::string refused_for_memory(rlim_t more, const Work& work) {
  const test::MemoryLimit limit(more);
  try {
    work();
  } catch (const DataError& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another error: ") + error.what();
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("panoptic PNGs for which there is not enough memory are named, wherever it ends") {
  const test::Scratch scratch;
  constexpr int kSide = 4000;
  for (const char* side : {"truth", "found"}) {
    std::filesystem::create_directories(scratch / side);
    write_png(scratch.path() / side / "1.png", cv::Mat(kSide, kSide, CV_8UC3, cv::Scalar(7, 0, 0)));
  }
  const std::string annotations =
      R"("annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": [{"id": 7, "category_id": 1}]}])";
  const PanopticFiles files{
      .truth = scratch.write("truth.json",
                             R"({"images": [{"id": 1, "file_name": "1.jpg"}], "categories": [{"id": 1, "name": "sky", )"
                             R"("isthing": 0}], )" +
                                 annotations + "}"),
      .predictions = scratch.write("found.json", "{" + annotations + "}")};
  REQUIRE(panoptic_quality(files).report.all.pq == 1);
  // 48 MB of pixels of each side, then 64 MB of ids of each.
  for (const int megabytes : {20, 60, 90, 130, 150}) {
    CAPTURE(megabytes);
    const auto text = refused_for_memory(static_cast<rlim_t>(megabytes) << 20, [&] { panoptic_quality(files); });
    CAPTURE(text);
    CHECK((contains(text, "1.png: is 4000 x 4000 pixels of 3 channels, for which there is not enough memory") ||
           contains(text, "found/1.png: cannot be compared with " + (scratch / "truth").string() +
                              "/1.png: out of memory (")));
  }
}

TEST_CASE("a JSON file for which there is not enough memory is named") {
  const test::Scratch scratch;
  const auto file = scratch.write("large.json", "{\"images\": [" + std::string(100 << 20, ' ') + "]}");
  for (const int megabytes : {50, 110}) {
    const auto text = refused_for_memory(static_cast<rlim_t>(megabytes) << 20, [&] { read_coco_panoptic(file); });
    CHECK_MESSAGE(contains(text, "large.json: has 104857614 bytes, for which there is not enough memory"), text);
  }
}
