// `evaluate --truth --predictions` of label maps and of panoptic segments, which need no network.
#include <sys/stat.h>

#include <fstream>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "commands/compared_folders.h"
#include "commands/trained_run.h"
#include "support/oriented_png.h"
#include "support/panoptic_tree.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using sectile::test::ComparedFolders;
using sectile::test::Ended;
using sectile::test::run;
using sectile::test::sectile_program;
namespace fs = std::filesystem;

namespace {

// Truth and predictions of the images 1 and 2: 6 x 8 pixels of the segments 70000 (sky) and 11 (car), void in a corner.
struct ComparedSegments {
  ComparedSegments() {
    cv::Mat ids(6, 8, CV_32S, cv::Scalar(70000)), found;
    ids.colRange(4, 8) = 11;
    ids(cv::Rect(0, 0, 2, 2)) = 0;
    ids.copyTo(found);
    found.colRange(4, 5) = 70000;
    for (const int image : {1, 2}) {
      truth["images"].push_back({{"id", image}, {"file_name", std::to_string(image) + ".jpg"}});
      for (auto* side : {&truth, &predictions})
        (*side)["annotations"].push_back(
            {{"image_id", image},
             {"file_name", std::to_string(image) + ".png"},
             {"segments_info", {{{"id", 70000}, {"category_id", 2}}, {{"id", 11}, {"category_id", 7}}}}});
      write("truth", image, ids);
      write("found", image, found);
    }
  }
  void write(const std::string& side, int image, const cv::Mat& ids) const {
    fs::create_directories(scratch / side);
    write_png(scratch.path() / side / (std::to_string(image) + ".png"), test::coco_segments::colors_of(ids));
  }
  Ended evaluate(const std::string& more = "") const {
    scratch.write("truth.json", truth.dump());
    scratch.write("found.json", predictions.dump());
    auto ended = sectile_program("evaluate --truth " + (scratch / "truth.json").string() + " --predictions " +
                                 (scratch / "found.json").string() + " " + more);
    ended.text = test::replaced(ended.text, scratch.path().string(), "ROOT");
    return ended;
  }
  test::Scratch scratch;
  Json truth = {
      {"categories", {{{"id", 7}, {"name", "car"}, {"isthing", 1}}, {{"id", 2}, {"name", "sky"}, {"isthing", 0}}}}};
  Json predictions = Json::object();
};

void check_same_columns(const Json& files, const Json& network) {
  CHECK(files["values"] == network["values"]);
  for (const auto& [name, cells] : network["per_class"].items())
    if (name != "class") CHECK(files["per_class"][name] == cells);
}

}  // namespace

