#include <cstdlib>
#include <fstream>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
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

using Triples = std::vector<cv::Vec3b>;

class FullTree {
 public:
  // A mask of one row, and its image.
  void add(const std::string& name, const Triples& mask) const {
    fs::create_directories((path() / name).parent_path());
    cv::Mat pixels(1, static_cast<int>(mask.size()), CV_8UC3);
    std::copy(mask.begin(), mask.end(), pixels.begin<cv::Vec3b>());
    write_png(path() / (name + "_seg.png"), pixels);
    write_png(path() / (name + ".jpg"), cv::Mat(pixels.size(), CV_8UC3, cv::Scalar(3, 2, 1)));
    write_png(path() / (name + "_parts_1.png"), pixels);
  }
  void write(const std::string& name, const std::string& text) const { scratch_.write(name, text); }
  std::shared_ptr<Dataset> open(const json& more = json::object(), Task task = Task::semantic) const {
    json spec = {{"type", "ade20k_full"}, {"root", path().string()}};
    spec.update(more);
    BuildContext context;
    context.task = task;
    return test::make<Dataset>(spec.dump(), context);
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

const Triples kMask{{0, 5, 0}, {10, 200, 1}, {120, 72, 2}, {125, 255, 255}, {9, 0, 0}, {250, 1, 7}};
const std::vector<int> kFullNumbers{5, 456, 3144, 3327, 0, 6401};
json numbered(const std::vector<int>& numbers) {
  json all = json::array();
  for (const int number : numbers)
    all.push_back({{"name", std::string("n").append(std::to_string(number))}, {"number", number}});
  return all;
}

std::vector<int> full_labels(const Sample& sample) {
  return {sample.labels.begin<std::int16_t>(), sample.labels.end<std::int16_t>()};
}
std::vector<std::string> class_names(const Dataset& data) {
  std::vector<std::string> names;
  for (const auto& one : data.labels().classes) names.push_back(one.name);
  return names;
}
using Strings = std::vector<std::string>;
bool says_full(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

}  // namespace

TEST_CASE("red and green are a number of more than 8 bits, and blue tells objects apart") {
  const FullTree tree;
  tree.add("training/street/1", kMask);
  const auto data = tree.open({{"classes", numbered({6401, 5, 456, 3144, 3327})}});
  REQUIRE(data->size() == 1);
  CHECK(data->id_of(0) == "street/1");
  CHECK(full_labels(data->read(0)) == std::vector<int>{1, 2, 3, 4, -1, 0});
  CHECK(data->labels().classes[0].category_id == 6401);
  CHECK(data->read(0).instances.empty());
  CHECK(data->extent_of(0) == Extent{1, 1, 6});
  const auto objects = tree.open({{"classes", numbered({6401, 5, 456, 3144, 3327})}}, Task::instance)->read(0);
  std::vector<std::vector<int>> told_apart;  // the class's number, blue, and whether that is 0
  for (const auto& one : objects.instances)
    told_apart.push_back({static_cast<int>(data->labels().classes[static_cast<std::size_t>(one.category)].category_id),
                          static_cast<int>(one.id % 256), one.crowd});
  CHECK(told_apart ==
        std::vector<std::vector<int>>{{6401, 7, 0}, {5, 0, 1}, {456, 1, 0}, {3144, 2, 0}, {3327, 255, 0}});
  CHECK(data->read(0).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(3, 2, 1));

  const json some = {{{"name", "one"}, {"number", {5, 456}}, {"thing", false}, {"color", {1, 2, 3}}},
                     {{"name", "two"}, {"number", 3144}},
                     {{"name", "three"}, {"number", 6401}}};
  const auto merged = tree.open({{"classes", some}}, Task::panoptic);
  const auto sample = merged->read(0);
  CHECK(full_labels(sample) == std::vector<int>{0, 0, 1, -1, -1, 2});
  CHECK(merged->labels().classes[0].color == std::array<std::uint8_t, 3>{1, 2, 3});
  CHECK(sample.segments.size() == 3);  // stuff of two numbers is one
  REQUIRE(sample.instances.size() == 2);
  CHECK(sample.instances[0].category == 1);
  CHECK(sample.instances[1].box == cv::Rect2f(5, 0, 1, 1));
  CHECK(!sample.instances[1].crowd);
  CHECK(*sample.instances[1].area == 1);
  CHECK(sample.segment_ids.at<int>(0, 0) == sample.segment_ids.at<int>(0, 1));
  CHECK(sample.segment_ids.at<int>(0, 3) == 0);

  tree.write("classes.json", json{{"classes", some}}.dump());
  CHECK(full_labels(tree.open({{"classes_file", (tree.path() / "classes.json").string()}})->read(0))[1] == 0);
}

TEST_CASE("two objects of one class, and pixels without an object") {
  const FullTree tree;
  tree.add("training/1", {{10, 1, 1}, {10, 1, 2}, {10, 1, 2}, {10, 1, 0}, {20, 1, 2}, {0, 0, 0}});
  const auto sample = tree.open({{"instances", true}, {"classes", numbered({257, 513})}})->read(0);
  std::vector<std::vector<int>> found;
  for (const auto& one : sample.instances)
    found.push_back({one.category, static_cast<int>(*one.area), one.crowd, static_cast<int>(one.box.x)});
  CHECK(found == std::vector<std::vector<int>>{{0, 1, true, 3}, {0, 1, false, 0}, {0, 2, false, 1}, {1, 1, false, 4}});
}

TEST_CASE("JSON beside the masks names the classes of every split, without parts") {
  const FullTree tree;
  const auto object = [](const char* name, int number, int level) {
    return json{{"id", 0},
                {"name", name},
                {"name_ndx", number},
                {"hypernym", {"name", "x, \"y\""}},
                {"parts", {{"hasparts", json::array()}, {"ispartof", 3}, {"part_level", level}}},
                {"polygon", {{"x", {1, 2}}, {"y", {-1.5e3, 2}}}}};
  };
  const auto text = [](const json& objects) {
    return json{{"annotation", {{"filename", "1.jpg"}, {"object", objects}, {"name", "scene"}}}}.dump(1);
  };
  tree.add("ADE20K_2021_17_01/images/ADE/training/a/1", kMask);
  tree.write("ADE20K_2021_17_01/images/ADE/training/a/1.json",
             text({object("tree", 3144, 0), object("door, \"d\"", 456, 0), object("rim", 5, 1)}));
  tree.add("ADE20K_2021_17_01/images/ADE/validation/2", kMask);
  tree.write("ADE20K_2021_17_01/images/ADE/validation/2.json", text({object("dog", 6401, 0)}));
  for (const char* split : {"training", "val"})
    CHECK(class_names(*tree.open({{"split", split}})) == Strings{"door, \"d\"", "tree", "dog"});
  CHECK(full_labels(tree.open()->read(0)) == std::vector<int>{-1, 0, 1, -1, -1, 2});
  tree.write("ADE20K_2021_17_01/images/ADE/validation/2.json", text({object("tree", 6401, 0)}));
  CHECK(class_names(*tree.open()) == Strings{"door, \"d\"", "tree"});  // of two numbers
  CHECK(full_labels(tree.open()->read(0)) == std::vector<int>{-1, 0, 1, -1, -1, 1});

  tree.write("ADE20K_2021_17_01/images/ADE/validation/2.json", "{\"annotation\": {\"object\": [{\"name\": \"do");
  CHECK(says_full(tree.problem(), "validation/2.json: is not JSON of ADE20K: a text without end at byte"));
  tree.write("ADE20K_2021_17_01/images/ADE/validation/2.json", "{\"annotation\": {");
  CHECK(says_full(tree.problem(), "ends inside an object"));
  tree.write("ADE20K_2021_17_01/images/ADE/validation/2.json", "}");
  CHECK(says_full(tree.problem(), "a } without {"));
  tree.write("ADE20K_2021_17_01/images/ADE/validation/2.json", std::string(1000, '{'));
  CHECK(says_full(tree.problem(), "more than 100 objects inside each other"));
  tree.write("ADE20K_2021_17_01/images/ADE/validation/2.json", "{\"name\": \"a\", \"name_ndx\": 1.5}");
  CHECK(says_full(tree.problem(), "\"name_ndx\" is not a whole number"));
}

TEST_CASE("names are in UTF-8, also of files in Latin-1, and without escapes") {
  const FullTree tree;
  tree.add("training/1", kMask);
  const auto names = [&](const std::string& name) {
    tree.write("training/1.json", "{\"object\": [{\"name\": \"" + name + "\", \"name_ndx\": 456}]}");
    return class_names(*tree.open());
  };
  const Strings cafe{"caf\u00e9, bar"};
  CHECK(names("caf\xe9, bar") == cafe);
  CHECK(names("caf\u00e9, bar") == cafe);
  CHECK(names("caf\\u00e9, bar") == cafe);
  CHECK(names("\\u0062\\/\\\"\\u20AC") == Strings{"b/\"\u20ac"});
  CHECK(names("a\\ud83d\\ude00") == Strings{"a??"});
  CHECK(names("\\u00e") == Strings{"u00e"});
}

TEST_CASE("lists of attributes name objects, whose pixels have the number of the class") {
  const FullTree tree;
  // Blue 4 and 9 are the objects 1 and 2, and the class of most pixels is an object's; the third is covered by others,
  // and is seen in the next image.
  tree.add("images/training/1", {{10, 1, 4}, {10, 1, 4}, {20, 7, 9}, {0, 0, 0}, {20, 7, 4}});
  tree.write("images/training/1_atr.txt",
             "001 # 1 # 0 # ear # ear # \"\"\n001 # 0 # 1 # sky, heaven # sky # \"\"\n002 # 0 # 0 # dog # dog # \"a, "
             "b\"\r\n\n003 # 0 # 0 # cat # cat # "
             "\"\"\n001 # 1 # 0 # ear # ear # \"\"\n");
  tree.add("images/training/2", {{20, 7, 1}, {30, 0, 2}});  // no void
  tree.write("images/training/2_atr.txt", "001 # 0 # 0 # dog # dog # \"\"\n002 # 0 # 0 # cat # cat # \"\"\n");
  tree.add("images/training/3", {{40, 2, 0}, {10, 1, 1}});  // a class without an object, which no line can name
  tree.write("images/training/3_atr.txt", "000 # 0 # 0 # nothing # nothing # \"\"\n");
  const auto data = tree.open();
  CHECK(class_names(*data) == Strings{"sky, heaven", "dog", "cat"});
  CHECK(data->labels().classes[1].category_id == 519);
  CHECK(full_labels(data->read(0)) == std::vector<int>{0, 0, 1, -1, 1});
  CHECK(full_labels(data->read(1)) == std::vector<int>{1, 2});
  CHECK(full_labels(data->read(2)) == std::vector<int>{-1, 0});
  tree.write("images/training/2_atr.txt", "001 # 0 # 0 # dog # dog # \"\"\n002 # zero # 0 # cat # cat # \"\"\n");
  CHECK(says_full(tree.problem(), "2_atr.txt, line 2: is \"002 # zero # 0 # cat"));
}

TEST_CASE("what is wrong in a tree of the full ADE20K is told with its place") {
  const FullTree tree;
  CHECK(says_full(tree.problem(), "/part/root: " + tree.path().string() + " has no folder training or validation"));
  tree.add("training/1", kMask);
  CHECK(says_full(tree.problem(), "/part/classes: is missing: no text beside the masks"));
  const json classes = {{"classes", numbered({5})}};
  const auto with = [&](json more) {
    more.update(classes);
    return tree.problem(more);
  };
  CHECK(says_full(with({{"split", "val"}}), "/part/split: "));
  CHECK(says_full(with({{"split", "val"}}), "validation is not a folder; there are: training"));
  CHECK(says_full(tree.problem({{"classes", numbered({5, 5})}}),
                  "/part/classes/1/number: 5 is the number of an earlier"));
  CHECK(says_full(tree.problem({{"classes", {{{"name", "a"}, {"number", 0}}}}}), "/part/classes/0/number"));
  CHECK(says_full(with({{"classes_file", "x.json"}}), "/part/classes_file: cannot be combined with classes"));
  write_png(tree.path() / "training/2.jpg", cv::Mat(1, 1, CV_8U, cv::Scalar(0)));
  tree.add("training/.hidden/1", kMask);
  tree.add("training/.1", kMask);
  const auto data = tree.open(classes);
  CHECK(data->size() == 1);
  REQUIRE(dynamic_cast<const Notes*>(data.get()));
  CHECK(says_full(dynamic_cast<const Notes&>(*data).notes().at(0),
                  "1 images have no mask NAME_seg.png and are left out"));
  write_png(tree.path() / "training/1_seg.png", cv::Mat(1, 6, CV_8U, cv::Scalar(0)));
  CHECK(says_full(with(json::object()), "1_seg.png: has 1 channels of 8 bits"));
  write_png(tree.path() / "training/1_seg.png", cv::Mat(2, 6, CV_8UC3, cv::Scalar(0, 5, 0)));
  CHECK(says_full(with(json::object()), "is 6 x 2 pixels, and "));
  write_png(tree.path() / "training/1.png", cv::Mat(1, 6, CV_8U, cv::Scalar(0)));
  CHECK(says_full(with(json::object()), "has the same name as "));
  fs::remove(tree.path() / "training/1.png");
  fs::remove(tree.path() / "training/1.jpg");
  CHECK(says_full(with(json::object()), "1_seg.png: has no image: expected 1.jpg in "));
  fs::remove_all(tree.path() / "training");
  fs::create_directories(tree.path() / "images/training");
  fs::create_directories(tree.path() / "annotations");
  CHECK(says_full(with(json::object()), "use the dataset ade20k"));
}

TEST_CASE("small trees in the layouts of both releases have the numbers that Pillow finds") {
  const char* data = std::getenv("SECTILE_DATA");
  const fs::path trees = fs::path(data ? data : "") / "format-fixtures";
  if (!data || !fs::exists(trees / "ade20k2017_dataset") || !fs::exists(trees / "ade20k2020_dataset")) {
    MESSAGE("skipped: set SECTILE_DATA to a folder with format-fixtures/ade20k2017_dataset/ and ade20k2020_dataset/");
    return;
  }
  std::ifstream file(SECTILE_SOURCE_DIR "/plugins/datasets/ade20k_full/expected.json");
  const auto expected = json::parse(file);
  int masks = 0;
  for (const auto& [name, wanted] : expected.items()) {
    if (!wanted.is_object()) continue;
    CAPTURE(name);
    const auto split = name.find("/training/") != std::string::npos ? "training" : "validation";
    const auto root = trees / name.substr(0, name.find(std::string("/") + split));
    const auto set = test::make<Dataset>(
        json{{"type", "ade20k_full"}, {"root", root.string()}, {"split", split}, {"instances", true}}.dump());
    if (name.starts_with("ade20k2020"))
      for (std::size_t i = 0; i < 2; ++i) {
        CHECK(set->labels().classes.at(i).category_id == expected["names_2020"][i][0]);
        CHECK(set->labels().classes.at(i).name == expected["names_2020"][i][1]);
      }
    else
      CHECK(class_names(*set) == Strings{"sky"});  // the other object has the number 0
    REQUIRE(set->size() == 1);
    const auto sample = set->read(0);
    std::vector<int> numbers;
    for (const int label : full_labels(sample))
      numbers.push_back(
          label < 0 ? 0 : static_cast<int>(set->labels().classes[static_cast<std::size_t>(label)].category_id));
    CHECK(numbers == wanted["numbers"].get<std::vector<int>>());
    std::vector<std::vector<int>> objects;
    for (const auto& one : sample.instances)
      objects.push_back({static_cast<int>(set->labels().classes[static_cast<std::size_t>(one.category)].category_id),
                         static_cast<int>(one.id % 256), static_cast<int>(*one.area)});
    CHECK(objects == wanted["objects"].get<std::vector<std::vector<int>>>());
    ++masks;
  }
  CHECK(masks == 6);
}

TEST_CASE("a photo of the full ADE20K is turned upright, or read as it is stored") {
  const FullTree tree;
  test::check_orientation(tree.path() / "training/p.jpg", [&](const cv::Size& size, json more) {
    write_png(tree.path() / "training/p_seg.png", cv::Mat(size, CV_8UC3, cv::Scalar(0, 5, 1)));
    more["classes"] = numbered({5});
    return tree.open(more);
  });
}
