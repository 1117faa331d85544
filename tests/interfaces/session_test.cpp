// Sessions with networks that only tests have.
#include <sectile/session.h>
#include <sectile/session_c.h>

#include "support/scratch.h"
#include "toys.h"
#include "upper/training/trainer.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("a session gives the objects of an instance network; C, which has no room for them, refuses it") {
  const Scratch folder;
  Toy toy(Json::parse(R"({
    "task": "instance",
    "data": {"train": {"type": "toy_shapes", "count": 2}}, "transforms": {"train": [{"type": "normalize"}]},
    "model": {"type": "toy_rcnn"}, "metrics": [{"type": "toy_recall"}],
    "train": {"epochs": 1, "batch_size": 2, "workers": 0}})"));
  train(toy.pipeline, folder.path());
  const auto file = folder / "last.pth", plugins = std::filesystem::path(SECTILE_BUILD_DIR "/tests/toys");
  SessionOptions options;
  options.plugin_path = {plugins};
  const cv::Mat image(24, 33, CV_8UC3, cv::Scalar(20, 90, 200));
  const Session session(file, options);
  const auto answer = session.predict(image);
  CHECK(answer.labels.empty());
  REQUIRE(answer.instances.size() == 9);
  for (std::size_t i = 0; i < answer.instances.size(); ++i) {
    CHECK(answer.instances[i].mask.bitmap().size() == image.size());
    CHECK((i == 0 || answer.instances[i - 1].score >= answer.instances[i].score));
  }
  options.combination.flip = true;
  CHECK_THROWS_WITH_AS(Session(file, options).predict(image), doctest::Contains("an ensemble"), PluginError);

  auto* opened = sectile_open(file.c_str(), nullptr, plugins.c_str());
  REQUIRE_MESSAGE(opened, sectile_error());
  std::vector<std::int16_t> labels(24 * 33, 77);
  CHECK(sectile_predict(opened, image.data, 24, 33, 3, 0, labels.data(), nullptr) == -1);
  CHECK(std::string(sectile_error()).find("this network gives no class number for each pixel") != std::string::npos);
  CHECK(labels == std::vector<std::int16_t>(24 * 33, 77));
  sectile_close(opened);
}
