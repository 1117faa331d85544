// Faults that are planted in small datasets, each of which must be found, and datasets without any.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "ground/checking/data_check.h"
#include "ground/checking/in_order.h"
#include "ground/checking/sample_findings.h"
#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/small_images.h"
#include "support/test.h"

namespace fs = std::filesystem;
using namespace sectile;

namespace {

DataCheck checked(const std::vector<Split>& splits, int workers = 2) {
  return check_data(splits, workers, [](const std::string&, std::size_t, std::size_t) {});
}

std::vector<Split> opened(const Json& spec, const std::string& only = "") {
  SpecFile file;
  file.json = spec;
  std::vector<std::string> notes;
  return open_splits(read_data_spec(test::plugins(), file), only, notes);
}

// "train a: image_unreadable", each with its count in the whole check.
std::map<std::string, int> found_in(const DataCheck& check) {
  std::map<std::string, int> all;
  for (const auto& one : check.found) ++all[one.split + (one.index ? " " + one.id : "") + ": " + name_of(one.finding)];
  return all;
}
using Found = std::map<std::string, int>;

std::string message_of(const DataCheck& check, const std::string& id, Finding finding) {
  for (const auto& one : check.found)
    if (one.id == id && one.finding == finding) return one.message;
  return "not found";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

cv::Mat noise(int seed, int type = CV_8UC3, cv::Size size = {8, 6}) {
  cv::RNG random(static_cast<std::uint64_t>(seed) + 1);
  cv::Mat image(size, type);
  random.fill(image, cv::RNG::UNIFORM, 0, 200);
  return image;
}

// FOLDER/SPLIT and FOLDER/SPLIT_masks, of three classes and 255 to ignore.
class Folder {
 public:
  fs::path path(const std::string& name) const { return scratch_ / name; }
  void image(const std::string& name, const cv::Mat& pixels) const {
    fs::create_directories(path(name).parent_path());
    if (name.ends_with(".tif"))
      write_tiff(path(name), pixels);
    else
      write_png(path(name), pixels);
  }
  // An image and a mask with the classes 0 and 1.
  void sample(const std::string& split, const std::string& name, int seed) const {
    image(split + "/" + name, noise(seed));
    cv::Mat mask(6, 8, CV_8U, cv::Scalar(0));
    mask.row(seed % 6).setTo(1);
    image(split + "_masks/" + fs::path(name).stem().string() + ".png", mask);
  }
  void text(const std::string& name, const std::string& contents) const { scratch_.write(name, contents); }
  void cut(const std::string& name) const { fs::resize_file(path(name), fs::file_size(path(name)) / 2); }
  Json dataset(const std::string& split) const {
    return {{"type", "image_folder"},
            {"root", path("").string()},
            {"images", split},
            {"masks", split + "_masks"},
            {"classes", {{{"name", "road"}}, {{"name", "car"}}, {{"name", "tree"}}}},
            {"ignore", {255}}};
  }
  const test::Scratch& scratch() const { return scratch_; }

 private:
  test::Scratch scratch_;
};

// Samples as they are given; one with an id "throws …" throws.
class Given final : public Dataset {
 public:
  Given(std::vector<Sample> samples, int classes) : samples_(std::move(samples)) {
    for (int i = 0; i < classes; ++i) {
      LabelClass made;
      made.name = "c" + std::to_string(i);
      made.thing = i > 0;
      labels_.classes.push_back(made);
    }
  }
  std::size_t size() const override { return samples_.size(); }
  using Dataset::read;
  Sample read(std::size_t index, Parts) const override {
    if (samples_[index].id == "throws a number") throw 7;
    if (samples_[index].id == "throws an error") throw std::runtime_error("does not work");
    return samples_[index];
  }
  std::string id_of(std::size_t index) const override { return samples_[index].id; }
  const LabelMap& labels() const override { return labels_; }

 private:
  std::vector<Sample> samples_;
  LabelMap labels_;
};

// 8 x 6 (width x height) with all classes and one correct object, and its segment.
Sample good(const std::string& id, int seed) {
  Sample sample;
  sample.id = id;
  sample.image = noise(seed);
  sample.labels = cv::Mat(6, 8, CV_16S, cv::Scalar(0));
  sample.labels(cv::Rect(1, 1, 3, 2)).setTo(1);
  sample.labels.at<std::int16_t>(5, 7) = 2;
  sample.labels.at<std::int16_t>(5, 6) = 2;
  sample.segment_ids = cv::Mat(6, 8, CV_32S, cv::Scalar(0));
  sample.segment_ids(cv::Rect(1, 1, 3, 2)).setTo(4);
  sample.segments.push_back({4, 1, false});
  Instance instance;
  instance.category = 1;
  instance.id = 4;
  instance.box = {1, 1, 3, 2};
  instance.mask = Mask(cv::Mat(sample.labels == 1));
  sample.instances.push_back(instance);
  return sample;
}

std::vector<Split> given(std::vector<Sample> samples) {
  return {{"train", std::make_shared<Given>(std::move(samples), 3), ""}};
}

Mask rle(std::vector<std::uint32_t> counts, cv::Size size = {8, 6}) { return Mask(Rle{size, std::move(counts)}); }
Mask polygon(std::vector<cv::Point2d> ring) {
  Polygons polygons;
  polygons.size = {8, 6};
  polygons.rings.push_back(std::move(ring));
  return Mask(polygons);
}

}  // namespace

TEST_CASE("clean datasets have no findings") {
  const auto generated = Json::parse(R"({"task": "panoptic", "data": {
    "train": {"type": "synthetic", "count": 12, "size": [64, 64]},
    "val": {"type": "synthetic", "count": 6, "seed": 2, "size": [64, 64]}}})");
  CHECK(found_in(checked(opened(generated))) == Found{});
  const test::SmallData small;
  const auto check = checked(opened(small.spec()));
  CHECK(found_in(check) == Found{{"val 0: id_in_two_splits", 1}, {"val 1: id_in_two_splits", 1}});  // notes
  CHECK(check.faults() == 0);
  REQUIRE(check.splits.size() == 2);
  CHECK(check.splits[0].samples == 8);
  CHECK(check.splits[1].name == "val");
  CHECK(holds(check_text(checked(opened(generated)), 20), "nothing found"));
  CHECK(found_in(checked(given({good("a", 1), good("b", 2)}))) == Found{});
}

