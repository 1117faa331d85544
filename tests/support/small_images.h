// A few small images with masks of two classes, on disk, for runs that must read files.
#pragma once

#include <filesystem>
#include <string>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "ground/spec/json_text.h"
#include "support/scratch.h"

namespace sectile::test {

// FOLDER/images/0.png … and FOLDER/masks/0.png …, 32 x 32: class 1 where red is high.
inline void write_small_images(const std::filesystem::path& folder, int count, int seed) {
  std::filesystem::create_directories(folder / "images");
  std::filesystem::create_directories(folder / "masks");
  cv::RNG random(static_cast<std::uint64_t>(seed));
  for (int i = 0; i < count; ++i) {
    cv::Mat image(32, 32, CV_8UC3), red;
    random.fill(image, cv::RNG::UNIFORM, 0, 256);
    cv::extractChannel(image, red, 0);
    const auto name = std::to_string(i) + ".png";
    write_png(folder / "images" / name, image);
    write_png(folder / "masks" / name, cv::Mat((red > 128) / 255));
  }
}

inline Json small_images(const std::filesystem::path& folder) {
  return {{"type", "image_folder"},
          {"root", folder.string()},
          {"masks", "masks"},
          {"classes", {{{"name", "low"}}, {{"name", "high"}}}}};
}

// A run of six steps and three evaluations that saves in every step; everything that a run stores has a part in it.
inline Json small_run(const std::filesystem::path& train, const std::filesystem::path& val) {
  auto spec = Json::parse(R"({
    "transforms": {"train": [{"type": "horizontal_flip"}, {"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "unet", "widths": [2, 2]},
    "loss": [{"type": "cross_entropy"}],
    "optimizer": {"type": "adamw", "lr": 0.01},
    "schedule": {"type": "plateau", "patience": 0},
    "metrics": [{"type": "iou"}],
    "train": {"epochs": 3, "batch_size": 2, "accumulate": 2, "workers": 1, "save_every": 1, "keep": 2, "ema": {"decay": 0.9}}
  })");
  spec["data"] = {{"train", small_images(train)}, {"val", small_images(val)}};
  return spec;
}

// Eight images to train on and two to evaluate, in folders "train" and "val", and specs of runs on them.
struct SmallData {
  Scratch scratch;
  SmallData() {
    write_small_images(scratch / "train", 8, 1);
    write_small_images(scratch / "val", 2, 2);
  }
  Json spec(const std::string& changes = "{}") const {
    auto json = small_run(scratch / "train", scratch / "val");
    json.merge_patch(Json::parse(changes));
    return json;
  }
};

}  // namespace sectile::test
