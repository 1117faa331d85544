// Which files make samples, and in what order.
#include <cstdlib>
#include <fstream>

#include <sectile/error.h>

#include "image_folder_test.h"
#include "support/damaged.h"
#include "support/test.h"

using namespace sectile::image_folder_tests;
using sectile::DataError;

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

TEST_CASE("names that begin with a dot, and links that lead back, do not count") {
  const Folder folder;
  for (const char* name : {"a", "town/b"}) folder.pair(name, mask({0, 1, 1, 0}));
  folder.pair(".checkpoints/a", mask({0, 1, 1, 0}));
  folder.text("images/._a.png", "no image");
  folder.text("masks/._a.png", "no image");
  fs::create_directory_symlink("..", folder.path() / "images/town/up");
  fs::create_directory_symlink("town", folder.path() / "images/again");
  folder.image("masks/again/b.png", mask({0, 1, 1, 0}));
  CHECK(ids(folder.spec()) == Names{"a", "again/b", "town/b"});
  CHECK(ids(folder.spec({{"images", "images/**/*"}, {"masks", "masks/**/*"}})) == Names{"a", "again/b", "town/b"});
}

TEST_CASE("links that lead nowhere are samples that cannot be read") {
  const Folder folder;
  for (const char* name : {"a", "circle", "gone", "no_mask"}) folder.pair(name, mask({0, 1, 1, 0}));
  const auto link = [&](const char* to, const char* name) {
    fs::remove(folder.path() / name);
    fs::create_symlink(to, folder.path() / name);
  };
  link("circle.png", "images/circle.png");
  link("nowhere.png", "images/gone.png");
  link("nowhere.png", "masks/no_mask.png");
  for (const auto& more :
       {json::object(), json{{"mask_suffix", ".png"}}, json{{"images", "images/*.png"}, {"masks", "masks/*.png"}}}) {
    CAPTURE(more.dump());
    const auto dataset = open(folder.spec(more));
    REQUIRE(dataset->size() == 4);
    CHECK(labels(dataset->read(0)) == std::vector<int>{0, 1, 1, 0});
    CHECK_THROWS_WITH_AS(dataset->read(1), doctest::Contains("circle.png: cannot be opened: Too many levels"),
                         DataError);
    CHECK_THROWS_WITH_AS(dataset->read(2), doctest::Contains("gone.png: cannot be opened: No such file"), DataError);
    CHECK_THROWS_WITH_AS(dataset->read(3), doctest::Contains("no_mask.png: cannot be opened: No such file"), DataError);
  }
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
