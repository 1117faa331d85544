// What benchmarks want: `predict --format`, and `evaluate --truth` of files of results.
#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
#include <opencv2/core.hpp>

#include "commands/trained_run.h"
#include "support/test.h"

using namespace sectile;
using sectile::test::Ended;
using sectile::test::Names;
using sectile::test::names_in;
using sectile::test::run;
using sectile::test::sectile_program;
namespace fs = std::filesystem;

namespace {

// Classes that have the numbers 0 to 4 in files.
Ended predicted_as(const std::string& format, const fs::path& out, const std::string& more = "--no-overlay") {
  return sectile_program("predict " + run().best() + " --split val " + more + " --format " + format + " -o " +
                         out.string());
}

cv::Mat labels_of(const std::string& name) {
  static const fs::path out = [] {
    const auto folder = run().folder / "formats_png";
    const auto ended = predicted_as("png", folder);
    REQUIRE_MESSAGE(ended.code == 0, ended.text);
    return folder;
  }();
  return read_raw_image(out / (name + ".png")).pixels;
}

Json json_of(const fs::path& file) { return Json::parse(test::contents(file)); }

const char* const kToys = " --plugin-path " SECTILE_BUILD_DIR "/tests/toys ";

}  // namespace

TEST_CASE("predictions as Cityscapes wants them are label ids, without a palette") {
  const auto folder = run().folder / "formats_cityscapes";
  fs::create_directories(folder / "images");
  fs::create_directories(folder / "masks");
  for (const char* name : {"a.png", "b.png"}) {
    cv::Mat pixels(32, 32, CV_8UC3), mask(32, 32, CV_8U, cv::Scalar(7));
    cv::randu(pixels, 0, 255);
    mask.rowRange(0, 16) = 23;
    write_png(folder / "images" / name, pixels);
    write_png(folder / "masks" / name, mask);
  }
  const auto spec_of = [&](const std::string& second) {
    std::ofstream(folder / "spec.json") << R"({
      "data": {"train": {"type": "image_folder", "root": ".", "images": "images", "masks": "masks",
        "classes": [{"name": "road", "value": 7}, {"name": ")" +
                                               second + R"(", "value": 23}]},
        "val": {"type": "image_folder", "root": ".", "images": "images", "masks": "masks",
        "classes": [{"name": "road", "value": 7}, {"name": ")" +
                                               second + R"(", "value": 23}]}},
      "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
      "model": {"type": "unet", "widths": [4, 8]}, "loss": [{"type": "cross_entropy"}], "metrics": [{"type": "iou"}],
      "train": {"epochs": 1, "batch_size": 2}, "output": "run_)" +
                                               second + "\"}";
    const auto trained = sectile_program("train " + (folder / "spec.json").string());
    REQUIRE_MESSAGE(trained.code == 0, trained.text);
    return (folder / ("run_" + second) / "last.pth").string();
  };
  const auto predict = [&](const std::string& network, const std::string& format, const std::string& out) {
    return sectile_program("predict " + network + " --split val --no-overlay --format " + format + " -o " +
                           (folder / out).string());
  };
  const auto sky = spec_of("sky");
  REQUIRE(predict(sky, "cityscapes", "ids").code == 0);
  REQUIRE(predict(sky, "png", "png").code == 0);
  for (const char* name : {"a.png", "b.png"}) {
    const auto raw = read_raw_image(folder / "ids" / name), numbers = read_raw_image(folder / "png" / name);
    CHECK(raw.pixels.type() == CV_8UC1);
    CHECK(raw.palette.empty());
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 32; ++x)
        CHECK(raw.pixels.at<std::uint8_t>(y, x) == (numbers.pixels.at<std::uint8_t>(y, x) ? 23 : 7));
  }
  const auto refused = predict(spec_of("heaven"), "cityscapes", "no");
  CHECK(refused.code == 2);
  CHECK(refused.says("class \"heaven\" has the number 23 in files, which is not its label id in Cityscapes"));
  CHECK(!fs::exists(folder / "no"));
}