TEST_CASE("faults planted in folders of images and masks are found, all of them") {
  const Folder folder;
  const auto named = [](const char* stem, int i) {
    return fs::path(stem).concat(std::to_string(i)).concat(".png").string();
  };
  for (int i = 0; i < 14; ++i) folder.sample("train", named("ok", i), i);
  for (int i = 0; i < 3; ++i) folder.sample("val", named("v", i), 100 + i);

  folder.sample("train", "cut_image.png", 20);
  folder.cut("train/cut_image.png");
  folder.sample("train", "empty_image.png", 21);
  folder.text("train/empty_image.png", "");
  folder.sample("train", "text_image.png", 22);
  folder.text("train/text_image.png", "no image at all");
  folder.sample("train", "cut_mask.png", 23);
  folder.cut("train_masks/cut_mask.png");
  folder.sample("train", "unknown_value.png", 24);
  folder.image("train_masks/unknown_value.png", cv::Mat(6, 8, CV_8U, cv::Scalar(9)));
  folder.sample("train", "both.png", 25);
  folder.cut("train/both.png");
  folder.cut("train_masks/both.png");
  folder.sample("train", "small_mask.png", 26);
  folder.image("train_masks/small_mask.png", cv::Mat(5, 8, CV_8U, cv::Scalar(0)));
  folder.sample("train", "no_image.png", 27);
  folder.sample("train", "no_mask.png", 28);
  folder.sample("train", "copy.tif", 3);  // ok3's pixels in another format
  folder.sample("train", "gray.png", 29);
  folder.image("train/gray.png", noise(29, CV_8UC1));
  folder.sample("train", "bands.tif", 30);
  folder.image("train/bands.tif", noise(30, CV_8UC(5)));
  folder.sample("train", "deep.png", 31);
  folder.image("train/deep.png", noise(31, CV_16UC3));
  folder.sample("train", "black.png", 32);
  folder.image("train/black.png", cv::Mat(6, 8, CV_8UC3, cv::Scalar::all(0)));
  folder.sample("train", "black_too.png", 33);
  folder.image("train/black_too.png", cv::Mat(6, 8, CV_8UC3, cv::Scalar::all(0)));
  folder.sample("train", "ignored.png", 34);
  folder.image("train_masks/ignored.png", cv::Mat(6, 8, CV_8U, cv::Scalar(255)));
  cv::Mat nan = noise(35, CV_32FC3);
  nan.at<cv::Vec3f>(1, 2)[0] = std::nanf("");
  folder.sample("train", "nan.tif", 35);
  folder.image("train/nan.tif", nan);
  folder.sample("val", "leak.png", 5);  // ok5
  folder.sample("val", "ok6.png", 106);
  folder.image("val_masks/v0.png", cv::Mat(6, 8, CV_8U, cv::Scalar(2)));

  const auto splits = opened({{"data", {{"train", folder.dataset("train")}, {"val", folder.dataset("val")}}}});
  fs::remove(folder.path("train/no_image.png"));
  fs::remove(folder.path("train_masks/no_mask.png"));
  const auto check = checked(splits);
  CHECK(found_in(check) == Found{{"train cut_image: image_unreadable", 1},
                                 {"train empty_image: image_unreadable", 1},
                                 {"train text_image: image_unreadable", 1},
                                 {"train cut_mask: labels_unreadable", 1},
                                 {"train unknown_value: labels_unreadable", 1},
                                 {"train both: image_unreadable", 1},
                                 {"train both: labels_unreadable", 1},
                                 {"train small_mask: size_differs", 1},
                                 {"train no_image: image_unreadable", 1},
                                 {"train no_mask: labels_unreadable", 1},
                                 {"train ok3: image_twice", 1},
                                 {"train gray: gray_and_color", 1},
                                 {"train bands: other_channels", 1},
                                 {"train deep: other_depth", 1},
                                 {"train black: constant_image", 1},
                                 {"train black_too: constant_image", 1},
                                 {"train ignored: all_ignored", 1},
                                 {"train nan: image_unreadable", 1},
                                 {"val leak: image_in_two_splits", 1},
                                 {"val ok6: id_in_two_splits", 1},
                                 {"train: class_not_in_train", 1}});
  CHECK(check.faults() == 15);
  CHECK(check.notes() == 6);
  CHECK(holds(message_of(check, "unknown_value", Finding::labels_unreadable),
              "unknown_value.png: pixel (0, 0) has value 9, which is not a class"));
  CHECK(
      holds(message_of(check, "small_mask", Finding::size_differs), "small_mask.png: is 8 x 5 pixels, and its image"));
  CHECK(holds(message_of(check, "no_image", Finding::image_unreadable), "no_image.png"));
  CHECK(message_of(check, "ok3", Finding::image_twice) == "has the same image as train sample 4 (copy)");
  CHECK(message_of(check, "leak", Finding::image_in_two_splits) == "has the same image as train sample 19 (ok5)");
  CHECK(message_of(check, "", Finding::class_not_in_train) == "class 2 (tree) occurs only in val");
  CHECK(message_of(check, "bands", Finding::other_channels) ==
        "has 5 channels of CV_8U, and most images have 3 channels of CV_8U");

  for (const int workers : {1, 3, 8}) CHECK(check_json(checked(splits, workers)) == check_json(check));

  const auto json = Json::parse(check_json(check));
  CHECK(json["faults"] == 15);
  CHECK(json["findings"].size() == 21);
  CHECK(json["findings"][0]["severity"] == "note");  // about train as a whole
  const auto text = check_text(check, 2);
  CHECK(holds(text, "image_unreadable         6  the image is missing, damaged or cannot be used"));
  CHECK(holds(text, "train both, train cut_image, train empty_image\n"));
  CHECK(holds(text, "and 19 more\n"));
}

