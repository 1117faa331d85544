#include <cstdlib>
#include <fstream>

#include <sectile/data/coco_panoptic_file.h>
#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
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

cv::Mat colors_of(const cv::Mat& ids) {
  cv::Mat rgb(ids.size(), CV_8UC3);
  for (int y = 0; y < ids.rows; ++y)
    for (int x = 0; x < ids.cols; ++x) {
      const int id = ids.at<int>(y, x);
      rgb.at<cv::Vec3b>(y, x) = {std::uint8_t(id % 256), std::uint8_t(id / 256 % 256), std::uint8_t(id / 65536)};
    }
  return rgb;
}

// A panoptic dataset with the images p/a and b of 6 x 6 pixels: 18 of segment 10, 9 of 11, and 9 of void.
class PanopticTree {
 public:
  PanopticTree() {
    cv::Mat ids(6, 6, CV_32S, cv::Scalar(0));
    ids.rowRange(0, 3) = 10;
    ids(cv::Rect(0, 3, 3, 3)) = 11;
    file = {{"categories", {category(7, "car", 1), category(2, "sky", 0)}}};
    for (const auto& [id, name] : {std::pair(31, "p/a"), std::pair(4, "b")}) {
      image("images/val2017/" + std::string(name) + ".jpg", cv::Mat(6, 6, CV_8UC3, cv::Scalar(10, 20, 30)));
      image("annotations/panoptic_val2017/" + std::string(name) + ".png", colors_of(ids));
      file["images"].push_back(
          {{"id", id}, {"width", 6}, {"height", 6}, {"file_name", std::string(name) + ".jpg"}, {"license", nullptr}});
      file["annotations"].push_back({{"image_id", id},
                                     {"file_name", std::string(name) + ".png"},
                                     {"segments_info", {segment(10, 2, 18), segment(11, 7, 8)}}});
    }
  }
  static json category(int id, const char* name, int thing) {
    return {{"id", id}, {"name", name}, {"isthing", thing}, {"supercategory", "x"}};
  }
  static json segment(int id, int category_id, int area) {
    return {{"id", id}, {"category_id", category_id}, {"area", area}, {"iscrowd", 0}, {"bbox", {0, 0, 1, 1}}};
  }
  json& segments(std::size_t annotation) { return file["annotations"][annotation]["segments_info"]; }
  void image(const std::string& name, const cv::Mat& pixels) const {
    fs::create_directories((path() / name).parent_path());
    write_png(path() / name, pixels);
  }
  fs::path path() const { return scratch_.path(); }
  std::shared_ptr<Dataset> open(Task task = Task::panoptic, const json& more = json::object()) const {
    scratch_.write("annotations/panoptic_val2017.json", text.empty() ? file.dump(1) : text);
    json spec = {{"type", "coco_panoptic"}, {"root", path().string()}, {"split", "val2017"}};
    spec.merge_patch(more);  // null removes
    BuildContext context;
    context.task = task;
    return test::make<Dataset>(spec.dump(), context);
  }
  // The error of opening, or of reading the first sample.
  std::string problem(const json& more = json::object()) const {
    try {
      open(Task::panoptic, more)->read(0);
    } catch (const std::runtime_error& error) {
      return test::replaced(error.what(), path().string(), "ROOT");
    }
    return "no error";
  }
  json file;
  std::string text;  // instead of it

 private:
  test::Scratch scratch_;
};

