// sectile data preview, as a program.
#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "support/scratch.h"
#include "support/test.h"

namespace fs = std::filesystem;
using namespace sectile;

namespace {

// Two images of 48 x 40 pixels. Of its network, nothing is there.
struct PreviewSpec {
  test::Scratch scratch;
  fs::path file, folder = scratch / "out";
  explicit PreviewSpec(const std::string& transforms = R"({"train": [{"type": "horizontal_flip"}]})")
      : file(scratch.write("spec.json", R"({"model": {"type": "nobody_has_this"}, "metrics": 3, "transforms": )" +
                                            transforms + R"(, "data": {
          "train": {"type": "synthetic", "count": 2, "size": [48, 40], "seed": 1},
          "val": {"type": "synthetic", "count": 2, "size": [48, 40], "seed": 2}}})")) {}
  test::Ran run(const std::string& more = "") const {
    return test::sectile("data preview " + file.string() + " -o " + folder.string() + " " + more);
  }
  cv::Mat image(const std::string& name) const { return read_raw_image(folder / name).pixels; }
};

bool previews(const test::Ran& ran, const std::string& text) { return ran.output.find(text) != std::string::npos; }

cv::Mat mirrored(const cv::Mat& view) {  // of both halves
  cv::Mat all = view.clone();
  for (const int x : {0, 44}) {
    const cv::Rect half(x, 0, 40, 48);
    cv::Mat flipped;
    cv::flip(view(half), flipped, 1);
    flipped.copyTo(all(half));
  }
  return all;
}

}  // namespace

TEST_CASE("data preview writes samples with their labels beside them, after the transforms of their split") {
  const PreviewSpec plain("{}"), flipped(R"({"train": [{"type": "horizontal_flip", "probability": 1}]})");
  const auto ran = plain.run();
  CAPTURE(ran.output);
  REQUIRE(ran.code == 0);
  CHECK(previews(ran, "train_0000.png  1-0\n"));
  CHECK(previews(ran, "train_0001.png  1-1\n"));
  REQUIRE(flipped.run("--quiet").output.empty());
  for (const char* name : {"train_0000.png", "train_0001.png"}) {
    const cv::Mat view = plain.image(name), other = flipped.image(name);
    REQUIRE(view.size() == cv::Size(84, 48));
    CHECK(view.at<cv::Vec3b>(20, 41) == cv::Vec3b(255, 255, 255));  // between them
    CHECK(cv::norm(view.colRange(0, 40), view.colRange(44, 84), cv::NORM_INF) > 50);
    // The lines between classes are at the upper left of pixels, so that only the image itself is mirrored exactly.
    CHECK(cv::norm(mirrored(view).colRange(0, 40), other.colRange(0, 40), cv::NORM_INF) == 0);
  }
  REQUIRE(flipped.run("--split val --count 1").code == 0);
  CHECK(fs::exists(flipped.folder / "val_0000.png"));
  CHECK_FALSE(fs::exists(flipped.folder / "val_0001.png"));
}

TEST_CASE("data preview shows other random numbers each time, and the same again") {
  const PreviewSpec spec(R"({"train": [{"type": "random_crop", "size": [20, 20]}]})");
  REQUIRE(spec.run("--first 1 --times 3").code == 0);
  const cv::Mat first = spec.image("train_0001_1.png"), second = spec.image("train_0001_2.png"),
                third = spec.image("train_0001_3.png");
  CHECK(cv::norm(first, second, cv::NORM_INF) + cv::norm(first, third, cv::NORM_INF) > 0);
  CHECK_FALSE(fs::exists(spec.folder / "train_0000_1.png"));
  const auto again = spec.run("--first 1 --times 3");
  CHECK(again.code == 2);
  CHECK(previews(again, "train_0001_1.png: exists already; choose another folder with --output DIR"));
  REQUIRE(spec.run("--first 1 --times 3 --overwrite").code == 0);
  CHECK(cv::norm(first, spec.image("train_0001_1.png"), cv::NORM_INF) == 0);
  REQUIRE(spec.run("--first 1 --times 3 --overwrite --set /train/seed=9").code == 0);
  CHECK(cv::norm(first, spec.image("train_0001_1.png"), cv::NORM_INF) +
            cv::norm(second, spec.image("train_0001_2.png"), cv::NORM_INF) >
        0);
}

