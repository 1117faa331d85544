// DeepLabV3 with the weights of another's portrait network, through a spec of this repository, against the recorded
// masks and logits. Skipped without SECTILE_DATA.
#include <cstdlib>

#include <sectile/transform.h>
#include <nlohmann/json.hpp>

#include "commands/trained_run.h"
#include "support/annotated.h"
#include "support/component.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("specs/portrait.json finds the persons that the original DeepLabV3 does, pixel by pixel") {
  const char* data = std::getenv("SECTILE_DATA");
  const auto folder = fs::path(data ? data : "") / "weights/deeplabv3-mnv2-portrait";
  if (!data || !fs::is_directory(folder)) {
    MESSAGE("skipped: SECTILE_DATA names no folder with weights/deeplabv3-mnv2-portrait");
    return;
  }
  // Masks are recorded at the network's size, and predicted at the image's: the images are resized first.
  const Scratch out;
  const auto recorded = nlohmann::json::parse(std::ifstream(folder / "expected/expected.json"));
  REQUIRE(recorded.size() == 6);
  const auto resize = make<Transform>(R"({"type": "resize", "size": [513, 513]})");
  fs::create_directories(out / "images");
  for (const auto& [name, values] : recorded.items()) {
    Sample sample;
    sample.image = read_image(fs::path(data) / "voc-mini/VOC2012/JPEGImages" / (name + ".jpg"));
    write_png(out / "images" / (name + ".png"), applied(*resize, std::move(sample)).image);
  }
  const auto ended = sectile_program("predict " SECTILE_SOURCE_DIR "/specs/portrait.json " + (out / "images").string() +
                                     " -o " + (out / "masks").string() + " --raw --no-overlay");
  REQUIRE_MESSAGE(ended.code == 0, ended.text);

  for (const auto& [name, values] : recorded.items()) {
    CAPTURE(name);
    const auto found = read_raw_image(out / "masks" / (name + ".png")).pixels;
    const auto wanted = read_raw_image(folder / "expected" / (name + ".png")).pixels;
    REQUIRE(found.size() == wanted.size());
    CHECK(cv::countNonZero((found == 1) != (wanted == 255)) == 0);
    CHECK(cv::countNonZero(found) == values["person_px"].get<int>());
    const auto logits = read_raw_image(out / "masks" / (name + "_logits.tif")).pixels;
    REQUIRE(logits.type() == CV_32FC2);
    const auto sums = cv::sum(logits);
    for (int c = 0; c < 2; ++c) {
      const auto at = static_cast<std::size_t>(c);
      CHECK(std::abs(logits.at<cv::Vec2f>(256, 256)[c] - values["logits_256_256"][at].get<double>()) < 2e-4);
      CHECK(std::abs(logits.at<cv::Vec2f>(400, 100)[c] - values["logits_400_100"][at].get<double>()) < 2e-4);
      CHECK(std::abs(sums[c] - values["logit_sum"][at].get<double>()) < 1e-5 * static_cast<double>(logits.total()));
    }
  }
}
