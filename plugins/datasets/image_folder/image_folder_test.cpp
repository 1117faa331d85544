#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <sectile/error.h>
#include <sectile/notes.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/damaged.h"
#include "support/test.h"
#include "support/tiff_stack.h"

namespace fs = std::filesystem;
using nlohmann::json;
using sectile::DataError;
using sectile::Dataset;
using sectile::kIgnore;

namespace {

// A dataset in a folder that is gone after the test.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("sectile_image_folder_" + std::to_string(getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

  void image(const std::string& name, const cv::Mat& pixels, const sectile::Palette& palette = {}) const {
    fs::create_directories((path_ / name).parent_path());
    sectile::write_png(path_ / name, pixels, palette);
  }
  void pair(const std::string& name, const cv::Mat& mask) const {
    image("images/" + name + ".png", cv::Mat(mask.rows, mask.cols, CV_8UC3, cv::Scalar(10, 20, 30)));
    image("masks/" + name + ".png", mask);
  }
  void text(const std::string& name, const std::string& content) const { std::ofstream(path_ / name) << content; }

  json spec(const json& more = json::object()) const {
    json spec = {{"type", "image_folder"},
                 {"root", path_.string()},
                 {"masks", "masks"},
                 {"classes", {{{"name", "ground"}}, {{"name", "cat"}}}}};
    spec.merge_patch(more);
    return spec;
  }

 private:
  fs::path path_;
};

std::shared_ptr<Dataset> open(const json& spec) { return sectile::test::make<Dataset>(spec.dump()); }

const fs::path kFormats = SECTILE_SOURCE_DIR "/tests/ground/formats";

using Names = std::vector<std::string>;
Names notes(const json& spec) { return dynamic_cast<const sectile::Notes&>(*open(spec)).notes(); }
Names ids(const json& spec) {
  const auto dataset = open(spec);
  Names names;
  for (std::size_t i = 0; i < dataset->size(); ++i) names.push_back(dataset->id_of(i));
  return names;
}

std::string problem(const json& spec, bool and_read = false) {
  try {
    const auto dataset = open(spec);
    if (and_read) dataset->read(0);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "no error";
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

cv::Mat mask(std::initializer_list<int> values, int type = CV_8U) {  // two rows
  cv::Mat made(2, static_cast<int>(values.size()) / 2, type);
  std::size_t i = 0;
  for (const int value : values) {
    if (type == CV_8U)
      made.data[i] = static_cast<std::uint8_t>(value);
    else
      made.ptr<std::uint16_t>()[i] = static_cast<std::uint16_t>(value);
    ++i;
  }
  return made;
}
std::vector<int> labels(const sectile::Sample& sample) {
  return {sample.labels.begin<std::int16_t>(), sample.labels.end<std::int16_t>()};
}

const json kColors = {
    {"classes", {{{"name", "ground"}, {"color", {0, 0, 0}}}, {{"name", "cat"}, {"color", {255, 128, 0}}}}}};

}  // namespace

TEST_CASE("images and masks are paired by name, and numbers in names are ordered as numbers") {
  const Folder folder;
  for (const char* name : {"10", "9", "2", "part/1", "02"}) folder.pair(name, mask({0, 1, 1, 0}));
  folder.image("masks/left_over.png", mask({0, 1, 1, 0}));
  const auto dataset = open(folder.spec());
  REQUIRE(dataset->size() == 5);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < 5; ++i) names.push_back(dataset->read(i).id);
  CHECK(names == std::vector<std::string>{"02", "2", "9", "10", "part/1"});
  const auto sample = dataset->read(1);
  CHECK(labels(sample) == std::vector<int>{0, 1, 1, 0});
  CHECK(sample.image.at<cv::Vec3b>(1, 1) == cv::Vec3b(10, 20, 30));
}

TEST_CASE("skip and limit choose a part by name") {
  const Folder folder;
  for (int i = 0; i < 12; ++i) folder.pair(std::to_string(i), mask({0, 1, 1, 0}));
  const auto dataset = open(folder.spec({{"skip", 8}, {"limit", 3}}));
  REQUIRE(dataset->size() == 3);
  CHECK(dataset->read(0).id == "8");
  CHECK(dataset->read(2).id == "10");
  CHECK(open(folder.spec({{"skip", 8}, {"limit", 100}}))->size() == 4);
  CHECK(has(problem(folder.spec({{"skip", 12}})), "/part/skip: leaves out 12 images, and "));
}

TEST_CASE("suffixes name the two files of a pair, also within one folder") {
  const Folder folder;
  folder.image("all/a.png", cv::Mat(2, 2, CV_8U, 5.0));
  folder.image("all/a_mask.png", mask({0, 1, 1, 0}));
  folder.image("all/b_photo.png", cv::Mat(2, 2, CV_8U, 5.0));
  folder.image("all/b_mask.png", mask({1, 1, 1, 0}));
  const auto one = open(folder.spec({{"images", "all"}, {"masks", "all"}, {"mask_suffix", "_mask.png"}, {"limit", 1}}));
  CHECK(one->size() == 1);
  CHECK(one->read(0).id == "a");
  const auto other = open(
      folder.spec({{"images", "all"}, {"masks", "all"}, {"mask_suffix", "_mask.png"}, {"image_suffix", "_photo.png"}}));
  CHECK(other->size() == 1);
  CHECK(labels(other->read(0)) == std::vector<int>{1, 1, 1, 0});
}

