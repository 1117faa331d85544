// A small trained run and the program, for the tests of its commands.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "support/scratch.h"

namespace sectile::test {

namespace fs = std::filesystem;

struct Ended {
  int code = -1;
  std::string text;  // both streams
  bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
};

inline Ended sectile_program(const std::string& words) {
  const auto ran = run(SECTILE_BUILD_DIR "/bin/sectile " + words + " 2>&1");
  return {ran.code, ran.output};
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

inline const TrainedRun& run() {
  static const TrainedRun made;
  return made;
}

inline fs::path image(const std::string& name, int height, int width, int type = CV_8UC3) {
  cv::Mat pixels(height, width, type);
  cv::randu(pixels, 0, 255);
  const auto file = run().folder / name;
  fs::create_directories(file.parent_path());
  write_png(file, pixels);
  return file;
}

using Names = std::vector<std::string>;

// Of all files below a folder, sorted.
inline Names names_in(const fs::path& folder) {
  Names names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(entry.path().lexically_relative(folder).string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace sectile::test