TEST_CASE("label maps in folders have the numbers that evaluate has for the network which predicted them") {
  const auto folder = run().folder / "label_maps";
  cv::RNG random(3);
  for (const char* name : {"a.png", "b.png", "deep/c.png"}) {
    cv::Mat pixels(48, 48, CV_8UC3), mask(48, 48, CV_8U);
    random.fill(pixels, cv::RNG::UNIFORM, 0, 256);
    random.fill(mask, cv::RNG::UNIFORM, 0, 5);
    mask.rowRange(0, 5) = 255;
    for (const auto& [place, image] : {std::pair("images", pixels), std::pair("masks", mask)}) {
      fs::create_directories((folder / place / name).parent_path());
      write_png(folder / place / name, image);
    }
    for (int i = 0; i < 48 * 48; ++i)
      if (auto& value = mask.data[i]; value < 5) value = static_cast<std::uint8_t>(7 + 3 * value);
    fs::create_directories((folder / "values" / name).parent_path());
    write_png(folder / "values" / name, mask);
  }
  const auto data =
      " --set '/data/val={\"type\": \"image_folder\", \"root\": \"" + folder.string() +
      R"(", "masks": "masks", "ignore": [255], "classes": [{"name": "background"}, {"name": "circle"}, )" +
      R"({"name": "square"}, {"name": "triangle"}, {"name": "star"}]}')";
  const auto by_network = folder / "network.json", by_files = folder / "files.json";
  auto ended = sectile_program("evaluate " + run().best() + data + " --report " + by_network.string());
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  ended = sectile_program("predict " + run().best() + data + " --split val -o " + (folder / "out").string());
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  REQUIRE(fs::exists(folder / "out/a_overlay.png"));  // which is no prediction of its own
  const auto evaluate = "evaluate --predictions " + (folder / "out").string() + " --report " + by_files.string();
  ended = sectile_program(evaluate + " --classes 5 --truth " + (folder / "masks").string());
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  const auto network = Json::parse(test::contents(by_network)), files = Json::parse(test::contents(by_files));
  CHECK(files["images"] == 3);
  check_same_columns(files, network);
  REQUIRE(files["per_image"].size() == 3);
  CHECK(files["per_image"][0]["id"] == "a");
  CHECK(files["per_image"][2]["iou/mIoU"] == network["per_image"][2]["iou/mIoU"]);

  // Other values in the files: the classes are those of a file, and so are the values to ignore.
  fs::create_directories(folder / "found");
  fs::create_directories(folder / "found/deep");
  for (const char* name : {"a.png", "b.png", "deep/c.png"}) {
    auto pixels = read_raw_image(folder / "out" / name).pixels.clone();
    for (int i = 0; i < 48 * 48; ++i) pixels.data[i] = static_cast<std::uint8_t>(7 + 3 * pixels.data[i]);
    write_png(folder / "found" / name, pixels);
  }
  std::ofstream(folder / "classes.json") << R"({"ignore": [255], "classes": [{"name": "background", "value": 7},
    {"name": "b", "value": 10}, {"name": "c", "value": 13}, {"name": "d", "value": 16}, {"name": "e", "value": 19}]})";
  ended = sectile_program("evaluate --predictions " + (folder / "found").string() + " --truth " +
                          (folder / "values").string() + " --classes " + (folder / "classes.json").string() +
                          " --per-class --report " + by_files.string());
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK(ended.says("background"));
  const auto named = Json::parse(test::contents(by_files));
  check_same_columns(named, network);
  CHECK(named["per_class"]["class"][4] == "e");
}

TEST_CASE("label maps in folders: no number of threads changes a byte of the output") {
  const ComparedFolders folders;
  std::string first;
  for (const char* threads : {"1", "2", "3"}) {
    const auto ended = folders.evaluate(std::string("--classes 3 --quiet --per-class --threads ") + threads);
    REQUIRE_MESSAGE(ended.code == 0, ended.text);
    const auto all = ended.text + folders.report(std::string("--classes 3 --threads ") + threads).dump();
    if (first.empty()) first = all;
    CHECK(all == first);
  }
  CHECK(folders.evaluate("--classes 3 --threads 0").says("--threads: 0 is below 1"));
}