TEST_CASE("classes that a benchmark does not have are refused before anything is written") {
  const auto out = run().folder / "formats_ade20k";
  const auto ended = predicted_as("ade20k", out);
  CHECK(ended.code == 2);
  CHECK(ended.says("cannot be written as ade20k: there are 5 classes, and they are not SceneParse150's"));
  CHECK(!fs::exists(out));
  CHECK(predicted_as("yolo", out).says("--format: \"yolo\" is none of png, cityscapes, ade20k, coco, coco_panoptic"));
}

TEST_CASE("results of COCO hold the pixels of every class, and evaluate perfectly against themselves") {
  const auto out = run().folder / "formats_coco";
  auto ended = predicted_as("coco", out);
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK(names_in(out) == Names{"results.json"});
  const auto results = json_of(out / "results.json");
  Json truth = {{"images", Json::array()}, {"categories", Json::array()}, {"annotations", Json::array()}};
  for (const int image : {0, 1}) {
    const auto labels = labels_of("2-" + std::to_string(image));
    truth["images"].push_back({{"id", image}, {"width", labels.cols}, {"height", labels.rows}});
    int found = 0;
    for (const auto& one : results) {
      if (one["image_id"] != image) continue;
      const auto mask = bitmap_of(from_coco(one["segmentation"]["counts"].get<std::string>(), labels.size()));
      const cv::Mat wanted = (labels == one["category_id"].get<int>()) / 255;
      CHECK(cv::norm(mask, wanted, cv::NORM_INF) == 0);
      found += cv::countNonZero(mask);
      auto annotation = one;
      annotation["id"] = truth["annotations"].size() + 1;
      annotation["area"] = cv::countNonZero(mask);
      truth["annotations"].push_back(annotation);
    }
    CHECK(found == labels.rows * labels.cols);
  }
  for (int category = 0; category < 5; ++category)
    truth["categories"].push_back({{"id", category}, {"name", "class " + std::to_string(category)}});
  const auto file = run().folder / "truth.json", report = run().folder / "ap.json";
  std::ofstream(file) << truth;
  const auto words = "evaluate --truth " + file.string() + " --predictions " + (out / "results.json").string();
  ended = sectile_program(words + " --per-class --report " + report.string());
  CHECK_MESSAGE(ended.code == 0, ended.text);
  CHECK(ended.says("segm: AP 1.0000, AP50 1.0000, AP75 1.0000  (2 images, "));
  CHECK(ended.says("class 3 "));
  CHECK(json_of(report)["values"]["segm/AP"].get<double>() == doctest::Approx(1));
  CHECK(json_of(report)["per_class"]["class"].size() == 5);
  CHECK(sectile_program(words + " --iou-type bbox --quiet").says("bbox: AP 1.0000"));
  CHECK(sectile_program(words + " --size tiny=0..50 --size rest=50..").says("tiny"));
  fs::remove(report);
  CHECK(sectile_program(words + " --max-detections 300 --report " + report.string()).code == 0);
  CHECK(json_of(report)["values"].contains("segm/AR@300"));
  CHECK(!json_of(report)["values"].contains("segm/AR@100"));
  CHECK(sectile_program(words + " --max-detections 0").says("--max-detections: 0 is not a number of detections"));
  CHECK(sectile_program(words + " --iou-type x").says("--iou-type: \"x\" is none of segm, bbox, boundary"));
  CHECK(sectile_program(words + " --size 5..6").says("expected NAME=LEAST..MOST"));
  CHECK(sectile_program("evaluate --truth " + file.string()).code == 2);
  CHECK(sectile_program("evaluate --truth no.json --predictions no.json").says("no.json: does not exist"));

  ended = predicted_as("coco", out);
  CHECK(ended.code == 2);
  CHECK(ended.says("results.json: exists already"));
}

