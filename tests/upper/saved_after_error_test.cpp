// Errors that end a run: what is saved before it ends, and what resuming compares.
#include <filesystem>
#include <fstream>

#include "support/component.h"
#include "support/same_run.h"
#include "support/scratch.h"
#include "support/small_images.h"
#include "support/test.h"
#include "upper/training/trainer.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

struct TrainedData : test::SmallData {
  TrainResult train(const std::string& name, const Json& json, const TrainListener& listener = {},
                    bool resumes = false) const {
    SpecFile file;
    file.json = json;
    auto pipeline = Pipeline::for_training(test::plugins(), read_spec(test::plugins(), file), at::kCPU, !resumes);
    TrainControl control;
    if (resumes) control.resume_from = scratch / name / "last.pth";
    return sectile::train(pipeline, scratch / name, {listener}, control);
  }
};

// Damages a file after a step, and remembers what it was. The loader thread must not have read it before: no workers.
struct Damage {
  fs::path file;
  std::string before;
  explicit Damage(fs::path which) : file(std::move(which)), before(test::contents(file)) {}
  TrainListener after(std::int64_t step) const {
    TrainListener listener;
    listener.stepped = [this, step](const StepReport& report) {
      if (report.step == step) fs::resize_file(file, 60);
    };
    return listener;
  }
  void mend() const { std::ofstream(file, std::ios::binary) << before; }
};

const char* const kRarely = R"({"train": {"workers": 0, "save_every": 0, "validate_every": 2, "keep": 0}})";

}  // namespace

TEST_CASE(
    "a damaged training image loses no step, also in the middle of an accumulated one, and the run goes on to the same "
    "bits") {
  const TrainedData data;
  const auto spec = data.spec(kRarely);
  data.train("unbroken", spec);
  int between = 0;
  for (int image = 0; image < 8; ++image) {  // one of the first or of the second half of step 2, or of a later one
    CAPTURE(image);
    const Damage damage(data.scratch / "train/images" / (std::to_string(image) + ".png"));
    auto listener = damage.after(1);
    std::int64_t saved = 0;
    listener.saved_after_error = [&](std::int64_t step) { saved = step; };
    const auto name = "run" + std::to_string(image);
    CHECK_THROWS_WITH_AS(data.train(name, spec, listener), doctest::Contains((std::to_string(image) + ".png").c_str()),
                         DataError);
    CHECK(saved >= 1);
    CHECK(load_checkpoint(data.scratch / name / "last.pth").step == saved);
    between += saved == 1;
    damage.mend();
    data.train(name, spec, {}, true);
    test::check_same_run(data.scratch / "unbroken", data.scratch / name);
    CHECK(test::log_of(data.scratch / name) == test::log_of(data.scratch / "unbroken"));
  }
  CHECK(between == 4);
}

TEST_CASE("a damaged validation image loses no step, and is evaluated once it is mended") {
  const TrainedData data;
  const auto spec = data.spec(kRarely);
  data.train("unbroken", spec);
  const Damage damage(data.scratch / "val/images/1.png");
  CHECK_THROWS_WITH_AS(data.train("run", spec, damage.after(2)), doctest::Contains("1.png"), DataError);
  const auto saved = load_checkpoint(data.scratch / "run/last.pth");
  CHECK(saved.step == 4);
  CHECK(saved.resumption->evaluation_due);
  damage.mend();
  data.train("run", spec, {}, true);
  test::check_same_run(data.scratch / "unbroken", data.scratch / "run");
  CHECK(test::log_of(data.scratch / "run") == test::log_of(data.scratch / "unbroken"));
}

TEST_CASE("what was learned is saved before it is evaluated") {
  const TrainedData data;
  int evaluations = 0;
  TrainListener listener;
  listener.evaluating = [&](std::size_t done, std::size_t) {
    if (done != 1) return;
    const auto saved = load_checkpoint(data.scratch / "run/last.pth");
    CHECK(saved.resumption->evaluation_due);
    CHECK(saved.resumption->evaluations.size() == static_cast<std::size_t>(evaluations++));
  };
  data.train("run", data.spec(), listener);
  CHECK(evaluations >= 1);
}

