// The commands that compute, as a user runs them: what they print, what they leave, and how they end.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "support/test.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

struct Ended {
  int code = -1;
  std::string text;  // both streams
  bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
};

Ended sectile_program(const std::string& words) {
  Ended ended;
  std::FILE* out = popen((SECTILE_BUILD_DIR "/bin/sectile " + words + " 2>&1").c_str(), "r");
  REQUIRE(out != nullptr);
  std::array<char, 4096> buffer;
  while (const auto size = std::fread(buffer.data(), 1, buffer.size(), out)) ended.text.append(buffer.data(), size);
  ended.code = WEXITSTATUS(pclose(out));
  return ended;
}

// A run of a few steps, made once.
struct TrainedRun {
  fs::path folder = fs::temp_directory_path() / ("sectile_commands_" + std::to_string(getpid()));
  fs::path spec = folder / "spec.json";
  Ended training;

  TrainedRun() {
    fs::create_directories(folder);
    std::ofstream(spec) << R"({
      "data": {"train": {"type": "synthetic", "count": 8, "size": [48, 48], "seed": 1},
               "val": {"type": "synthetic", "count": 2, "size": [48, 48], "seed": 2}},
      "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
      "model": {"type": "unet", "widths": [4, 8]},
      "loss": [{"type": "cross_entropy"}],
      "metrics": [{"type": "iou"}, {"type": "pixel_accuracy"}],
      "train": {"epochs": 2, "batch_size": 4},
      "output": "run"
    })";
    training = sectile_program("train " + spec.string());
  }
  ~TrainedRun() { fs::remove_all(folder); }
  std::string best() const { return (folder / "run/best.pth").string(); }
};

const TrainedRun& run() {
  static const TrainedRun made;
  return made;
}

fs::path picture(const std::string& name, int height, int width, int type = CV_8UC3) {
  cv::Mat pixels(height, width, type);
  cv::randu(pixels, 0, 255);
  const auto file = run().folder / name;
  write_png(file, pixels);
  return file;
}

}  // namespace

TEST_CASE("training prints a table per class and leaves spec, log and checkpoints") {
  CAPTURE(run().training.text);
  CHECK(run().training.code == 0);
  CHECK(run().training.says("mIoU"));
  CHECK(run().training.says("background"));
  CHECK(run().training.text.find('\r') == std::string::npos);  // plain lines in a pipe
  for (const char* name : {"spec.json", "log.jsonl", "last.pth", "best.pth"})
    CHECK(fs::is_regular_file(run().folder / "run" / name));
}

TEST_CASE("an earlier run is not replaced unless that is asked for") {
  const auto refused = sectile_program("train " + run().spec.string());
  CHECK(refused.code == 2);
  CHECK(refused.says("holds an earlier run; choose another folder with --output DIR, or replace it with --overwrite"));
  CHECK(sectile_program("train " + run().spec.string() + " --overwrite --quiet").code == 0);
}

TEST_CASE("a folder that cannot be made is refused before training") {
  const auto ended = sectile_program("train " + run().spec.string() + " -o " + (run().spec / "below_a_file").string());
  CHECK(ended.code == 2);
  CHECK(ended.says("cannot be made"));
  CHECK(ended.says("--output DIR"));
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
  const auto missing = sectile_program("evaluate " + run().best() + " --split test");
  CHECK(missing.code == 2);
  CHECK(missing.says("/data/test: is missing"));
}

TEST_CASE("pictures of any size are predicted into palette masks of their own size, with overlays") {
  const auto colour = picture("colour.png", 37, 61), grey = picture("grey.png", 50, 20, CV_8UC1);
  const auto out = run().folder / "predictions";
  const auto ended =
      sectile_program("predict " + run().best() + " " + colour.string() + " " + grey.string() + " -o " + out.string());
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  const auto mask = read_picture(out / "colour.png");
  CHECK(mask.pixels.size() == cv::Size(61, 37));
  CHECK(!mask.palette.empty());
  CHECK(read_picture(out / "colour_overlay.png").pixels.channels() == 3);
  CHECK(read_picture(out / "grey.png").pixels.size() == cv::Size(20, 50));
}

TEST_CASE("a damaged picture is named, and nothing half-written is left") {
  const auto whole = picture("whole.png", 40, 40);
  const auto cut = run().folder / "cut.png";
  fs::copy_file(whole, cut, fs::copy_options::overwrite_existing);
  fs::resize_file(cut, fs::file_size(cut) / 2);
  const auto out = run().folder / "damaged";
  const auto ended = sectile_program("predict " + run().best() + " " + cut.string() + " -o " + out.string());
  CHECK(ended.code == 2);
  CHECK(ended.says("cut.png"));
  CHECK(fs::is_empty(out));
  CHECK(sectile_program("predict " + run().best() + " " + (run().folder / "nowhere.png").string()).code == 2);
}

TEST_CASE("pictures whose predictions would overwrite each other or themselves are refused") {
  const auto first = picture("same.png", 20, 20);
  fs::create_directories(run().folder / "other");
  fs::copy_file(first, run().folder / "other/same.png", fs::copy_options::overwrite_existing);
  const auto both =
      sectile_program("predict " + run().best() + " " + first.string() + " " +
                      (run().folder / "other/same.png").string() + " -o " + (run().folder / "clash").string());
  CHECK(both.code == 2);
  CHECK(both.says("would both be written to"));
  const auto itself =
      sectile_program("predict " + run().best() + " " + first.string() + " -o " + run().folder.string());
  CHECK(itself.code == 2);
  CHECK(itself.says("would be overwritten by its own prediction"));
}

TEST_CASE("what is no checkpoint is refused by name") {
  const auto ended = sectile_program("predict " + run().spec.string() + ".txt " + run().spec.string());
  CHECK(ended.code == 2);
  CHECK(ended.says("spec.json.txt: is no file"));
}

TEST_CASE("another model is swapped in on the command line, and what was dropped is said") {
  const auto ended = sectile_program("train " + run().spec.string() + " -o " + (run().folder / "swapped").string() +
                                     " --set '/model={\"type\": \"fast_scnn\"}' --set /train/epochs=1");
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("/model/widths"));
  CHECK(ended.says("training fast_scnn"));
  const auto refused = sectile_program("evaluate " + run().spec.string() + " --set /model/type=fast_scnn");
  CHECK(refused.code == 2);
  CHECK(refused.says("holds a trained \"unet\", and the spec names the model \"fast_scnn\""));
}

TEST_CASE("every spec that comes along has no mistakes") {
  setenv("SECTILE_DATA", "/nowhere", 0);  // checking opens no data
  int specs = 0;
  for (const auto& entry : fs::directory_iterator(SECTILE_SOURCE_DIR "/specs")) {
    if (entry.path().extension() != ".json" || entry.path().stem() == "camvid_classes") continue;
    CAPTURE(entry.path().string());
    const auto ended = sectile_program("check " + entry.path().string());
    CAPTURE(ended.text);
    CHECK(ended.code == 0);
    ++specs;
  }
  CHECK(specs >= 5);
}

TEST_CASE("the quick spec trains as it stands") {
  const auto ended =
      sectile_program("train " SECTILE_SOURCE_DIR "/specs/shapes_quick.json -o " + (run().folder / "quick").string());
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("after the last epoch"));
}

TEST_CASE("the doctor finds LibTorch's own matrix product and one OpenMP runtime") {
  const auto ended = sectile_program("doctor");
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("libtorch_cpu.so"));
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
