// sectile data check and sectile data stats, as programs.
#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "ground/spec/json_text.h"
#include "support/scratch.h"
#include "support/small_images.h"
#include "support/test.h"

namespace fs = std::filesystem;
using namespace sectile;

namespace {

struct DataSpecFile {
  test::SmallData data;
  fs::path file;
  explicit DataSpecFile(const std::string& changes = "{}")
      : file(data.scratch.write("spec.json", data.spec(changes).dump())) {
    for (const char* part : {"val/images", "val/masks"})  // other ids than in train
      for (const char* name : {"0.png", "1.png"})
        fs::rename(image(part) / name, image(part) / std::string("v").append(name));
  }
  fs::path image(const std::string& name) const { return data.scratch / name; }
};

bool says(const test::Ran& ran, const std::string& text) { return ran.output.find(text) != std::string::npos; }

test::Ran data(const std::string& action, const fs::path& spec, const std::string& more = "") {
  return test::sectile("data " + action + " " + spec.string() + " " + more);
}

// Without the error stream.
Json json_of(const std::string& action, const fs::path& spec, const std::string& more = "") {
  return Json::parse(test::run("env -u SECTILE_PLUGIN_PATH " SECTILE_BUILD_DIR "/bin/sectile data " + action + " " +
                               spec.string() + " --json " + more + " 2>/dev/null")
                         .output);
}

}  // namespace

TEST_CASE("data check ends with 0 without faults, and with 2 and all of them otherwise") {
  const DataSpecFile spec;
  const auto clean = data("check", spec.file);
  CHECK(clean.code == 0);
  CHECK(clean.output == "split  samples\ntrain        8\nval          2\n\nnothing found\n");
  fs::resize_file(spec.image("train/images/3.png"), 100);
  fs::copy_file(spec.image("train/images/4.png"), spec.image("val/images/v1.png"),
                fs::copy_options::overwrite_existing);
  const auto faulty = data("check", spec.file);
  CHECK(faulty.code == 2);
  CHECK(says(faulty, "train 3: image_unreadable: "));
  CHECK(says(faulty, "val v1: image_in_two_splits: has the same image as train sample 4 (4)\n"));
  CHECK(says(faulty, "error: " + spec.file.string() + ": its data has 2 faults\n"));
  const auto json = json_of("check", spec.file);
  CHECK(json["faults"] == 2);
  CHECK(json["findings"][1]["split"] == "val");
  CHECK(json["findings"][1]["index"] == 1);
  CHECK(json == json_of("check", spec.file, "--workers 5"));
  CHECK(json_of("check", spec.file, "--split val")["faults"] == 0);
}

TEST_CASE("annotations that a dataset leaves out as wrong are faults, and what it tells beside is a note") {
  const test::SmallData data_of;
  const auto folder = data_of.scratch / "train/images";
  Json file{{"images", Json::array()}, {"categories", {{{"id", 1}, {"name", "a"}}}}, {"annotations", Json::array()}};
  for (int i = 0; i < 4; ++i) file["images"].push_back({{"id", i}, {"file_name", std::to_string(i).append(".png")}});
  const auto annotate = [&](int image, const Json& box) {
    file["annotations"].push_back(
        {{"id", file["annotations"].size() + 1}, {"image_id", image}, {"category_id", 1}, {"bbox", box}});
  };
  annotate(0, {1, 1, 4, 4});
  annotate(0, {2, 2, -4, 4});  // left out
  annotate(9, {1, 1, 4, 4});   // of no image
  annotate(1, {2, 2, 4, 4});
  annotate(2, {2, 2, 4, 4});
  const auto written = data_of.scratch.write("instances.json", file.dump());
  const Json spec{{"task", "instance"},
                  {"data",
                   {{"train",
                     {{"type", "coco_instances"},
                      {"annotations", written.string()},
                      {"images", folder.string()},
                      {"keep_empty", false}}}}}};
  const auto spec_file = data_of.scratch.write("coco.json", spec.dump());
  const auto json = json_of("check", spec_file, "--quiet");
  CHECK(json["faults"] == 2);
  CHECK(json["notes"] == 1);
  CHECK(json["findings"][0]["kind"] == "left_out");
  CHECK(json["findings"][2]["kind"] == "dataset_note");
  const auto text = data("check", spec_file);
  CHECK(text.code == 2);
  CHECK(says(text, "left_out"));
  CHECK(says(text, "objects whose box has no width or height within the image are left out: 1, such as annotation 2"));
  CHECK(says(text, "annotations of images that \"images\" does not list are left out"));
  CHECK_FALSE(says(text, "\nnote: "));
  CHECK(says(data("stats", spec_file), "note: "));  // statistics are of what is left
}

