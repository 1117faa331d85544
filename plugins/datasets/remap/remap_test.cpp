#include <fstream>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"

#include "class_mapping.cpp"  // samples that no dataset of files has

using nlohmann::json;
using namespace sectile;

namespace {

// road, car, truck and person, with colors 10, 20, …; car and truck are things where `things` says so.
LabelMap traffic(bool things = true, bool overlapping = false) {
  LabelMap map;
  map.overlapping = overlapping;
  std::uint8_t level = 0;
  for (const char* name : {"road", "car", "truck", "person"}) {
    level = static_cast<std::uint8_t>(level + 10);
    const std::string text = name;
    map.classes.push_back({text, {level, level, level}, things && text != "road", level / 10 + 100});
  }
  return map;
}

remap::NewClass named(const std::string& name, const std::vector<std::string>& from = {}) {
  remap::NewClass made;
  made.name = name;
  made.from = from;
  return made;
}

// Of image_folder: one row of masks with the numbers 0 to 3, and 9 to ignore.
class FourClasses {
 public:
  FourClasses() {
    std::filesystem::create_directories(scratch_ / "images");
    std::filesystem::create_directories(scratch_ / "masks");
    write_png(scratch_ / "images/a.png", cv::Mat(1, 6, CV_8U, cv::Scalar(5)));
    write_png(scratch_ / "masks/a.png", cv::Mat(std::vector<std::uint8_t>{0, 1, 2, 3, 9, 0}).reshape(1, 1));
  }
  std::shared_ptr<Dataset> open(const json& more) const {
    json data = {{"type", "image_folder"}, {"root", scratch_.path().string()}, {"masks", "masks"}, {"ignore", {9}}};
    for (const char* name : {"road", "car", "truck", "person"})
      data["classes"].push_back({{"name", name}, {"color", {data["classes"].size() + 1, 0, 0}}});
    json spec = {{"type", "remap"}, {"dataset", data}};
    spec.update(more);
    return test::make<Dataset>(spec.dump());
  }
  std::string problem(const json& more) const {
    try {
      open(more);
    } catch (const SpecError& error) {
      return error.what();
    }
    return "no error";
  }