TEST_CASE("suffixes that are left out are found, in any case, and two files of one name are refused") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0}));
  folder.pair("b", mask({1, 1, 1, 0}));
  fs::rename(folder.path() / "images/b.png", folder.path() / "images/b.TIF");  // what it holds, its bytes say
  fs::rename(folder.path() / "masks/b.png", folder.path() / "masks/b.Bmp");
  folder.text("images/notes.txt", "no image");
  folder.text("images/.png", "no name");
  CHECK(ids(folder.spec()) == Names{"a", "b"});
  CHECK(labels(open(folder.spec())->read(1)) == std::vector<int>{1, 1, 1, 0});
  CHECK(ids(folder.spec({{"image_suffix", ".TIF"}})) == Names{"b"});

  folder.image("masks/b.pgm", mask({0, 0, 0, 0}));
  CHECK(has(problem(folder.spec()), "masks: has two files with the same name, b.Bmp and b.pgm"));
  CHECK(ids(folder.spec({{"mask_suffix", ".Bmp"}, {"image_suffix", ".TIF"}})) == Names{"b"});
  folder.image("images/a.jpeg", mask({0, 0, 0, 0}));
  CHECK(has(problem(folder.spec()), "images: has two files with the same name, a.jpeg and a.png"));
}

TEST_CASE("images and masks may share a folder, or one lie in the other") {
  const Folder folder;
  folder.image("all/a.jpg", cv::Mat(2, 2, CV_8U, 5.0));
  folder.image("all/a.png", mask({0, 1, 1, 0}));
  const json together = {{"images", "all"}, {"masks", "all/"}};
  CHECK(has(problem(folder.spec(together)), "/part/mask_suffix: is missing: images and masks are in one folder"));
  for (const json& more : {json{{"image_suffix", ".jpg"}}, json{{"mask_suffix", ".png"}}}) {
    json spec = folder.spec(together);
    spec.merge_patch(more);
    CHECK(ids(spec) == Names{"a"});
    CHECK(labels(open(spec)->read(0)) == std::vector<int>{0, 1, 1, 0});
  }
  folder.image("all/masks/a.png", mask({1, 1, 1, 1}));
  const json inside = folder.spec({{"images", "all"}, {"masks", "all/masks"}, {"image_suffix", ".jpg"}});
  CHECK(labels(open(inside)->read(0)) == std::vector<int>{1, 1, 1, 1});
  fs::remove(folder.path() / "all/a.png");
  CHECK(ids(folder.spec({{"images", "all"}, {"masks", "all/masks"}})) == Names{"a"});
}

TEST_CASE("patterns pair files by what their stars stand for") {
  const Folder folder;
  const cv::Mat image(2, 2, CV_8UC3, cv::Scalar(1, 2, 3));
  for (const char* name : {"bonn/bonn_10", "bonn/bonn_9", "aachen/aachen_1"}) {
    folder.image("left/train/" + std::string(name) + "_left.png", image);
    folder.image("gt/train/" + std::string(name) + "_gt_ids.png", mask({0, 1, 1, 0}));
    folder.image("gt/train/" + std::string(name) + "_gt_color.png", image);
  }
  const json cities = {{"images", "left/train/*/*_left.png"}, {"masks", "gt/train/*/*_gt_ids.png"}};
  CHECK(ids(folder.spec(cities)) == Names{"aachen/aachen_1_left", "bonn/bonn_9_left", "bonn/bonn_10_left"});
  CHECK(labels(open(folder.spec(cities))->read(2)) == std::vector<int>{0, 1, 1, 0});
  CHECK(ids(folder.spec({{"images", "left/**/*_left"}, {"masks", "gt/**/*_gt_ids"}})).size() == 3);
  CHECK(ids(folder.spec({{"images", "left/train/bonn/*_left"}, {"masks", "gt/train/bonn/*_gt_ids"}})) ==
        Names{"bonn_9_left", "bonn_10_left"});
  CHECK(ids({{"type", "image_folder"}, {"root", folder.path().string()}, {"images", "left/**/bonn_*"}}).size() == 2);
  json second = cities;
  second["skip"] = 1, second["limit"] = 1;
  CHECK(ids(folder.spec(second)) == Names{"bonn/bonn_9_left"});
  CHECK(has(problem(folder.spec({{"images", "left/*_left.png"}, {"masks", "gt/*.png"}})),
            "left has no image: no file name matches \"left/*_left.png\"; there are 3 of \".png\""));
  CHECK(has(problem(folder.spec({{"images", "left/train/*/*_left.png"}, {"masks", "gt/train/*/*_ids.png"}})),
            "gt/train: has no mask for 3 of 3 images in " + (folder.path() / "left/train/*/*_left.png").string() +
                ": aachen/aachen_1_ids.png, bonn/bonn_9_ids.png"));
  CHECK(has(problem(folder.spec({{"images", "right/*.png"}, {"masks", "gt/*.png"}})), "right is not a folder"));
  folder.image("left/train/bonn/bonn_9_left.jpg", image);
  CHECK(has(problem(folder.spec({{"images", "left/train/*/*_left"}, {"masks", "gt/train/*/*_gt_ids"}})),
            "has two files with the same name, bonn/bonn_9_left.jpg and bonn/bonn_9_left.png"));
}

TEST_CASE("stars match as little as possible, ** also no folder at all") {
  const Folder folder;
  const cv::Mat image(2, 2, CV_8U, 1.0);
  for (const char* name : {"p/a_b_c", "p/q/a_d", "a_e"}) folder.image("x/" + std::string(name) + ".png", image);
  for (const char* name : {"b_c/p/m-a", "d/p/q/m-a", "e/m-a"})
    folder.image("y/" + std::string(name) + ".png", mask({0, 1, 1, 0}));
  CHECK(has(problem(folder.spec({{"images", "x/**/*_*"}, {"masks", "y/**/*-*"}})),
            "has no mask for 3 of 3 images in " + (folder.path() / "x/**/*_*").string() +
                ": a-e.*, p/a-b_c.*, p/q/a-d.* not found"));
}

