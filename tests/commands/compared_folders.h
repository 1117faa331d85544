// Label maps in two folders, for `evaluate --truth --predictions`.
#pragma once

#include <filesystem>
#include <string>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "commands/trained_run.h"
#include "support/scratch.h"
#include "support/test.h"

namespace sectile::test {

namespace fs = std::filesystem;

// The folders "truth" and "found", each with the maps a, b and deep/c of the classes 0 to 2.
struct ComparedFolders {
  ComparedFolders() {
    cv::RNG random(5);
    for (const char* name : {"a", "b", "deep/c"}) {
      cv::Mat truth(20, 30, CV_8U), found;
      random.fill(truth, cv::RNG::UNIFORM, 0, 3);
      truth.row(0) = 255;
      truth.copyTo(found);
      found.rowRange(0, 6) = 1;
      write("truth", name, truth);
      write("found", name, found);
    }
  }
  void write(const std::string& side, const std::string& name, const cv::Mat& pixels) const {
    const auto file = scratch.path() / side / (name + ".png");
    fs::create_directories(file.parent_path());
    write_png(file, pixels);
  }
  Ended evaluate(const std::string& more = "--classes 3") const {
    auto ended = sectile_program("evaluate --truth " + (scratch / "truth").string() + " --predictions " +
                                 (scratch / "found").string() + " " + more);
    ended.text = test::replaced(ended.text, scratch.path().string(), "ROOT");
    return ended;
  }
  Json report(const std::string& more = "--classes 3") const {
    const auto file = scratch / "report.json";
    fs::remove(file);
    const auto ended = evaluate(more + " --report " + file.string());
    REQUIRE_MESSAGE(ended.code == 0, ended.text);
    return Json::parse(test::contents(file));
  }
  test::Scratch scratch;
};

}  // namespace sectile::test