TEST_CASE("a panoptic PNG holds the ids that its JSON lists, with their areas") {
  const auto out = run().folder / "formats_panoptic";
  const auto ended = predicted_as("coco_panoptic", out);
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK(names_in(out) == Names{"2-0.png", "2-1.png", "panoptic.json"});
  for (const auto& image : json_of(out / "panoptic.json")["annotations"]) {
    const auto pixels = read_raw_image(out / image["file_name"].get<std::string>()).pixels;
    const auto labels = labels_of("2-" + std::to_string(image["image_id"].get<int>()));
    std::int64_t covered = 0;
    for (const auto& segment : image["segments_info"]) {
      const int id = segment["id"];
      cv::Mat mask;
      cv::inRange(pixels, cv::Scalar(id & 255, id >> 8 & 255, id >> 16), cv::Scalar(id & 255, id >> 8 & 255, id >> 16),
                  mask);
      CHECK(cv::countNonZero(mask) == segment["area"].get<int>());
      CHECK(cv::countNonZero(mask != (labels == segment["category_id"].get<int>())) == 0);
      covered += cv::countNonZero(mask);
    }
    CHECK(covered == static_cast<std::int64_t>(labels.total()));
  }
}

TEST_CASE("files whose names end with no number have no image_id, and are refused by name") {
  const auto file = test::image("some photo.png", 16, 16);
  const auto ended = sectile_program("predict " + run().best() + " '" + file.string() + "' --format coco -o " +
                                     (run().folder / "formats_photo").string());
  CHECK(ended.code == 2);
  CHECK(ended.says("some photo: has no image_id: its name does not end with a number"));
  const auto one = test::image("twice/a_1.png", 16, 16), two = test::image("twice/b_1.png", 16, 16);
  const auto twice = sectile_program("predict " + run().best() + " " + one.string() + " " + two.string() +
                                     " --format coco -o " + (run().folder / "formats_twice").string());
  CHECK(twice.code == 2);
  CHECK(twice.says("b_1: has the image_id 1, as a_1 has"));
  CHECK(!fs::exists(run().folder / "formats_twice/results.json"));
}

namespace {

// A folder with a trained network that predicts objects: run/last.pth.
const fs::path& trained_on_objects() {
  static const fs::path folder = [] {
    const auto made = run().folder / "formats_toys";
    fs::create_directories(made);
    std::ofstream(made / "toy.json") << R"({
    "task": "instance",
    "data": {"train": {"type": "toy_shapes"}, "val": {"type": "toy_shapes"}},
    "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "toy_rcnn"},
    "metrics": [{"type": "coco_ap"}, {"type": "coco_ap", "iou_type": "bbox"}, {"type": "boundary_ap"}],
    "train": {"epochs": 1, "batch_size": 2},
    "output": "run"
  })";
    const auto ended = sectile_program("train " + (made / "toy.json").string() + kToys);
    REQUIRE_MESSAGE(ended.code == 0, ended.text);
    return made;
  }();
  return folder;
}

// Of its validation images, as results.json.
Json objects_in(const std::string& more, const std::string& out) {
  const auto& folder = trained_on_objects();
  fs::remove_all(folder / out);
  const auto ended = sectile_program("predict " + (folder / "run/last.pth").string() + kToys + "--split val " + more +
                                     " -o " + (folder / out).string());
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  return json_of(folder / out / "results.json");
}

}  // namespace