TEST_CASE("data preview does not write among other files, such as the images of a dataset") {
  const PreviewSpec spec;
  fs::create_directories(spec.folder);
  const auto image = spec.scratch.write("out/train_0000.png", "an image");
  for (const char* words : {"", "--overwrite"}) {
    const auto ran = spec.run(words);
    CHECK(ran.code == 2);
    CHECK(previews(ran, "out: is not empty, and not the folder of an earlier preview; choose another folder"));
    CHECK(test::contents(image) == "an image");
  }
  fs::remove(image);
  CHECK(spec.run().code == 0);
  CHECK(spec.run("--split val").code == 0);
}

TEST_CASE("data preview tells what is wrong") {
  const PreviewSpec spec;
  const auto says = [&](const std::string& words, const std::string& text) {
    const auto ran = spec.run(words);
    CAPTURE(ran.output);
    CHECK(ran.code == 2);
    CHECK(previews(ran, text));
  };
  says("--split vall", "unknown split \"vall\", did you mean \"val\"?");
  says("--split test", "/data: has no \"test\"; choose one that is there with --split NAME: train, val");
  says("--first 2", "--first is 2, and train has 2 samples; expected 0 to 1");
  says("--count 0", "--count is 0; expected 1 or more");
  says("--set /transforms/train/0/probability=3", "/transforms/train/0/probability");
  CHECK(previews(test::sectile("data --split val preview " + spec.file.string()), "preview comes before its options"));
  const auto help = test::sectile("data preview --help");
  CHECK(previews(help, "usage: sectile data preview SPEC"));
  CHECK(previews(help, "then its targets in grayscale, at most 16 channels of each"));
  CHECK(previews(help, "of overlapping classes the one with the largest share is drawn, the first of equal ones"));
  CHECK(previews(test::sectile("data --help"), "more: sectile data preview --help"));
}

TEST_CASE("data preview shows images without labels, and 16-bit ones from their smallest to their largest value") {
  const test::Scratch scratch;
  fs::create_directories(scratch / "images");
  cv::Mat image(4, 6, CV_16U, cv::Scalar(2000));
  image.at<std::uint16_t>(0, 0) = 1000, image.at<std::uint16_t>(3, 5) = 3000;
  write_png(scratch / "images/a.png", image);
  const auto spec = scratch.write("spec.json", R"({"data": {"train": {"type": "image_folder", "root": ".",
    "images": "images", "classes": [{"name": "a"}]}}, "transforms": {"train": [{"type": "vertical_flip", "probability": 1}]}})");
  const auto folder = scratch / "out";
  const auto ran = test::sectile("data preview " + spec.string() + " -o " + folder.string());
  CAPTURE(ran.output);
  REQUIRE(ran.code == 0);
  const cv::Mat view = read_raw_image(folder / "train_0000.png").pixels;
  REQUIRE(view.size() == cv::Size(6, 4));
  CHECK(view.at<cv::Vec3b>(3, 0) == cv::Vec3b(0, 0, 0));
  CHECK(view.at<cv::Vec3b>(0, 5) == cv::Vec3b(255, 255, 255));
}

TEST_CASE("data preview counts the classes of the training data where a transform needs them") {
  const PreviewSpec spec(R"({"train": [{"type": "border_weights", "class_balance": "inverse"}]})");
  const auto ran = spec.run("--count 1");
  CAPTURE(ran.output);
  REQUIRE(ran.code == 0);
  CHECK(spec.image("train_0000.png").cols == 3 * 40 + 2 * 4);
}
