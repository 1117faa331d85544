// What `sectile check` finds without training, and what training says before its first step.
#include <filesystem>
#include <fstream>

#include "support/scratch.h"
#include "support/small_images.h"
#include "support/test.h"

using sectile::Json;
namespace fs = std::filesystem;
namespace test = sectile::test;

namespace {

struct CheckedData : test::SmallData {
  test::Ran run(const std::string& command, const Json& spec, const std::string& options = "") const {
    return test::sectile(command + " " + scratch.write("spec.json", spec.dump()).string() + " " + options);
  }
};

std::size_t lines_with(const std::string& text, const std::string& part) {
  std::istringstream in(text);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line);) count += line.find(part) != std::string::npos;
  return count;
}

}  // namespace

TEST_CASE("check reports every mistake at once, each with its pointer, and nothing else") {
  const CheckedData data;
  auto spec = data.spec(
      R"({"model": {"weights": "nowhere.pth"}, "loss": [{"type": "cross_entropy", "class_weights": [1, 2, 3]}],
                            "optimizer": {"groups": [{"match": "encoder.*", "freeze": true}]},
                            "train": {"best_metric": "iou/miou", "early_stopping": {}}, "schedule": null})");
  spec["data"]["test"] = spec["data"]["val"];
  spec["data"].erase("val");
  spec["data"]["train"]["root"] = "not_there";
  const auto ran = data.run("check", spec);
  CAPTURE(ran.output);
  CHECK(ran.code == 2);
  for (const char* part :
       {"error: /data/train/root: ", "error: /model/weights: ", "error: /loss/0/class_weights",
        "error: /optimizer/groups/0/match: ", "error: /train/best_metric: no metric", "error: /train/early_stopping: "})
    CHECK_MESSAGE(lines_with(ran.output, part) == 1, part);
  CHECK(lines_with(ran.output, "error: ") == 7);  // /train/best_metric also needs evaluations
  CHECK(!fs::exists(data.scratch / "run"));

  const auto trained = data.run("train", spec, "--quiet -o " + (data.scratch / "run").string());
  CHECK(trained.code == 2);
  CHECK(lines_with(trained.output, "error: ") >= 3);
}

TEST_CASE("a right spec passes, and notes are given for what is only strange") {
  const CheckedData data;
  auto ran = data.run("check", data.spec());
  CHECK(ran.code == 0);
  CHECK(ran.output == (data.scratch / "spec.json").string() + ": all checks passed\n");
  for (const char* list : {"train", "val"}) {
    auto spec = data.spec();
    spec["transforms"][list] = Json::array();
    ran = data.run("check", spec);
    CHECK(ran.code == 0);
    CHECK(lines_with(ran.output, std::string("note: /transforms: images are normalized in \"") +
                                     (list == std::string("train") ? "val" : "train") + "\" only") == 1);
  }
  auto spec = data.spec();
  spec["transforms"]["val"][0]["mean"] = {0.25};
  ran = data.run("check", spec);
  CHECK(ran.code == 0);
  CHECK(lines_with(ran.output, "note: /transforms: \"train\" and \"val\" normalize images with other values") == 1);
}

TEST_CASE("transforms of evaluations that fail on an image like those of training are noted") {
  const CheckedData data;
  auto spec = data.spec();
  spec["transforms"]["val"] = {{{"type", "select_channels"}, {"channels", {5}}}};
  const auto ran = data.run("check", spec);
  CHECK_MESSAGE(lines_with(ran.output,
                           "note: /transforms/val: fails on the first training image, as evaluation will "
                           "on images like it: ") == 1,
                ran.output);
}

TEST_CASE("who only wants to predict with published weights is told that neither data nor metrics are needed") {
  const CheckedData data;
  const std::string hint = "; to predict with /model/weights as they are, neither is needed";
  auto spec = data.spec(R"({"metrics": null, "data": null, "model": {"weights": "published.pth"}})");
  const auto ran = data.run("check", spec);
  CHECK(ran.code == 2);
  CHECK(lines_with(ran.output, "error: /data: option \"train\" is missing") == 1);
  CHECK_MESSAGE(lines_with(ran.output, hint) == 2, ran.output);
  for (const char* part : {"data", "metrics"}) {  // a training spec, whose other half is forgotten
    auto half = spec;
    half[part] = data.spec()[part];
    CHECK(lines_with(data.run("check", half).output, hint) == 0);
  }
}

