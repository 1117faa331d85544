#include <cstdlib>
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

cv::Mat mask(std::initializer_list<int> values) {  // two rows
  cv::Mat made(2, static_cast<int>(values.size()) / 2, CV_8U);
  std::copy(values.begin(), values.end(), made.data);
  return made;
}

// A VOC folder with the images a, b and c, which lists may name.
class Tree {
 public:
  Tree() {
    for (const char* name : {"a", "b", "c"}) {
      image("JPEGImages/" + std::string(name) + ".png", cv::Mat(2, 3, CV_8UC3, cv::Scalar(10, 20, 30)));
      image("SegmentationClass/" + std::string(name) + ".png", mask({0, 1, 1, 255, 20, 1}));
    }
    list("train", "a\nb\n");
  }
  fs::path path() const { return scratch_.path(); }
  void image(const std::string& name, const cv::Mat& pixels) const {
    fs::create_directories((path() / name).parent_path());
    write_png(path() / name, pixels);
  }
  void list(const std::string& split, const std::string& text) const {
    scratch_.write("ImageSets/Segmentation/" + split + ".txt", text);
  }
  std::shared_ptr<Dataset> open(const json& more = json::object(), Task task = Task::semantic) const {
    json spec = {{"type", "voc"}, {"root", path().string()}};
    spec.update(more);
    BuildContext context;
    context.task = task;
    return test::make<Dataset>(spec.dump(), context);
  }
  std::string problem(const json& more, bool and_read = false) const {
    try {
      const auto data = open(more);
      if (and_read) data->read(0);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "no error";
  }

 private:
  test::Scratch scratch_;
};

using Names = std::vector<std::string>;
Names ids(const Dataset& data) {
  Names names;
  for (std::size_t i = 0; i < data.size(); ++i) names.push_back(data.id_of(i));
  return names;
}
std::vector<int> labels(const Sample& sample) {
  return {sample.labels.begin<std::int16_t>(), sample.labels.end<std::int16_t>()};
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

json expected() {
  std::ifstream file(SECTILE_SOURCE_DIR "/plugins/datasets/voc/expected.json");
  return json::parse(file);
}

}  // namespace

TEST_CASE("a split lists images, and 255 does not count") {
  const Tree tree;
  const auto data = tree.open();
  CHECK(ids(*data) == Names{"a", "b"});
  const auto sample = data->read(1);
  CHECK(sample.id == "b");
  CHECK(labels(sample) == std::vector<int>{0, 1, 1, kIgnore, 20, 1});
  CHECK(sample.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(10, 20, 30));
  CHECK(sample.instances.empty());
  CHECK(data->classes_of(1) == std::vector<int>{0, 1, 20});
}

TEST_CASE("images are found by their names with suffixes in upper case too") {
  const Tree tree;
  fs::rename(tree.path() / "JPEGImages/a.png", tree.path() / "JPEGImages/a.JPG");
  CHECK(ids(*tree.open()) == Names{"a", "b"});
}

TEST_CASE("classes have VOC's names, and the colors of real palettes") {
  const auto map = Tree().open()->labels();
  REQUIRE(map.classes.size() == 21);
  CHECK(map.classes[0].name == "background");
  CHECK_FALSE(map.classes[0].thing);
  CHECK(map.classes[15].name == "person");
  CHECK(map.classes[15].thing);
  CHECK(map.classes[20].name == "tvmonitor");
  const auto colors = expected()["colors"];
  for (std::size_t i = 0; i < 21; ++i) {
    CHECK(map.classes[i].color == colors[i].get<std::array<std::uint8_t, 3>>());
    CHECK(map.classes[i].category_id == static_cast<std::int64_t>(i));
  }
}

TEST_CASE("the root may be VOCdevkit, or what holds it") {
  const Tree tree;
  const test::Scratch above;
  fs::create_directories(above.path() / "x/VOCdevkit");
  fs::create_directory_symlink(tree.path(), above.path() / "x/VOCdevkit/VOC2012");
  for (const char* root : {"x", "x/VOCdevkit", "x/VOCdevkit/VOC2012"})
    CHECK(tree.open({{"root", (above.path() / root).string()}})->size() == 2);
  CHECK(has(tree.problem({{"root", above.path().string()}}), " has no folder ImageSets/Segmentation, nor do VOC2012"));
  CHECK(has(tree.problem({{"root", above.path().string()}}), "/part/root: "));
}

TEST_CASE("a list may name masks, and the masks may lie in another folder") {
  const Tree tree;
  tree.image("SegmentationClassAug/a.png", mask({1, 1, 1, 1, 1, 1}));
  tree.image("SegmentationClassAug/c.png", mask({2, 2, 2, 2, 2, 2}));
  tree.list("trainaug", "/JPEGImages/c.png /SegmentationClassAug/c.png\nJPEGImages/a.png SegmentationClassAug/a.png\n");
  const auto pairs = tree.open({{"split", "trainaug"}});
  CHECK(ids(*pairs) == Names{"c", "a"});
  CHECK(pairs->classes_of(0) == std::vector<int>{2});
  tree.list("names", "c\n");
  CHECK(tree.open({{"split", "names"}, {"labels", "SegmentationClassAug"}})->classes_of(0) == std::vector<int>{2});
  tree.list("images", "/JPEGImages/c.png\n");
  CHECK(tree.open({{"split", "images"}})->classes_of(0) == std::vector<int>{0, 1, 20});
  CHECK(has(tree.problem({{"split", "trainaug"}, {"labels", "SegmentationClass"}}), "trainaug.txt, line 1: remove it"));
  CHECK(has(tree.problem({{"split", "trainaug"}, {"labels", "SegmentationClass"}}),
            "/part/labels: cannot be combined with a list that names masks, "));
}

TEST_CASE("labels, objects, classes and sizes come without pixels: of damaged images too") {
  const Tree tree;
  tree.image("SegmentationObject/a.png", mask({0, 3, 3, 255, 1, 3}));
  tree.image("SegmentationObject/b.png", mask({0, 3, 3, 255, 1, 3}));
  for (const char* name : {"a", "b"})
    test::cut_behind_header(tree.path() / "JPEGImages" / (std::string(name) + ".png"));
  const auto data = tree.open({{"instances", true}});
  CHECK_THROWS_AS(data->read(0), DataError);
  CHECK_THROWS_AS(data->read(0, {.image = true, .labels = false, .objects = false}), DataError);
  const auto sample = data->read(0, {.image = false, .labels = true, .objects = true});
  CHECK(labels(sample) == std::vector<int>{0, 1, 1, kIgnore, 20, 1});
  CHECK(sample.instances.size() == 2);
  CHECK(data->classes_of(0) == std::vector<int>{0, 1, 20});
  CHECK(data->extent_of(0) == Extent{1, 2, 3});
  // Objects get their classes from the labels; without either no mask is opened.
  CHECK(data->read(0, {.image = false, .labels = false, .objects = true}).instances[1].category == 1);
  fs::remove(tree.path() / "SegmentationClass/a.png");
  CHECK(data->read(0, {.image = false, .labels = false, .objects = false}).id == "a");
}

TEST_CASE("the test split needs no masks") {
  const Tree tree;
  tree.image("JPEGImages/d.png", cv::Mat(2, 3, CV_8UC3, cv::Scalar(1, 2, 3)));
  tree.list("test", "d\n");
  const auto data = tree.open({{"split", "test"}, {"instances", true}});
  CHECK(data->read(0).labels.empty());
  CHECK(data->read(0).instances.empty());
  CHECK(data->classes_of(0).empty());
  tree.list("test", "a\n");
  CHECK_FALSE(tree.open({{"split", "test"}})->read(0).labels.empty());
  tree.list("test", "a\nd\n");
  CHECK(has(tree.problem({{"split", "test"}}), "1 of its 2 images have no mask"));
}

TEST_CASE("instances are what the mask of objects says, each of the class that most of its pixels have") {
  const Tree tree;
  tree.list("one", "a\n");
  tree.image("SegmentationClass/a.png", mask({0, 7, 7, 255, 12, 7}));
  tree.image("SegmentationObject/a.png", mask({0, 3, 3, 255, 1, 3}));
  const json one = {{"split", "one"}};
  CHECK(tree.open(one)->read(0).instances.empty());
  for (const auto& [more, task] : {std::pair(json{{"instances", true}}, Task::semantic),
                                   {json::object(), Task::instance},
                                   {json::object(), Task::panoptic}}) {
    json spec = one;
    spec.update(more);
    const auto found = tree.open(spec, task)->read(0).instances;
    REQUIRE(found.size() == 2);
    CHECK(found[0].id == 1);
    CHECK(found[0].category == 12);
    CHECK(found[0].box == cv::Rect2f(1, 1, 1, 1));
    CHECK(found[0].area == 1.0);
    CHECK(found[1].id == 3);
    CHECK(found[1].category == 7);
    CHECK(found[1].box == cv::Rect2f(1, 0, 2, 2));
    CHECK(found[1].area == 3.0);
    CHECK(cv::countNonZero(found[1].mask.bitmap() != mask({0, 1, 1, 0, 0, 1})) == 0);
    CHECK_FALSE(found[1].crowd);
  }
  CHECK(tree.open({{"split", "one"}, {"instances", false}}, Task::instance)->read(0).instances.empty());

  const json with = {{"split", "one"}, {"instances", true}};
  tree.image("SegmentationClass/a.png", mask({0, 7, 8, 255, 255, 8}));  // object 1 is all void, object 3 mostly 8
  const auto found = tree.open(with)->read(0).instances;
  REQUIRE(found.size() == 1);
  CHECK(found[0].category == 8);
  tree.image("SegmentationClass/a.png", mask({0, 7, 7, 7, 12, 7}));  // the border of objects is no object
  CHECK(tree.open(with)->read(0).instances.size() == 2);
  tree.image("SegmentationClass/a.png", mask({0, 7, 7, 255, 0, 7}));
  CHECK(has(tree.problem(with, true), "SegmentationObject/a.png: object 1 is background in "));
  tree.image("SegmentationObject/a.png", mask({0, 3}));
  CHECK(has(tree.problem(with, true), "SegmentationObject/a.png: is 1 x 2 pixels, and "));
  fs::remove(tree.path() / "SegmentationObject/a.png");
  CHECK(has(tree.problem(with), "one.txt: 1 of its 1 images have no mask; the first is " +
                                    (tree.path() / "SegmentationObject/a.png").string()));
}

TEST_CASE("what is missing or wrong is told with file and line, or pixel and value") {
  const Tree tree;
  CHECK(has(tree.problem({{"split", "vall"}}),
            "/part/split: " + (tree.path() / "ImageSets/Segmentation/vall.txt").string() +
                " is not there; the lists there are: train"));
  CHECK(has(tree.problem({{"labels", "SegmentationClassAug"}}),
            "train.txt: 2 of its 2 images have no mask; the first is " +
                (tree.path() / "SegmentationClassAug/a.png").string() + ". See \"labels\""));
  CHECK(has(tree.problem({{"split", ""}}), "/part/split: must not be empty"));
  CHECK(has(tree.problem({{"labels", ""}}), "/part/labels: must not be empty"));
  const auto listed = [&](const std::string& text) {
    tree.list("bad", text);
    return tree.problem({{"split", "bad"}});
  };
  CHECK(has(listed("a\n\nz\n"), "bad.txt, line 3: names \"z\", and there is no image "));
  CHECK(has(listed("/JPEGImages/z.jpg\n"), "bad.txt, line 1: names the image "));
  CHECK(has(listed("a b c\n"), "bad.txt, line 1: has 3 words"));
  CHECK(has(listed("a\nb\na\n"), "bad.txt, line 3: names \"a\", as line 1 does"));
  CHECK(has(listed("/JPEGImages/a.png /SegmentationClass/z.png\n"), "bad.txt: 1 of its 1 images have no mask"));
  CHECK(has(listed(""), "bad.txt: is empty"));

  tree.image("SegmentationClass/a.png", mask({0, 1, 1, 255, 21, 1}));
  CHECK(has(tree.problem(json::object(), true), "SegmentationClass/a.png: pixel (1, 1) has value 21; VOC has 0 to 20"));
  tree.image("SegmentationClass/a.png", cv::Mat(2, 3, CV_8UC3, cv::Scalar(0, 0, 0)));
  CHECK(has(tree.problem(json::object(), true), "SegmentationClass/a.png: has 3 channels of 8 bits; a mask of VOC is"));
  tree.image("SegmentationClass/a.png", mask({0, 1}));
  CHECK(has(tree.problem(json::object(), true), "SegmentationClass/a.png: is 1 x 2 pixels, and "));
}

TEST_CASE("real VOC masks have the pixels per class, and objects, that Pillow finds") {
  const char* data = std::getenv("SECTILE_DATA");
  const fs::path real = fs::path(data ? data : "") / "voc-mini/VOC2012";
  const fs::path labelme = fs::path(data ? data : "") / "labelme-mini/instance_segmentation/data_dataset_voc";
  if (!data || !fs::exists(real) || !fs::exists(labelme)) {
    MESSAGE("skipped: set SECTILE_DATA to a folder with voc-mini/ and labelme-mini/");
    return;
  }
  for (const char* split : {"train", "val"}) {
    const auto wanted = expected()[split];
    const auto all = test::make<Dataset>(json{{"type", "voc"}, {"root", real.string()}, {"split", split}}.dump());
    CHECK(ids(*all) == wanted["names"].get<Names>());
    CHECK(all->classes_of(0) == wanted["classes_of_first"].get<std::vector<int>>());
    const auto mean = cv::mean(all->read(0).image);
    for (int c = 0; c < 3; ++c)
      CHECK(mean[c] == doctest::Approx(wanted["mean_of_first"][c].get<double>()).epsilon(1e-3));
    std::vector<std::int64_t> pixels(21);
    std::int64_t ignored = 0;
    for (std::size_t i = 0; i < all->size(); ++i)
      for (const int label : labels(all->read(i))) ++(label < 0 ? ignored : pixels[static_cast<std::size_t>(label)]);
    CHECK(pixels == wanted["pixels"].get<std::vector<std::int64_t>>());
    CHECK(ignored == wanted["ignored"].get<std::int64_t>());
  }

  const test::Scratch objects;  // Labelme writes no lists
  for (const char* name : {"JPEGImages", "SegmentationClass", "SegmentationObject"})
    fs::create_directory_symlink(labelme / name, objects.path() / name);
  objects.write("ImageSets/Segmentation/all.txt", "2011_000003\n2011_000006\n2011_000025\n");
  const auto all = test::make<Dataset>(
      json{{"type", "voc"}, {"root", objects.path().string()}, {"split", "all"}, {"instances", true}}.dump());
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<std::vector<double>> found;
    for (const auto& one : all->read(i).instances)
      found.push_back({static_cast<double>(one.id), static_cast<double>(one.category), *one.area, one.box.x, one.box.y,
                       one.box.width, one.box.height});
    CHECK(found == expected()["objects"][all->id_of(i)].get<std::vector<std::vector<double>>>());
  }
}

