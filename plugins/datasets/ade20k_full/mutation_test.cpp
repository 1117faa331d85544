// Texts beside ADE20K's masks, whatever they hold: they are read or refused.
#include <ctime>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <sectile/error.h>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/text_mutator.h"

namespace {

void try_names(const std::string& file, const std::string& seed) {
  const sectile::test::Scratch scratch;
  std::filesystem::create_directories(scratch / "training/street");
  sectile::write_png(scratch / "training/street/1_seg.png", cv::Mat(2, 2, CV_8UC3, cv::Scalar(10, 200, 1)));
  sectile::write_png(scratch / "training/street/1.jpg", cv::Mat(2, 2, CV_8UC3, cv::Scalar(1, 2, 3)));
  sectile::test::TextMutator mutator;
  int read = 0;
  const int count = sectile::test::mutations();
  for (int i = 0; i < count; ++i) {
    const auto text = mutator.next(seed);
    scratch.write("training/street/" + file, text);
    const auto start = std::clock();
    std::string surprise;
    try {
      sectile::test::make<sectile::Dataset>(R"({"type": "ade20k_full", "root": ")" + scratch.path().string() + "\"}",
                                            {})
          ->read(0);
      ++read;
    } catch (const sectile::DataError&) {
    } catch (const sectile::SpecError&) {
    } catch (const std::exception& error) {
      surprise = error.what();
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    CHECK_MESSAGE((surprise.empty() && seconds < 1), i << ": " << surprise << " " << seconds << " s\n" << text);
  }
  CHECK(read > 0);
  CHECK(read < count);
}

}  // namespace

TEST_CASE("damaged JSON beside a mask of the full ADE20K is read or refused") {
  try_names("1.json",
            R"({"annotation": {"filename": "1.jpg", "object": [{"id": 0, "name": "sky", "name_ndx": 456, "parts":
    {"hasparts": [], "ispartof": [], "part_level": 0}, "polygon": {"x": [1, 2], "y": [3, 4]}}, {"id": 1, "name": "door, gate", "name_ndx": 774,
    "parts": {"ispartof": 0, "part_level": 1}}]}})");
}

TEST_CASE("damaged attributes beside a mask of the full ADE20K are read or refused") {
  try_names("1_atr.txt", "001 # 0 # 0 # sky # sky # \"\"\n002 # 1 # 1 # door, gate # door # \"open\"\n");
}
