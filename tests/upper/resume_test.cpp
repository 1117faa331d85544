// Runs that stop and go on, by themselves and by force.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <ATen/ATen.h>

#include <sectile/random.h>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/same_run.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/training/run_state.h"
#include "upper/training/trainer.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

// EMA, accumulation, a plateau schedule that looks at evaluations, and saves in the middle of epochs.
const char* const kSpec = R"({
  "data": {"train": {"type": "synthetic", "count": 22, "size": [48, 64], "seed": 1},
           "val": {"type": "synthetic", "count": 3, "size": [50, 70], "seed": 2}},
  "transforms": {"train": [{"type": "random_scale"}, {"type": "random_crop", "size": [40, 40]}, {"type": "horizontal_flip"},
                           {"type": "brightness_contrast"}, {"type": "normalize"}],
                 "val": [{"type": "normalize"}]},
  "model": {"type": "unet", "widths": [4, 8]},
  "loss": [{"type": "cross_entropy"}],
  "optimizer": {"type": "adamw", "lr": 0.01},
  "schedule": {"type": "plateau", "patience": 0, "warmup": 3},
  "metrics": [{"type": "iou"}],
  "train": {"epochs": 5, "batch_size": 4, "accumulate": 2, "save_every": 2, "ema": {"decay": 0.9}}
})";

PipelineSpec spec(const std::string& changes = "{}") {
  SpecFile file;
  file.json = Json::parse(kSpec);
  file.json.merge_patch(Json::parse(changes));
  return read_spec(test::plugins(), file);
}

TrainResult trained(const fs::path& folder, const std::string& changes = "{}", std::int64_t stop_after = -1,
                    const std::optional<fs::path>& from = {}) {
  fs::create_directories(folder);
  auto pipeline = Pipeline::for_training(test::plugins(), spec(changes), at::kCPU);
  std::int64_t step = 0;
  TrainListener listener;
  listener.stepped = [&](const StepReport& report) { step = report.step; };
  return train(pipeline, folder, {listener}, {.interrupted = [&] { return step == stop_after; }, .resume_from = from});
}

// The program itself, which can be killed.
pid_t start(const fs::path& spec_file, const fs::path& folder, int workers) {
  const pid_t child = fork();
  if (child != 0) return child;
  const auto program = std::string(SECTILE_BUILD_DIR "/bin/sectile");
  const auto threads = "/train/workers=" + std::to_string(workers);
  execl(program.c_str(), program.c_str(), "train", spec_file.c_str(), "-o", folder.c_str(), "--resume=auto", "--quiet",
        "--set", threads.c_str(), nullptr);
  _exit(127);
}

std::size_t lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line);) ++count;
  return count;
}

}  // namespace

TEST_CASE("a run of so many steps, whose epochs draw samples twice, goes on to the same bits") {
  const test::Scratch folder;
  const auto changes = R"({"sampler": {"type": "shuffle", "samples": 30}, "train": {"epochs": null, "steps": 10}})";
  const auto whole = trained(folder / "whole", changes);
  CHECK(whole.step == 10);  // of an epoch's 4: it ends inside the third
  CHECK(whole.best_epoch <= 3);
  CHECK(trained(folder / "halves", changes, 5).ending == Ending::interrupted);
  CHECK(trained(folder / "halves", changes, -1, folder / "halves/last.pth").ending == Ending::done);
  test::check_same_run(folder / "whole", folder / "halves");
  CHECK(test::log_of(folder / "whole") == test::log_of(folder / "halves"));
}

TEST_CASE("a run of an earlier API is refused by its number, and its weights still predict") {
  const test::Scratch folder;
  trained(folder / "run", R"({"train": {"epochs": 1}})");
  auto checkpoint = load_checkpoint(folder / "run/last.pth");
  CHECK(checkpoint.resumption->api == SECTILE_API_VERSION);
  const auto content = read_torch_file(folder / "run/last.pth").content;
  PythonDict old;  // without the number, as they were
  for (const auto& [name, value] : *content.dict()) {
    if (*name.as<std::string>() != "run") {
      old.emplace_back(name, value);
      continue;
    }
    PythonDict run;
    for (const auto& item : *value.dict())
      if (*item.first.as<std::string>() != "api") run.push_back(item);
    old.emplace_back(name, run);
  }
  write_torch_file(folder / "old.pth", old);
  CHECK_THROWS_WITH_AS(
      trained(folder / "on", R"({"train": {"epochs": 1}})", -1, folder / "old.pth"),
      ((folder / "old.pth").string() +
       ": was saved by a version of Sectile with API 2, which uses random numbers differently from this "
       "version (API " SECTILE_STRINGIFY(
           SECTILE_API_VERSION) "): finish the run with that version, or start a new one from its weights "
                                "(/model/weights)")
          .c_str(),
      DataError);
  CHECK_NOTHROW(Pipeline::from_checkpoint(spec(), load_checkpoint(folder / "old.pth"), "old.pth", at::kCPU));
}

