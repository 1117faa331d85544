// Panoptic files of others, compared with panopticapi, and the smallest files.
#include <cstdlib>
#include <fstream>

#include <sectile/data/coco_panoptic_file.h>
#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/panoptic_tree.h"
#include "support/scratch.h"
#include "support/test.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;
using namespace sectile::test::coco_segments;

TEST_CASE("real panoptic annotations give the areas that they state, and panopticapi's labels and objects") {
  const char* folder = std::getenv("SECTILE_DATA");
  if (!folder) {
    MESSAGE("SECTILE_DATA is not set: skipped");
    return;
  }
  std::ifstream in(SECTILE_SOURCE_DIR "/plugins/datasets/coco_panoptic/expected.json");
  const auto expected = json::parse(in);
  const auto root = fs::path(folder) / "coco-panoptic-mini";
  const json spec = {{"type", "coco_panoptic"},
                     {"annotations", (root / "panoptic_examples.json").string()},
                     {"images", (root / "input_images").string()}};
  BuildContext context;
  context.task = Task::panoptic;
  const auto data = test::make<Dataset>(spec.dump(), context);
  REQUIRE(data->size() == 2);
  const auto& classes = data->labels().classes;
  REQUIRE(classes.size() == 133);
  for (std::size_t i = 0; i < 133; ++i)
    CHECK(json{classes[i].category_id, classes[i].name, classes[i].color, classes[i].thing} == expected["classes"][i]);

  for (std::size_t i = 0; i < 2; ++i) {
    const auto sample = data->read(i);
    CAPTURE(sample.id);
    const auto& wanted = expected["images"][sample.id];
    std::map<std::int64_t, int> pixels;
    for (const int label : values(sample.labels))
      ++pixels[label == kIgnore ? 0 : classes[static_cast<std::size_t>(label)].category_id];
    CHECK(pixels[0] == wanted["void"]);
    pixels.erase(0);
    CHECK(json(std::vector<std::pair<std::int64_t, int>>(pixels.begin(), pixels.end())) == wanted["pixels"]);
    json segments, things;
    for (const auto& one : sample.segments)
      segments.push_back({one.id, classes[static_cast<std::size_t>(one.category)].category_id, int{one.crowd}});
    CHECK(segments == wanted["segments"]);
    for (const auto& one : sample.instances) {
      CHECK(one.area == static_cast<double>(one.mask.area()));
      const cv::Rect box = one.box;
      things.push_back({one.id,
                        classes[static_cast<std::size_t>(one.category)].category_id,
                        int{one.crowd},
                        one.mask.area(),
                        {box.x, box.y, box.width, box.height},
                        to_coco(one.mask.rle())});
    }
    CHECK(things == wanted["things"]);
    CHECK(data->classes_of(i) == data->Dataset::classes_of(i));
  }
}

TEST_CASE("panoptic fixtures are read, and one whose PNG has another size is refused") {
  const char* folder = std::getenv("SECTILE_DATA");
  if (!folder) {
    MESSAGE("SECTILE_DATA is not set: skipped");
    return;
  }
  const auto root = fs::path(folder) / "format-fixtures/coco_dataset";
  const auto open = [&](const char* name, const char* split) {
    BuildContext context;
    context.task = Task::panoptic;
    return test::make<Dataset>(
        json{{"type", "coco_panoptic"}, {"root", (root / name).string()}, {"split", split}}.dump(), context);
  };
  using Numbers = std::vector<int>;
  const auto pixels = [](const Sample& sample) {  // of both classes, and of void
    Numbers counts;
    for (const int label : {0, 1, int{kIgnore}}) counts.push_back(cv::countNonZero(sample.labels == label));
    return counts;
  };
  const auto segments = [](const Sample& sample) {
    Numbers numbers;
    for (const auto& one : sample.segments)
      numbers.insert(numbers.end(), {one.id, one.category, one.crowd, cv::countNonZero(sample.segment_ids == one.id)});
    return numbers;
  };
  REQUIRE(open("coco", "train")->size() == 1);
  const auto train = open("coco", "train")->read(0);
  CHECK(segments(train) == Numbers{7, 0, 0, 20});
  CHECK(train.instances.empty());  // none of its classes are things
  CHECK(pixels(train) == Numbers{20, 0, 30});
  for (const char* name : {"coco", "coco_panoptic"}) {
    REQUIRE(open(name, "val")->size() == 1);
    const auto val = open(name, "val")->read(0);
    CHECK(segments(val) == Numbers{7, 0, 0, 20, 20, 1, 1, 20});
    CHECK(val.instances.empty());
    CHECK(pixels(val) == Numbers{20, 20, 10});
  }
  CHECK_THROWS_WITH_AS(open("coco_panoptic", "train")->read(0), doctest::Contains("a.png: is 5 x 5 pixels"), DataError);
}