TEST_CASE("a list of names says which samples there are, in its order") {
  const Folder folder;
  for (const char* name : {"1", "2", "3", "part/two words"}) folder.pair(name, mask({0, 1, 1, 0}));
  folder.text("list.txt", "\xef\xbb\xbf# a comment\r\n3\r\n\r\n  1.png  \r\n\tpart/two words\n");
  const json listed = {{"list", (folder.path() / "list.txt").string()}};
  CHECK(ids(folder.spec(listed)) == Names{"3", "1", "part/two words"});
  CHECK(labels(open(folder.spec(listed))->read(2)) == std::vector<int>{0, 1, 1, 0});
  json part = listed;
  part["skip"] = 1, part["limit"] = 1;
  CHECK(ids(folder.spec(part)) == Names{"1"});

  const auto told = [&](const std::string& text, const json& more = json::object()) {
    folder.text("list.txt", text);
    json spec = folder.spec(listed);
    spec.merge_patch(more);
    return problem(spec);
  };
  CHECK(has(told("1\n2\n", {{"skip", 2}}), "/part/skip: leaves out 2 images, and "));
  CHECK(has(told("1\n\n4\n"), "list.txt, line 3: names \"4\", and there is no such image in "));
  CHECK(has(told("1\n1.png\n"), "list.txt, line 2: names \"1\", as line 1 does"));
  CHECK(has(told("1\n2 2 3\n"), "list.txt, line 2: has 3 words"));
  CHECK(has(told("1\nimages/2.png masks/2.png\n"), "list.txt, line 2: has 2 words, and line 1 has 1"));
  CHECK(has(told("# nothing\n"), "list.txt: is empty"));
  CHECK(has(told("1\n", {{"images", "no"}}), "no is not a folder"));
  CHECK(has(told("1.png\n", {{"image_suffix", "_p.png"}}), "/part/image_suffix: "));
  fs::remove(folder.path() / "masks/2.png");
  CHECK(has(told("1\n2\n"), "has no mask for 1 of 2 images"));
  CHECK(has(problem(folder.spec({{"list", "/no/list.txt"}})), "/no/list.txt: cannot be read: No such file"));
}

TEST_CASE("a list of pairs names both files below root") {
  const Folder folder;
  folder.pair("1", mask({0, 1, 1, 0}));
  folder.pair("2", mask({1, 1, 1, 0}));
  json spec = folder.spec({{"list", (folder.path() / "list.txt").string()}});
  spec.erase("masks");
  folder.text("list.txt", "/images/2.png /masks/2.png\nimages/1.png\tmasks/2.png\n");
  CHECK(ids(spec) == Names{"images/2", "images/1"});
  CHECK(labels(open(spec)->read(1)) == std::vector<int>{1, 1, 1, 0});
  json more = spec;
  more["masks"] = "masks";
  CHECK(has(problem(more), "/part/masks: cannot be combined with a list that names both files of each pair, "));
  more = spec;
  more.erase("classes");
  CHECK(has(problem(more), "list.txt names masks, which need \"classes\""));
  folder.text("list.txt", "images/1.png masks/3.png\n");
  CHECK(has(problem(spec), "list.txt, line 1: names \"masks/3.png\", and there is not a file "));
  folder.text("list.txt", (folder.path() / "images/1.png").string() + " masks/1.png\n");
  CHECK(labels(open(spec)->read(0)) == std::vector<int>{0, 1, 1, 0});
}

TEST_CASE("without masks the images are unlabelled, and need no classes") {
  const Folder folder;
  folder.image("images/a.png", cv::Mat(2, 2, CV_16U, 500.0));
  const auto dataset = open({{"type", "image_folder"}, {"root", folder.path().string()}});
  CHECK(dataset->read(0).labels.empty());
  CHECK(dataset->read(0).image.type() == CV_16UC1);
  CHECK(dataset->classes_of(0).empty());
  CHECK(dataset->labels().classes.empty());
}

TEST_CASE("values of classes are free, and ignored ones do not count") {
  const Folder folder;
  folder.pair("a", mask({0, 255, 7, 0}));
  folder.pair("b", mask({300, 40000, 300, 300}, CV_16U));
  const auto dataset = open(folder.spec(
      {{"classes", {{{"name", "membrane"}}, {{"name", "cell"}, {"value", 255}}}}, {"ignore", {7}}, {"limit", 1}}));
  CHECK(labels(dataset->read(0)) == std::vector<int>{0, 1, kIgnore, 0});
  CHECK(dataset->classes_of(0) == std::vector<int>{0, 1});
  CHECK(dataset->labels().classes[1].category_id == 255);
  const auto wide = open(
      folder.spec({{"classes", {{{"name", "x"}, {"value", 40000}}, {{"name", "y"}, {"value", 300}}}}, {"skip", 1}}));
  CHECK(labels(wide->read(0)) == std::vector<int>{1, 0, 1, 1});
}

TEST_CASE("a value that no class owns is an error with the place, the value and the way out") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0, 9, 0}));
  const std::string message = problem(folder.spec({{"ignore", {255}}}), true);
  CAPTURE(message);
  CHECK(has(message, "masks/a.png: pixel (1, 1) has value 9, which is not a class"));
  CHECK(has(message, "the classes have 0, 1, ignored are 255"));
  CHECK(has(message, "\"unknown\""));
  CHECK(labels(open(folder.spec({{"unknown", "ignore"}}))->read(0)) == std::vector<int>{0, 1, 1, 0, kIgnore, 0});
}

