#include <cstdlib>
#include <fstream>

#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
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

using Numbers = std::vector<int>;

template <class Value>
cv::Mat street_map(int rows, const Numbers& values) {
  cv::Mat made(rows, static_cast<int>(values.size()) / rows, sizeof(Value) == 1 ? CV_8U : CV_16U);
  std::transform(values.begin(), values.end(), made.begin<Value>(),
                 [](int value) { return static_cast<Value>(value); });
  return made;
}

// Images x and y of the city "ulm", 4 x 4, to which files of labels are added.
class Streets {
 public:
  Streets() { image("train", "ulm", "x"); }
  fs::path path() const { return scratch_.path(); }
  void save(const std::string& name, const cv::Mat& pixels) const {
    fs::create_directories((path() / name).parent_path());
    write_png(path() / name, pixels);
  }
  void image(const std::string& split, const std::string& city, const std::string& name,
             const std::string& suffix = ".png") const {
    save("leftImg8bit/" + split + "/" + city + "/" + name + "_leftImg8bit" + suffix,
         cv::Mat(4, 4, CV_8UC3, cv::Scalar(1, 2, 3)));
  }
  void labels(const Numbers& values, const std::string& kind = "labelIds", const std::string& split = "train",
              const std::string& folder = "gtFine", const std::string& name = "x",
              const std::string& city = "ulm") const {
    save(folder + "/" + split + "/" + city + "/" + name + "_" + folder + "_" + kind + ".png",
         kind == "instanceIds" ? street_map<std::uint16_t>(4, values) : street_map<std::uint8_t>(4, values));
  }
  std::shared_ptr<Dataset> open(const json& more = json::object(), Task task = Task::semantic) const {
    json spec = {{"type", "cityscapes"}, {"root", path().string()}};
    spec.update(more);
    BuildContext context;
    context.task = task;
    return test::make<Dataset>(spec.dump(), context);
  }
  std::string problem(const json& more = json::object(), bool and_read = false, Task task = Task::semantic) const {
    try {
      const auto data = open(more, task);
      if (and_read) data->read(0);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "no error";
  }

 private:
  test::Scratch scratch_;
};

Numbers labels_in(const Sample& sample) {
  return {sample.labels.begin<std::int16_t>(), sample.labels.end<std::int16_t>()};
}
Numbers ids_in(const Sample& sample) {
  return {sample.segment_ids.begin<std::int32_t>(), sample.segment_ids.end<std::int32_t>()};
}
std::vector<std::string> names_in(const Dataset& data) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < data.size(); ++i) names.push_back(data.id_of(i));
  return names;
}
bool tells(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

json expected_of_cityscapes() {
  std::ifstream file(SECTILE_SOURCE_DIR "/plugins/datasets/cityscapes/expected.json");
  return json::parse(file);
}

const Numbers kLabelIds{0, 7, 8, 11, 24, 26, 33, 3, 9, 10, 29, 30, 31, 18, 16, 255};
const Numbers kInstanceIds{7, 7, 26003, 26003, 26, 26, 26010, 24000, 24001, 24001, 0, 11, 25, 33002, 33002, 255};

}  // namespace

