// What images and masks become: channels, depths, labels and classes.
#include <array>
#include <cmath>
#include <set>

#include <sectile/data/image_io.h>
#include <sectile/error.h>
#include <sectile/notes.h>

#include "image_folder_test.h"
#include "support/damaged.h"
#include "support/test.h"
#include "support/tiff_stack.h"
#include "support/turned_photo.h"

using namespace sectile::image_folder_tests;
using sectile::DataError;
using sectile::kIgnore;

namespace {

const fs::path kFormats = SECTILE_SOURCE_DIR "/tests/ground/formats";

const json kColors = {
    {"classes", {{{"name", "ground"}, {"color", {0, 0, 0}}}, {{"name", "cat"}, {"color", {255, 128, 0}}}}}};

}  // namespace

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
  sectile::test::check_orientation(folder.path() / "images/a.jpg", [&](const cv::Size& size, const json& more) {
    folder.image("masks/a.png", cv::Mat(size, CV_8U, cv::Scalar(1)));
    return open(folder.spec(more));
  });
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

TEST_CASE("a mask of another size and a damaged image are errors that name the files") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0}));
  folder.image("images/a.png", cv::Mat(4, 5, CV_8U, 0.0));
  CHECK(has(problem(folder.spec(), true), "masks/a.png: is 2 x 2 pixels, and its image "));
  CHECK(has(problem(folder.spec(), true), "images/a.png is 5 x 4 (width x height)"));
  fs::resize_file(folder.path() / "images/a.png", 40);
  CHECK(has(problem(folder.spec(), true), "images/a.png: is damaged or cut short"));
}

TEST_CASE("the bands of an image may be in several files") {
  const Folder folder;
  folder.image("images/a.png", cv::Mat(2, 2, CV_16UC3, cv::Scalar(1, 2, 3)));
  folder.image("images/a_nir.png", cv::Mat(2, 2, CV_16UC1, cv::Scalar(400)));
  folder.image("images/a_swir.png", cv::Mat(2, 2, CV_16UC3, cv::Scalar(5, 6, 7)));
  folder.image("masks/a.png", mask({0, 1, 1, 0}));
  const json bands = {{"image_suffix", ".png"}, {"band_suffixes", {"_swir.png", "_nir.png"}}};
  const auto dataset = open(folder.spec(bands));
  REQUIRE(dataset->size() == 1);
  const auto image = dataset->read(0).image;
  REQUIRE(image.type() == CV_16UC(7));
  const auto* first = image.ptr<std::uint16_t>(1, 1);
  CHECK(std::vector<int>(first, first + 7) == std::vector<int>{1, 2, 3, 5, 6, 7, 400});

  json without = bands;
  without.erase("image_suffix");
  CHECK(has(problem(folder.spec(without)), "/part/band_suffixes: needs \"image_suffix\""));
  json converted = bands;
  converted["channels"] = 3;
  CHECK(has(problem(folder.spec(converted)), "/part/channels: cannot be combined with band_suffixes"));
  folder.image("images/a_nir.png", cv::Mat(2, 3, CV_16UC1, cv::Scalar(400)));
  CHECK(has(problem(folder.spec(bands), true), "a_nir.png: is 3 x 2 pixels (width x height) of CV_16U, and "));
  folder.image("images/a_nir.png", cv::Mat(2, 2, CV_8UC1, cv::Scalar(4)));
  CHECK(has(problem(folder.spec(bands), true), "of CV_8U"));
  fs::remove(folder.path() / "images/a_nir.png");
  CHECK(has(problem(folder.spec(bands)), "a.png: has no file a_nir.png beside it"));
}

TEST_CASE("all channels and no pages of the bands' files are read") {
  const Folder folder;
  folder.image("images/a.png", cv::Mat(2, 2, CV_8UC4, cv::Scalar(1, 2, 3, 4)));
  folder.image("images/a_la.png", cv::Mat(2, 2, CV_8UC2, cv::Scalar(5, 6)));
  folder.image("masks/a.png", mask({0, 1, 1, 0}));
  const json bands = {{"image_suffix", ".png"}, {"band_suffixes", {"_la.png"}}};
  const auto dataset = open(folder.spec(bands));
  const auto image = dataset->read(0).image;
  REQUIRE(image.type() == CV_8UC(6));
  const auto* first = image.ptr<std::uint8_t>(1, 1);
  CHECK(std::vector<int>(first, first + 6) == std::vector<int>{1, 2, 3, 4, 5, 6});
  CHECK(dynamic_cast<const sectile::Notes&>(*dataset).notes().empty());

  json pages = bands;
  pages["band_suffixes"] = {"_la.png", "_pages.tif"};
  const cv::Mat page(2, 2, CV_8U, cv::Scalar(1));
  sectile::test::write_pages(folder.path() / "images/a_pages.tif", {{page}, {page}, {page}});
  CHECK(has(problem(folder.spec(pages), true), "a_pages.tif: has 3 pages, and "));
  pages["band_suffixes"] = {"_la.png", "_many.tif", "_more.tif"};
  for (const char* name : {"images/a_many.tif", "images/a_more.tif"})
    sectile::write_tiff(folder.path() / name, cv::Mat(2, 2, CV_8UC(300), cv::Scalar::all(0)));
  CHECK(has(problem(folder.spec(pages), true), "has 606 channels with its bands, and up to 512 are read"));

  json pattern = {{"images", "images/*.png"}, {"masks", "masks/*.png"}, {"band_suffixes", {"_la.png"}}};
  CHECK(has(problem(folder.spec(pattern)), "/part/band_suffixes: cannot be combined with a pattern"));
  json list = bands;
  list["list"] = (folder.path() / "list.txt").string();
  folder.text("list.txt", "images/a.png masks/a.png\n");
  auto spec = folder.spec(list);
  spec.erase("masks");
  CHECK(has(problem(spec), "/part/band_suffixes: cannot be combined with a list that names both files"));
}
