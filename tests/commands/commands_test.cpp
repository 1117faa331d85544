// The commands that compute, as a user runs them: what they print, what they leave, and how they end.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "commands/trained_run.h"
#include "ground/spec/json_text.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using sectile::test::image;
using sectile::test::Names;
using sectile::test::names_in;
using sectile::test::run;
using sectile::test::sectile_program;
namespace fs = std::filesystem;

TEST_CASE("training prints a table per class and leaves spec, log and checkpoints") {
  CAPTURE(run().training.text);
  CHECK(run().training.code == 0);
  CHECK(run().training.says("mIoU"));
  CHECK(run().training.says("background"));
  CHECK(run().training.says(" samples of 5 classes"));
  CHECK(run().training.text.find('\r') == std::string::npos);  // plain lines in a pipe
  for (const char* name : {"spec.json", "log.jsonl", "last.pth", "best.pth"})
    CHECK(fs::is_regular_file(run().folder / "run" / name));
}

TEST_CASE("an earlier run is not replaced unless that is asked for") {
  const auto refused = sectile_program("train " + run().spec.string());
  CHECK(refused.code == 2);
  CHECK(refused.says(
      "contains an earlier run; resume it with --resume, choose another folder with --output DIR, or replace it with "
      "--overwrite"));
  CHECK(sectile_program("train " + run().spec.string() + " --overwrite --quiet").code == 0);
}

TEST_CASE("a folder that cannot be made is refused before training") {
  const auto ended = sectile_program("train " + run().spec.string() + " -o " + (run().spec / "below_a_file").string());
  CHECK(ended.code == 2);
  CHECK(ended.says("cannot be made"));
  CHECK(ended.says("choose another folder"));
}

TEST_CASE("a folder that may not be written to or looked into is refused by name, with a way out") {
  if (geteuid() == 0) {
    MESSAGE("skipped: root may write everywhere");
    return;
  }
  const auto closed = run().folder / "closed";
  fs::create_directories(closed);
  for (const auto allowed : {fs::perms::none, fs::perms::owner_read | fs::perms::owner_exec}) {
    fs::permissions(closed, allowed);
    for (const auto& folder : {closed, closed / "below"}) {
      const auto ended = sectile_program("train " + run().spec.string() + " -o " + folder.string());
      CAPTURE(ended.text);
      CHECK(ended.code == 2);
      CHECK(ended.says(closed.string()));
      CHECK(ended.says("Permission denied"));
    }
  }
  fs::permissions(closed, fs::perms::owner_all);
  CHECK(fs::is_empty(closed));
}

TEST_CASE("a run's spec.json trains the same again and a checkpoint evaluates like its spec") {
  CHECK(sectile_program("check " + (run().folder / "run/spec.json").string()).code == 0);
  const auto by_spec = sectile_program("evaluate " + run().spec.string() + " --quiet");
  const auto by_checkpoint = sectile_program("evaluate " + run().best() + " --quiet");
  CHECK(by_spec.code == 0);
  CHECK(by_spec.text == by_checkpoint.text);
  fs::create_directories(run().folder / "only_last");
  fs::copy(run().folder / "run/last.pth", run().folder / "only_last/last.pth", fs::copy_options::overwrite_existing);
  const auto last =
      sectile_program("evaluate " + run().spec.string() + " --set /output=" + (run().folder / "only_last").string());
  CHECK(last.code == 0);
  CHECK(last.says("only_last has no best.pth: using last.pth"));
  const auto twice =
      sectile_program("evaluate " + run().best() + R"( --set '/metrics=[{"type": "iou"}, {"type": "iou"}]')");
  CHECK_MESSAGE(twice.says(", iou_2/mIoU 0."), twice.text);
  const auto missing = sectile_program("evaluate " + run().best() + " --split test");
  CHECK(missing.code == 2);
  CHECK(missing.says("/data/test: is missing"));
}

