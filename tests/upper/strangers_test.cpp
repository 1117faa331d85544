// Checkpoints of strangers: whatever is in them is read or refused, without running code, a crash, or much memory.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include <ATen/ATen.h>
#include <opencv2/core.hpp>

#include <sectile/data/image_io.h>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/hostile.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/training/trainer.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

struct Apart {
  int code = -1;          // of its exit; -1: it crashed
  std::size_t bytes = 0;  // at most in use at once
  std::string text{};     // what it wrote
};

// In a process of its own, so that neither a crash nor its memory stays.
Apart run_apart(const std::function<void()>& act) {
  const test::Scratch folder;
  const auto output = folder / "output";
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);  // doctest's handler would report a test
    const int file = open(output.c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(file, STDOUT_FILENO), dup2(file, STDERR_FILENO);
    act();
    _exit(127);
  }
  Apart apart;
  int status = 0;
  rusage used{};
  wait4(child, &status, 0, &used);
  if (WIFEXITED(status)) apart.code = WEXITSTATUS(status);
  apart.bytes = static_cast<std::size_t>(used.ru_maxrss) * 1024;
  apart.text = test::contents(output);
  return apart;
}

Apart read_apart(const fs::path& file) {
  return run_apart([&] {
    try {
      load_weights(file);
    } catch (const DataError& error) {
      const std::string text = error.what();
      _exit(write(STDOUT_FILENO, text.data(), text.size()) > 0 ? 2 : 1);
    }
    _exit(0);
  });
}

Apart sectile_apart(const std::string& arguments) {
  const auto command = "exec env -u SECTILE_PLUGIN_PATH " SECTILE_BUILD_DIR "/bin/sectile " + arguments;
  return run_apart([&] { execl("/bin/sh", "sh", "-c", command.c_str(), nullptr); });
}

bool in_bounds([[maybe_unused]] const Apart& apart, [[maybe_unused]] const Apart& healthy,
               [[maybe_unused]] std::uintmax_t file) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;  // sanitizers keep memory that was freed
#else
  return apart.bytes < healthy.bytes + 2 * file + 100'000'000;
#endif
}

// A small run, and the commands that open its checkpoint.
struct VictimRun {
  test::Scratch folder;
  const fs::path spec = folder.write("spec.json", R"({
    "data": {"train": {"type": "synthetic", "count": 4, "size": [32, 48], "seed": 1},
             "val": {"type": "synthetic", "count": 2, "size": [32, 48], "seed": 2}},
    "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "unet", "widths": [4, 8]},
    "loss": [{"type": "cross_entropy"}],
    "metrics": [{"type": "iou"}],
    "train": {"epochs": 1, "workers": 0}
  })");
  const fs::path checkpoint = folder / "run/last.pth", image = folder / "image.png";

  VictimRun() {
    write_png(image, cv::Mat(32, 48, CV_8UC3, cv::Scalar(1, 2, 3)));
    fs::create_directories(folder / "run");
    auto pipeline = Pipeline::for_training(test::plugins(), read_spec(test::plugins(), load_spec(spec)), at::kCPU);
    train(pipeline, folder / "run", {});
  }
  std::map<std::string, std::string> commands(const fs::path& file) const {
    const auto output = " --quiet -o " + (folder / "output").string();
    return {{"predict", "predict " + file.string() + " " + image.string() + output},
            {"evaluate", "evaluate --quiet " + file.string()},
            {"weights", "train " + spec.string() + output + " --overwrite --set /model/weights=" + file.string()},
            {"resume", "train " + spec.string() + output + " --resume=" + file.string()}};
  }
  // Its checkpoint with another spec in it.
  fs::path with_spec(const std::string& text) const {
    auto changed = load_checkpoint(checkpoint);
    changed.spec = text;
    save_checkpoint(folder / "changed.pth", changed);
    return folder / "changed.pth";
  }
};

}  // namespace

TEST_CASE("a file made to do harm is refused by name, in little memory") {
  const test::Scratch folder;
  const auto hostile = test::hostile_files();
  write_torch_file(folder / "healthy.pth", PythonDict{{"weight", at::ones({2})}});
  const auto healthy = read_apart(folder / "healthy.pth");
  CHECK(healthy.code == 0);
  for (const auto& [what, bytes] : hostile) {
    CAPTURE(what);
    const auto file = folder.write("hostile.pth", bytes);
    const auto reading = read_apart(file);
    CAPTURE(reading.text);
    CHECK(reading.code == 2);
    CHECK(reading.text.find(file.string()) == 0);
    CHECK(in_bounds(reading, healthy, bytes.size()));
  }
}

TEST_CASE("the program opens a stranger's checkpoint without a crash, in little more memory than a healthy one") {
  const VictimRun run;
  std::map<std::string, Apart> healthy;
  for (const auto& [command, words] : run.commands(run.checkpoint)) {
    healthy[command] = sectile_apart(words);
    CAPTURE(healthy[command].text);
    CHECK(healthy[command].code == 0);
  }
  const auto hostile = test::hostile_files();
  constexpr std::size_t kDeep = 1'000'000;
  const std::string opening = R"({"model": )";
  const std::map<std::string, fs::path> files{
      {"nested tuples", run.folder.write("tuples.pth", hostile.at("nested tuples"))},
      {"many lists", run.folder.write("lists.pth", hostile.at("many lists"))},
      {"a deep spec", run.with_spec(opening + std::string(kDeep, '[') + std::string(kDeep, ']') + R"(, "train": {}})")},
      {"a spec of many values",
       run.with_spec(opening + "[" + test::repeated("{},", 3'000'000) + "0]" + R"(, "train": {}})")},
      {"a spec of many unknown options",
       run.with_spec("{" + test::repeated(R"("a":{},)", 60'000) + R"("train": {}})")}};
  for (const auto& [what, file] : files)
    for (const auto& [command, words] : run.commands(file)) {
      CAPTURE(what);
      CAPTURE(command);
      const auto opened = sectile_apart(words);
      CAPTURE(opened.text.substr(0, 500));
      const bool weights_alone = command == "weights" && what.find("spec") != std::string::npos;
      CHECK(opened.code == (weights_alone ? 0 : 2));
      CHECK(in_bounds(opened, healthy[command], fs::file_size(file)));
    }
}