TEST_CASE("color masks are read by the classes' colors, palette masks by index or color") {
  const Folder folder;
  folder.pair("a", (cv::Mat_<cv::Vec3b>(1, 3) << cv::Vec3b(255, 128, 0), cv::Vec3b(0, 0, 0), cv::Vec3b(1, 1, 1)));
  folder.image("images/b.png", cv::Mat(1, 3, CV_8U, 0.0));
  folder.image("masks/b.png", (cv::Mat_<std::uint8_t>(1, 3) << 1, 0, 1), {{255, 128, 0}, {0, 0, 0}});
  json spec = folder.spec(kColors);
  spec["ignore_colors"] = {{1, 1, 1}};
  const auto dataset = open(spec);
  CHECK(labels(dataset->read(0)) == std::vector<int>{1, 0, kIgnore});
  CHECK(labels(dataset->read(1)) == std::vector<int>{1, 0, 1});
  spec["encoding"] = "color";
  CHECK(labels(open(spec)->read(1)) == std::vector<int>{0, 1, 0});
  CHECK(has(problem(folder.spec(kColors), true),
            "pixel (2, 0) has color (1, 1, 1), which is not a class: ground (0, 0, 0)"));
  CHECK(has(problem(folder.spec(), true), "not every class states its \"color\""));
}

TEST_CASE("a grey mask saved in three channels is read by value when that is asked for") {
  const Folder folder;
  folder.pair("a", (cv::Mat_<cv::Vec3b>(1, 2) << cv::Vec3b(1, 1, 1), cv::Vec3b(0, 0, 0)));
  folder.pair("b", (cv::Mat_<cv::Vec3b>(1, 2) << cv::Vec3b(1, 2, 1), cv::Vec3b(0, 0, 0)));
  const auto dataset = open(folder.spec({{"encoding", "value"}}));
  CHECK(labels(dataset->read(0)) == std::vector<int>{1, 0});
  CHECK_THROWS_WITH_AS(dataset->read(1), doctest::Contains("three channels that differ"), DataError);
}

TEST_CASE("channels turns images into grey or RGB") {
  const Folder folder;
  folder.image("images/a.png", cv::Mat(1, 1, CV_8UC4, cv::Scalar(200, 100, 50, 7)));
  folder.image("images/b.png", cv::Mat(1, 1, CV_16U, 1000.0));
  const json plain = {{"type", "image_folder"}, {"root", folder.path().string()}};
  json grey = plain, color = plain;
  grey["channels"] = 1, color["channels"] = 3;
  CHECK(open(plain)->read(0).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(200, 100, 50));
  CHECK(open(grey)->read(0).image.at<std::uint8_t>(0, 0) == 124);  // 0.299 R + 0.587 G + 0.114 B
  CHECK(open(color)->read(1).image.at<cv::Vec<std::uint16_t, 3>>(0, 0) == cv::Vec<std::uint16_t, 3>(1000, 1000, 1000));
}

TEST_CASE("images of many channels and of floating point come as they are") {
  const Folder folder;
  const auto five = [](int depth) {
    cv::Mat merged;
    cv::merge(std::vector<cv::Mat>(5, cv::Mat(2, 2, depth, 1.0)), merged);
    return merged;
  };
  fs::create_directories(folder.path() / "images");
  sectile::write_tiff(folder.path() / "images/a.tif", five(CV_32F));
  sectile::write_tiff(folder.path() / "images/b.tif", cv::Mat(2, 2, CV_16SC1, cv::Scalar(-5)));
  json spec = {{"type", "image_folder"}, {"root", folder.path().string()}};
  CHECK(open(spec)->read(0).image.type() == CV_32FC(5));
  CHECK(open(spec)->read(1).image.at<std::int16_t>(1, 1) == -5);
  spec["channels"] = 3;
  CHECK_THROWS_WITH_AS(open(spec)->read(0), doctest::Contains("a.tif: has 5 channels of CV_32F"), DataError);
  CHECK_THROWS_WITH_AS(open(spec)->read(1), doctest::Contains("b.tif: has 1 channels of CV_16S"), DataError);
  folder.image("images/c.png", cv::Mat(2, 2, CV_8U, 0.0));
  fs::create_directories(folder.path() / "masks");
  sectile::write_tiff(folder.path() / "masks/c.tif", five(CV_8U));
  CHECK(has(problem(folder.spec({{"skip", 2}}), true), "masks/c.tif: has 5 channels; a mask has"));
}

TEST_CASE("masks that hold no class numbers are refused by what they hold") {
  const Folder folder;
  const auto many = [](int depth, int channels) {
    cv::Mat merged;
    cv::merge(std::vector<cv::Mat>(static_cast<std::size_t>(channels), cv::Mat(2, 2, depth, 1.0)), merged);
    return merged;
  };
  const auto told = [&](const cv::Mat& mask, const json& more) {
    folder.image("images/a.png", cv::Mat(2, 2, CV_8U, 0.0));
    fs::create_directories(folder.path() / "masks");
    sectile::write_tiff(folder.path() / "masks/a.tif", mask);
    return problem(folder.spec(more), true);
  };
  json by_color = kColors;
  by_color["encoding"] = "color";
  for (const json& more : {json::object(), json{{"encoding", "value"}}, by_color}) {
    CAPTURE(more.dump());
    CHECK(has(told(many(CV_8U, 5), more), "masks/a.tif: has 5 channels"));
    CHECK(has(told(many(CV_16U, 512), more), "masks/a.tif: has 512 channels"));
  }
  for (const int depth : {CV_16S, CV_32F})
    CHECK(has(told(many(depth, 3), kColors),
              "masks/a.tif: is a color mask of " + std::string(cv::depthToString(depth)) + ";"));
}