TEST_CASE("notes alone end with 0, and long lists are shortened") {
  const DataSpecFile spec;
  for (int i = 0; i < 22; ++i) {
    const auto name = "train/images/x" + std::to_string(i) + ".png";
    write_png(spec.image(name), cv::Mat(32, 32, CV_8UC3, cv::Scalar(i, 1, 2)));
    write_png(spec.image("train/masks/x" + std::to_string(i) + ".png"), cv::Mat(32, 32, CV_8U, cv::Scalar(1)));
  }
  const auto ran = data("check", spec.file);
  CHECK(ran.code == 0);
  CHECK(says(ran, "constant_image     22"));
  CHECK(says(ran, "and 2 more\n--all lists all of them\n"));
  CHECK_FALSE(says(ran, "train x21: "));
  const auto all = data("check", spec.file, "--all");
  CHECK(says(all, "train x21: constant_image: all pixels are equal\n"));
  CHECK_FALSE(says(all, " more"));
}

TEST_CASE("only the data of a spec is read") {
  const DataSpecFile spec(R"({"model": {"type": "nobody_has_this"}, "loss": "wrong", "metrics": null, "unknown": 1,
    "transforms": {"train": [{"type": "gone"}]}})");
  CHECK(data("check", spec.file).code == 0);
  const auto stats = data("stats", spec.file);
  CHECK(stats.code == 0);
  CHECK(says(stats, "train: 8 images, 8 with labels\n"));
  CHECK(says(stats, "image sizes (height x width): all 32 x 32\n"));
  CHECK(says(stats, "8 images of 3 channels, CV_8U: \"mean\": ["));
  const auto twice = spec.data.scratch.write("twice.json", R"({"extends": "spec.json", "loss": {"a": 1, "a": 2}})");
  CHECK(data("check", twice).code == 0);
  const auto in_data = spec.data.scratch.write("in_data.json", R"({"extends": "spec.json", "data": {"a": 1, "a": 2}})");
  CHECK(says(data("check", in_data), "is given twice"));
  const auto wrong = data("check", spec.file, "--set /data/train/masks_=x --set /data/val/type=vocc");
  CHECK(wrong.code == 2);
  CHECK(says(wrong, "error: /data/train/masks_: unknown option, did you mean \"masks\"?"));
  CHECK(says(wrong, "error: /data/val/type: unknown dataset \"vocc\", did you mean \"voc\"?"));
}

TEST_CASE("data stats prints JSON too") {
  const DataSpecFile spec;
  const auto json = json_of("stats", spec.file);
  REQUIRE(json["splits"].size() == 2);
  const auto& train = json["splits"][0];
  CHECK(train["name"] == "train");
  CHECK(train["classes"][0]["name"] == "low");
  CHECK(train["classes"][0]["pixels"].get<int>() + train["classes"][1]["pixels"].get<int>() == 8 * 32 * 32);
  CHECK(train["pixels"][0]["type"] == "CV_8U");
  CHECK(train["sizes"]["largest"] == Json::parse("[32, 32]"));
  CHECK(json == json_of("stats", spec.file, "--workers 3"));
}

TEST_CASE("a split that cannot be used ends data stats with 2, after the others") {
  const DataSpecFile spec(R"({"data": {"test": {"type": "image_folder", "root": "/nowhere"}}})");
  const auto ran = data("stats", spec.file);
  CHECK(ran.code == 2);
  CHECK(says(ran, "val: 2 images, 2 with labels\n"));
  CHECK(says(ran, "test: cannot be opened: "));
  const auto check = data("check", spec.file);
  CHECK(check.code == 2);
  CHECK(says(check, "test: split_unreadable: "));
}

TEST_CASE("wrong words after sectile data are told") {
  const DataSpecFile spec;
  const auto problem = [&](const std::string& words) { return test::sectile("data " + words); };
  const auto path = spec.file.string();
  CHECK(says(problem("chek " + path), "\"sectile data\" has no action \"chek\", did you mean \"check\"?"));
  CHECK(says(problem("stats " + path + " --all"), "data stats takes no --all"));
  CHECK(says(problem("check " + path + " --split vall"), "unknown split \"vall\", did you mean \"val\"?"));
  CHECK(says(problem("check " + path + " --split test"), "/data: has no \"test\""));
  CHECK(says(problem("check " + path + " --workers 0"), "--workers is 0; expected 1 to 256"));
  CHECK(says(problem("check"), "needs 2 operands, found 1"));
  CHECK(problem("check " + path + " --workers 0").code == 2);
  CHECK(says(problem("--help"), "usage: sectile data check|stats|preview SPEC"));
}
