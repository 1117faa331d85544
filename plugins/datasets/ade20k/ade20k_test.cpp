#include <cstdlib>
#include <fstream>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/turned_photo.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;

namespace {

class Scenes {
 public:
  void save(const std::string& name, const cv::Mat& pixels) const {
    fs::create_directories((path() / name).parent_path());
    write_png(path() / name, pixels);
  }
  void image(const std::string& name) const {
    save("ADEChallengeData2016/images/" + name, cv::Mat(2, 3, CV_8UC3, cv::Scalar(9, 8, 7)));
  }
  void mask(const std::string& name, std::vector<std::uint8_t> values) const {
    save("ADEChallengeData2016/annotations/" + name, cv::Mat(values).reshape(1, 2));
  }
  std::shared_ptr<Dataset> open(const json& more = json::object()) const {
    json spec = {{"type", "ade20k"}, {"root", path().string()}};
    spec.update(more);
    return test::make<Dataset>(spec.dump());
  }
  std::string problem(const json& more = json::object()) const {
    try {
      open(more)->read(0);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "no error";
  }
  fs::path path() const { return scratch_.path(); }

 private:
  test::Scratch scratch_;
};

std::vector<int> scene_labels(const Sample& sample) {
  return {sample.labels.begin<std::int16_t>(), sample.labels.end<std::int16_t>()};
}
bool says_scene(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

json expected_scenes() {
  std::ifstream file(SECTILE_SOURCE_DIR "/plugins/datasets/ade20k/expected.json");
  return json::parse(file);
}

}  // namespace

TEST_CASE("0 and 255 are ignored, and 1 to 150 become 0 to 149, once") {
  const Scenes scenes;
  scenes.image("training/b.JPG");
  scenes.image("training/a.jpg");
  scenes.image("training/.hidden.jpg");
  scenes.mask("training/a.png", {0, 1, 2, 150, 149, 255});
  scenes.mask("training/b.PNG", {77, 255, 1, 0, 0, 0});
  const auto data = scenes.open();
  REQUIRE(data->size() == 2);
  CHECK(data->id_of(0) == "a");
  for (int again = 0; again < 2; ++again)
    CHECK(scene_labels(data->read(0)) == std::vector<int>{-1, 0, 1, 149, 148, -1});
  CHECK(scene_labels(data->read(1)) == std::vector<int>{76, -1, 0, -1, -1, -1});
  CHECK(data->classes_of(0) == std::vector<int>{0, 1, 148, 149});
  CHECK(data->extent_of(0) == Extent{1, 2, 3});
  CHECK(data->read(0).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(9, 8, 7));
  CHECK(data->read(0, {.image = true, .labels = false, .objects = true}).labels.empty());
  CHECK(scenes.open({{"split", "train"}, {"root", (scenes.path() / "ADEChallengeData2016").string()}})->size() == 2);
}

TEST_CASE("SceneParse150 has its names, colors, numbers in files and things") {
  const Scenes scenes;
  scenes.image("testing/a.jpg");
  const auto data = scenes.open({{"split", "testing"}});
  CHECK(data->read(0).labels.empty());  // there are no masks
  const auto& classes = data->labels().classes;
  REQUIRE(classes.size() == 150);
  const auto names = expected_scenes()["names"];
  int things = 0;
  for (std::size_t i = 0; i < 150; ++i) {
    CHECK(classes[i].name == names[i]);
    CHECK(classes[i].category_id == static_cast<int>(i) + 1);
    things += classes[i].thing;
  }
  CHECK(things == 100);
  const auto check = [&](int number, const char* name, std::array<std::uint8_t, 3> color, bool thing) {
    const auto& one = classes[static_cast<std::size_t>(number)];
    CHECK((one.name == name && one.color == color && one.thing == thing));
  };
  check(0, "wall", {120, 120, 120}, false);
  check(7, "bed", {204, 5, 255}, true);
  check(20, "car", {0, 102, 200}, true);
  check(48, "skyscraper", {140, 140, 140}, false);
  check(102, "van", {163, 255, 0}, true);
  check(149, "flag", {92, 0, 255}, true);
}

TEST_CASE("what is wrong in a folder of SceneParse150 is told with its place") {
  const Scenes scenes;
  const auto root = scenes.path() / "ADEChallengeData2016";
  CHECK(says_scene(scenes.problem(), "/part/root: " + scenes.path().string() + " has no folder images"));
  fs::create_directories(scenes.path() / "full/training");
  CHECK(says_scene(scenes.problem({{"root", (scenes.path() / "full").string()}}), "use the dataset ade20k_full"));
  scenes.image("training/a.jpg");
  CHECK(says_scene(scenes.problem(), (root / "annotations/training").string() + ": is not a folder"));
  CHECK(says_scene(scenes.problem({{"split", "val"}}), "/part/split: "));
  CHECK(says_scene(scenes.problem({{"split", "val"}}),
                   "images/validation is not a folder; the splits there are: training"));
  scenes.mask("training/b.png", {0, 0, 0, 0, 0, 0});
  CHECK(says_scene(scenes.problem(), "has no mask for 1 of 1 images in "));
  scenes.mask("training/a.png", {0, 0, 0, 0, 151, 0});
  CHECK(
      says_scene(scenes.problem(), "training/a.png: pixel (1, 1) has value 151; masks of SceneParse150 have 1 to 150"));
  scenes.save("ADEChallengeData2016/annotations/training/a.png", cv::Mat(2, 3, CV_8UC3, cv::Scalar(0, 0, 0)));
  CHECK(says_scene(scenes.problem(), "has 3 channels of 8 bits"));
  scenes.mask("training/a.png", {0, 0});
  CHECK(says_scene(scenes.problem(), "is 1 x 2 pixels, and "));
  scenes.image("training/a.png");
  CHECK(says_scene(scenes.problem(), "images/training: has two files of one name, a.jpg and a.png: remove one"));
}

TEST_CASE("real masks of SceneParse150 have the pixels per class that Pillow finds") {
  const char* data = std::getenv("SECTILE_DATA");
  const fs::path real = fs::path(data ? data : "") / "ade20k-mini";
  if (!data || !fs::exists(real)) {
    MESSAGE("skipped: set SECTILE_DATA to a folder with ade20k-mini/");
    return;
  }
  const auto set = test::make<Dataset>(json{{"type", "ade20k"}, {"root", real.string()}, {"split", "val"}}.dump());
  const auto wanted = expected_scenes()["samples"];
  REQUIRE(set->size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto sample = set->read(i);
    CHECK(sample.id == wanted[i]["name"]);
    CHECK(sample.image.rows == wanted[i]["size"][0]);
    CHECK(sample.image.cols == wanted[i]["size"][1]);
    std::map<std::string, int> pixels;
    int ignored = 0;
    for (const int label : scene_labels(sample))
      ++(label < 0 ? ignored : pixels[set->labels().classes[static_cast<std::size_t>(label)].name]);
    CHECK(pixels == wanted[i]["pixels"].get<std::map<std::string, int>>());
    CHECK(ignored == wanted[i]["ignored"]);
    const auto mean = cv::mean(sample.image);  // decoders of JPEG differ slightly
    for (int c = 0; c < 3; ++c) CHECK(mean[c] == doctest::Approx(wanted[i]["mean"][c].get<double>()).epsilon(1e-3));
  }
}

TEST_CASE("a photo of a scene is turned upright, or read as it is stored") {
  const Scenes scenes;
  const std::string folder = "ADEChallengeData2016/";
  test::check_orientation(scenes.path() / folder / "images/training/p.jpg",
                          [&](const cv::Size& size, const json& more) {
                            scenes.save(folder + "annotations/training/p.png", cv::Mat(size, CV_8U, 7.0));
                            return scenes.open(more);
                          });
}