TEST_CASE("label maps in folders: what counts is what the options say") {
  const ComparedFolders folders;
  // By hand: 30 ignored pixels of each map; of its other 570, the 150 of the rows 1 to 5 are predicted as class 1.
  double right = 0, counted = 0;
  std::array<double, 3> in_truth{}, both{}, found_as{};
  for (const char* name : {"a", "b", "deep/c"}) {
    const auto of = [&](const char* side) {
      return read_raw_image(folders.scratch.path() / side / (std::string(name) + ".png")).pixels;
    };
    const auto truth = of("truth"), found = of("found");
    for (int i = 30; i < 600; ++i) {
      ++counted, ++in_truth[truth.data[i]], ++found_as[found.data[i]];
      if (truth.data[i] == found.data[i]) ++right, ++both[truth.data[i]];
    }
  }
  double iou = 0;
  for (std::size_t c = 0; c < 3; ++c) iou += both[c] / (in_truth[c] + found_as[c] - both[c]) / 3;
  const double of_first = both[0] / (in_truth[0] + found_as[0] - both[0]);
  const auto report = folders.report();
  CHECK(report["values"]["iou/mIoU"].get<double>() == doctest::Approx(iou).epsilon(1e-12));
  CHECK(report["values"]["pixel_accuracy/pixel accuracy"].get<double>() ==
        doctest::Approx(right / counted).epsilon(1e-12));
  CHECK(report["per_class"]["class"] == Json{"0", "1", "2"});

  const auto one = folders.report(R"(--classes 3 --metric '{"type": "pixel_accuracy"}')");
  CHECK(!one["values"].contains("iou/mIoU"));
  CHECK(one["values"]["pixel_accuracy/pixel accuracy"] == report["values"]["pixel_accuracy/pixel accuracy"]);
  const auto last_two = folders.report(R"(--classes 3 --metric '{"type": "iou", "include_background": false}')");
  CHECK(last_two["values"]["iou/mIoU"].get<double>() == doctest::Approx((3 * iou - of_first) / 2).epsilon(1e-12));
  const auto less = folders.report("--classes 3 --metric iou --ignore 255 --ignore 254");
  CHECK(less["values"]["iou/mIoU"] == report["values"]["iou/mIoU"]);
  auto ended = folders.evaluate("--classes 3 --ignore 254");
  CHECK(ended.code == 2);
  CHECK(
      ended.says("ROOT/truth/a.png: has 30 pixels of values that no class has: 255; the classes have 0 to 2, ignored "
                 "are 254"));
  // 255 may be a class.
  CHECK(folders.report("--classes 256")["per_class"]["class"].size() == 256);
  CHECK(folders.evaluate("--classes 3 --ignore 2").says("--ignore: 2 is the value of a class"));
  CHECK(folders.evaluate("--classes 3 --ignore 65536").says("--ignore: 65536 is not a value of pixels"));
  CHECK(folders.evaluate("").says("--classes is missing"));
  CHECK(folders.evaluate("--classes 0").says("--classes: 0 is not a number of classes; expected 1 to 32767"));
  CHECK(folders.evaluate("--classes 99999999999").says("is not a number of classes"));
  CHECK(folders.evaluate("--classes nowhere.json").says("nowhere.json"));
  folders.scratch.write("none.json", R"({"classes": []})");
  CHECK(folders.evaluate("--classes " + (folders.scratch / "none.json").string()).says("has no class in \"classes\""));
}

TEST_CASE("label maps in folders: metrics that need more than labels, or do not exist, are refused") {
  const ComparedFolders folders;
  auto ended = folders.evaluate("--classes 3 --metric coco_ap");
  CHECK(ended.code == 2);
  CHECK_MESSAGE(ended.says("needs objects, which label maps do not have"), ended.text);
  CHECK(folders.evaluate("--classes 3 --metric panoptic_quality").says("needs objects"));
  ended = folders.evaluate("--classes 3 --metric nothing");
  CHECK(ended.code == 2);
  CHECK_MESSAGE(ended.says("nothing"), ended.text);
  CHECK(folders.evaluate(R"(--classes 3 --metric '{"type": "iou", "x": 1}')").code == 2);
  CHECK(folders.evaluate(R"(--classes 3 --metric '{"type": "iou"')").code == 2);
  CHECK(folders.evaluate(R"(--classes 3 --metric '{"type": "iou"}, {"type": "pixel_accuracy"}')").code == 2);
}