TEST_CASE("a run that was stopped after any step goes on to the same bits as one that was not") {
  const test::Scratch scratch;
  trained(scratch.path() / "unbroken");
  const auto expected = test::log_of(scratch.path() / "unbroken");
  for (const std::int64_t stop : {1, 2, 3, 7, 9, 14}) {  // 3 and 9 end an epoch: their evaluation is still due
    CAPTURE(stop);
    const auto folder = scratch.path() / std::to_string(stop);
    const auto stopped = trained(folder, "{}", stop);
    CHECK((stopped.ending == Ending::interrupted));
    CHECK(stopped.step == stop);
    const auto result = trained(folder, R"({"train": {"workers": 0}})", -1, folder / "last.pth");
    CHECK((result.ending == Ending::done));
    test::check_same_run(scratch.path() / "unbroken", folder);
    CHECK(test::log_of(folder) == expected);
  }
}

TEST_CASE("a run with mixed, nested and warped samples goes on to the same bits, with any number of loader threads") {
  const test::Scratch scratch;
  for (const char* sampler : {R"({"type": "weighted", "weights": [1, 5, 1, 1, 0, 2, 1, 3], "samples": 12})",
                              R"({"type": "repeat_factor", "repeat_threshold": 0.9})",
                              R"({"type": "class_balanced", "include": ["star", "circle"]})"}) {
    CAPTURE(sampler);
    const auto name = std::string(Json::parse(sampler)["type"]);
    const auto with = [&](int workers) {
      auto changes = Json::parse(R"({
        "data": {"train": {"count": 8}}, "schedule": {"type": "constant", "patience": null, "warmup": 0},
        "transforms": {"train": [
          {"type": "sequence", "transforms": [
            {"type": "resize", "size": [40, 40]},
            {"type": "mosaic", "target_size": [48, 48], "cell_shape": [40, 40]}, {"type": "copy_paste"}]},
          {"type": "some_of", "n": [1, 3], "transforms": [
            {"type": "elastic", "alpha": 20, "sigma": 5}, {"type": "noise"}, {"type": "cutmix"}, {"type": "rotate90"}]},
          {"type": "random_crop", "size": [32, 32], "class_probability": 0.5},
          {"type": "one_of", "transforms": [
            {"type": "mixup", "probability": 1},
            {"type": "sometimes", "transforms": [{"type": "cutmix"}, {"type": "horizontal_flip"}]}]},
          {"type": "normalize"}]},
        "train": {"epochs": null, "steps": 4, "accumulate": 1, "batch_size": 3}})");
      changes["sampler"] = Json::parse(sampler);
      changes["train"]["workers"] = workers;
      return changes.dump();
    };
    const auto whole = scratch.path() / (name + " whole");
    CHECK(trained(whole, with(0)).step == 4);
    for (const int workers : {1, 2}) {
      CAPTURE(workers);
      const auto folder = scratch.path() / (name + std::to_string(workers));
      CHECK((trained(folder, with(workers), workers + 1).ending == Ending::interrupted));
      CHECK((trained(folder, with(2 - workers), -1, folder / "last.pth").ending == Ending::done));
      test::check_same_run(whole, folder);
      CHECK(test::log_of(folder) == test::log_of(whole));
    }
  }
}

TEST_CASE("random numbers that a network draws go on too: dropout") {
  const test::Scratch scratch;
  const std::string changes =
      R"({"model": {"type": "fast_scnn", "widths": null}, "train": {"epochs": 1, "accumulate": 1, "save_every": 0},
          "transforms": {"train": [{"type": "random_crop", "size": [32, 32]}, {"type": "normalize"}]}})";
  trained(scratch.path() / "unbroken", changes);
  trained(scratch.path() / "stopped", changes, 2);
  trained(scratch.path() / "stopped", changes, -1, scratch.path() / "stopped/last.pth");
  test::check_same_run(scratch.path() / "unbroken", scratch.path() / "stopped");
}

