// Real weights through a spec of this repository, against what the original network answers.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "commands/trained_run.h"
#include "support/test.h"

using namespace sectile;
using sectile::test::Scratch;
using sectile::test::sectile_program;
namespace fs = std::filesystem;

TEST_CASE("specs/kelp.json predicts what the original LR-ASPP does, pixel by pixel") {
  const char* data = std::getenv("SECTILE_DATA");
  if (!data) {
    MESSAGE("skipped: SECTILE_DATA is not set");
    return;
  }
  const auto folder = fs::path(data) / "weights/kelp-lraspp";
  const Scratch out;
  const auto ended =
      sectile_program("predict " SECTILE_SOURCE_DIR "/specs/kelp.json " + (folder / "input/kelp_drone.png").string() +
                      " -o " + (out / "a").string() + " --raw --no-overlay");
  REQUIRE_MESSAGE(ended.code == 0, ended.text);

  const auto found = read_raw_image(out / "a/kelp_drone.png").pixels;
  const auto wanted = read_raw_image(folder / "expected/presence.png").pixels;
  REQUIRE(found.size() == wanted.size());
  CHECK(cv::countNonZero((found == 1) != (wanted == 255)) == 0);

  const auto expected = nlohmann::json::parse(std::ifstream(folder / "expected/expected.json"));
  const auto& probe = expected["nets"]["presence"]["full_614x804"]["probe"];
  REQUIRE(probe.size() == 5);
  const auto logits = read_raw_image(out / "a/kelp_drone_logits.tif").pixels;
  REQUIRE(logits.type() == CV_32FC2);
  for (const auto& [place, values] : probe.items()) {
    const int row = std::stoi(place), column = std::stoi(place.substr(place.find(',') + 1));
    for (int c = 0; c < 2; ++c)
      CHECK(std::abs(logits.at<cv::Vec2f>(row, column)[c] - values[static_cast<std::size_t>(c)].get<double>()) < 1e-3);
  }
}