TEST_CASE("label maps in folders: all that is wrong is told at once, by file") {
  const ComparedFolders folders;
  const auto root = folders.scratch.path();
  folders.write("truth", "d", cv::Mat(4, 5, CV_8U, cv::Scalar(1)));
  folders.write("found", "d", cv::Mat(5, 4, CV_8U, cv::Scalar(1)));
  folders.write("truth", "e", cv::Mat(4, 5, CV_8U, cv::Scalar(9)));
  folders.write("found", "e", cv::Mat(4, 5, CV_8U, cv::Scalar(1)));
  folders.write("truth", "f", cv::Mat(4, 5, CV_16U, cv::Scalar(1)));
  folders.write("found", "f", cv::Mat(4, 5, CV_16U, cv::Scalar(40000)));
  folders.write("truth", "g", cv::Mat(4, 5, CV_8U, cv::Scalar(1)));
  folders.write("found", "g", cv::Mat(4, 5, CV_8UC3, cv::Scalar(1, 2, 3)));
  folders.write("truth", "missing", cv::Mat(4, 5, CV_8U, cv::Scalar(1)));
  folders.write("found", "extra", cv::Mat(4, 5, CV_8U, cv::Scalar(1)));
  folders.write("found", "a_scores", cv::Mat(4, 5, CV_8U, cv::Scalar(1)));  // beside a, as `predict` writes them
  fs::resize_file(root / "found/b.png", fs::file_size(root / "found/b.png") / 2);
  const auto ended = folders.evaluate();
  CAPTURE(ended.text);
  CHECK(ended.code == 2);
  CHECK(ended.says("ROOT/found: cannot be compared with ROOT/truth:\n"));
  CHECK(ended.says("has no prediction for 1 image of ROOT/truth: missing; "));
  CHECK(ended.says("has 1 image that ROOT/truth does not have: extra"));
  CHECK(ended.says("ROOT/found/b.png: "));
  CHECK(ended.says("ROOT/found/d.png: "));
  CHECK(
      ended.says("ROOT/truth/e.png: has 20 pixels of values that no class has: 9; the classes have 0 to 2, ignored "
                 "are 255"));
  CHECK(ended.says("ROOT/found/f.png: has 20 pixels that count of values that no class has: 40000"));
  CHECK(ended.says("ROOT/found/g.png: has 3 channels; expected a label map"));
  CHECK(!ended.says("a_scores"));
  CHECK(!ended.says("mIoU"));
  CHECK(folders.evaluate("--classes 3 --threads 1").text == folders.evaluate("--classes 3 --threads 3").text);
}

TEST_CASE("label maps in folders: one problem is one line, and predictions where nothing counts are free") {
  const ComparedFolders folders;
  auto pixels = read_raw_image(folders.scratch.path() / "found/a.png").pixels.clone();
  pixels.row(0) = 77;  // where the truth is ignored
  folders.write("found", "a", pixels);
  const auto before = folders.report()["values"];
  CHECK(before["iou/mIoU"].get<double>() > 0.5);
  pixels.at<std::uint8_t>(1, 0) = 255;  // no class, where one counts
  folders.write("found", "a", pixels);
  auto ended = folders.evaluate();
  CHECK_MESSAGE(ended.says("ROOT/found: cannot be compared with ROOT/truth: ROOT/found/a.png: has 1 pixel"),
                ended.text);
  fs::remove(folders.scratch.path() / "found/a.png");
  CHECK(folders.evaluate().says("ROOT/truth: ROOT/found: has no prediction for 1 image of ROOT/truth: a; "));
  folders.write("found", "a", pixels);
  fs::copy(folders.scratch.path() / "found/a.png", folders.scratch.path() / "found/a.tif");
  ended = folders.evaluate();
  CHECK(ended.code == 2);
  CHECK_MESSAGE((ended.says("a.png") && ended.says("a.tif")), ended.text);
  fs::create_directories(folders.scratch / "empty");
  CHECK(sectile_program("evaluate --classes 3 --truth " + (folders.scratch / "empty").string() + " --predictions " +
                        (folders.scratch / "found").string())
            .says("has no image; expected a folder of label maps"));
}

TEST_CASE("label maps in folders: nothing counted, and maps of one pixel") {
  test::Scratch scratch;
  for (const auto& [side, value] : {std::pair("truth", 255), std::pair("found", 1)}) {
    fs::create_directories(scratch / side);
    write_png(scratch.path() / side / "a.png", cv::Mat(1, 1, CV_8U, cv::Scalar(value)));
  }
  const auto words = "evaluate --classes 2 --truth " + (scratch / "truth").string() + " --predictions " +
                     (scratch / "found").string() + " --per-class --report " + (scratch / "report.json").string();
  const auto ended = sectile_program(words);
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK(Json::parse(test::contents(scratch / "report.json"))["values"]["iou/mIoU"].is_null());
}

