// A trained network in a program of one's own, from C++ and C, alone and joined with others.
#include <thread>

#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <opencv2/core.hpp>

#include <sectile/session.h>
#include <sectile/session_c.h>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/inference/predictor.h"
#include "upper/training/trainer.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

const fs::path kPlugins = SECTILE_BUILD_DIR "/lib/sectile/plugins";

PipelineSpec spec(int seed) {
  SpecFile file;
  file.json = Json::parse(R"({
    "data": {"train": {"type": "synthetic", "count": 4, "size": [32, 48], "seed": 1}},
    "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "pad", "divisor": 8}, {"type": "normalize"}]},
    "model": {"type": "unet", "widths": [4, 8]},
    "loss": [{"type": "cross_entropy"}],
    "optimizer": {"type": "adamw", "lr": 0.01},
    "metrics": [{"type": "iou"}],
    "train": {"epochs": 3, "batch_size": 2, "workers": 0}
  })");
  file.json["train"]["seed"] = seed;
  return read_spec(test::plugins(), file);
}

// A checkpoint of a small U-Net, trained once for each seed.
fs::path checkpoint(int seed = 1) {
  static const test::Scratch folder;
  const auto run = folder / std::to_string(seed);
  if (!fs::exists(run)) {
    fs::create_directories(run);
    auto pipeline = Pipeline::for_training(test::plugins(), spec(seed), at::kCPU);
    train(pipeline, run, {});
  }
  return run / "last.pth";
}

Session opened(const std::vector<fs::path>& files, const Combination& how = {}) {
  SessionOptions options;
  options.plugin_path = {kPlugins};
  options.combination = how;
  return Session(files, options);
}

cv::Mat image(int seed = 3, cv::Size size = {45, 37}, int type = CV_8UC3) {
  cv::Mat made(size, type);
  cv::RNG(static_cast<std::uint64_t>(seed)).fill(made, cv::RNG::UNIFORM, 0, 255);
  return made;
}

bool same(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0;
}

}  // namespace

TEST_CASE("a session gives what the network gives, with classes and scores of the image's size") {
  const auto session = opened({checkpoint()});
  CHECK(session.channels() == 3);
  CHECK(session.labels().classes.size() == 5);
  const auto answer = session.predict(image(), /*scores=*/true);
  CHECK(answer.labels.size() == cv::Size(45, 37));
  CHECK(answer.labels.type() == CV_16S);
  REQUIRE(answer.scores.type() == CV_32FC(5));
  std::vector<cv::Mat> classes;
  cv::split(answer.scores, classes);
  for (int y = 0; y < 37; ++y)
    for (int x = 0; x < 45; ++x) {
      double sum = 0;
      int best = 0;
      for (int c = 0; c < 5; ++c) {
        const auto at = [&](int of) { return classes[static_cast<std::size_t>(of)].at<float>(y, x); };
        sum += at(c);
        if (at(c) > at(best)) best = c;
      }
      REQUIRE(sum == doctest::Approx(1));
      REQUIRE(answer.labels.at<std::int16_t>(y, x) == best);
    }
  CHECK(session.predict(image()).scores.empty());
  const auto several = session.predict(std::vector{image(3), image(4, {20, 60})});
  REQUIRE(several.size() == 2);
  CHECK(same(several[0].labels, answer.labels));
  CHECK(several[1].labels.size() == cv::Size(20, 60));
}

TEST_CASE("a session may be asked from several threads at once, and answers as from one") {
  const auto session = opened({checkpoint()});
  std::vector<cv::Mat> alone, together(16);
  for (int i = 0; i < 16; ++i) alone.push_back(session.predict(image(i, {40 + i, 30})).labels);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < 16; i += 8)
        together[i] = session.predict(image(static_cast<int>(i), {40 + static_cast<int>(i), 30})).labels;
    });
  for (auto& thread : threads) thread.join();
  for (std::size_t i = 0; i < 16; ++i) CHECK(same(alone[i], together[i]));
}

TEST_CASE("an ensemble of a network and its copy is the network, and of two networks their mean") {
  const auto one = opened({checkpoint(1)}).predict(image(), true),
             other = opened({checkpoint(2)}).predict(image(), true);
  const auto twice = opened({checkpoint(1), checkpoint(1)}).predict(image(), true);
  CHECK(same(one.labels, twice.labels));
  CHECK(same(one.scores, twice.scores));
  const auto both = opened({checkpoint(1), checkpoint(2)}).predict(image(), true);
  CHECK(cv::norm(both.scores, (one.scores + other.scores) * 0.5, cv::NORM_INF) < 1e-6);

  Combination vote;
  vote.by = Combination::By::vote;
  const auto voted = opened({checkpoint(1), checkpoint(2), checkpoint(1)}, vote).predict(image(), true);
  CHECK(same(voted.labels, one.labels));  // two against one
  double least = 0, most = 0;
  cv::minMaxLoc(voted.scores.reshape(1), &least, &most);
  CHECK(least == 0);
  CHECK(most <= 1);
}

