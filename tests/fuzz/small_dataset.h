// One image and its mask, which a fuzzed file is about.
#pragma once

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <opencv2/core.hpp>

#include "fuzz.h"
#include "support/component.h"

namespace sectile::test {

class SmallDataset {
 public:
  SmallDataset() {
    std::filesystem::create_directories(folder_ / "images");
    std::filesystem::create_directories(folder_ / "masks");
    write_png(folder_ / "images/a.png", cv::Mat(2, 2, CV_8UC3, cv::Scalar(1, 2, 3)));
    write_png(folder_ / "masks/a.png", cv::Mat(2, 2, CV_8U, cv::Scalar(1)));
  }

  // option: the one that names the fuzzed file. more: further options.
  void read(const std::string& option, const std::string& contents, const std::string& more) const {
    const auto file = folder_.write("file", contents).string();
    read_or_refuse([&] {
      make<Dataset>(R"({"type": "image_folder", "root": ")" + folder_.path().string() + R"(", ")" + option + R"(": ")" +
                    file + "\"" + more + "}")
          ->read(0);
    });
  }

 private:
  Scratch folder_;
};

}  // namespace sectile::test