TEST_CASE("masks may hold class numbers in any type, and what is no class is told as it stands there") {
  const Folder folder;
  const auto file = folder.path() / "masks/a.tif";
  folder.image("images/a.png", cv::Mat(2, 2, CV_8U, 0.0));
  const auto holds = [&](const cv::Mat& numbers, sectile::test::Samples samples) {
    sectile::test::write_pages(file, {{numbers, samples}});
    return labels(open(folder.spec())->read(0));
  };
  using sectile::test::Samples;
  const cv::Mat numbers = (cv::Mat_<float>(2, 2) << 0, 1, 1, 0);
  const std::vector<int> classes{0, 1, 1, 0};
  for (const int depth : {CV_8S, CV_16S, CV_32S}) {
    cv::Mat mask;
    numbers.convertTo(mask, depth);
    CHECK(holds(mask, Samples::signed_integer) == classes);
    CHECK(holds(mask, Samples::unsigned_integer) == classes);
  }
  CHECK(holds(numbers, Samples::floating_point) == classes);
  CHECK(holds(cv::Mat_<double>(numbers), Samples::floating_point) == classes);
  for (const auto& [value, text] : {std::pair{0.5f, "0.5"}, {-1.0f, "-1"}, {1e9f, "1e+09"}, {std::nanf(""), "nan"}}) {
    cv::Mat mask = numbers.clone();
    mask.at<float>(1, 0) = value;
    sectile::test::write_pages(file, {{mask, Samples::floating_point}});
    CHECK(has(problem(folder.spec(), true), "pixel (0, 1) has value " + std::string(text) + ", which is not a class"));
    CHECK(labels(open(folder.spec({{"unknown", "ignore"}}))->read(0)) == std::vector<int>{0, 1, kIgnore, 0});
  }
}

TEST_CASE("masks that were saved as JPEG, or as grey in three channels, are told what to do") {
  const Folder folder;
  const auto grey = sectile::read_raw_image(kFormats / "grey.jpg").pixels;
  folder.image("images/a.png", grey);
  fs::create_directories(folder.path() / "masks");
  fs::copy_file(kFormats / "grey.jpg", folder.path() / "masks/a.JPG");
  CHECK(
      has(problem(folder.spec(), true), "which is not a class: the classes have 0, 1, ignored are none. JPEG changes"));
  CHECK(has(notes(folder.spec()).at(0), "masks/a.JPG: is a JPEG, which changes values where it compresses"));
  fs::remove(folder.path() / "masks/a.JPG");
  folder.image("masks/a.png", cv::Mat(grey.size(), CV_8UC3, cv::Scalar::all(1)));
  CHECK(has(problem(folder.spec(kColors), true), "All three channels are equal: if they hold the class's number"));
}

TEST_CASE("names that begin with a dot, and links that lead back or nowhere, do not count") {
  const Folder folder;
  for (const char* name : {"a", "town/b"}) folder.pair(name, mask({0, 1, 1, 0}));
  folder.pair(".checkpoints/a", mask({0, 1, 1, 0}));
  folder.text("images/._a.png", "no image");
  folder.text("masks/._a.png", "no image");
  fs::create_directory_symlink("..", folder.path() / "images/town/up");
  fs::create_directory_symlink("town", folder.path() / "images/again");
  fs::create_symlink("circle.png", folder.path() / "images/circle.png");
  fs::create_symlink("nowhere.png", folder.path() / "images/gone.png");
  folder.image("masks/again/b.png", mask({0, 1, 1, 0}));
  CHECK(ids(folder.spec()) == Names{"a", "again/b", "town/b"});
  CHECK(ids(folder.spec({{"images", "images/**/*"}, {"masks", "masks/**/*"}})) == Names{"a", "again/b", "town/b"});
}

TEST_CASE("folders that link to each other in too many ways are refused") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0}));
  const auto at = [&](int i) { return folder.path() / "images" / std::to_string(i); };
  for (int i = 0; i < 8; ++i) fs::create_directories(at(i));
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 8; ++j) fs::create_directory_symlink(at(j), at(i) / std::to_string(j));
  CHECK(has(problem(folder.spec()), "is found through links in more than 100 ways"));
}

TEST_CASE("suffixes that are asked for match in upper and lower case") {
  const Folder folder;
  folder.image("all/a.png", cv::Mat(2, 2, CV_8U, 5.0));
  folder.image("all/a_mask.png", mask({0, 1, 1, 0}));
  folder.image("all/b.PNG", cv::Mat(2, 2, CV_8U, 5.0));
  folder.image("all/b_mask.PNG", mask({1, 1, 1, 0}));
  const auto both =
      open(folder.spec({{"images", "all"}, {"masks", "all"}, {"image_suffix", ".png"}, {"mask_suffix", "_mask.png"}}));
  REQUIRE(both->size() == 2);
  CHECK(labels(both->read(1)) == std::vector<int>{1, 1, 1, 0});
}