TEST_CASE("faults planted in a VOC folder are found") {
  const Folder folder;
  const auto in = [](const char* part, const char* name) { return (fs::path(part) / name).concat(".png").string(); };
  std::string list;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    folder.image(in("JPEGImages", name), noise(name[0]));
    cv::Mat mask(6, 8, CV_8U, cv::Scalar(0)), objects = mask.clone();
    mask.row(2).setTo(15);
    objects.row(2).setTo(1);
    folder.image(in("SegmentationClass", name), mask);
    folder.image(in("SegmentationObject", name), objects);
    list.append(name).append("\n");
  }
  folder.text("ImageSets/Segmentation/train.txt", list);
  cv::Mat mask(6, 8, CV_8U, cv::Scalar(77));
  folder.image("SegmentationClass/b.png", mask);
  mask.setTo(0);
  mask.row(4).setTo(2);
  folder.image("SegmentationObject/c.png", mask);  // an object in the background
  folder.cut("JPEGImages/d.png");
  folder.cut("SegmentationObject/d.png");
  folder.image("SegmentationObject/e.png", cv::Mat(3, 8, CV_8U, cv::Scalar(1)));
  const Json voc{{"type", "voc"}, {"root", folder.path("").string()}};
  const auto check = checked(opened({{"task", "instance"}, {"data", {{"train", voc}}}}));
  auto found = found_in(check);
  std::erase_if(found, [](const auto& one) { return holds(one.first, "class_nowhere"); });
  CHECK(found == Found{{"train b: labels_unreadable", 1},
                       {"train c: objects_unreadable", 1},
                       {"train d: image_unreadable", 1},
                       {"train d: objects_unreadable", 1},
                       {"train e: objects_unreadable", 1}});
  CHECK(check.counts[static_cast<std::size_t>(Finding::class_nowhere)] == 19);
  CHECK(holds(message_of(check, "c", Finding::objects_unreadable), "object 2 is background in"));
}

