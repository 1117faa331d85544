// Checkpoints of strangers: whatever is in them is read or refused, without running code, a crash, or much memory.
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <ATen/ATen.h>
#include <opencv2/core.hpp>

#include <sectile/data/image_io.h>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/hostile.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/training/trainer.h"
#include "upper/weights/files/weights_file.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

struct Apart {
  int code = -1;          // of its exit; -1: it crashed
  std::size_t bytes = 0;  // at most in use at once
  std::string text{};     // what it wrote
};

std::size_t peak_of(const rusage& used) { return static_cast<std::size_t>(used.ru_maxrss) * 1024; }

// In a process of its own, so that neither a crash nor its memory stays. A forked process begins with the peak of this
// one's memory in use: bytes are those beyond it.
Apart read_apart(const fs::path& file) {
  const test::Scratch folder;
  const auto output = folder.write("output", "");
  malloc_trim(0);  // or what is free here would not count there
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);  // doctest's handler would report a test
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto before = peak_of(used);
    std::string error;
    try {
      read_weights(file);
    } catch (const DataError& refused) {
      error = refused.what();
    }
    getrusage(RUSAGE_SELF, &used);
    std::ofstream(output) << peak_of(used) - before << " " << error;
    _exit(error.empty() ? 0 : 2);
  }
  Apart apart;
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) apart.code = WEXITSTATUS(status);
  std::ifstream in(output);
  in >> apart.bytes >> std::ws;
  std::getline(in, apart.text);
  return apart;
}

// A process that a shell leaves behind is adopted, and its memory is its own: that of a forked process would begin with
// this one's, even after exec.
Apart sectile_apart(const std::string& arguments) {
  const test::Scratch folder;
  const auto output = (folder / "output").string();
  REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  const auto command = "exec env -u SECTILE_PLUGIN_PATH " SECTILE_BUILD_DIR "/bin/sectile " + arguments;
  REQUIRE(std::system(("(" + command + ") > " + output + " 2>&1 &").c_str()) == 0);
  Apart apart;
  int status = 0;
  rusage used{};
  REQUIRE(wait4(-1, &status, 0, &used) > 0);
  if (WIFEXITED(status)) apart.code = WEXITSTATUS(status);
  apart.bytes = peak_of(used);
  apart.text = test::contents(output);
  return apart;
}

bool in_bounds([[maybe_unused]] std::size_t bytes, [[maybe_unused]] std::size_t healthy,
               [[maybe_unused]] std::uintmax_t file) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;  // sanitizers keep memory that was freed
#else
  return bytes < healthy + 2 * file + 100'000'000;
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
    CHECK(in_bounds(reading.bytes, healthy.bytes, bytes.size()));
  }
}

TEST_CASE("files of very many small entries are read or refused in little memory") {
  const test::Scratch folder;
  write_torch_file(folder / "healthy.pth", PythonDict{{"weight", at::ones({2})}});
  const auto healthy = read_apart(folder / "healthy.pth");
  const auto object = [](int count, const std::string& value) {
    std::string text = "{";
    for (int i = 0; i < count; ++i) {
      text += i ? ",\"" : "\"";
      text += std::to_string(i);
      text += "\":";
      text += value;
    }
    return text + "}";
  };
  const auto safetensors = [&](int count) {
    const auto header = object(count, R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})");
    return test::little_endian(header.size(), 8) + header;
  };
  const auto index = [&](int count) {
    std::string text = R"({"weight_map":)";
    text += object(count, R"("many.safetensors")");
    return text + "}";
  };
  std::string texts = "}(";
  for (int i = 0; i < 250'000; ++i) {
    texts += 'X';
    texts += test::little_endian(6, 4);
    texts += std::to_string(100'000 + i);
    texts += 'N';
  }
  // Parts of a storage, which files before PyTorch 0.4 have
  std::string parts = "](";
  for (int i = 0; i < 300'000; ++i) {
    parts += '(';
    parts += test::text_value("storage");
    parts += "ctorch\nFloatStorage\n";
    parts += test::text_value("0");
    parts += test::text_value("cpu");
    parts += test::small_integer(400'000);
    parts += '(';
    parts += test::text_value("p");
    parts += test::small_integer(i);
    parts += test::small_integer(0);
    parts += "ttQ";
  }
  std::string legacy = "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02";
  legacy += parts;
  legacy += "e.\x80\x02](";
  legacy += test::text_value("0");
  legacy += "e.";
  legacy += test::little_endian(400'000, 8);
  legacy += std::string(1'600'000, '\0');
  const std::vector<std::tuple<std::string, std::string, int>> files{{"many.safetensors", safetensors(60'000), 0},
                                                                     {"too_many.safetensors", safetensors(70'000), 2},
                                                                     {"many.json", index(60'000), 0},
                                                                     {"too_many.json", index(150'000), 2},
                                                                     {"texts.pth", test::torch_file(texts + "u"), 2},
                                                                     {"legacy.pth", legacy, 2}};
  for (const auto& [name, bytes, code] : files) {
    CAPTURE(name);
    const auto reading = read_apart(folder.write(name, bytes));
    CAPTURE(reading.text);
    CHECK(reading.code == code);
    CAPTURE(reading.bytes);
    CHECK(in_bounds(reading.bytes, healthy.bytes, fs::file_size(folder / "many.safetensors") + bytes.size()));
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
      {"many memo entries", run.folder.write("memo.pth", hostile.at("many memo entries"))},
      {"a deflated pickle", run.folder.write("deflated.pth", hostile.at("a deflated pickle"))},
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
      CAPTURE(opened.bytes);
      CHECK(in_bounds(opened.bytes, healthy[command].bytes, fs::file_size(file)));
    }
}