TEST_CASE("files of panoptic segments: a table, and the values that the metric of a spec has") {
  const ComparedSegments pair;
  // Sky: 20 true pixels, 26 predicted, 2 more on void: no. By hand: sky 20 / (20 + 26 - 20) in the images, car 18 / 24.
  const auto report = pair.scratch / "report.json";
  std::string first;
  for (const char* threads : {"1", "2", "3"}) {
    fs::remove(report);
    const auto ended = pair.evaluate("--per-class --threads " + std::string(threads) + " --report " + report.string());
    REQUIRE_MESSAGE(ended.code == 0, ended.text);
    const auto all = ended.text + test::contents(report);
    if (first.empty()) first = all;
    CHECK(all == first);
    CHECK(ended.says("(2 images, 4 segments, 4 predicted segments)"));
    CHECK(ended.says("car    thing  0.7500"));
    CHECK(ended.says("panopticapi"));
  }
  const auto json = Json::parse(test::contents(report));
  CHECK(json["values"]["panoptic_quality/PQ_things"].get<double>() == doctest::Approx(18. / 24));
  CHECK(json["values"]["panoptic_quality/PQ_stuff"].get<double>() == doctest::Approx(20. / 26));
  CHECK(json["values"]["panoptic_quality/PQ"].get<double>() == doctest::Approx((18. / 24 + 20. / 26) / 2));
  CHECK(json["values"]["panoptic_quality/RQ"] == 1);
  CHECK(json["per_class"]["class"] == Json{"sky", "car"});  // by id
  CHECK(json["per_class"]["panoptic_quality/TP"] == Json{2, 2});
  CHECK(json["images"] == 2);
  CHECK(!pair.evaluate("--quiet").says("panopticapi"));
}

TEST_CASE("files of panoptic segments: all that is wrong is told at once, by file and image") {
  ComparedSegments pair;
  const auto root = pair.scratch.path();
  pair.truth["images"].push_back({{"id", 3}, {"file_name", "3.jpg"}});
  pair.truth["annotations"].push_back(pair.truth["annotations"][0]);
  pair.truth["annotations"][2]["image_id"] = 3;
  pair.predictions["annotations"][1]["segments_info"][1]["category_id"] = 99;
  pair.predictions["annotations"].push_back(pair.predictions["annotations"][0]);
  pair.predictions["annotations"][2]["image_id"] = 44;
  fs::resize_file(root / "found/1.png", fs::file_size(root / "found/1.png") / 2);
  const auto ended = pair.evaluate();
  CAPTURE(ended.text);
  CHECK(ended.code == 2);
  CHECK(ended.says("ROOT/found.json: cannot be compared with ROOT/truth.json:\n"));
  CHECK(ended.says("has no prediction for 1 image that ROOT/truth.json annotates: 3"));
  CHECK(ended.says("has predictions for 1 image that ROOT/truth.json does not list: 44"));
  CHECK(ended.says("ROOT/found/1.png: "));
  CHECK(ended.says("annotations[1] (image 2): segment 11 has the category_id 99"));
  CHECK(pair.evaluate("--threads 1").text == pair.evaluate("--threads 3").text);
}

TEST_CASE("files of panoptic segments: folders of PNGs are found, or named") {
  const ComparedSegments pair;
  fs::rename(pair.scratch / "found", pair.scratch / "other");
  CHECK(pair.evaluate().code == 2);
  CHECK(pair.evaluate("--predictions-masks " + (pair.scratch / "other").string()).says("PQ 0.75"));
  fs::rename(pair.scratch / "truth", pair.scratch / "right");
  CHECK(pair.evaluate("--predictions-masks " + (pair.scratch / "other").string() + " --truth-masks " +
                      (pair.scratch / "right").string())
            .says("PQ 0.75"));
  CHECK(pair.evaluate("--truth-masks nowhere").says("nowhere: is not a folder"));
}