TEST_CASE("what is wrong between splits is found") {
  const Folder folder;
  folder.sample("train", "a.png", 1);
  folder.sample("other", "a.png", 2);
  folder.sample("val", "b.png", 3);
  auto val = folder.dataset("val");
  val["classes"][1]["name"] = "bus";
  const auto check = checked(
      opened({{"data",
               {{"train", {{"type", "concat"}, {"datasets", {folder.dataset("train"), folder.dataset("other")}}}},
                {"val", val},
                {"test", folder.dataset("nowhere")}}}}));
  CHECK(found_in(check) == Found{{"train a: id_twice", 1},
                                 {"val: classes_differ", 1},
                                 {"test: split_unreadable", 1},
                                 {"train: class_nowhere", 1}});
  CHECK(holds(message_of(check, "", Finding::classes_differ), "differs from train: its class 1 is \"bus\""));
  CHECK(holds(message_of(check, "", Finding::split_unreadable), "nowhere"));
  const auto repeated = Json::parse(R"({"data": {
    "train": {"type": "repeat", "times": 2, "dataset": {"type": "synthetic", "count": 9, "size": [64, 64]}},
    "val": {"type": "synthetic", "count": 1, "size": [64, 64]}}})");
  const auto twice = checked(opened(repeated));
  CHECK(twice.counts[static_cast<std::size_t>(Finding::sample_repeated)] == 9);
  CHECK(twice.counts[static_cast<std::size_t>(Finding::image_in_two_splits)] == 1);
  CHECK(twice.faults() == 1);
  CHECK(checked(opened(repeated, "val")).faults() == 0);
  CHECK_THROWS_WITH_AS(opened(repeated, "test"), "/data: has no \"test\"", SpecError);
  CHECK_THROWS_WITH_AS(opened({{"data", Json::object()}}), doctest::Contains("names no dataset"), SpecError);
  CHECK_THROWS_WITH_AS(opened(Json::object()), doctest::Contains("option \"data\" is missing"), SpecError);
}