std::vector<int> values(const cv::Mat& map) {
  cv::Mat wide;
  map.convertTo(wide, CV_32S);
  return {wide.begin<int>(), wide.end<int>()};
}
bool tells(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

// https://github.com/cocodataset/panopticapi/issues/34 and others: ids of 65536 and more, and the order of channels.
TEST_CASE("the id of a segment is red + 256 green + 65536 blue") {
  const test::Scratch folder;
  const cv::Mat rgb = (cv::Mat_<cv::Vec3b>(3, 3) << cv::Vec3b(0, 0, 0), cv::Vec3b(255, 0, 0), cv::Vec3b(0, 1, 0),
                       cv::Vec3b(255, 255, 0), cv::Vec3b(0, 0, 1), cv::Vec3b(112, 17, 1), cv::Vec3b(255, 255, 255),
                       cv::Vec3b(147, 101, 0), cv::Vec3b(1, 0, 0));
  write_png(folder / "ids.png", rgb);
  CHECK(values(read_panoptic_png(folder / "ids.png")) ==
        std::vector<int>{0, 255, 256, 65535, 65536, 70000, 16777215, 26003, 1});
  write_png(folder / "grey.png", cv::Mat(2, 2, CV_8U, 0.0));
  CHECK_THROWS_WITH_AS(read_panoptic_png(folder / "grey.png"), doctest::Contains("has 1 channels of 8 bits"),
                       DataError);
  write_png(folder / "deep.png", cv::Mat(2, 2, CV_16UC3, cv::Scalar::all(0)));
  CHECK_THROWS_WITH_AS(read_panoptic_png(folder / "deep.png"), doctest::Contains("has 3 channels of 16 bits"),
                       DataError);
}

TEST_CASE("a panoptic sample has segments, objects of things and labels, and classes by ascending id") {
  const PanopticTree tree;
  const auto data = tree.open();
  REQUIRE(data->size() == 2);
  const auto& classes = data->labels().classes;
  REQUIRE(classes.size() == 2);
  CHECK(classes[0].name == "sky");
  CHECK_FALSE(classes[0].thing);
  CHECK(classes[1].name == "car");
  CHECK(classes[1].thing);
  CHECK(classes[1].category_id == 7);

  const auto sample = data->read(0);
  CHECK(sample.id == "p/a");
  CHECK(data->id_of(1) == "b");
  CHECK(sample.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(10, 20, 30));
  REQUIRE(sample.segments.size() == 2);
  CHECK(sample.segments[1].id == 11);
  CHECK(sample.segments[1].category == 1);
  const auto ids = values(sample.segment_ids), labels = values(sample.labels);
  for (const auto& [id, label, count] : {std::tuple(10, 0, 18), {11, 1, 9}, {0, int{kIgnore}, 9}}) {
    CHECK(std::count(ids.begin(), ids.end(), id) == count);
    CHECK(std::count(labels.begin(), labels.end(), label) == count);
  }
  CHECK(labels[4 * 6 + 2] == 1);
  CHECK(labels[4 * 6 + 3] == kIgnore);
  REQUIRE(sample.instances.size() == 1);
  const auto& car = sample.instances[0];
  CHECK(car.id == 11);
  CHECK(car.category == 1);
  CHECK(car.area == 8);  // as stated
  CHECK(car.mask.area() == 9);
  CHECK(car.box == cv::Rect2f(0, 3, 3, 3));  // of the mask
  CHECK_FALSE(car.crowd);
  CHECK(data->classes_of(0) == std::vector<int>{0, 1});
  CHECK(data->extent_of(0) == Extent{1, 6, 6});
}

TEST_CASE("a panoptic dataset gives what the task needs") {
  const PanopticTree tree;
  const auto semantic = tree.open(Task::semantic)->read(0);
  CHECK_FALSE(semantic.labels.empty());
  CHECK(semantic.segments.empty());
  CHECK(semantic.segment_ids.empty());
  CHECK(semantic.instances.empty());
  const auto instance = tree.open(Task::instance)->read(0);
  CHECK(instance.labels.empty());
  CHECK(instance.segments.empty());
  CHECK(instance.segment_ids.empty());
  CHECK(instance.instances.size() == 1);
  for (const auto task : {Task::semantic, Task::instance, Task::panoptic}) {
    const auto data = tree.open(task);
    CHECK(data->classes_of(0) == data->Dataset::classes_of(0));
  }
  CHECK(tree.open(Task::instance)->classes_of(0) == std::vector<int>{1});
}

TEST_CASE("only what is asked for of a panoptic sample is read") {
  const PanopticTree tree;
  const auto data = tree.open();
  test::cut_behind_header(tree.path() / "images/val2017/p/a.jpg");
  CHECK(data->read(0, {.image = false, .labels = true, .objects = true}).segments.size() == 2);
  CHECK_THROWS_AS(data->read(0), DataError);
  test::cut_behind_header(tree.path() / "annotations/panoptic_val2017/b.png");
  CHECK(data->read(1, {.image = true, .labels = false, .objects = false}).labels.empty());
  CHECK(data->classes_of(1) == std::vector<int>{0, 1});
  CHECK_THROWS_AS(data->read(1), DataError);
}

TEST_CASE("crowds are classes in labels, as in panopticapi's converter, and crowds as objects") {
  PanopticTree tree;
  tree.segments(0)[1]["iscrowd"] = 1;
  const auto sample = tree.open()->read(0);
  const auto labels = values(sample.labels);
  CHECK(std::count(labels.begin(), labels.end(), 1) == 9);
  CHECK(sample.instances.at(0).crowd);
  CHECK(sample.segments.at(1).crowd);
  CHECK_FALSE(sample.segments.at(0).crowd);
}

TEST_CASE("folders of a panoptic dataset are those of COCO's archives or detectron2, or named") {
  const PanopticTree tree;
  tree.open();
  const auto at = [&](const char* name) { return (tree.path() / name).string(); };
  fs::rename(at("annotations/panoptic_val2017"), at("panoptic_val2017"));
  fs::rename(at("images/val2017"), at("val2017"));
  CHECK(tree.open()->read(0).segments.size() == 2);
  fs::rename(at("panoptic_val2017"), at("x"));
  tells(tree.problem(),
        "/part/masks: is missing, and there is neither ROOT/annotations/panoptic_val2017 nor "
        "ROOT/panoptic_val2017, which should be the folder of the panoptic PNGs");
  CHECK(tree.open(Task::panoptic, {{"masks", at("x")}})->read(0).segments.size() == 2);
  const json all = {{"root", nullptr},
                    {"annotations", at("annotations/panoptic_val2017.json")},
                    {"masks", at("x")},
                    {"images", at("val2017")}};
  CHECK(tree.open(Task::panoptic, all)->read(0).segments.size() == 2);
  tells(tree.problem({{"root", nullptr}}), "/part/root: is missing: give \"root\", or both");
  tells(tree.problem({{"split", "all"}}), "/part/annotations: is missing, and there is neither ROOT/annotations/");
  tells(tree.problem({{"images", at("x")}, {"masks", at("x")}}),
        "/part/images: ROOT/x has none of the first 2 files that ROOT/annotations/panoptic_val2017.json names, such "
        "as p/a.jpg");
  tells(tree.problem({{"masks", at("val2017")}}), "/part/masks: ROOT/val2017 has none of the first 2 files");
}

// https://github.com/cocodataset/panopticapi/issues/10
TEST_CASE("segments in the PNG and not in the JSON file, and the reverse, are refused by name") {
  PanopticTree tree;
  tree.segments(0).erase(1);
  const std::string png = "ROOT/annotations/panoptic_val2017/p/a.png: ";
  const std::string place = "see ROOT/annotations/panoptic_val2017.json: annotations[0] (image 31)";
  tells(tree.problem(), png + "has segments that segments_info does not list, with the ids 11; " + place);
  tree.segments(0).push_back(PanopticTree::segment(11, 7, 9));
  tree.segments(0).push_back(PanopticTree::segment(12, 7, 0));
  tells(tree.problem(), png + "has no pixel of the segments 12, which segments_info lists; " + place);
  tree.segments(0)[2] = PanopticTree::segment(11, 7, 0);
  tells(tree.problem(), "annotations[0] (image 31): segments_info[2] has the id 11 of another segment");
  tree.segments(0).erase(2);
  tree.segments(0)[1]["category_id"] = 9;
  tells(tree.problem(), "annotations[0] (image 31): segment 11 has the category_id 9, which is not listed in");
  tree.segments(0)[1] = PanopticTree::segment(0, 7, 9);
  tells(tree.problem(), "segments_info[1] has the id 0; 1 to 16777215 (0 is void) is expected");
  tree.segments(0)[1] = PanopticTree::segment(16777216, 7, 9);
  tells(tree.problem(), "segments_info[1] has the id 16777216; 1 to");
  tree.segments(0)[1].erase("id");
  tells(tree.problem(), "segments_info[1] has no id");
  tree.segments(0)[1] = {{"id", 11}, {"category_id", "seven"}};
  tells(tree.problem(), "segments_info[1] has the category_id \"seven\"; a whole number is expected");
  CHECK(tree.open()->read(1).segments.size() == 2);  // one bad annotation leaves the others
}

TEST_CASE("sizes of the image, its PNG and its entry in the file must agree") {
  PanopticTree tree;
  const std::string png = "annotations/panoptic_val2017/p/a.png", photo = "images/val2017/p/a.jpg";
  tree.image(photo, cv::Mat(6, 5, CV_8UC3, cv::Scalar::all(0)));
  tells(tree.problem(),
        "ROOT/images/val2017/p/a.jpg: is 5 x 6 pixels, and ROOT/annotations/panoptic_val2017.json says "
        "that image 31 is 6 x 6 (width x height)");
  tree.file["images"][0].erase("width");
  tree.file["images"][0].erase("height");
  tells(tree.problem(), "a.png: is 6 x 6 pixels, and its image ROOT/images/val2017/p/a.jpg is 5 x 6 (width x height)");
  CHECK(tree.open()->extent_of(0) == Extent{1, 6, 5});
  tree.file["images"][0].update({{"width", 5}, {"height", 6}});
  tells(tree.problem(), "a.png: is 6 x 6 pixels, and ROOT/annotations/panoptic_val2017.json says that image 31 is 5 x");
  fs::remove(tree.path() / photo);
  tells(tree.problem(), "ROOT/images/val2017/p/a.jpg");
  tree.image(photo, cv::Mat(6, 6, CV_8UC3, cv::Scalar::all(0)));
  tree.file["images"][0]["width"] = 6;
  fs::remove(tree.path() / png);
  tells(tree.problem(), "ROOT/" + png);
}

TEST_CASE("a damaged panoptic file is refused with its place") {
  const auto broken = [](const char* pointer, const json& value) {
    PanopticTree tree;
    tree.file[json::json_pointer(pointer)] = value;
    return tree.problem();
  };
  const std::string file = "ROOT/annotations/panoptic_val2017.json";
  tells(broken("/categories/1/id", 7), file + ": has two categories of the id 7");
  tells(broken("/categories/1/name", "car"), file + ": has two categories named \"car\"");
  tells(broken("/categories/1/isthing", 2), file + ": categories[1]: has the isthing 2; 0 or 1 is expected");
  tells(broken("/categories/1/isthing", nullptr), "categories[1]: has the isthing null; 0 or 1 is expected");
  tells(broken("/categories/1/color", {1, 2, 256}), "categories[1]: has the color [");
  tells(broken("/categories/1/name", ""), "categories[1]: has no name");
  tells(broken("/categories", json::array()), file + ": has no category");
  tells(broken("/categories/1/name", nullptr), "categories[1]: has no name");
  tells(broken("/categories/1/name", 5), "categories[1]: has the name 5; a text is expected");
  tells(broken("/categories/1", 5), file + ": categories[1]: is no object; {");
  tells(broken("/images/1/id", 31), file + ": has two images of the id 31");
  tells(broken("/images/1/id", 1.5), "images[1]: has the id 1.5; a whole number is expected");
  tells(broken("/images", nullptr), file + ": has \"images\" that is no list");
  tells(broken("/annotations/1/image_id", 99), "annotations[1]: is of the image 99, which is not listed in \"images\"");
  tells(broken("/annotations/1/image_id", 31),
        "annotations[0] (image 31): is of an image that annotations[1] is of too");
  tells(broken("/annotations/0/file_name", ""), "annotations[0] (image 31): has no file_name");
  tells(broken("/annotations/0/file_name", 5), "annotations[0] (image 31): has the file_name 5; a text is expected");
  tells(broken("/annotations/0/segments_info", nullptr),
        "annotations[0] (image 31): has the segments_info null; a list is expected");
  tells(broken("/annotations/0/segments_info/1", nullptr),
        "annotations[0] (image 31): segments_info[1] is no object; {");
  tells(broken("/annotations/1/segments_info", nullptr), "no error");  // of another image
  tells(broken("/annotations", "none"), file + ": has \"annotations\" that is no list");

  PanopticTree tree;
  const auto complete = tree.file;
  tree.file["annotations"][0].erase("segments_info");
  tells(tree.problem(),
        "annotations[0] (image 31): has no segments_info; a file of COCO's panoptic format is expected");
  tree.file = complete;
  tree.text = "{\"categories\": [], " + complete.dump().substr(1);
  tells(tree.problem(), file + ": has the list \"categories\" twice");
  const auto whole = complete.dump(1);
  for (std::size_t length = 0; length < whole.size(); length += 7) {  // cut anywhere, it is a DataError
    tree.text = whole.substr(0, length) + " ";
    CAPTURE(length);
    CHECK_THROWS_AS(tree.open(), DataError);
  }
  tree.text = test::replaced(whole, "\"area\": 18", "\"area\": NaN");
  tells(tree.problem(), "segments_info[0] has the area NaN; a finite number is expected");
  tree.text = "{\"images\": [], \"annotations\": []}";
  tells(tree.problem(), "has no list \"categories\"; a file of COCO's panoptic format has images, annotations and");
}

TEST_CASE("an image with a bad entry in a panoptic file is a bad sample, and the others are read") {
  const auto problem = [](const char* key, const json& value, const char* name) {
    PanopticTree tree;
    tree.file["images"][0][key] = value;
    const auto data = tree.open();
    CHECK(data->id_of(0) == name);
    CHECK(data->read(1).segments.size() == 2);
    CHECK_THROWS_AS(data->read(0, {.image = true, .labels = false, .objects = false}), DataError);
    CHECK_THROWS_AS(data->extent_of(0), DataError);
    CHECK_THROWS_AS(data->classes_of(0), DataError);
    return tree.problem();
  };
  const std::string place = "ROOT/annotations/panoptic_val2017.json: image 31: ";
  tells(problem("width", "60", "p/a"), place + "has the width \"60\"; a number of pixels is expected");
  tells(problem("height", -4, "p/a"), place + "has the height -4; a number of pixels is expected");
  tells(problem("file_name", nullptr, "image 31"), place + "has no file_name");
  tells(problem("file_name", 5, "image 31"), place + "has the file_name 5; a text is expected");
  PanopticTree tree;
  tree.file["images"][1]["file_name"] = "p/a.png";
  const auto data = tree.open();
  CHECK(data->read(0).id == "p/a");
  CHECK(data->id_of(1) == "image 4");
  CHECK_THROWS_WITH_AS(data->read(1), doctest::Contains("another image is named \"p/a\" (without suffix) too"),
                       DataError);
}

TEST_CASE("images without a panoptic annotation are left out with a note, or all are read without") {
  PanopticTree tree;
  tree.file["annotations"].erase(0);
  const auto data = tree.open();
  CHECK(data->size() == 1);
  CHECK(data->id_of(0) == "b");
  const auto notes = dynamic_cast<const Notes&>(*data).notes();
  REQUIRE(notes.size() == 1);
  tells(notes[0], "images without annotation are left out: 1 of 2, such as p/a.jpg");
  tree.file["annotations"] = json::array();
  const auto all = tree.open();
  CHECK(all->size() == 2);
  CHECK(all->read(0).segment_ids.empty());
  CHECK(all->read(0).labels.empty());
  CHECK(all->classes_of(0).empty());
}

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

TEST_CASE("a photo with segments is turned upright, or read as it is stored, whether its size is stated or not") {
  for (const bool is_stated : {true, false}) {
    PanopticTree tree;
    tree.file["annotations"][0]["segments_info"] = {PanopticTree::segment(10, 2, 18)};
    test::check_orientation(tree.path() / "images/val2017/p/a.jpg", [&](const cv::Size& size, const json& more) {
      tree.image("annotations/panoptic_val2017/p/a.png", colors_of(cv::Mat(size, CV_32S, cv::Scalar(10))));
      tree.file["images"][0].erase("width");
      if (is_stated) tree.file["images"][0].update({{"width", size.width}, {"height", size.height}});
      return tree.open(Task::panoptic, more);
    });
  }
}