TEST_CASE("label ids become the 19 classes of the benchmark, and everything else is ignored") {
  const Streets streets;
  streets.labels(kLabelIds);
  const auto data = streets.open();
  REQUIRE(data->size() == 1);
  CHECK(data->id_of(0) == "x");
  CHECK(labels_in(data->read(0)) == Numbers{-1, 0, 1, 2, 11, 13, 18, -1, -1, -1, -1, -1, 16, -1, -1, -1});
  CHECK(data->labels().classes.size() == 19);
  Numbers file_ids;  // as submissions need
  for (const auto& one : data->labels().classes) file_ids.push_back(static_cast<int>(one.category_id));
  CHECK(file_ids == Numbers{7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33});

  auto all = kLabelIds;
  all.back() = -1;
  const auto every = streets.open({{"labels", "all"}});
  CHECK(labels_in(every->read(0)) == all);
  CHECK(every->labels().classes.size() == 34);
  CHECK(every->classes_of(0) == Numbers{0, 3, 7, 8, 9, 10, 11, 16, 18, 24, 26, 29, 30, 31, 33});
  CHECK(every->extent_of(0) == Extent{1, 4, 4});
  CHECK(every->read(0).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
  CHECK(every->read(0, {.image = true, .labels = false, .objects = false}).labels.empty());
}

TEST_CASE("without label ids, train ids and instance ids are read") {
  const Numbers train{0, 1, 2, 3, 18, 19, 255, 13, 0, 0, 0, 0, 0, 0, 0, 0};
  Streets streets;
  streets.labels(kInstanceIds, "instanceIds");
  CHECK(labels_in(streets.open({{"labels", "all"}})->read(0)) ==
        Numbers{7, 7, 26, 26, 26, 26, 26, 24, 24, 24, 0, 11, 25, 33, 33, -1});
  CHECK(labels_in(streets.open()->read(0)) == Numbers{0, 0, 13, 13, 13, 13, 13, 11, 11, 11, -1, 2, 12, 18, 18, -1});
  streets.labels(train, "labelTrainIds");
  CHECK(labels_in(streets.open()->read(0)) == Numbers{0, 1, 2, 3, 18, -1, -1, 13, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(labels_in(streets.open({{"labels", "all"}})->read(0))[2] == 26);  // not train ids
  streets.labels(kLabelIds);
  CHECK(labels_in(streets.open()->read(0))[4] == 11);
}

TEST_CASE("train ids in a file of label ids, and instance ids that contradict it, are refused") {
  const Streets streets;
  streets.labels({0, 1, 2, 3, 18, 255, 255, 13, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(tells(streets.problem(json::object(), true),
              "x_gtFine_labelIds.png: has the value 255 and none from 19 to 33, as files of train ids have"));
  streets.labels({7, 7, 26, 26, 26, 26, 26, 24, 24, 24, 0, 11, 25, 33, 33, 7});
  auto objects = kInstanceIds;
  objects[15] = 7;
  objects[4] = objects[5] = 24001;
  streets.labels(objects, "instanceIds");
  CHECK(tells(
      streets.problem({{"instances", true}}, true),
      "x_gtFine_instanceIds.png: contradicts x_gtFine_labelIds.png at 2 pixels; the first, (0, 1), is person in it, "
      "and car there"));
  objects[4] = objects[5] = 26;
  streets.labels(objects, "instanceIds");
  CHECK(streets.open({{"instances", true}})->read(0).instances.size() > 0);
}

TEST_CASE("instance ids of 16 bits are objects, and what is below 1000 is stuff or a crowd") {
  const Streets streets;
  streets.labels(kInstanceIds, "instanceIds");
  CHECK(streets.open()->read(0).instances.empty());
  const auto data = streets.open(json::object(), Task::instance);
  const auto sample = data->read(0);
  struct Found {
    std::int64_t id;
    int category;
    bool crowd;
    double area;
    cv::Rect2f box;
    bool operator==(const Found&) const = default;
  };
  std::vector<Found> found;
  for (const auto& one : sample.instances) {
    found.push_back({one.id, one.category, one.crowd, *one.area, one.box});
    CHECK(one.mask.area() == *one.area);
    CHECK(one.mask.box() == one.box);
  }
  CHECK(found == std::vector<Found>{{25, 12, true, 1, {0, 3, 1, 1}},
                                    {26, 13, true, 2, {0, 1, 2, 1}},
                                    {24000, 11, false, 1, {3, 1, 1, 1}},
                                    {24001, 11, false, 2, {0, 2, 2, 1}},
                                    {26003, 13, false, 2, {2, 0, 2, 1}},
                                    {26010, 13, false, 1, {2, 1, 1, 1}},
                                    {33002, 18, false, 2, {1, 3, 2, 1}}});
  auto ids = kInstanceIds;
  ids.back() = 0;
  CHECK(ids_in(sample) == ids);
  Numbers segments;
  for (const auto& one : sample.segments) segments.insert(segments.end(), {one.id, one.category, one.crowd});
  CHECK(segments == Numbers{7, 0,     0,  11, 2,     0,  25, 12,    1,  26, 13,    1,  24000, 11,
                            0, 24001, 11, 0,  26003, 13, 0,  26010, 13, 0,  33002, 18, 0});
  CHECK(data->read(0, {.image = false, .labels = true, .objects = false}).instances.empty());
  CHECK(data->classes_of(0) == Numbers{0, 2, 11, 12, 13, 18});
  CHECK(streets.open({{"instances", false}}, Task::panoptic)->read(0).segments.empty());
}

TEST_CASE("numbers of stuff, and objects of classes outside of the benchmark, are no objects") {
  const Streets streets;
  streets.labels({1024, 1, 29001, 29, 11005, 11, 11, 11, 0, 0, 0, 0, 0, 0, 0, 0}, "instanceIds");
  const auto benchmark = streets.open({{"instances", true}})->read(0);
  CHECK(ids_in(benchmark) == Numbers{0, 0, 0, 0, 11, 11, 11, 11, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(benchmark.instances.empty());
  const auto all = streets.open({{"instances", true}, {"labels", "all"}})->read(0);
  CHECK(ids_in(all) == Numbers{1, 1, 29001, 29, 11, 11, 11, 11, 0, 0, 0, 0, 0, 0, 0, 0});
  REQUIRE(all.instances.size() == 2);  // of caravans; "unlabeled" is void
  CHECK(all.instances[0].crowd);
  CHECK(all.segments.size() == 4);
}

TEST_CASE("cities, splits and coarse annotations select files, in order") {
  const Streets streets;
  const Numbers road(16, 7), sky(16, 23);
  for (const char* city : {"ulm", "aachen"})
    for (const char* name : {"b", "a"}) {
      streets.image("val", city, std::string(city) + name);
      streets.labels(road, "labelIds", "val", "gtFine", std::string(city) + name, city);
      streets.labels(sky, "labelIds", "val", "gtCoarse", std::string(city) + name, city);
    }
  streets.image("val", "ulm", ".hidden");
  streets.save("leftImg8bit/val/ulm/readme.png", cv::Mat(1, 1, CV_8U, cv::Scalar(0)));
  CHECK(names_in(*streets.open({{"split", "val"}})) == std::vector<std::string>{"aachena", "aachenb", "ulma", "ulmb"});
  CHECK(names_in(*streets.open({{"split", "val"}, {"cities", {"ulm"}}})) == std::vector<std::string>{"ulma", "ulmb"});
  CHECK(streets.open({{"split", "val"}})->classes_of(0) == Numbers{0});
  CHECK(streets.open({{"split", "val"}, {"annotations", "coarse"}})->classes_of(0) == Numbers{10});
  fs::rename(streets.path() / "leftImg8bit/val/ulm/ulma_leftImg8bit.png",
             streets.path() / "leftImg8bit/val/ulm/ulma_leftImg8bit.PNG");
  fs::rename(streets.path() / "gtFine/val/ulm/ulma_gtFine_labelIds.png",
             streets.path() / "gtFine/val/ulm/ulma_gtFine_labelIds.PNG");
  CHECK(streets.open({{"split", "val"}})->read(2).id == "ulma");

  CHECK(tells(streets.problem({{"split", "val"}, {"cities", {"ulm", "Aachen"}}}),
              "/part/cities/1: " + (streets.path() / "leftImg8bit/val").string() +
                  " has no folder \"Aachen\"; the cities there are: aachen, ulm"));
  CHECK(tells(streets.problem({{"split", "dev"}}), "is not a folder; the splits there are: train, val"));
  streets.image("train_extra", "ulm", "e");
  CHECK(tells(streets.problem({{"split", "train_extra"}}), "/part/annotations: "));
  CHECK(tells(streets.problem({{"split", "train_extra"}}), "are: val (fine), val (coarse)"));
  streets.image("val", "ulm", "ulma", ".tiff");
  CHECK(tells(streets.problem({{"split", "val"}}), "is an image of the same name as "));
}

TEST_CASE("the split test has no labels, or those of a dummy, or real ones") {
  const Streets streets;
  streets.image("test", "ulm", "t");
  CHECK(streets.open({{"split", "test"}})->read(0).labels.empty());
  CHECK(streets.open({{"split", "test"}}, Task::panoptic)->read(0).instances.empty());
  streets.labels({1, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "labelIds", "test", "gtFine", "t");
  streets.labels({1, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "instanceIds", "test", "gtFine", "t");
  const auto dummy = streets.open({{"split", "test"}}, Task::panoptic)->read(0);
  CHECK(dummy.labels.empty());
  CHECK(dummy.segments.empty());
  streets.labels({1, 1, 2, 3, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "labelIds", "test", "gtFine", "t");
  CHECK(labels_in(streets.open({{"split", "test"}})->read(0))[4] == 0);
  streets.labels({1, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});  // of training: ignored, and not unlabeled
  CHECK(labels_in(streets.open()->read(0)) == Numbers(16, -1));
}

TEST_CASE("missing and wrong files of Cityscapes are told with their place") {
  const Streets streets;
  const auto& root = streets.path();
  CHECK(tells(streets.problem(), "/part/annotations: "));
  streets.labels(kLabelIds);
  streets.image("train", "ulm", "y");
  CHECK(tells(streets.problem(), (root / "gtFine/train").string() + ": has no labels for 1 of 2 images; the first is " +
                                     (root / "leftImg8bit/train/ulm/y_leftImg8bit.png").string()));
  fs::remove(root / "leftImg8bit/train/ulm/y_leftImg8bit.png");
  CHECK(tells(streets.problem(json::object(), false, Task::panoptic), "has no objects for 1 of 1 images"));
  CHECK(tells(streets.problem({{"root", (root / "gtFine").string()}}), "/part/root: "));

  auto wrong = kLabelIds;
  wrong[5] = 34;
  streets.labels(wrong);
  CHECK(tells(streets.problem(json::object(), true),
              "x_gtFine_labelIds.png: pixel (1, 1) has value 34; label ids are 0 to 33, and 255 for none"));
  fs::remove(root / "gtFine/train/ulm/x_gtFine_labelIds.png");
  wrong[5] = 20;
  streets.labels(wrong, "labelTrainIds");
  CHECK(tells(streets.problem(json::object(), true), "pixel (0, 1) has value 24; train ids are 0 to 18"));
  streets.labels(kLabelIds);
  auto instances = kInstanceIds;
  instances[15] = 34000;
  streets.labels(instances, "instanceIds");
  CHECK(tells(streets.problem({{"instances", true}}, true),
              "x_gtFine_instanceIds.png: pixel (3, 3) has value 34000; label ids are 0 to 33"));
  streets.save("gtFine/train/ulm/x_gtFine_instanceIds.png", cv::Mat(4, 3, CV_16U, cv::Scalar(7)));
  CHECK(tells(streets.problem({{"instances", true}}, true), "is 3 x 4 pixels, and "));
  streets.save("gtFine/train/ulm/x_gtFine_labelIds.png", cv::Mat(4, 3, CV_8U, cv::Scalar(7)));
  CHECK(tells(streets.problem(json::object(), true), "is 3 x 4 pixels, and "));
  streets.save("gtFine/train/ulm/x_gtFine_labelIds.png", cv::Mat(4, 4, CV_8UC3, cv::Scalar(7, 7, 7)));
  CHECK(tells(streets.problem(json::object(), true), "has 3 channels of 8 bits; expected one of 8 or 16 bits"));
  streets.labels(kLabelIds);
  test::cut_behind_header(root / "gtFine/train/ulm/x_gtFine_labelIds.png");
  CHECK_THROWS_AS(streets.open()->read(0), DataError);
}

TEST_CASE("names, colors and things are the official ones, and so are the pixels of a real frame") {
  const auto wanted = expected_of_cityscapes();
  const Streets streets;
  streets.labels(kLabelIds);
  for (const char* kind : {"train_ids", "all"}) {
    const auto labels = streets.open({{"labels", kind}})->labels();
    for (std::size_t i = 0; i < labels.classes.size(); ++i) {
      CHECK(labels.classes[i].name == wanted["names"][kind][i]);
      CHECK(labels.classes[i].color == wanted["colors"][kind][i].get<std::array<std::uint8_t, 3>>());
      CHECK(labels.classes[i].thing == wanted["things"][kind][i]);
    }
    CHECK(labels.classes.size() == wanted["names"][kind].size());
  }
  const char* data = std::getenv("SECTILE_DATA");
  const fs::path real = fs::path(data ? data : "") / "cityscapes-mini";
  if (!data || !fs::exists(real)) {
    MESSAGE("skipped: set SECTILE_DATA to a folder with cityscapes-mini/");
    return;
  }
  const auto open = [&](const fs::path& root, const json& more) {
    json spec = {{"type", "cityscapes"}, {"root", root.string()}, {"split", "val"}};
    spec.update(more);
    return test::make<Dataset>(spec.dump());
  };
  const auto pixels = [](const Dataset& set) {
    std::vector<int> counts(set.labels().classes.size());
    for (const int label : labels_in(set.read(0)))
      if (label >= 0) ++counts[static_cast<std::size_t>(label)];
    return counts;
  };
  for (const char* kind : {"train_ids", "all"})
    CHECK(pixels(*open(real, {{"labels", kind}})) == wanted["pixels"][kind].get<Numbers>());
  const auto set = open(real, {{"instances", true}});
  const auto sample = set->read(0);
  CHECK(sample.id == "frankfurt_000000_000294");
  const auto mean = cv::mean(sample.image);
  for (int c = 0; c < 3; ++c) CHECK(mean[c] == doctest::Approx(wanted["mean"][c].get<double>()).epsilon(1e-4));
  std::vector<Numbers> segments;
  for (const auto& one : sample.segments) {
    const Rle mask = rle_of(cv::Mat(sample.segment_ids == one.id));
    const auto box = box_of(mask);
    segments.push_back(
        {one.id, one.category, one.crowd, static_cast<int>(area_of(mask)), box.x, box.y, box.width, box.height});
  }
  CHECK(segments == wanted["segments"].get<std::vector<Numbers>>());
  std::size_t things = 0;
  for (const auto& one : wanted["segments"]) things += set->labels().classes[one[1]].thing;
  CHECK(sample.instances.size() == things);

  const test::Scratch train_ids;  // with labelTrainIds only
  fs::create_directory_symlink(real / "leftImg8bit", train_ids.path() / "leftImg8bit");
  fs::create_directories(train_ids.path() / "gtFine/val/frankfurt");
  const std::string file = "gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelTrainIds.png";
  fs::create_symlink(real / file, train_ids.path() / file);
  CHECK(pixels(*open(train_ids.path(), json::object())) == wanted["pixels"]["train_ids_file"].get<Numbers>());
}

TEST_CASE("the colors of a real frame are those of the labels") {
  const char* data = std::getenv("SECTILE_DATA");
  const fs::path frame = fs::path(data ? data : "") / "cityscapes-frame/frankfurt_000001_058914_gtFine_color.png";
  if (!data || !fs::exists(frame)) {
    MESSAGE("skipped: set SECTILE_DATA to a folder with cityscapes-frame/");
    return;
  }
  const Streets streets;
  streets.labels(kLabelIds);
  const auto labels = streets.open({{"labels", "all"}})->labels();
  std::map<std::array<std::uint8_t, 3>, int> counts;
  const cv::Mat pixels = read_image(frame);
  for (auto it = pixels.begin<cv::Vec3b>(); it != pixels.end<cv::Vec3b>(); ++it)
    ++counts[{(*it)[0], (*it)[1], (*it)[2]}];
  std::vector<Numbers> found;
  for (const auto& [color, count] : counts) {
    found.push_back({color[0], color[1], color[2], count});
    CHECK(
        std::any_of(labels.classes.begin(), labels.classes.end(), [&](const auto& one) { return one.color == color; }));
  }
  CHECK(found == expected_of_cityscapes()["frame_colors"].get<std::vector<Numbers>>());
}

TEST_CASE("trees that other tools write in Cityscapes' layout are read") {
  const char* data = std::getenv("SECTILE_DATA");
  const fs::path trees = fs::path(data ? data : "") / "format-fixtures/cityscapes_dataset";
  if (!data || !fs::exists(trees)) {
    MESSAGE("skipped: set SECTILE_DATA to a folder with format-fixtures/cityscapes_dataset/");
    return;
  }
  const auto all_wanted = expected_of_cityscapes()["fixtures"];
  const auto open = [&](const std::string& tree, const std::string& split, const char* labels) {
    const json spec = {{"type", "cityscapes"},
                       {"root", (trees / tree).string()},
                       {"split", split},
                       {"labels", labels},
                       {"instances", true}};
    return test::make<Dataset>(spec.dump());
  };
  const auto pixels = [](const Dataset& set, std::size_t index) {
    Numbers counts(set.labels().classes.size());
    for (const int label : labels_in(set.read(index)))
      if (label >= 0) ++counts[static_cast<std::size_t>(label)];
    return counts;
  };
  std::size_t count = 0;
  for (const std::string tree : {"dataset", "train_dataset"})
    for (const std::string split : {"train", "val", "test"}) {
      const auto set = open(tree, split, "train_ids"), all = open(tree, split, "all");
      CHECK(set->size() == (split == "test" ? 2 : 1));
      CHECK(all->size() == set->size());
      for (std::size_t i = 0; i < set->size(); ++i, ++count) {
        const auto sample = set->read(i);
        CAPTURE(sample.id);
        const auto& wanted = all_wanted.at(std::string(tree).append("/") + split + "/" + sample.id);
        CHECK(sample.image.size() == cv::Size(5, 1));
        CHECK(labels_in(sample).size() == 5);
        CHECK(pixels(*set, i) == wanted["pixels"]["train_ids"].get<Numbers>());
        CHECK(pixels(*all, i) == wanted["pixels"]["all"].get<Numbers>());
        if (wanted.contains("train_ids")) {
          auto ids = wanted["train_ids"].get<Numbers>();
          std::replace(ids.begin(), ids.end(), 19, -1);
          CHECK(labels_in(sample) == ids);
        }
        std::vector<Numbers> segments, wanted_segments, objects, wanted_objects;
        for (const auto& one : sample.segments) segments.push_back({one.id, one.category, one.crowd});
        for (const auto& one : sample.instances)
          objects.push_back({static_cast<int>(one.id), one.category, one.crowd, static_cast<int>(one.mask.area())});
        for (const auto& one : wanted["segments"]) {
          wanted_segments.push_back({one[0], one[1], one[2]});
          if (set->labels().classes[one[1]].thing) wanted_objects.push_back({one[0], one[1], one[2], one[3]});
        }
        CHECK(segments == wanted_segments);
        CHECK(objects == wanted_objects);
      }
    }
  CHECK(count == all_wanted.size());
}

TEST_CASE("a photo of a street is turned upright, or read as it is stored") {
  const Streets streets;
  test::check_orientation(streets.path() / "leftImg8bit/train/ulm/a_leftImg8bit.jpg",
                          [&](const cv::Size& size, const json& more) {
                            streets.save("gtFine/train/ulm/a_gtFine_labelIds.png", cv::Mat(size, CV_8U, 7.0));
                            streets.labels(Numbers(16, 7));
                            return streets.open(more);
                          });
}