TEST_CASE("faults of labels, objects and segments that a dataset returns are found") {
  struct Planted {
    Finding finding;
    std::function<void(Sample&)> plant;
    const char* message;
  };
  const auto box = [](float x, float y, float width, float height) {
    return [=](Sample& sample) { sample.instances[0].box = {x, y, width, height}; };
  };
  const auto mask = [](const Mask& given_mask) {
    return [=](Sample& sample) { sample.instances[0].mask = given_mask; };
  };
  const float nan = std::nanf(""), inf = INFINITY;
  const std::vector<Planted> all{
      {Finding::box_not_finite, box(nan, 1, 2, 2), "object 0 (id 4) has the box (x nan"},
      {Finding::box_not_finite, box(1, 1, inf, 2), "width inf"},
      {Finding::box_empty, box(1, 1, 0, 2), "width 0, height 2"},
      {Finding::box_empty, box(1, 1, 2, -1), "height -1"},
      {Finding::box_outside, box(1, 1, 8.5, 2), "and the image is 6 x 8 (height x width)"},
      {Finding::box_outside, box(-1.5, 1, 2, 2), "x -1.5"},
      {Finding::mask_empty, mask(rle({48})), "covers no pixel"},
      {Finding::mask_empty, mask(polygon({{1.1f, 1.1f}, {1.2f, 1.1f}, {1.2f, 1.2f}})), "covers no pixel"},
      {Finding::mask_empty, mask(polygon({})), "covers no pixel"},
      {Finding::mask_invalid, mask(rle({10, 3})), "cover 13 pixels, and the image has 48"},
      {Finding::mask_invalid, mask(polygon({{1, 1}, {nan, 3}, {4, 4}})), "corner (nan, 3)"},
      {Finding::mask_outside, mask(polygon({{1, 1}, {12, 1}, {4, 4}})), "corner (12, 1)"},
      {Finding::size_differs, mask(rle({10, 3, 12}, {5, 5})), "run lengths are 5 x 5, and the image is 6 x 8"},
      {Finding::size_differs,
       [](Sample& s) {
         Polygons huge;
         huge.size = {2'000'000'000, 2'000'000'000};
         huge.rings = {{{0, 0}, {2e9f, 0}, {2e9f, 2e9f}}};
         s.instances[0].mask = Mask(huge);
       },
       "polygons are 2000000000 x 2000000000"},
      {Finding::size_differs, mask(Mask(cv::Mat(6, 9, CV_8U, cv::Scalar(1)))), "6 x 9"},
      {Finding::one_pixel, mask(rle({10, 1, 37})), "single pixel"},
      {Finding::one_pixel, mask(polygon({{2.2f, 2.2f}, {2.9f, 2.2f}, {2.9f, 2.9f}, {2.2f, 2.9f}})), "single pixel"},
      {Finding::area_invalid, [](Sample& s) { s.instances[0].area = -2; }, "area -2"},
      {Finding::object_id_twice, [](Sample& s) { s.instances.push_back(s.instances[0]); }, "the same id"},
      {Finding::unknown_class, [](Sample& s) { s.instances[0].category = 3; }, "class number 3, and there are 3"},
      {Finding::unknown_class, [](Sample& s) { s.segments[0].category = -1; }, "segment 4 is of the class number -1"},
      {Finding::unknown_class, [](Sample& s) { s.tags = {5}; }, "a tag is of the class number 5"},
      {Finding::unknown_class, [](Sample& s) { s.labels(cv::Rect(2, 3, 2, 1)).setTo(7); },
       "pixel (2, 3) of the labels has the value 7, and there are 3 classes, from 0; 2 such values"},
      {Finding::wrong_type, [](Sample& s) { s.labels.convertTo(s.labels, CV_8U); }, "are of CV_8UC1"},
      {Finding::wrong_type, [](Sample& s) { s.segment_ids.convertTo(s.segment_ids, CV_16S); }, "are of CV_16SC1"},
      {Finding::size_differs, [](Sample& s) { s.labels = s.labels.rowRange(0, 5); }, "labels are 5 x 8"},
      {Finding::size_differs, [](Sample& s) { s.targets["edges"] = cv::Mat(2, 2, CV_32F, 0.); }, "target \"edges\""},
      {Finding::all_ignored, [](Sample& s) { s.labels.setTo(kIgnore); }, "ignored"},
      {Finding::segment_absent,
       [](Sample& s) {
         s.segments.push_back({9, 1, false});
       },
       "segment 9"},
      {Finding::segment_unlisted, [](Sample& s) { s.segment_ids.row(5).setTo(6); }, "segment 6 has 8 pixels"},
      {Finding::segment_twice, [](Sample& s) { s.segments.push_back(s.segments[0]); }, "segment 4"},
      {Finding::no_image, [](Sample& s) { s.image = cv::Mat(); }, "no image"},
      {Finding::not_finite, [](Sample& s) { s.image = cv::Mat(6, 8, CV_32FC3, cv::Scalar(1, INFINITY, 2)); }, "Inf"},
      {Finding::unlabeled, [](Sample& s) { s.labels = s.segment_ids = cv::Mat(), s.segments.clear(); }, "no labels"},
      {Finding::sample_unreadable, [](Sample& s) { s.id = "throws a number"; }, ""},
  };
  std::set<Finding> kinds;
  for (const auto& [finding, plant, message] : all) {
    CAPTURE(name_of(finding));
    CAPTURE(message);
    auto bad = good("bad", 5);
    plant(bad);
    const auto id = bad.id;
    const auto check = checked(given({good("a", 1), good("b", 2), bad, good("c", 3)}));
    if (finding == Finding::sample_unreadable) {  // each part fails in the same way
      CHECK(found_in(check).count("train throws a number: image_unreadable") == 1);
      continue;
    }
    CHECK(holds(message_of(check, id, finding), message));
    kinds.insert(finding);
    for (const auto& one : check.found) CHECK(one.id == "bad");
    CHECK(check.counts[static_cast<std::size_t>(finding)] == 1);
    // Pixels that are all equal, or of another type, are told too.
    const bool more = finding == Finding::not_finite || finding == Finding::mask_outside;
    if (!more) CHECK(check.found.size() == 1);
  }
  CHECK(kinds.size() >= 19);
  auto several = good("several", 6);
  several.instances.assign(4, several.instances[0]);
  for (std::size_t i = 0; i < 4; ++i) several.instances[i].id = 0, several.instances[i].box = {0, 0, 0, 0};
  CHECK(message_of(checked(given({several})), "several", Finding::box_empty) ==
        "object 0 has the box (x 0, y 0, width 0, height 0); 3 more of this in the sample");
}