TEST_CASE("files that are left out are counted by suffix, those that the options exclude are not") {
  const Folder folder;
  for (const char* name : {"a", "b"}) folder.pair(name, mask({0, 1, 1, 0}));
  CHECK(notes(folder.spec()).empty());
  for (const char* name : {"c.gif", "d.gif", "note.txt"}) folder.text(std::string("images/") + name, "");
  CHECK(notes(folder.spec()) == Names{(folder.path() / "images").string() +
                                      ": files of formats that cannot be read are left out: 2 of \".gif\", 1 of "
                                      "\".txt\""});
  CHECK(notes(folder.spec({{"image_suffix", ".png"}})).empty());
  fs::rename(folder.path() / "masks/a.png", folder.path() / "masks/a.gif");
  CHECK(has(problem(folder.spec()), "a.* not found; of formats that cannot be read, there are 1 of \".gif\". See"));
}

TEST_CASE("channels keeps a channel that the file declares as alpha, and a note says where it is dropped") {
  const Folder folder;
  folder.image("images/a.png", cv::Mat(1, 1, CV_8UC4, cv::Scalar(200, 100, 50, 7)));
  json spec = {{"type", "image_folder"}, {"root", folder.path().string()}};
  CHECK(notes(spec) == Names{(folder.path() / "images/a.png").string() +
                             ": channel 4 is declared as alpha and left out, here and in images like it; to keep it, "
                             "set \"channels\" to 4"});
  CHECK(open(spec)->read(0).image.channels() == 3);
  spec["channels"] = 4;
  CHECK(notes(spec).empty());
  CHECK(open(spec)->read(0).image.at<cv::Vec4b>(0, 0) == cv::Vec4b(200, 100, 50, 7));
  folder.image("images/a.png", cv::Mat(1, 1, CV_8UC3, cv::Scalar::all(0)));
  CHECK_THROWS_WITH_AS(open(spec)->read(0), doctest::Contains("a.png: has 3 channels of CV_8U, which cannot become 4"),
                       DataError);
}

TEST_CASE("an image may be read as it is stored, and a mask that fits only then is told so") {
  const Folder folder;
  const auto photo = kFormats / "orientation_6.jpg";
  const auto stored = sectile::read_size(photo, {.apply_exif_orientation = false});
  fs::create_directories(folder.path() / "images");
  fs::copy_file(photo, folder.path() / "images/a.jpg");
  folder.image("masks/a.png", cv::Mat(stored, CV_8U, cv::Scalar(1)));
  CHECK(has(problem(folder.spec(), true), "orientation swaps its sides: set \"apply_exif_orientation\" to false"));
  const auto dataset = open(folder.spec({{"apply_exif_orientation", false}}));
  CHECK(dataset->read(0).image.size() == stored);
  CHECK(dataset->extent_of(0).width == stored.width);
}

TEST_CASE("names with blanks in a list are tried whole before they are split") {
  const Folder folder;
  for (const char* name : {"my cat", "a b c"}) folder.pair(name, mask({0, 1, 1, 0}));
  folder.text("names.txt", "my cat.png\na b c\n");
  folder.text("pairs.txt", "images/my cat.png\tmasks/my cat.png\n");
  CHECK(ids(folder.spec({{"list", (folder.path() / "names.txt").string()}})) == Names{"my cat", "a b c"});
  json pairs = folder.spec({{"list", (folder.path() / "pairs.txt").string()}});
  pairs.erase("masks");
  CHECK(ids(pairs) == Names{"images/my cat"});
}

TEST_CASE("each page of a TIFF is a sample, with its own page of the mask") {
  const Folder folder;
  const auto stack = [](std::initializer_list<double> levels) {
    std::vector<cv::Mat> pages;
    for (const double level : levels) pages.emplace_back(2, 3, CV_8U, cv::Scalar(level));
    return pages;
  };
  sectile::test::write_stack(folder.path() / "images/cell.TIF", stack({10, 11, 12}));
  sectile::test::write_stack(folder.path() / "masks/cell.tiff", stack({0, 1, 0}));
  folder.pair("alone", mask({0, 1, 1, 0}));
  const Names all{"alone", "cell#0001", "cell#0002", "cell#0003"};
  CHECK(ids(folder.spec()) == all);
  const auto dataset = open(folder.spec());
  for (std::size_t i = 0; i < 3; ++i) {
    const auto sample = dataset->read(i + 1);
    CHECK(sample.id == all[i + 1]);
    CHECK(sample.image.at<std::uint8_t>(1, 2) == 10 + i);
    CHECK(labels(sample) == std::vector<int>(6, i == 1));
    CHECK(dataset->classes_of(i + 1) == std::vector<int>{i == 1});
    CHECK(dataset->extent_of(i + 1) == sectile::Extent{1, 2, 3});
  }
  CHECK(ids(folder.spec({{"skip", 2}, {"limit", 1}})) == Names{"cell#0002"});
  CHECK(ids(folder.spec({{"images", "images/*"}, {"masks", "masks/*"}, {"skip", 1}, {"limit", 2}})) ==
        Names{"cell#0001", "cell#0002"});
  folder.text("list.txt", "cell\nalone\n");
  CHECK(ids(folder.spec({{"list", (folder.path() / "list.txt").string()}, {"skip", 2}})) ==
        Names{"cell#0003", "alone"});

  sectile::test::write_stack(folder.path() / "masks/cell.tiff", stack({0, 9, 0}));
  CHECK_THROWS_WITH_AS(open(folder.spec())->read(2), doctest::Contains("cell.tiff, page 2: pixel (0, 0) has value 9"),
                       DataError);
  sectile::test::write_stack(folder.path() / "masks/cell.tiff", stack({0, 1}));
  CHECK(has(problem(folder.spec()), "masks/cell.tiff: has 2 pages, and its image "));
  CHECK(has(problem(folder.spec()), "images/cell.TIF has 3 pages: a mask needs a page for each page"));
  CHECK(ids(folder.spec({{"limit", 1}})) == Names{"alone"});
  fs::remove(folder.path() / "masks/cell.tiff");
  folder.image("masks/cell.png", mask({0, 1, 1, 0}));
  CHECK(has(problem(folder.spec()), "masks/cell.png: has 1 page, and its image "));
}