TEST_CASE("images that are trained and evaluated on, and random transforms of evaluations, are noted") {
  const CheckedData data;
  auto spec = data.spec();
  spec["data"]["val"] = spec["data"]["train"];
  spec["transforms"]["val"].insert(spec["transforms"]["val"].begin(), Json{{"type", "horizontal_flip"}});
  spec["data"]["test"] = spec["data"]["val"];
  for (const std::string command : {"check", "train"}) {
    const auto ran = data.run(command, spec, command == "train" ? "-o " + (data.scratch / "run").string() : "");
    CAPTURE(ran.output);
    CHECK(ran.code == 0);
    CHECK(lines_with(ran.output,
                     "note: /data/val: 8 of 8 samples have ids of training samples, and the first one, 0, "
                     "is the same image") == 1);
    CHECK(lines_with(ran.output, "note: /transforms/val: is random") == 1);
  }
}

TEST_CASE("check computes a finite loss, and looks at the output folder") {
  const CheckedData data;
  auto spec = data.spec();
  for (const char* list : {"train", "val"})
    spec["transforms"][list] = {{{"type", "normalize"}, {"deviation", {1e-300}}}};
  auto ran = data.run("check", spec);
  CHECK(ran.code == 2);
  CHECK_MESSAGE(lines_with(ran.output, "error: /loss: is not finite (NaN or Inf) for the first batch") == 1,
                ran.output);
  spec = data.spec();
  spec["output"] = data.scratch.write("a file", "").string();
  ran = data.run("check", spec);
  CHECK(ran.code == 2);
  CHECK(lines_with(ran.output, "error: /output: " + (data.scratch / "a file").string() + " is not a folder") == 1);
}

TEST_CASE("one class that is not told from anything is refused") {
  const CheckedData data;
  auto spec = data.spec();
  for (const char* split : {"train", "val"}) {
    spec["data"][split]["classes"] = {{{"name", "low"}}};
    spec["data"][split]["unknown"] = "ignore";
  }
  for (const char* command : {"check", "train"}) {
    const auto ran =
        data.run(command, spec, command == std::string("train") ? "-o " + (data.scratch / "run").string() : "");
    CHECK(ran.code == 2);
    CHECK(lines_with(ran.output, "/data/train: has a single class, \"low\", so there is nothing to tell apart") == 1);
  }
}

TEST_CASE("a last batch of one image on which batch norms cannot train is told before training") {
  const CheckedData data;
  fs::remove(data.scratch / "train/images/7.png");
  fs::remove(data.scratch / "train/masks/7.png");
  const auto spec =
      data.spec(R"({"model": {"type": "fast_scnn", "widths": null}, "train": {"drop_last": false, "accumulate": 1}})");
  for (const char* command : {"check", "train"}) {
    const auto ran =
        data.run(command, spec, command == std::string("train") ? "-o " + (data.scratch / "run").string() : "");
    CAPTURE(ran.output);
    CHECK(ran.code == 2);
    CHECK(lines_with(ran.output,
                     "error: /train/drop_last: is false, and the last batch of an epoch has a single image") == 1);
  }
  const auto ran =
      data.run("check", data.spec(R"({"model": {"type": "fast_scnn", "widths": null}, "train": {"batch_size": 1}})"));
  CHECK(lines_with(ran.output, "error: /train/batch_size: is 1, on which this model cannot train") == 1);
}

TEST_CASE("check --data names every sample that cannot be used") {
  const CheckedData data;
  fs::resize_file(data.scratch / "train/images/3.png", 60);
  fs::resize_file(data.scratch / "val/masks/1.png", 60);
  cv::Mat smaller(16, 32, CV_8UC1, cv::Scalar(0));
  sectile::write_png(data.scratch / "train/masks/5.png", smaller);
  const auto ran = data.run("check", data.spec(), "--data");
  CAPTURE(ran.output);
  CHECK(ran.code == 2);
  CHECK(lines_with(ran.output, "error: ") == 3);
  for (const char* part : {"train/images/3.png", "val/masks/1.png", "train/masks/5.png"})
    CHECK(lines_with(ran.output, part) == 1);
}

TEST_CASE("plugin folders that are not there, files that are no plugins and hidden components are told") {
  const CheckedData data;
  fs::create_directories(data.scratch / "plugins");
  fs::copy_file(SECTILE_BUILD_DIR "/lib/sectile/plugins/libsectile_loss_dice.so",
                data.scratch / "plugins/libsectile_loss_dice.so");
  data.scratch.write("plugins/lcnet.so", "not a plugin");
  const auto ran = data.run(
      "check", data.spec(),
      "--plugin-path " + (data.scratch / "plugins").string() + " --plugin-path " + (data.scratch / "none").string());
  CAPTURE(ran.output);
  CHECK(ran.code == 0);
  CHECK(lines_with(ran.output, "note: plugin folder " + (data.scratch / "none").string() + " cannot be searched: ") ==
        1);
  CHECK(lines_with(ran.output, "plugins/lcnet.so is skipped: is not named libsectile_*.so") == 1);
  CHECK(lines_with(ran.output, "note: loss \"dice\" is that of " + (data.scratch / "plugins").string()) == 1);
}