TEST_CASE("images without annotation are notes, unless others have labels") {
  auto with = good("with", 1), without = good("without", 2), tagged = good("tagged", 3);
  for (auto* sample : {&with, &without, &tagged}) {
    sample->labels = sample->segment_ids = cv::Mat();
    sample->segments.clear();
  }
  without.instances.clear();
  tagged.instances.clear();
  tagged.tags = {0, 2};
  CHECK(found_in(checked(given({with, without, tagged}))) == Found{{"train without: no_annotation", 1}});
  CHECK(found_in(checked(given({without}))) == Found{{"train: no_annotation", 1}});
}

TEST_CASE("labels of overlapping classes are 0 to 1 or ignored") {
  auto sample = good("a", 1);
  sample.instances.clear();
  sample.segments.clear();
  sample.segment_ids = cv::Mat();
  sample.labels = cv::Mat(6, 8, CV_32FC3, cv::Scalar(1, 0.5, 0.4));
  sample.labels.at<cv::Vec3f>(0, 0) = {-1, -1, -1};
  CHECK(found_in(checked(given({sample}))) == Found{{"train: class_nowhere", 1}});  // 0.4 is outside
  sample.labels.at<cv::Vec3f>(4, 3)[2] = 1.25;
  CHECK(message_of(checked(given({sample})), "a", Finding::unknown_class) ==
        "pixel (3, 4) of the labels has the value 1.25, and labels per class have 0 to 1, or -1 (ignored); 1 such "
        "values");
}