TEST_CASE("labels, classes and sizes come without pixels: of damaged images too") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0, 1, 1}));
  sectile::test::cut_behind_header(folder.path() / "images/a.png");
  const auto dataset = open(folder.spec());
  CHECK_THROWS_AS(dataset->read(0), DataError);
  CHECK_THROWS_AS(dataset->read(0, {.image = true, .labels = false, .objects = false}), DataError);
  CHECK(labels(dataset->read(0, {.image = false, .labels = true, .objects = false})) ==
        std::vector<int>{0, 1, 1, 0, 1, 1});
  CHECK(dataset->classes_of(0) == std::vector<int>{0, 1});
  CHECK(dataset->extent_of(0) == sectile::Extent{1, 2, 3});
  fs::remove(folder.path() / "masks/a.png");
  CHECK(dataset->read(0, {.image = false, .labels = false, .objects = true}).labels.empty());
}

TEST_CASE("the pages of a TIFF may differ in size, and each has its own") {
  const Folder folder;
  sectile::test::write_stack(folder.path() / "images/cell.tif",
                             {cv::Mat(2, 3, CV_8U, 1.0), cv::Mat(5, 4, CV_8U, 1.0), cv::Mat(1, 7, CV_8U, 1.0)});
  const auto dataset = open({{"type", "image_folder"}, {"root", folder.path().string()}});
  REQUIRE(dataset->size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(dataset->extent_of(i) == dataset->Dataset::extent_of(i));
  CHECK(dataset->extent_of(1) == sectile::Extent{1, 5, 4});
  CHECK_THROWS_WITH_AS(sectile::read_info(folder.path() / "images/cell.tif", {.page = 3}),
                       doctest::Contains("has no page 3"), DataError);
}

TEST_CASE("a damaged TIFF is a bad sample, and does not keep the others from being read") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0}));
  folder.pair("b", mask({0, 1, 1, 0}));
  fs::remove(folder.path() / "images/b.png");
  folder.text("images/b.tif", std::string("II\x2a\0\xff\xff\0\0", 8));
  const auto dataset = open(folder.spec());
  CHECK(dataset->size() == 2);
  CHECK(dataset->read(0).id == "a");
  CHECK_THROWS_WITH_AS(dataset->read(1), doctest::Contains("b.tif"), DataError);
}

TEST_CASE("classes may stand in a file of their own, which is read by the same rules") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 3}));
  folder.text("classes.json", R"({"classes": [{"name": "ground"}, {"name": "cat"}], "ignore": [3]})");
  folder.text("wrong.json", R"({"classes": [{"name": "ground", "colour": [1, 2, 3]}, {"value": 700000}]})");
  const auto spec = [&](const char* file) {
    json made = folder.spec({{"classes_file", (folder.path() / file).string()}});
    made.erase("classes");
    return made;
  };
  const auto dataset = open(spec("classes.json"));
  CHECK(labels(dataset->read(0)) == std::vector<int>{0, 1, 1, kIgnore});
  CHECK(dataset->labels().classes[1].name == "cat");
  const std::string message = problem(spec("wrong.json"));
  CAPTURE(message);
  CHECK(has(message, "wrong.json: "));
  CHECK(has(message, "/classes/0/colour: unknown option, did you mean \"color\"?"));
  CHECK(has(message, "/classes/1"));
  CHECK(has(problem(spec("none.json")), "none.json"));
}

TEST_CASE("classes without a color get distinct ones, and the background black") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0}));
  json classes = json::array({{{"name", "background"}}});
  for (int i = 1; i < 40; ++i) classes.push_back({{"name", std::to_string(i)}});
  const auto dataset = open(folder.spec({{"classes", classes}}));
  std::set<std::array<std::uint8_t, 3>> colors;
  for (const auto& entry : dataset->labels().classes) colors.insert(entry.color);
  CHECK(colors.size() == 40);
  CHECK(dataset->labels().classes[0].color == std::array<std::uint8_t, 3>{0, 0, 0});
}

TEST_CASE("what is missing is named, with what is there instead") {
  const Folder folder;
  for (int i = 0; i < 7; ++i) folder.image("photos/" + std::to_string(i) + ".png", cv::Mat(2, 2, CV_8U, 0.0));
  folder.image("masks/3.png", mask({0, 0, 0, 0}));
  fs::create_directories(folder.path() / "empty");
  folder.text("empty/a.jpg", "");
  CHECK(has(problem(folder.spec()), "images is not a folder; in "));
  CHECK(has(problem(folder.spec()), "there is: empty, masks, photos"));
  CHECK(has(problem(folder.spec({{"root", (folder.path() / "no").string()}})), "/part/root: "));
  const std::string missing = problem(folder.spec({{"images", "photos"}}));
  CAPTURE(missing);
  CHECK(has(missing, "has no mask for 6 of 7 images"));
  CHECK(has(missing, "0.*, 1.*, 2.*, 4.*, 5.* and 1 more not found. See \"mask_suffix\""));
  CHECK(has(problem(folder.spec({{"images", "photos"}, {"mask_suffix", "_m.png"}})),
            "has no mask for 7 of 7 images in " + (folder.path() / "photos").string() + ": 0_m.png, 1_m.png, "));
  const std::string empty = problem(folder.spec({{"images", "empty"}, {"image_suffix", ".png"}}));
  CAPTURE(empty);
  CHECK(has(empty, "empty has no image: no file name there ends with \".png\"; there are 1 of \".jpg\""));
  fs::rename(folder.path() / "empty/a.jpg", folder.path() / "empty/a.gif");
  CHECK(has(problem(folder.spec({{"images", "empty"}})),
            "empty has no image: no file there has the suffix of a format that can be read; there are 1 of \".gif\""));
}