TEST_CASE("an evaluation lists its worst images and writes all results as JSON, over no file of its own") {
  const auto report = run().folder / "report.json";
  const auto evaluate = "evaluate " + run().best() + " --quiet ";
  const auto ended = sectile_program(evaluate + "--worst 5 --report " + report.string());
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("worst images by mIoU:\n  0."));
  std::stringstream text;
  text << std::ifstream(report).rdbuf();
  const auto json = Json::parse(text.str());
  CHECK(json["images"] == 2);
  REQUIRE(json["per_image"].size() == 2);
  CHECK(json["per_class"]["class"].size() == 5);
  const auto& rows = json["tables"]["iou/confusion matrix (truth in rows)"]["rows"];
  REQUIRE(rows.size() == 5);
  double all = 0, right = 0, least = 1;
  std::size_t diagonal = 0;
  for (const auto& [name, row] : rows.items()) {
    for (const double count : row) all += count;
    right += row[diagonal++].get<double>();
  }
  CHECK(all == 2 * 48 * 48);
  CHECK(json["values"]["pixel_accuracy/pixel accuracy"].get<double>() == doctest::Approx(right / all));
  for (const auto& one : json["per_image"]) least = std::min(least, one["iou/mIoU"].get<double>());
  char worst[32];
  std::snprintf(worst, sizeof worst, "mIoU:\n  %.4f  ", least);
  CHECK(ended.says(worst));

  CHECK(sectile_program(evaluate + "--report " + report.string()).code == 0);  // which replaces the earlier one
  const auto refused = [&](const std::string& words, const std::string& reason) {
    const auto kept = fs::file_size(run().best());
    const auto answer = sectile_program(evaluate + words);
    CAPTURE(answer.text);
    CHECK(answer.code == 2);
    CHECK(answer.says(reason));
    CHECK(!answer.says("background"));  // before the evaluation
    CHECK(fs::file_size(run().best()) == kept);
  };
  refused("--worst 0", "--worst: 0 is not a number of images");
  refused("--worst -1", "--worst: -1 is not a number of images");
  refused("--report " + run().best(), "exists, and is not an earlier report");
  refused("--report " + run().spec.string(), "exists, and is not an earlier report");
  std::ofstream(run().folder / "instances.json") << R"({"images": [{"id": 1}], "annotations": []})";
  refused("--report " + (run().folder / "instances.json").string(), "exists, and is not an earlier report");
  refused("--report " + run().folder.string(), "exists, and is not an earlier report");
  refused("--report " + (run().folder / "nowhere/report.json").string(), "cannot be written: No such file");
  refused("--report ''", "--report: expected a file name");
  refused("--scales 0.01", "at scale 0.010000: ");

  const auto both = " --ensemble " + (run().folder / "run/last.pth").string() + " --set /evaluate_at=input";
  refused(both, "/evaluate_at: is input, which differs between the networks");
  const auto predicted = sectile_program("predict " + run().best() + " " + image("seen.png", 20, 20).string() + both +
                                         " -o " + (run().folder / "both").string());
  CHECK_MESSAGE(predicted.code == 0, predicted.text);
}

TEST_CASE("names that are not UTF-8 are trained on, evaluated, predicted and reported") {
  const auto folder = run().folder / "latin1\xff";
  const std::string name = "caf\xe9";
  image("latin1\xff/images/" + name + ".png", 24, 24);
  write_png((fs::create_directories(folder / "masks"), folder / "masks" / (name + ".png")),
            cv::Mat(24, 24, CV_8U, cv::Scalar(1)));
  for (const char* part : {"images", "masks"})
    fs::copy_file(folder / part / (name + ".png"), folder / part / "z\xe8.png");
  std::ofstream(folder / "images/z\xe8.png") << "no image";
  const std::string data =
      R"({"type": "image_folder", "root": ".", "masks": "masks", "classes": [{"name": "a"}, {"name": "b"}]})";
  std::ofstream(folder / "spec.json") << R"({"data": {"train": )" << data << R"(, "val": )" << data
                                      << R"(, "on_bad_sample": "skip"},
             "model": {"type": "unet", "widths": [4, 8]}, "loss": [{"type": "cross_entropy"}],
             "metrics": [{"type": "iou"}], "train": {"epochs": 1, "batch_size": 2}, "output": "run"})";
  const auto out = folder / "run";
  const auto trained = sectile_program("train " + (folder / "spec.json").string());
  REQUIRE_MESSAGE(trained.code == 0, trained.text);
  std::ifstream log(out / "log.jsonl");
  std::string all;
  for (std::string line; std::getline(log, line); all += line) CHECK(Json::accept(line));
  CHECK(all.find("z\\\\xe8.png: is not an image") != std::string::npos);
  const auto report = folder / "report.json";
  const auto evaluated =
      sectile_program("evaluate " + (folder / "spec.json").string() + " --worst 1 --report " + report.string());
  CHECK_MESSAGE(evaluated.code == 0, evaluated.text);
  std::stringstream text;
  text << std::ifstream(report).rdbuf();
  CHECK(Json::parse(text.str())["per_image"][0]["id"] == "caf\\xe9");
  const auto predicted =
      sectile_program("predict " + (out / "best.pth").string() + " " + (folder / "images" / (name + ".png")).string() +
                      " -o " + (folder / "out").string());
  CHECK_MESSAGE(predicted.code == 0, predicted.text);
  CHECK(fs::exists(folder / "out" / (name + ".png")));
}

TEST_CASE("what cannot be printed is an error, of both programs") {
  for (const std::string words : {"list", "--help", "train --help"}) {
    const auto full = test::run(SECTILE_BUILD_DIR "/bin/sectile " + words + " 2>&1 >/dev/full");
    CHECK(full.code == 1);
    CHECK(full.output == "error: standard output cannot be written: No space left on device\n");
  }
}

TEST_CASE("what is no checkpoint is refused by name") {
  const auto ended = sectile_program("predict " + run().spec.string() + ".txt " + run().spec.string());
  CHECK(ended.code == 2);
  CHECK(ended.says("spec.json.txt: is not a file"));
  const auto folder = sectile_program("predict " + (run().folder / "run").string() + " " + run().spec.string());
  CHECK(folder.code == 2);
  CHECK(folder.says("run: is a folder: name the checkpoint in it"));
}