TEST_CASE("a flipped view is brought back exactly") {
  Combination flip;
  flip.flip = true;
  const auto plain = opened({checkpoint()}), flipped = opened({checkpoint()}, flip);
  const auto whole = image(3, {48, 40});  // a multiple of the transforms' padding, which would change sides
  cv::Mat mirror, back;
  cv::flip(whole, mirror, 1);
  const auto straight = plain.predict(whole, true), mirrored = plain.predict(mirror, true);
  cv::flip(mirrored.scores, back, 1);
  const auto both = flipped.predict(whole, true);
  CHECK(!same(straight.scores, both.scores));
  CHECK(same(both.scores, (straight.scores + back) / 2));
  // And so the two views of a mirrored image give the mirrored answer, bit for bit.
  cv::Mat answer;
  cv::flip(flipped.predict(mirror, true).scores, answer, 1);
  CHECK(same(answer, both.scores));
}

TEST_CASE("an image is seen at several scales") {
  Combination scales;
  scales.scales = {1};
  const auto plain = opened({checkpoint()}).predict(image(), true);
  CHECK(same(opened({checkpoint()}, scales).predict(image(), true).scores, plain.scores));
  scales.scales = {0.75, 1, 1.5};
  const auto several = opened({checkpoint()}, scales).predict(image(), true);
  CHECK(several.labels.size() == plain.labels.size());
  CHECK(!same(several.scores, plain.scores));
  CHECK(cv::norm(several.scores, plain.scores, cv::NORM_INF) < 1);
  scales.scales = {0};
  CHECK_THROWS_WITH_AS(opened({checkpoint()}, scales), doctest::Contains("is not a valid scale"), SpecError);
}

TEST_CASE("a session says what it cannot take") {
  const auto session = opened({checkpoint()});
  CHECK_THROWS_WITH_AS(session.predict(cv::Mat()), "the image: is empty", DataError);
  CHECK_THROWS_WITH_AS(session.predict(image(1, {8, 8}, CV_8UC4)),
                       doctest::Contains("has 4 channels of CV_8U, and the network wants 3"), DataError);
  CHECK(same(session.predict(image(1, {9, 9}, CV_8UC1)).labels, [&] {
    cv::Mat color;
    cv::merge(std::vector<cv::Mat>(3, image(1, {9, 9}, CV_8UC1)), color);
    return session.predict(color).labels;
  }()));
  SessionOptions options;
  options.plugin_path = {kPlugins};
  CHECK_THROWS_WITH_AS(Session("nothing.pth", options), doctest::Contains("nothing.pth: is not a file"), DataError);
  options.device = "gpu";
  CHECK_THROWS_WITH_AS(Session(checkpoint(), options), doctest::Contains("unknown device \"gpu\""), SpecError);
  options.device = "cpu", options.precision = "int8";
  CHECK_THROWS_WITH_AS(Session(checkpoint(), options), doctest::Contains("/train/precision"), SpecError);
  CHECK_THROWS_AS(Session(std::vector<fs::path>{}, options), DataError);
}

TEST_CASE("C programs get the same answers, and reasons where there is none") {
  const auto wanted = opened({checkpoint()}).predict(image(), true);
  auto* session = sectile_open(checkpoint().c_str(), nullptr, kPlugins.c_str());
  REQUIRE(session);
  CHECK(std::string(sectile_error()).empty());
  CHECK(sectile_class_count(session) == 5);
  CHECK(std::string(sectile_class_name(session, 1)) == "circle");
  CHECK(sectile_class_name(session, 5) == nullptr);
  const auto pixels = image();
  cv::Mat labels(37, 45, CV_16S), scores(37, 45, CV_32FC(5));
  const auto predicted = [&](int channels, std::size_t stride) {
    return sectile_predict(session, pixels.data, 37, 45, channels, stride, labels.ptr<std::int16_t>(),
                           scores.ptr<float>());
  };
  CHECK(predicted(3, 0) == 0);
  CHECK(same(labels, wanted.labels));
  CHECK(same(scores, wanted.scores));
  CHECK(predicted(3, 10) == -1);
  CHECK(std::string(sectile_error()).find("stride") != std::string::npos);
  CHECK(predicted(0, 0) == -1);
  sectile_close(session);
  sectile_close(nullptr);
  CHECK(sectile_class_count(nullptr) == 0);
  CHECK(sectile_class_name(nullptr, 0) == nullptr);
  CHECK(sectile_open("nothing.pth", nullptr, nullptr) == nullptr);
  CHECK(std::string(sectile_error()).find("nothing.pth: is not a file") != std::string::npos);
}
