// Networks with the weights of others, on images of theirs: the recorded masks and logits. Skipped without
// SECTILE_DATA.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sectile/data/image_io.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/scratch.h"
#include "support/test.h"

using sectile::read_raw_image;
using sectile::test::Scratch;
namespace fs = std::filesystem;

namespace {

// The folder of weights and expected values; empty: there is none.
fs::path real_weights(const std::string& name) {
  const char* data = std::getenv("SECTILE_DATA");
  const auto folder = data ? fs::path(data) / "weights" / name : fs::path();
  if (data && fs::is_directory(folder)) return folder;
  MESSAGE("skipped: SECTILE_DATA names no folder with weights/" << name);
  return {};
}

sectile::test::Ran sectile_says(const std::string& words) {
  return sectile::test::run(SECTILE_BUILD_DIR "/bin/sectile " + words + " 2>&1");
}

nlohmann::json json_of(const fs::path& file) { return nlohmann::json::parse(std::ifstream(file)); }

}  // namespace

TEST_CASE("U-Net with EfficientNet-B4 of DLR's cloud masks gives the recorded logits, mask and IoU") {
  const auto folder = real_weights("ukis-csmask-unet-effb4");
  if (folder.empty()) return;
  const Scratch out;
  const std::string spec = SECTILE_SOURCE_DIR "/specs/ukis_csmask.json";
  const auto predicted = sectile_says("predict " + spec + " --split val --raw -o " + (out / "masks").string());
  REQUIRE_MESSAGE(predicted.code == 0, predicted.output);
  const auto recorded = json_of(folder / "expected/expected.json")["6b_l1c"]["images"]["sentinel2"]["forward512"];

  const auto logits = read_raw_image(out / "masks/sentinel2_logits.tif").pixels;
  REQUIRE(logits.type() == CV_32FC3);
  for (const auto& [place, values] : recorded["probe"].items()) {
    const auto comma = place.find(',');
    const auto found = logits.at<cv::Vec3f>(std::stoi(place.substr(0, comma)), std::stoi(place.substr(comma + 1)));
    for (int i = 0; i < 3; ++i)
      CHECK_MESSAGE(found[i] == doctest::Approx(values[static_cast<std::size_t>(i)].get<double>()).epsilon(1e-4),
                    place);
  }
  const auto sums = cv::sum(logits);
  for (int i = 0; i < 3; ++i)
    CHECK(sums[i] == doctest::Approx(recorded["logit_sum_per_class"][static_cast<std::size_t>(i)].get<double>()));

  const auto mask = read_raw_image(out / "masks/sentinel2.png").pixels;
  const auto expected = read_raw_image(folder / "expected/6b_l1c_sentinel2.png").pixels;
  REQUIRE(mask.size() == expected.size());
  CHECK(cv::countNonZero(mask != expected) <= 2);  // of 262,144, where two logits are equal to float's precision
  for (int i = 0; i < 3; ++i)
    CHECK(std::abs(cv::countNonZero(mask == i) - recorded["counts"][static_cast<std::size_t>(i)].get<int>()) <= 2);

  const auto report = out / "report.json";
  const auto evaluated = sectile_says("evaluate " + spec + " --split val --report " + report.string());
  REQUIRE_MESSAGE(evaluated.code == 0, evaluated.output);
  CAPTURE(evaluated.output);
  const auto values = json_of(report)["per_class"]["iou/IoU"];
  REQUIRE(values.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(values[i].get<double>() == doctest::Approx(recorded["iou_vs_label"][i].get<double>()).epsilon(1e-4));
}

TEST_CASE("specs/kelp.json predicts what the original LR-ASPP does, pixel by pixel") {
  const auto folder = real_weights("kelp-lraspp");
  if (folder.empty()) return;
  const Scratch out;
  const auto ended =
      sectile_says("predict " SECTILE_SOURCE_DIR "/specs/kelp.json " + (folder / "input/kelp_drone.png").string() +
                   " -o " + (out / "a").string() + " --raw --no-overlay");
  REQUIRE_MESSAGE(ended.code == 0, ended.output);

  const auto found = read_raw_image(out / "a/kelp_drone.png").pixels;
  const auto wanted = read_raw_image(folder / "expected/presence.png").pixels;
  REQUIRE(found.size() == wanted.size());
  CHECK(cv::countNonZero((found == 1) != (wanted == 255)) == 0);

  const auto probe = json_of(folder / "expected/expected.json")["nets"]["presence"]["full_614x804"]["probe"];
  REQUIRE(probe.size() == 5);
  const auto logits = read_raw_image(out / "a/kelp_drone_logits.tif").pixels;
  REQUIRE(logits.type() == CV_32FC2);
  for (const auto& [place, values] : probe.items()) {
    const int row = std::stoi(place), column = std::stoi(place.substr(place.find(',') + 1));
    for (int c = 0; c < 2; ++c)
      CHECK(std::abs(logits.at<cv::Vec2f>(row, column)[c] - values[static_cast<std::size_t>(c)].get<double>()) < 1e-3);
  }
}