 private:
  test::Scratch scratch_;
};

std::vector<int> mapped_labels(const Dataset& data) {
  const auto sample = data.read(0);
  return {sample.labels.begin<std::int16_t>(), sample.labels.end<std::int16_t>()};
}
std::vector<std::string> mapped_names(const LabelMap& labels) {
  std::vector<std::string> names;
  for (const auto& one : labels.classes) names.push_back(one.name);
  return names;
}
using Texts = std::vector<std::string>;

bool says_remap(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

}  // namespace

TEST_CASE("remap merges, renames, reorders and ignores classes") {
  const FourClasses data;
  const json vehicle = {{"name", "vehicle"}, {"from", {"truck", "car"}}, {"color", {7, 8, 9}}};
  const auto merged = data.open({{"classes", {{{"name", "person"}}, vehicle}}, {"others", "ignore"}});
  CHECK(mapped_names(merged->labels()) == Texts{"person", "vehicle"});
  CHECK(mapped_labels(*merged) == std::vector<int>{-1, 1, 1, 0, -1, -1});
  CHECK(merged->classes_of(0) == std::vector<int>{0, 1});
  CHECK(merged->labels().classes[0].color == std::array<std::uint8_t, 3>{4, 0, 0});
  CHECK(merged->labels().classes[1].color == std::array<std::uint8_t, 3>{7, 8, 9});
  CHECK(merged->labels().classes[1].category_id == -1);  // no file has such a class
  CHECK(merged->id_of(0) == "a");
  CHECK(merged->size() == 1);
  CHECK(merged->extent_of(0) == Extent{1, 1, 6});
  CHECK(merged->read(0, {.image = true, .labels = false, .objects = false}).image.at<std::uint8_t>(0, 0) == 5);

  const auto kept = data.open({{"classes", {vehicle}}, {"ignore", {"road"}}, {"others", "keep"}});
  CHECK(mapped_names(kept->labels()) == Texts{"vehicle", "person"});
  CHECK(mapped_labels(*kept) == std::vector<int>{-1, 0, 0, 1, -1, -1});
  const auto renamed = data.open({{"classes", {{{"name", "human"}, {"from", "person"}}}}, {"others", "keep"}});
  CHECK(mapped_names(renamed->labels()) == Texts{"human", "road", "car", "truck"});
  CHECK(mapped_labels(*renamed) == std::vector<int>{1, 2, 3, 0, -1, 1});
  const auto reduced = data.open({{"ignore", {"truck"}}, {"others", "keep"}});
  CHECK(mapped_labels(*reduced) == std::vector<int>{0, 1, -1, 2, -1, 0});
  CHECK(mapped_labels(*data.open(json::object())) == std::vector<int>{0, 1, 2, 3, -1, 0});
}

TEST_CASE("what remap cannot do is told with its place") {
  const FourClasses data;
  const auto classes = [](const json& first) { return json{{"classes", {first}}, {"others", "ignore"}}; };
  CHECK(says_remap(data.problem({{"classes", {{{"name", "car"}}, {{"name", "road"}}}}, {"others", "error"}}),
                   "/part/others: the dataset also has the classes truck, person: name them in"));
  CHECK(says_remap(data.problem(classes({{"name", "v"}, {"from", {"car", "trck"}}})),
                   "/part/classes/0/from/1: names the class \"trck\", which the data does not have, did you mean "
                   "\"truck\"?"));
  CHECK(says_remap(data.problem(classes({{"name", "caar"}})), "/part/classes/0/name: names the class \"caar\""));
  CHECK(says_remap(data.problem({{"classes", {{{"name", "car"}}}}, {"ignore", {"cra"}}}), "/part/ignore/0: "));
  CHECK(says_remap(data.problem({{"classes", {{{"name", "car"}}, {{"name", "v"}, {"from", {"truck", "car"}}}}}}),
                   "/part/classes/1/from/1: names \"car\", as classes/0/name does"));
  CHECK(says_remap(data.problem({{"classes", {{{"name", "car"}}, {{"name", "car"}, {"from", "truck"}}}}}),
                   "/part/classes/1/name: \"car\" is the name of an earlier class"));
  CHECK(says_remap(data.problem({{"classes", {{{"name", "road"}, {"from", "car"}}}}, {"others", "keep"}}),
                   "/part/classes/0/name: \"road\" is also the name of a class that is kept"));
  CHECK(says_remap(data.problem({{"others", "ignore"}}), "/part/classes: is empty: no class is left"));
  CHECK(says_remap(data.problem({{"ignore", {"road", "car", "truck", "person"}}, {"others", "keep"}}),
                   "/part/ignore: has all classes of the dataset"));
}

TEST_CASE("new classes can come from a file") {
  const FourClasses data;
  const test::Scratch folder;
  const auto open = [&](const std::string& text, const json& more = json::object()) {
    json spec = {{"classes_file", folder.write("classes.json", text).string()}, {"others", "ignore"}};
    spec.update(more);
    return spec;
  };
  const std::string good = R"({"classes": [{"name": "vehicle", "from": ["car", "truck"]}], "ignore": ["road"]})";
  CHECK(mapped_labels(*data.open(open(good))) == std::vector<int>{-1, 0, 0, -1, -1, -1});
  CHECK(says_remap(data.problem(open(good, {{"ignore", {"road"}}})), "/part/classes_file: cannot be combined"));
  CHECK(says_remap(data.problem(open(good, {{"others", "error"}})),
                   "/part/others: the dataset also has the classes person"));
  CHECK_THROWS_WITH_AS(data.open(open(R"({"classes": [{"name": "carr"}]})")),
                       doctest::Contains("classes.json: classes/0/name: names the class \"carr\""), DataError);
  CHECK_THROWS_WITH_AS(data.open(open(R"({"classes": [{"nam": "car"}]})")), doctest::Contains("classes.json"),
                       DataError);
}

TEST_CASE("things and stuff are merged only where the spec says what they become") {
  remap::ClassList list;
  list.classes = {named("street", {"road", "car"})};
  CHECK_THROWS_WITH_AS(remap::Mapping(list, remap::Others::ignore, traffic()),
                       doctest::Contains("merges \"road\" and \"car\""), OptionError);
  list.classes[0].thing = false;
  CHECK_FALSE(remap::Mapping(list, remap::Others::ignore, traffic()).labels().classes[0].thing);
  list.classes = {named("vehicle", {"car", "truck"})};
  CHECK(remap::Mapping(list, remap::Others::ignore, traffic()).labels().classes[0].thing);
}

TEST_CASE("objects, segments and tags follow their classes") {
  Sample sample;
  for (const int category : {1, 3, 2}) {
    Instance one;
    one.category = category;
    one.id = category + 10;
    sample.instances.push_back(one);
  }
  sample.segment_ids = (cv::Mat_<std::int32_t>(1, 8) << 5, 5, 6, 7, 8, 9, 0, 5);
  sample.segments = {{5, 0, false}, {6, 1, false}, {7, 2, true}, {8, 3, false}, {9, 0, true}};
  sample.tags = {0, 2, 3};
  sample.support.push_back(sample);
  const cv::Mat before = sample.segment_ids.clone();
  const auto original = sample;

  remap::ClassList list;
  list.ignore = {"person"};
  list.classes = {named("vehicle", {"car", "truck"}), named("ground", {"road"})};
  remap::Mapping(list, remap::Others::ignore, traffic()).apply(sample);
  const auto check = [](const Sample& mapped) {
    REQUIRE(mapped.instances.size() == 2);
    CHECK((mapped.instances[0].category == 0 && mapped.instances[0].id == 11));
    CHECK((mapped.instances[1].category == 0 && mapped.instances[1].id == 12));
    REQUIRE(mapped.segments.size() == 3);
    CHECK((mapped.segments[0].id == 5 && mapped.segments[0].category == 1));
    CHECK((mapped.segments[1].id == 6 && mapped.segments[1].category == 0 && !mapped.segments[1].crowd));
    CHECK((mapped.segments[2].id == 7 && mapped.segments[2].crowd));
    CHECK(std::vector<int>(mapped.segment_ids.begin<int>(), mapped.segment_ids.end<int>()) ==
          std::vector<int>{5, 5, 6, 7, 0, 5, 0, 5});  // the second stuff segment is part of the first
    CHECK(mapped.tags == std::vector<int>{0, 1});
  };
  check(sample);
  check(sample.support.at(0));
  CHECK(cv::norm(original.segment_ids, before, cv::NORM_INF) == 0);  // the dataset may keep its own
  auto crowds = original;
  for (auto& one : crowds.instances) one.crowd = true;
  remap::Mapping(list, remap::Others::ignore, traffic()).apply(crowds);
  REQUIRE(crowds.instances.size() == 2);  // that of the ignored class is left out, also if it is a crowd
  CHECK((crowds.instances[0].crowd && crowds.instances[0].id == 11));

  auto other = original;  // things become stuff, and stuff a thing
  list.classes[0].thing = false;
  list.classes[1].thing = true;
  remap::Mapping(list, remap::Others::ignore, traffic()).apply(other);
  CHECK(other.instances.empty());  // of cars and trucks, which are not told apart any more
  REQUIRE(other.segments.size() == 3);
  CHECK(other.segments[0].crowd);
  CHECK((other.segments[1].id == 6 && !other.segments[1].crowd));
  CHECK(other.segments[2].id == 9);
  CHECK(std::vector<int>(other.segment_ids.begin<int>(), other.segment_ids.end<int>()) ==
        std::vector<int>{5, 5, 6, 6, 0, 9, 0, 5});

  auto crowd = original;
  crowd.segments = {{7, 2, true}};
  crowd.labels = (cv::Mat_<std::int16_t>(1, 3) << 0, 2, kIgnore);
  const cv::Mat labels = crowd.labels;
  remap::Mapping(list, remap::Others::ignore, traffic()).apply(crowd);
  CHECK_FALSE(crowd.segments.at(0).crowd);  // stuff is none
  CHECK(std::vector<int>(crowd.labels.begin<std::int16_t>(), crowd.labels.end<std::int16_t>()) ==
        std::vector<int>{1, 0, kIgnore});
  CHECK(labels.at<std::int16_t>(1) == 2);  // the dataset may keep its own
}

TEST_CASE("remap keeps the ids that images have in files, with which results are written") {
  const test::Scratch folder;
  json file = {{"categories", {{{"id", 5}, {"name", "car"}}}}, {"annotations", json::array()}};
  std::filesystem::create_directories(folder / "images/val");
  for (const int id : {42, 7}) {
    const auto name = std::to_string(id) + ".png";
    write_png(folder / "images/val" / name, cv::Mat(2, 2, CV_8U, cv::Scalar(0)));
    file["images"].push_back({{"id", id}, {"file_name", name}, {"width", 2}, {"height", 2}});
  }
  folder.write("annotations/instances_val.json", file.dump());
  const json data = {{"type", "coco_instances"}, {"root", folder.path().string()}, {"split", "val"}};
  const json vehicle = {{"name", "vehicle"}, {"from", "car"}};
  const auto mapped = test::make<Dataset>(json{{"type", "remap"}, {"dataset", data}, {"classes", {vehicle}}}.dump());
  REQUIRE(mapped->size() == 2);
  CHECK(mapped->image_id_of(0) == 42);
  CHECK(mapped->image_id_of(1) == 7);
  CHECK(mapped->id_of(1) == "7");
}

TEST_CASE("labels per class are united, and shares of a pixel added") {
  remap::ClassList list;
  list.classes = {named("person"), named("vehicle", {"car", "truck"})};
  // Pixels of road, car, truck, person.
  const std::vector<float> values{0, 1,    1,   0,  //
                                  1, 0,    0,   1,  //
                                  0, .25f, .5f, .25f, 0, -1, 1, -1, 0, -1, 0, 0};
  const auto mapped = [&](bool overlapping) {
    Sample sample;
    sample.labels = cv::Mat(1, 5, CV_32FC4);
    std::copy(values.begin(), values.end(), sample.labels.ptr<float>());
    remap::Mapping(list, remap::Others::ignore, traffic(true, overlapping)).apply(sample);
    REQUIRE(sample.labels.type() == CV_32FC2);
    return std::vector<float>(sample.labels.ptr<float>(), sample.labels.ptr<float>() + 10);
  };
  CHECK(mapped(true) == std::vector<float>{0, 1, 1, 0, .25f, .5f, -1, 1, 0, -1});
  CHECK(mapped(false) == std::vector<float>{0, 1, 1, 0, .25f, .75f, -1, 1, 0, -1});
  Sample wrong;
  wrong.id = "w";
  wrong.labels = cv::Mat(1, 5, CV_32FC3, cv::Scalar(0, 0, 0));
  CHECK_THROWS_WITH_AS(remap::Mapping(list, remap::Others::ignore, traffic()).apply(wrong),
                       doctest::Contains("of the 4 classes"), DataError);
}

TEST_CASE("remap over drawn shapes keeps images, and its classes are those that are annotated") {
  const auto data = test::make<Dataset>(R"({"type": "remap", "others": "keep",
      "dataset": {"type": "synthetic", "count": 4}, "ignore": ["triangle"],
      "classes": [{"name": "round", "from": "circle"}, {"name": "cornered", "from": ["square", "star"]}]})");
  const auto whole = test::make<Dataset>(R"({"type": "synthetic", "count": 4})");
  const int numbers[] = {2, 0, 1, -1, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto sample = data->read(i), same = whole->read(i);
    CHECK(cv::norm(sample.image, same.image, cv::NORM_INF) == 0);
    CHECK(data->classes_of(i) == data->Dataset::classes_of(i));
    cv::Mat wanted(same.labels.size(), CV_16S);
    for (int y = 0; y < wanted.rows; ++y)
      for (int x = 0; x < wanted.cols; ++x)
        wanted.at<std::int16_t>(y, x) = static_cast<std::int16_t>(numbers[same.labels.at<std::int16_t>(y, x)]);
    CHECK(cv::norm(sample.labels, wanted, cv::NORM_INF) == 0);
    for (const auto& segment : sample.segments) {
      double low = 0, high = 0;
      cv::minMaxLoc(sample.labels, &low, &high, nullptr, nullptr, sample.segment_ids == segment.id);
      CHECK((low == segment.category && high == segment.category));
    }
  }
}