TEST_CASE("another model is swapped in on the command line, and what was dropped is said") {
  const auto ended = sectile_program("train " + run().spec.string() + " -o " + (run().folder / "swapped").string() +
                                     " --set '/model={\"type\": \"fast_scnn\"}' --set /train/epochs=1 --set "
                                     "'/sampler={\"type\": \"weighted\", \"samples\": 3}'");
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("/model/widths"));
  CHECK(ended.says("training fast_scnn"));
  CHECK(ended.says(" samples, 3 per epoch, of 5 classes"));
  const auto refused = sectile_program("evaluate " + run().spec.string() + " --set /model/type=fast_scnn");
  CHECK(refused.code == 2);
  CHECK(refused.says("contains a trained \"unet\", and the spec names the model \"fast_scnn\""));
}

namespace {

// COCO_DATA, which specs name whose data is too large to have everywhere: a folder in the layout of COCO.
struct SmallCoco {
  test::Scratch folder;
  SmallCoco() {
    for (const std::string split : {"train2017", "val2017"}) {
      fs::create_directories(folder / ("images/" + split));
      fs::create_directories(folder / ("stuffthingmaps/" + split));
      cv::Mat map(6, 8, CV_8U, cv::Scalar(150));
      map.col(0).setTo(255);
      for (const std::string name : {"/a.png", "/b.png", "/c.png", "/d.png"}) {
        write_png(folder / ("images/" + split + name), cv::Mat(6, 8, CV_8UC3, cv::Scalar(1, 2, 3)));
        write_png(folder / ("stuffthingmaps/" + split + name), map);
      }
      fs::create_directories(folder / "annotations");
      std::ofstream(folder / ("annotations/instances_" + split + ".json")) << R"({
        "images": [{"id": 1, "file_name": "a.png", "height": 6, "width": 8}],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "iscrowd": 0, "area": 12, "bbox": [1, 1, 4, 3],
          "segmentation": [[1, 1, 5, 1, 5, 4, 1, 4]]}]})";
    }
    setenv("COCO_DATA", (folder / "").c_str(), 1);
  }
  ~SmallCoco() { unsetenv("COCO_DATA"); }
};

}  // namespace

TEST_CASE("every spec that comes along passes all checks") {
  const SmallCoco coco;
  const bool has_data = std::getenv("SECTILE_DATA") != nullptr;
  if (!has_data) MESSAGE("specs of real data are skipped: SECTILE_DATA names no folder of it");
  int specs = 0;
  for (const auto& entry : fs::directory_iterator(SECTILE_SOURCE_DIR "/specs")) {
    if (entry.path().extension() != ".json" || entry.path().stem().string().ends_with("_classes")) continue;
    CAPTURE(entry.path().string());
    auto words = "check " + entry.path().string();
    if (test::contents(entry.path()).find("\"torchvision/") != std::string::npos)
      // Which would be downloaded; and smaller images, for time.
      words += " --set '/model/backbone/weights=\"\"' --set /transforms/train/0/shortest_edge=96";
    if (!has_data && sectile_program(words + " --resolved").says("SECTILE_DATA")) continue;
    if (test::contents(entry.path()).find("\"extends\"") == std::string::npos &&
        test::contents(entry.path()).find("\"train\"") == std::string::npos)
      continue;  // of published weights, without training: real_weights_test.cpp predicts with them
    const auto ended = sectile_program(words);
    CAPTURE(ended.text);
    CHECK(ended.code == 0);
    ++specs;
  }
  CHECK(specs >= (has_data ? 5 : 3));
}

TEST_CASE("the quick spec trains as it stands") {
  const auto ended =
      sectile_program("train " SECTILE_SOURCE_DIR "/specs/shapes_quick.json -o " + (run().folder / "quick").string());
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("after the last evaluation"));
}

TEST_CASE("the doctor finds LibTorch's own matrix product and one OpenMP runtime") {
  const auto ended = sectile_program("doctor");
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("libtorch_cpu.so"));
  const std::string kernels = SECTILE_BUILD_DIR "/lib/sectile/libsectile_cuda.so";
  CHECK(ended.says(fs::exists(kernels) ? "GPU kernels     " + kernels : "GPU kernels     none"));
}

TEST_CASE("a library with another BLAS in front stops every computing command") {
#ifdef __SANITIZE_ADDRESS__
  MESSAGE("skipped: the address sanitizer allows no library in front of its own");
  return;
#endif
  const char* other = "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3";
  if (!fs::exists(other)) {
    MESSAGE("skipped: " << other << " is not here");
    return;
  }
  setenv("LD_PRELOAD", other, 1);
  const auto stopped = sectile_program("train " + run().spec.string());
  unsetenv("LD_PRELOAD");
  CHECK(stopped.code == 2);
  CHECK(stopped.says("its matrix product comes before LibTorch's own"));
}