TEST_CASE("objects of a network become results of COCO, and its AP is that of their file") {
  const auto& folder = trained_on_objects();
  const auto best = (folder / "run/last.pth").string();
  auto ended = sectile_program("evaluate " + best + kToys + "--report " + (folder / "report.json").string());
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  for (const char* name : {"\nAP ", ", box AP ", ", boundary AP50 "}) CHECK_MESSAGE(ended.says(name), ended.text);
  const auto results = objects_in("--format coco", "out");
  REQUIRE(!results.empty());
  for (const auto& one : results) {
    CHECK(one["score"].get<double>() > 0);
    CHECK(one["bbox"].size() == 4);
    CHECK(one["segmentation"]["size"].size() == 2);
  }
  ended =
      sectile_program("predict " + best + kToys + "--split val --format coco --flip -o " + (folder / "no").string());
  CHECK(ended.says("--format: cannot be combined with --flip"));
  const auto to_no = [&](const std::string& more) {
    return sectile_program("predict " + best + kToys + "--split val " + more + " -o " + (folder / "no").string());
  };
  for (const std::string format : {"png", "cityscapes", "ade20k"})
    CHECK(to_no("--format " + format)
              .says("--format: \"" + format +
                    "\" is of networks for semantic segmentation, and the model \"toy_rcnn\" predicts objects: leave "
                    "--format out, or use coco"));
  CHECK(to_no("--flip").says("a network that predicts objects: cannot be combined with --flip"));
  CHECK(sectile_program("evaluate " + best + kToys + "--flip")
            .says("a network that predicts objects: cannot be combined with --flip"));
  CHECK(to_no("--scores").says("--scores: of networks for semantic segmentation"));
  CHECK(to_no("--raw").says("--raw: of networks for semantic segmentation"));
  CHECK(to_no("--min-score 1.5").says("--min-score: is not a score from 0 to 1"));
  CHECK(to_no("--max-objects 0").says("--max-objects: 0 is not a number of objects"));

  CHECK(sectile_program("predict " + run().best() + " --split val --min-score 0.5 -o " + (folder / "no").string())
            .says("--min-score: of networks that predict objects"));
}

TEST_CASE("overlays come with objects, and weak ones are left out on demand") {
  const auto& folder = trained_on_objects();
  const auto results = objects_in("", "out");
  CHECK(objects_in("", "best") == results);
  CHECK(names_in(folder / "best") == names_in(folder / "out"));
  const auto few = objects_in("--max-objects 1 --no-overlay", "best");
  CHECK(names_in(folder / "best") == Names{"images.json", "results.json"});
  std::map<int, double> most;
  for (const auto& one : results) most[one["image_id"]] = std::max(most[one["image_id"]], one["score"].get<double>());
  CHECK(few.size() == most.size());
  for (const auto& one : few) CHECK(one["score"] == most[one["image_id"]]);
  const double middle = results[results.size() / 2]["score"];
  const auto strong = objects_in("--min-score " + std::to_string(middle) + " --no-overlay", "best");
  CHECK(!strong.empty());
  CHECK(strong.size() <= results.size());
  for (const auto& one : strong) CHECK(one["score"].get<double>() >= middle - 1e-6);
}

TEST_CASE("files without COCO's numbers are numbered, and listed") {
  const auto& folder = trained_on_objects();
  const auto best = (folder / "run/last.pth").string();
  const auto inputs = folder / "inputs";
  fs::create_directories(inputs);
  for (const char* name : {"7.png", "cat.png"})
    write_png(inputs / name, cv::Mat(40, 30, CV_8UC3, cv::Scalar(9, 99, 200)));
  const auto predict = "predict " + best + kToys + inputs.string() + " -o " + (folder / "named").string();
  CHECK(sectile_program(predict + " --format coco").says("has no image_id"));
  auto ended = sectile_program(predict);
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK(ended.says("images.json tells which number is which"));
  const auto list = json_of(folder / "named/images.json");
  CHECK(list["images"][0]["file_name"] == (inputs / "7.png").string());
  CHECK(list["images"][0]["id"] == 1);
  CHECK(list["images"][1]["file_name"] == (inputs / "cat.png").string());
  CHECK(list["images"][1]["id"] == 2);
  CHECK(list["images"][1]["width"] == 30);
  CHECK(list["images"][1]["height"] == 40);
  CHECK(!list["categories"].empty());
  for (const auto& one : json_of(folder / "named/results.json")) CHECK(one["image_id"].get<int>() <= 2);
  fs::remove(folder / "named/results.json");
  CHECK(sectile_program(predict).says("images.json: exists already"));
  fs::create_directory(folder / "named/results.json");
  CHECK(sectile_program(predict + " --overwrite").says("results.json: is a folder"));
  ended =
      sectile_program("predict " + best + kToys + (inputs / "7.png").string() + " -o " + (folder / "seven").string());
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK(names_in(folder / "seven") == Names{"7_overlay.png", "images.json", "results.json"});
  for (const auto& one : json_of(folder / "seven/results.json")) CHECK(one["image_id"] == 7);
  // Overlays of before are not of what replaces their results.
  ended = sectile_program("predict " + best + kToys + (inputs / "7.png").string() + " --overwrite --no-overlay -o " +
                          (folder / "seven").string());
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK(
      ended.says("earlier files *_overlay.png are still there, such as " + (folder / "seven/7_overlay.png").string()));
}