TEST_CASE("a photo of VOC is turned upright, or read as it is stored") {
  const Tree tree;
  tree.list("train", "p\n");
  test::check_orientation(tree.path() / "JPEGImages/p.jpg", [&](const cv::Size& size, const json& more) {
    tree.image("SegmentationClass/p.png", cv::Mat(size, CV_8U, cv::Scalar(1)));
    return tree.open(more);
  });
}

TEST_CASE("trees that other tools write in VOC's layout are read without masks, and their color masks are refused") {
  const char* data = std::getenv("SECTILE_DATA");
  const fs::path trees = fs::path(data ? data : "") / "format-fixtures/voc_dataset";
  if (!data || !fs::exists(trees)) {
    MESSAGE("skipped: set SECTILE_DATA to a folder with format-fixtures/voc_dataset/");
    return;
  }
  const auto open = [&](const char* tree, const char* split, bool instances = false) {
    return test::make<Dataset>(
        json{{"type", "voc"}, {"root", (trees / tree).string()}, {"split", split}, {"instances", instances}}.dump());
  };
  const auto listed = open("voc_dataset1", "test", true);
  CHECK(ids(*listed) == Names{"2007_000002"});
  const auto unlabeled = listed->read(0);
  CHECK(unlabeled.image.size() == cv::Size(20, 10));
  CHECK(unlabeled.labels.empty());
  CHECK(unlabeled.instances.empty());
  const auto train = open("voc_dataset1", "train", true);
  CHECK(ids(*train) == Names{"2007_000001"});
  CHECK(train->extent_of(0) == Extent{1, 10, 20});
  CHECK_THROWS_WITH_AS(train->read(0),
                       doctest::Contains("SegmentationClass/2007_000001.png: has 3 channels of 8 bits; a mask of VOC"),
                       DataError);
  CHECK_THROWS_WITH_AS(open("voc_dataset2", "trainval"), doctest::Contains("trainval.txt: is empty"), DataError);
  CHECK_THROWS_WITH_AS(open("voc_dataset3", "train"), doctest::Contains("has no folder ImageSets/Segmentation"),
                       SpecError);
}