TEST_CASE("what a dataset throws is a fault of one sample, and the others are still checked") {
  auto error = good("throws an error", 2);
  const auto check = checked(given({good("a", 1), error, good("b", 3)}));
  CHECK(found_in(check) ==
        Found{{"train throws an error: image_unreadable", 1}, {"train throws an error: labels_unreadable", 1}});
  CHECK(holds(message_of(check, "throws an error", Finding::image_unreadable), "does not work"));
}

TEST_CASE("a view and a copy of an image have the same hash; other sizes and types have not") {
  const cv::Mat image = noise(1, CV_8UC3, {20, 20});
  const cv::Mat view = image(cv::Rect(3, 2, 7, 5));
  CHECK(hash_of(view) == hash_of(view.clone()));
  CHECK_FALSE(hash_of(view) == hash_of(image(cv::Rect(4, 2, 7, 5))));
  const cv::Mat zeros(4, 6, CV_8U, cv::Scalar(0));
  CHECK_FALSE(hash_of(zeros) == hash_of(zeros.reshape(1, 6)));
  CHECK_FALSE(hash_of(zeros) == hash_of(zeros.reshape(3, 4)));
  std::set<std::pair<std::uint64_t, std::uint64_t>> hashes;
  for (int i = 0; i < 24; ++i)
    for (int bit = 0; bit < 8; ++bit) {
      cv::Mat one = zeros.clone();
      one.data[i] = static_cast<std::uint8_t>(1 << bit);
      hashes.insert({hash_of(one).low, hash_of(one).high});
    }
  CHECK(hashes.size() == 192);
  CHECK(is_constant(zeros));
  CHECK(is_constant(cv::Mat(3, 3, CV_8UC3, cv::Scalar(1, 2, 3))));
  CHECK_FALSE(is_constant(view));
}

TEST_CASE("work in order: results by index, exceptions end it") {
  for (const int workers : {1, 2, 7}) {
    std::vector<std::size_t> taken;
    in_order(
        500, workers, [](std::size_t i) { return i * i; },
        [&](std::size_t i, std::size_t made) {
          CHECK(made == i * i);
          taken.push_back(i);
        });
    REQUIRE(taken.size() == 500);
    CHECK(std::is_sorted(taken.begin(), taken.end()));
    const auto fails = [&] {
      in_order(
          500, workers, [](std::size_t i) { return i == 70 ? throw std::runtime_error("seventy") : i; },
          [](std::size_t, std::size_t) {});
    };
    CHECK_THROWS_WITH(fails(), "seventy");
    const auto refused = [&] {
      in_order(
          500, workers, [](std::size_t i) { return i; },
          [](std::size_t i, std::size_t) {
            if (i == 3) throw std::runtime_error("three");
          });
    };
    CHECK_THROWS_WITH(refused(), "three");
  }
  in_order(
      0, 3, [](std::size_t i) { return i; }, [](std::size_t, std::size_t) { CHECK(false); });
}