TEST_CASE("an error of a listener at the end of an epoch saves the step, whose evaluation is still due") {
  const TrainedData data;
  const auto spec = data.spec(kRarely);
  data.train("unbroken", spec);
  TrainListener listener;
  listener.stepped = [](const StepReport& report) {
    if (report.step == 4) throw std::runtime_error("thrown by the test");
  };
  CHECK_THROWS_AS(data.train("run", spec, listener), std::runtime_error);
  data.train("run", spec, {}, true);
  test::check_same_run(data.scratch / "unbroken", data.scratch / "run");
  CHECK(test::log_of(data.scratch / "run") == test::log_of(data.scratch / "unbroken"));
}

TEST_CASE("after a loss that is not finite, the last good save stays") {
  const TrainedData data;
  auto spec = data.spec(R"({"optimizer": {"lr": 1e30}, "train": {"save_every": 1, "keep": 0, "workers": 0}})");
  CHECK_THROWS_WITH_AS(data.train("run", spec), doctest::Contains("last.pth is of step 1"), std::runtime_error);
  CHECK(load_checkpoint(data.scratch / "run/last.pth").step == 1);
}

TEST_CASE("a run goes on where its data has moved, through a link, and without the weights it started from") {
  const TrainedData data;
  data.train("first", data.spec());
  const auto weights = data.scratch / "first/best.pth";
  auto spec = data.spec(Json{{"model", {{"weights", weights.string()}}}}.dump());
  TrainListener stop;
  stop.stepped = [](const StepReport& report) {
    if (report.step == 3) throw std::runtime_error("thrown by the test");
  };
  data.train("unbroken", spec);
  CHECK_THROWS_AS(data.train("run", spec, stop), std::runtime_error);
  fs::remove(weights);
  fs::rename(data.scratch / "train", data.scratch / "moved");
  fs::create_directory_symlink(data.scratch / "val", data.scratch / "link");
  spec["data"]["train"]["root"] = (data.scratch / "moved").string();
  spec["data"]["val"]["root"] = (data.scratch / "link").string();
  data.train("run", spec, {}, true);
  test::check_same_run(data.scratch / "unbroken", data.scratch / "run");
}

TEST_CASE("a run does not go on with other classes, channels or samples, wherever the spec names them") {
  const TrainedData data;
  const auto classes = data.scratch.write("classes.json", R"({"classes": [{"name": "low"}, {"name": "high"}]})");
  auto spec = data.spec();
  for (const char* split : {"train", "val"}) {
    spec["data"][split].erase("classes");
    spec["data"][split]["classes_file"] = classes.string();
  }
  data.train("run", spec);
  const auto last = data.scratch / "run/last.pth";
  const auto refused = [&](const Json& with) -> std::string {
    try {
      data.train("run", with, {}, true);
    } catch (const SpecError& error) {
      std::string all;
      for (const auto& [pointer, message] : error.problems()) all += pointer + " " + message + "\n";
      return all;
    }
    return "accepted";
  };
  data.scratch.write("classes.json", R"({"classes": [{"name": "high"}, {"name": "low"}]})");
  CHECK(refused(spec).find("/data/train has other classes than those of " + last.string()) == 0);
  data.scratch.write("classes.json", R"({"classes": [{"name": "low", "value": 1}, {"name": "high", "value": 0}]})");
  CHECK(refused(spec).find("/data/train gives classes other values or colors than those of " + last.string()) == 0);
  data.scratch.write("classes.json", R"({"classes": [{"name": "low"}, {"name": "high"}]})");
  CHECK(refused(spec) == "accepted");

  auto grey = spec;
  grey["data"]["train"]["channels"] = grey["data"]["val"]["channels"] = 1;
  CHECK(refused(grey).find("/data/train has images of 1 channels, and ") != std::string::npos);
  for (auto* of : {&spec, &grey})
    for (const char* list : {"train", "val"})
      (*of)["transforms"][list] = {{{"type", "select_channels"}, {"channels", {0}}}};
  fs::remove_all(data.scratch / "run");
  data.train("run", spec);  // the network has one channel with both
  CHECK(refused(grey).find("/data/train has images of 1 channels, and ") != std::string::npos);

  test::write_small_images(data.scratch / "more", 9, 3);
  fs::copy_file(data.scratch / "more/images/8.png", data.scratch / "train/images/8.png");
  fs::copy_file(data.scratch / "more/masks/8.png", data.scratch / "train/masks/8.png");
  CHECK(refused(spec).find("/data/train has 9 samples, and " + last.string() + " was trained with 8") == 0);
  for (const char* folder : {"train/images/", "train/masks/"})
    fs::remove(data.scratch / (folder + std::string("0.png")));
  CHECK(refused(spec).find("/data/train has other samples, or another order of samples") == 0);
}
