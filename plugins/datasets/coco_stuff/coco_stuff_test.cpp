#include <fstream>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/damaged.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/turned_photo.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;

namespace {

// A COCO-Stuff folder with the images a and b of 3 x 3 pixels.
class StuffTree {
 public:
  explicit StuffTree(const std::string& images = "images/val2017", const std::string& maps = "annotations/val2017") {
    for (const char* name : {"b", "a"}) {
      image(images + "/" + name + ".jpg", cv::Mat(3, 3, CV_8UC3, cv::Scalar(10, 20, 30)));
      image(maps + "/" + name + ".png", map({0, 11, 12, 90, 91, 181, 255, 89, 92}));
    }
  }
  static cv::Mat map(std::initializer_list<int> values) {
    cv::Mat made(3, 3, CV_8U);
    std::copy(values.begin(), values.end(), made.data);
    return made;
  }
  void image(const std::string& name, const cv::Mat& pixels) const {
    fs::create_directories((path() / name).parent_path());
    write_png(path() / name, pixels);  // readers look at the contents, not at the suffix
  }
  fs::path path() const { return scratch_.path(); }
  std::shared_ptr<Dataset> open(const json& more = json::object()) const {
    json spec = {{"type", "coco_stuff"}, {"root", path().string()}, {"split", "val2017"}};
    spec.merge_patch(more);  // null removes
    return test::make<Dataset>(spec.dump());
  }
  std::string problem(const json& more = json::object()) const {
    try {
      open(more)->read(0);
    } catch (const std::runtime_error& error) {
      return test::replaced(error.what(), path().string(), "ROOT");
    }
    return "no error";
  }