TEST_CASE("files of panoptic segments: a PNG that two images have, one with an EXIF orientation, a pipe") {
  for (const bool of_truth : {true, false}) {
    ComparedSegments pair;
    auto& side = of_truth ? pair.truth : pair.predictions;
    side["annotations"][1]["file_name"] = "./1.png";
    const auto ended = pair.evaluate();
    CHECK(ended.code == 2);
    CHECK_MESSAGE(ended.says(std::string("ROOT/").append(of_truth ? "truth" : "found") +
                             ".json: annotations[1] (image 2): has the file_name \"./1.png\", and so has "
                             "annotations[0]; expected a PNG of its own for each image"),
                  ended.text);
  }
  const ComparedSegments pair;
  test::state_orientation(pair.scratch.path() / "found/1.png", 3);
  auto ended = pair.evaluate();
  CHECK(ended.code == 0);
  CHECK_MESSAGE(
      ended.says("note: 1 PNG with an EXIF orientation is turned as it says, as datasets do; panopticapi takes "
                 "pixels as stored"),
      ended.text);
  REQUIRE(mkfifo((pair.scratch / "pipe").c_str(), 0600) == 0);
  ended = sectile_program("evaluate --truth " + (pair.scratch / "truth.json").string() + " --predictions " +
                          (pair.scratch / "pipe").string());
  CHECK(ended.code == 2);
  CHECK_MESSAGE(ended.says("pipe: is a pipe or a device; expected a JSON file"), ended.text);
}

TEST_CASE("predictions that coco_panoptic writes evaluate perfectly against themselves") {
  const auto out = run().folder / "evaluated_panoptic";
  REQUIRE(
      sectile_program("predict " + run().best() + " --split val --no-overlay --format coco_panoptic -o " + out.string())
          .code == 0);
  auto content = Json::parse(test::contents(out / "panoptic.json"));
  const auto file = (out / "panoptic.json").string();
  if (!content.contains("categories")) content["categories"] = Json::array();
  if (content["categories"].empty())
    for (int c = 0; c < 5; ++c)
      content["categories"].push_back({{"id", c}, {"name", "class " + std::to_string(c)}, {"isthing", 0}});
  if (!content.contains("images")) content["images"] = Json::array();
  if (content["images"].empty())
    for (const auto& one : content["annotations"])
      content["images"].push_back({{"id", one["image_id"]}, {"file_name", "x.jpg"}});
  std::ofstream(out / "truth.json") << content;
  const auto ended = sectile_program("evaluate --truth " + (out / "truth.json").string() + " --predictions " + file);
  CHECK_MESSAGE(ended.says("PQ 1.0000, SQ 1.0000, RQ 1.0000  (2 images"), ended.text);
  CHECK_MESSAGE(ended.says("the PNG of 2 images is that of the truth, the same file in"), ended.text);
}

TEST_CASE("options of other kinds of files than those given are refused") {
  const ComparedFolders folders;
  const ComparedSegments pair;
  CHECK(folders.evaluate("--classes 3 --iou-type segm")
            .says("--iou-type: is an option of a detector's results, and these are label maps"));
  CHECK(folders.evaluate("--classes 3 --truth-masks x").says("--truth-masks: is an option of panoptic segments"));
  CHECK(pair.evaluate("--classes 3").says("--classes: is an option of label maps, and these are panoptic segments"));
  CHECK(pair.evaluate("--metric iou").says("--metric: is an option of label maps"));
  CHECK(pair.evaluate("--ignore 3").says("--ignore: is an option of label maps"));
  CHECK(pair.evaluate("--size a=1..2").says("--size: is an option of a detector's results"));
  CHECK(pair.evaluate("--max-detections 3").says("--max-detections: is an option of a detector's results"));
  const auto mixed = sectile_program("evaluate --truth " + (folders.scratch / "truth").string() + " --predictions " +
                                     (pair.scratch / "found.json").string());
  CHECK(mixed.code == 2);
  CHECK(mixed.says("is one; expected two folders of label maps, or two JSON files"));
  CHECK(sectile_program("evaluate --truth --help").says("two folders of label maps"));
  CHECK(sectile_program("evaluate --help").says("see evaluate --truth --help"));
}