TEST_CASE("killed at random steps and resumed, the program comes to the same bits; the log holds every step once") {
  const char* asked = std::getenv("SECTILE_KILLS");
  const int kills = asked ? std::atoi(asked) : 2;
  const test::Scratch scratch;
  const auto file = scratch.path() / "spec.json";
  std::ofstream(file) << kSpec;
  int status = 0;
  waitpid(start(file, scratch.path() / "unbroken", 2), &status, 0);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  const auto expected = test::log_of(scratch.path() / "unbroken");
  Random random{11};
  int killed = 0, same = 0;
  for (int attempt = 0; killed < kills; ++attempt) {
    REQUIRE(attempt < 3 * kills);
    const auto folder = scratch.path() / std::to_string(attempt);
    const auto lines = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(expected.size()) - 1)) + 1;
    const pid_t child = start(file, folder, attempt % 3);
    while (lines_of(folder / "log.jsonl") < lines && waitpid(child, &status, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(20000)));  // inside a step, or a save
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) continue;  // it was done before
    ++killed;
    waitpid(start(file, folder, (attempt + 1) % 3), &status, 0);
    CAPTURE(lines);
    CHECK(WEXITSTATUS(status) == 0);
    test::check_same_run(scratch.path() / "unbroken", folder);
    CHECK(test::files_of(folder) == test::files_of(scratch.path() / "unbroken"));
    CHECK(test::log_of(folder) == expected);
    same += test::log_of(folder) == expected;
  }
  MESSAGE(same << " of " << killed << " killed runs came to the same end");
}

TEST_CASE("the first interrupt saves and ends with 130, and the run goes on from there") {
  const test::Scratch scratch;
  const auto file = scratch.path() / "spec.json", folder = scratch.path() / "run";
  std::ofstream(file) << kSpec;
  for (const int signal : {SIGINT, SIGTERM}) {
    fs::remove_all(folder);
    int status = 0;
    const pid_t child = start(file, folder, 1);
    while (lines_of(folder / "log.jsonl") < 1 && waitpid(child, &status, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    kill(child, signal);
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 130);
    CHECK(load_checkpoint(folder / "last.pth").step >= 1);
  }
}

TEST_CASE("where a save does not fit, the earlier one stays whole and the message says why") {
  const test::Scratch scratch;
  const auto folder = scratch.path() / "run";
  trained(folder, "{}", 3);
  const auto before = load_checkpoint(folder / "last.pth");
  const pid_t child = fork();  // a limit of a process holds for the rest of its life
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{20000, 20000};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      save_checkpoint(folder / "last.pth", before);
    } catch (const DataError& error) {
      _exit(std::string(error.what())
                    .ends_with("last.pth: cannot be written: File too large; what it held before is untouched")
                ? 0
                : 1);
    }
    _exit(2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  test::check_same_bits(load_checkpoint(folder / "last.pth").model, before.model);
  for (const auto& entry : fs::directory_iterator(folder))
    CHECK(entry.path().filename().string().find(".part") == std::string::npos);
}

TEST_CASE("another spec does not go on with a run, and every difference is named") {
  const test::Scratch scratch;
  trained(scratch.path(), "{}", 2);
  try {
    trained(scratch.path(), R"({"optimizer": {"lr": 0.02}, "train": {"seed": 2, "workers": 0, "save_every": 5}})", -1,
            scratch.path() / "last.pth");
    FAIL("no exception");
  } catch (const SpecError& error) {
    REQUIRE(error.problems().size() == 2);
    CHECK(error.problems()[0].pointer == "/optimizer/lr");
    CHECK(error.problems()[1].pointer == "/train/seed");
  }
}

TEST_CASE("a run does not go on where its sampler draws other samples, although the spec is the same") {
  const test::Scratch scratch;
  const auto weights = [&](const std::string& first) {
    std::string text = first;
    for (int i = 1; i < 22; ++i) text += "\n1";
    return scratch.write("weights.txt", text);
  };
  const auto changes = Json{{"sampler", {{"type", "weighted"}, {"weights_file", weights("1")}}}}.dump();
  const auto folder = scratch / "run", last = folder / "last.pth";
  trained(folder, changes, 2);
  weights("1000");
  CHECK_THROWS_WITH_AS(trained(folder, changes, -1, last), doctest::Contains("/sampler: draws other samples than when"),
                       SpecError);
  weights("1");
  CHECK(trained(folder, changes, -1, last).ending == Ending::done);
}

TEST_CASE("best.pth holds weights alone, and no run goes on from it") {
  const test::Scratch scratch;
  trained(scratch.path());
  CHECK_THROWS_WITH_AS(trained(scratch.path(), "{}", -1, scratch.path() / "best.pth"),
                       doctest::Contains("contains only weights"), DataError);
}

TEST_CASE("the latest saves are kept under names of their own, and a run goes on from one of them") {
  const test::Scratch scratch;
  const auto unbroken = scratch.path() / "unbroken", other = scratch.path() / "other";
  trained(unbroken, R"({"train": {"keep": 2}})");
  const auto saves = RunFolder(unbroken).saved_steps();
  CHECK(saves == std::vector<std::int64_t>{14, 15});
  fs::create_directories(other);
  trained(other, R"({"train": {"keep": 2}})", -1, unbroken / "step-000014.pth");
  test::check_same_run(unbroken, other);
}
