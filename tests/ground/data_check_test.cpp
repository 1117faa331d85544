// Faults that are planted in files, each of which must be found, and datasets without any.
#include <cmath>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "checked_data.h"
#include "support/scratch.h"
#include "support/small_images.h"
#include "support/test.h"

namespace fs = std::filesystem;
using namespace sectile;
using namespace sectile::test;

namespace {

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