TEST_CASE("a mask of another size and a damaged image are errors that name the files") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0}));
  folder.image("images/a.png", cv::Mat(4, 5, CV_8U, 0.0));
  CHECK(has(problem(folder.spec(), true), "masks/a.png: is 2 x 2 pixels, and its image "));
  CHECK(has(problem(folder.spec(), true), "images/a.png is 5 x 4 (width x height)"));
  fs::resize_file(folder.path() / "images/a.png", 40);
  CHECK(has(problem(folder.spec(), true), "images/a.png: is damaged or cut short"));
}

TEST_CASE("options that contradict each other are problems of the spec") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0}));
  const auto pointers = [&](const json& more) {
    std::vector<std::string> found;
    try {
      open(folder.spec(more));
    } catch (const sectile::SpecError& error) {
      for (const auto& one : error.problems()) found.push_back(one.pointer);
    }
    return found;
  };
  using Pointers = std::vector<std::string>;
  CHECK(pointers({{"classes", nullptr}}) == Pointers{"/part/classes"});
  CHECK(pointers({{"classes_file", "c.json"}}) == Pointers{"/part/classes_file"});
  CHECK(pointers({{"channels", 5}}) == Pointers{"/part/channels"});
  CHECK(pointers({{"images", "a*"}}) == Pointers{"/part/masks"});
  CHECK(pointers({{"masks", "a*"}}) == Pointers{"/part/masks"});
  CHECK(pointers({{"images", "a/*/*"}, {"masks", "b/*"}}) == Pointers{"/part/masks"});
  CHECK(pointers({{"images", "**/*"}, {"masks", "*/*"}}) == Pointers{"/part/masks"});
  CHECK(pointers({{"images", "a**/*"}, {"masks", "b/**"}}) == Pointers{"/part/images", "/part/masks", "/part/masks"});
  CHECK(pointers({{"images", "*********"}, {"masks", nullptr}}) == Pointers{"/part/images"});
  CHECK(pointers({{"images", "a*b*c*d*e*f*g*h*i*"}, {"masks", nullptr}}) == Pointers{"/part/images"});
  CHECK(pointers({{"images", "a*"}, {"masks", "b*"}, {"list", "l"}}) == Pointers{"/part/list"});
  CHECK(pointers({{"images", "a*"}, {"masks", "b*"}, {"image_suffix", ".png"}, {"mask_suffix", ".png"}}) ==
        Pointers{"/part/image_suffix", "/part/mask_suffix"});
  CHECK(pointers({{"ignore", {1}}}) == Pointers{"/part/ignore/0"});
  CHECK(pointers({{"classes", {{{"name", "a"}, {"value", 1}}, {{"name", "a"}}}}}) ==
        Pointers{"/part/classes/1/name", "/part/classes/1/value"});
}

TEST_CASE("CamVid and ISBI 2012 are read in their own layouts, with the counts that Pillow finds") {
  const char* data = std::getenv("SECTILE_DATA");
  if (!data || !fs::exists(fs::path(data) / "camvid")) {
    MESSAGE("skipped: set SECTILE_DATA to a folder with camvid/ and isbi2012/");
    return;
  }
  std::ifstream file(SECTILE_SOURCE_DIR "/plugins/datasets/image_folder/expected.json");
  const json expected = json::parse(file);
  json classes;
  for (const char* name :
       {"sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"})
    classes.push_back({{"name", name}});
  json camvid = {
      {"type", "image_folder"}, {"root", std::string(data) + "/camvid"}, {"classes", classes}, {"ignore", {11}}};
  for (const auto& [split, count] : {std::pair("train", 120u), {"val", 30u}, {"test", 60u}}) {
    camvid["images"] = split, camvid["masks"] = std::string(split) + "annot";
    CHECK(open(camvid)->size() == count);
  }
  const auto test = open(camvid);
  std::vector<std::int64_t> counts(12);
  for (std::size_t i = 0; i < test->size(); ++i)
    for (const int label : labels(test->read(i))) ++counts[label < 0 ? 11u : static_cast<std::size_t>(label)];
  CHECK(counts == expected["camvid_test"].get<std::vector<std::int64_t>>());
  const cv::Scalar mean = cv::mean(test->read(0).image);
  for (int c = 0; c < 3; ++c) CHECK(mean[c] == doctest::Approx(expected["camvid_test_first_mean"][c].get<double>()));

  const auto isbi = open({{"type", "image_folder"},
                          {"root", std::string(data) + "/isbi2012"},
                          {"images", "image"},
                          {"masks", "label"},
                          {"classes", {{{"name", "membrane"}, {"value", 0}}, {{"name", "cell"}, {"value", 255}}}},
                          {"skip", 20}});
  REQUIRE(isbi->size() == 10);
  CHECK(isbi->read(9).id == "29");
  std::vector<std::int64_t> pair(2);
  for (std::size_t i = 0; i < 10; ++i)
    for (const int label : labels(isbi->read(i))) ++pair[static_cast<std::size_t>(label)];
  CHECK(pair == expected["isbi_last_ten"].get<std::vector<std::int64_t>>());
}