TEST_CASE("classes without numbers in files are numbered where no benchmark's are expected, and listed") {
  const auto& folder = trained_on_objects();
  auto spec = json_of(folder / "toy.json");
  for (const char* part : {"train", "val"})
    spec["data"][part] = {{"type", "remap"},
                          {"dataset", {{"type", "toy_shapes"}}},
                          {"classes", {{{"name", "shape"}, {"from", {"box", "disc"}}}}},
                          {"others", "ignore"}};
  spec["output"] = "merged";
  std::ofstream(folder / "merged.json") << spec;
  auto ended = sectile_program("train " + (folder / "merged.json").string() + kToys);
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  const auto predict = "predict " + (folder / "merged/last.pth").string() + kToys + "--split val --no-overlay -o " +
                       (folder / "merged_out").string();
  CHECK(sectile_program(predict + " --format coco").says("class \"shape\" has no number in files"));
  ended = sectile_program(predict);
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK(ended.says("classes have no numbers in files: classes are numbered from 1 in results.json"));
  CHECK(json_of(folder / "merged_out/images.json")["categories"] == Json::parse(R"([{"id": 1, "name": "shape"}])"));
  const auto results = json_of(folder / "merged_out/results.json");
  CHECK(!results.empty());
  for (const auto& one : results) CHECK(one["category_id"] == 1);
}

TEST_CASE("validation objects that a metric cannot compare are found before training, and none at all are told") {
  const auto& folder = trained_on_objects();
  auto spec = json_of(folder / "toy.json");
  const auto data = folder / "boxes";
  fs::create_directories(data / "val");
  write_png(data / "val/1.png", cv::Mat(24, 32, CV_8UC3, cv::Scalar(9, 99, 200)));
  Json truth = {{"images", {{{"id", 1}, {"file_name", "1.png"}, {"width", 32}, {"height", 24}}}},
                {"categories", {{{"id", 1}, {"name", "box"}}}},
                {"annotations", {{{"id", 1}, {"image_id", 1}, {"category_id", 1}, {"bbox", {2, 3, 9, 8}}}}}};
  std::ofstream(data / "val.json") << truth;
  spec["data"]["val"] = {
      {"type", "coco_instances"}, {"images", (data / "val").string()}, {"annotations", (data / "val.json").string()}};
  spec["data"]["train"] = spec["data"]["val"];
  spec["output"] = "boxes_run";
  std::ofstream(folder / "boxes.json") << spec;
  for (const char* command : {"train ", "check --data "}) {
    const auto ended = sectile_program(command + (folder / "boxes.json").string() + kToys);
    CHECK(ended.code == 2);
    CHECK_MESSAGE(ended.says("has an object without a mask, and a metric of this spec compares masks"), ended.text);
  }
  truth["annotations"] = Json::array();
  std::ofstream(data / "val.json") << truth;
  const auto ended = sectile_program("train " + (folder / "boxes.json").string() + kToys);
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK_MESSAGE(ended.says("no best.pth: the metric that it is chosen by was not defined"), ended.text);
}