 private:
  test::Scratch scratch_;
};

std::vector<int> stuff_labels(const Sample& sample) {
  return {sample.labels.begin<std::int16_t>(), sample.labels.end<std::int16_t>()};
}
bool says(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

// https://github.com/nightrome/cocostuff/issues/19: the value is the id less 1, and eleven ids are not used.
TEST_CASE("values of COCO-Stuff become 171 class numbers without gaps, and unused ids do not count") {
  const StuffTree tree;
  const auto data = tree.open();
  REQUIRE(data->size() == 2);
  const auto sample = data->read(0);
  CHECK(sample.id == "a");
  CHECK(stuff_labels(sample) == std::vector<int>{0, kIgnore, 11, kIgnore, 80, 170, kIgnore, 79, 81});
  CHECK(sample.image.at<cv::Vec3b>(2, 2) == cv::Vec3b(10, 20, 30));
  CHECK(data->classes_of(1) == std::vector<int>{0, 11, 79, 80, 81, 170});
  CHECK(data->extent_of(0) == Extent{1, 3, 3});
}

TEST_CASE("of the values of COCO-Stuff eleven do not count, and each other one is the class whose id is one more") {
  const StuffTree tree;
  cv::Mat all(14, 13, CV_8U);
  for (int value = 0; value < 182; ++value) all.data[value] = static_cast<std::uint8_t>(value);
  tree.image("images/val2017/a.jpg", cv::Mat(14, 13, CV_8UC3, cv::Scalar::all(0)));
  tree.image("annotations/val2017/a.png", all);
  const auto data = tree.open();
  const auto labels = stuff_labels(data->read(0));
  std::vector<int> removed;
  int number = 0;
  for (int value = 0; value < 182; ++value) {
    const int label = labels[static_cast<std::size_t>(value)];
    if (label == kIgnore) {
      removed.push_back(value + 1);
      continue;
    }
    CHECK(label == number++);
    CHECK(data->labels().classes[static_cast<std::size_t>(label)].category_id == value + 1);
  }
  CHECK(number == 171);
  CHECK(removed == std::vector<int>{12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91});
}

TEST_CASE("classes of COCO-Stuff have the names, ids and colors of their sources") {
  std::ifstream file(SECTILE_SOURCE_DIR "/plugins/datasets/coco_stuff/expected.json");
  const auto expected = json::parse(file).at("classes");
  const auto map = StuffTree().open()->labels();
  REQUIRE(map.classes.size() == 171);
  REQUIRE(expected.size() == 171);
  for (std::size_t i = 0; i < 171; ++i) {
    const auto& one = map.classes[i];
    CHECK(json{one.category_id, one.name, one.color, one.thing} == expected[i]);
  }
  CHECK(std::count_if(map.classes.begin(), map.classes.end(), [](const auto& one) { return one.thing; }) == 80);
  CHECK_FALSE(map.overlapping);
}

TEST_CASE("folders of COCO-Stuff are those of its two usual layouts, or named") {
  CHECK(StuffTree("val2017", "stuffthingmaps/val2017").open()->size() == 2);
  CHECK(StuffTree("images/val2017", "stuffthingmaps/val2017").open()->size() == 2);
  const StuffTree elsewhere("photos", "maps");
  const json named = {{"root", nullptr},
                      {"images", (elsewhere.path() / "photos").string()},
                      {"masks", (elsewhere.path() / "maps").string()}};
  CHECK(elsewhere.open(named)->id_of(1) == "b");
  const StuffTree together("all", "all");
  const json one = {{"images", (together.path() / "all").string()}, {"masks", (together.path() / "all").string()}};
  CHECK(together.open(one)->size() == 2);
  CHECK_FALSE(together.open(one)->read(1).labels.empty());

  says(elsewhere.problem({{"root", nullptr}}), "/part/root: is missing: give \"root\", or both");
  says(elsewhere.problem(), "/part/images: is missing, and there is neither ROOT/images/val2017 nor ROOT/val2017");
  says(elsewhere.problem({{"images", (elsewhere.path() / "photos").string()}}),
       "/part/masks: is missing, and there is neither ROOT/annotations/val2017 nor ROOT/stuffthingmaps/val2017");
  says(elsewhere.problem({{"images", "nowhere"}}), "is not a folder");
}

TEST_CASE("suffixes of COCO-Stuff count in any case, hidden and other files not, and a test split has no maps") {
  const StuffTree tree;
  fs::rename(tree.path() / "images/val2017/a.jpg", tree.path() / "images/val2017/a.JPG");
  fs::rename(tree.path() / "annotations/val2017/b.png", tree.path() / "annotations/val2017/b.PNG");
  tree.image("images/val2017/._c.jpg", cv::Mat(3, 3, CV_8U, 0.0));
  tree.image("images/val2017/list.txt", cv::Mat(3, 3, CV_8U, 0.0));
  tree.image("annotations/val2017/z.png", cv::Mat(3, 3, CV_8U, 0.0));  // of no image
  const auto data = tree.open();
  CHECK(data->size() == 2);
  CHECK_FALSE(data->read(0).labels.empty());
  CHECK_FALSE(data->read(1).labels.empty());

  tree.image("images/test2017/q.jpg", cv::Mat(3, 3, CV_8U, 0.0));
  const auto test = tree.open({{"split", "test2017"}});
  CHECK(test->size() == 1);
  CHECK(test->read(0).labels.empty());
}

TEST_CASE("what is wrong with a map of COCO-Stuff is said with its place") {
  StuffTree tree;
  const std::string map = "annotations/val2017/a.png";
  tree.image(map, StuffTree::map({0, 0, 0, 0, 0, 182, 0, 0, 0}));
  says(tree.problem(), "ROOT/annotations/val2017/a.png: pixel (2, 1) has value 182; COCO-Stuff has 0 to 181");
  tree.image(map, cv::Mat(3, 3, CV_16U, 0.0));
  says(tree.problem(), "has 1 channels of 16 bits; a pixel map of COCO-Stuff");
  tree.image(map, cv::Mat(3, 3, CV_8UC3, cv::Scalar::all(0)));
  says(tree.problem(), "has 3 channels of 8 bits");
  tree.image(map, cv::Mat(2, 3, CV_8U, 0.0));
  says(tree.problem(), "a.png: is 3 x 2 pixels, and its image ROOT/images/val2017/a.jpg is 3 x 3 (width x height)");
  fs::remove(tree.path() / map);
  says(tree.problem(), "ROOT/annotations/val2017: lacks the pixel maps of 1 of 2 images; the first is a.png, of ROOT");
  tree.image("images/val2017/b.jpeg", cv::Mat(3, 3, CV_8U, 0.0));
  says(tree.problem(), "ROOT/images/val2017: has two files of one name, b.jpeg and b.jpg");
}

TEST_CASE("labels of COCO-Stuff are read without the image, and the other way round") {
  const StuffTree tree;
  const auto data = tree.open();
  test::cut_behind_header(tree.path() / "images/val2017/a.jpg");
  CHECK_FALSE(data->read(0, {.image = false, .labels = true, .objects = false}).labels.empty());
  CHECK(data->extent_of(0) == Extent{1, 3, 3});
  CHECK_THROWS_AS(data->read(0), DataError);
  test::cut_behind_header(tree.path() / "annotations/val2017/b.png");
  CHECK(data->read(1, {.image = true, .labels = false, .objects = true}).labels.empty());
  CHECK_THROWS_AS(data->read(1), DataError);
}

TEST_CASE("a photo of COCO-Stuff is turned upright, or read as it is stored") {
  const StuffTree tree;
  test::check_orientation(tree.path() / "images/val2017/a.jpg", [&](const cv::Size& size, const json& more) {
    tree.image("annotations/val2017/a.png", cv::Mat(size, CV_8U, 7.0));
    return tree.open(more);
  });
}
