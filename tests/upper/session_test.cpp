// A trained network in a program of one's own, from C++ and C, alone and joined with others.
#include <fstream>
#include <thread>

#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/data/image_io.h>
#include <sectile/session.h>
#include <sectile/session_c.h>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/inference/evaluation.h"
#include "upper/inference/predictor.h"
#include "upper/network/open.h"
#include "upper/training/trainer.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

const fs::path kPlugins = SECTILE_BUILD_DIR "/lib/sectile/plugins";

Json small_unet() {
  return Json::parse(R"({
    "data": {"train": {"type": "synthetic", "count": 4, "size": [32, 48], "seed": 1}},
    "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "pad", "divisor": 8}, {"type": "normalize"}]},
    "model": {"type": "unet", "widths": [4, 8]},
    "loss": [{"type": "cross_entropy"}],
    "optimizer": {"type": "adamw", "lr": 0.01},
    "metrics": [{"type": "iou"}],
    "train": {"epochs": 3, "batch_size": 2, "workers": 0}
  })");
}

// Trains once for each name.
fs::path checkpoint_of(const std::string& name, const Json& json) {
  static const test::Scratch folder;
  const auto run = folder / name;
  if (!fs::exists(run)) {
    fs::create_directories(run);
    SpecFile file;
    file.json = json;
    auto pipeline = Pipeline::for_training(test::plugins(), read_spec(test::plugins(), file), at::kCPU);
    train(pipeline, run, {});
  }
  return run / "last.pth";
}

fs::path checkpoint(int seed = 1) {
  auto json = small_unet();
  json["train"]["seed"] = seed;
  return checkpoint_of("seed" + std::to_string(seed), json);
}

// Four images of one grey value per class and their masks, read with this number of channels.
Json folder_of_images(const fs::path& root, int channels) {
  for (const char* folder : {"images", "masks"}) fs::create_directories(root / folder);
  for (int i = 0; i < 4; ++i) {
    cv::Mat mask(32, 48, CV_8UC1, cv::Scalar(0)), image;
    mask(cv::Rect(8 * i, 4, 12, 16)).setTo(1);
    cv::merge(std::vector<cv::Mat>{mask * 200, mask * 90 + i, 255 - mask * 120}, image);
    if (channels == 1) image = mask * 180 + 10 * i;
    write_png(root / "images" / (std::to_string(i) + ".png"), image);
    write_png(root / "masks" / (std::to_string(i) + ".png"), mask);
  }
  return {{"type", "image_folder"}, {"root", root},         {"images", "images"},
          {"masks", "masks"},       {"channels", channels}, {"classes", {{{"name", "x"}}, {{"name", "y"}}}}};
}

// Of a network that was trained on images with this number of channels.
fs::path checkpoint_of_channels(int channels) {
  static const test::Scratch folder;
  const auto name = "channels" + std::to_string(channels);
  auto json = small_unet();
  json["data"] = {{"train", folder_of_images(folder / name, channels)}};
  return checkpoint_of(name, json);
}

// Of a network that sees the last channel of RGB images alone.
fs::path checkpoint_of_last_channel() {
  static const test::Scratch folder;
  auto json = small_unet();
  auto images = folder_of_images(folder / "rgb", 3);
  images.erase("channels");
  json["data"] = {{"train", images}, {"val", images}};
  for (const char* list : {"train", "val"})
    json["transforms"][list] = {{{"type", "select_channels"}, {"channels", {2}}}, {{"type", "pad"}, {"divisor", 8}}};
  return checkpoint_of("last_channel", json);
}

Session opened(const std::vector<fs::path>& files, const Combination& how = {}, const std::string& precision = "") {
  SessionOptions options;
  options.precision = precision;
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

TEST_CASE("networks of grey and of RGB images, joined, each get the image as they were trained") {
  const auto rgb = checkpoint_of_channels(3), grey = checkpoint_of_channels(1);
  CHECK(opened({grey}).channels() == 1);
  for (const int type : {CV_8UC3, CV_8UC1}) {
    const auto one = opened({rgb}).predict(image(5, {45, 37}, type), true),
               other = opened({grey}).predict(image(5, {45, 37}, type), true);
    CHECK(!same(one.scores, other.scores));
    const auto both = opened({rgb, grey}).predict(image(5, {45, 37}, type), true);
    CHECK(cv::norm(both.scores, (one.scores + other.scores) * 0.5, cv::NORM_INF) < 1e-6);
  }
  OpenOptions options;
  options.plugin_path = {kPlugins};
  options.split = "train";
  const auto first = open_network(rgb, options, [](const auto&) {}),
             second = open_network(grey, options, [](const auto&) {});
  const auto joined = evaluate(Ensemble({&first, &second}), first.source("train"));
  CHECK(joined.images == 4);
  CHECK(std::isfinite(joined.headline().value));
}

TEST_CASE("networks with other classes are not joined") {
  CHECK_THROWS_WITH_AS(opened({checkpoint(), checkpoint_of_channels(3)}), doctest::Contains("other classes"),
                       DataError);
}

TEST_CASE("an ensemble is evaluated like a network") {
  OpenOptions options;
  options.plugin_path = {kPlugins};
  options.split = "train";
  const auto network = open_network(checkpoint(), options, [](const auto&) {}),
             copy = open_network(checkpoint(), options, [](const auto&) {}),
             other = open_network(checkpoint(2), options, [](const auto&) {});
  const auto score = [&](std::vector<const Network*> networks) {
    return evaluate(Ensemble(std::move(networks)), network.source("train")).headline().value;
  };
  CHECK(score({&network}) == score({&network, &copy}));
  CHECK(score({&network}) != score({&other}));
  CHECK(score({&network, &other}) != score({&other}));
}

TEST_CASE("an image is not changed by predicting it") {
  auto json = small_unet();
  json["transforms"]["val"][0] = {{"type", "brightness_contrast"},
                                  {"brightness_limit", {0.3, 0.3}},
                                  {"contrast_limit", {0, 0}},
                                  {"probability", 1}};  // works in place
  const auto session = opened({checkpoint_of("bright", json), checkpoint_of("bright", json)});
  const auto given = image(3, {48, 40}), kept = given.clone();
  const auto answer = session.predict(given, true);
  CHECK(same(given, kept));
  CHECK(same(answer.scores, opened({checkpoint_of("bright", json)}).predict(given, true).scores));
}

TEST_CASE("a network may be asked in another precision than it was trained in") {
  const auto single = opened({checkpoint()}).predict(image(), true),
             twice = opened({checkpoint()}, {}, "fp64").predict(image(), true);
  CHECK(!same(single.scores, twice.scores));
  CHECK(cv::norm(single.scores, twice.scores, cv::NORM_INF) < 1e-5);
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
  CHECK(cv::norm(several.scores, plain.scores, cv::NORM_INF) > 1e-3);
  scales.scales = {2};
  cv::Mat enlarged, by_hand;
  cv::resize(image(3, {48, 40}), enlarged, {}, 2, 2);
  cv::resize(opened({checkpoint()}).predict(enlarged, true).scores, by_hand, {48, 40});
  const auto twice = opened({checkpoint()}, scales).predict(image(3, {48, 40}), true).scores;
  CHECK(cv::norm(twice, by_hand, cv::NORM_INF) < 0.01);
  CHECK(cv::norm(twice, opened({checkpoint()}).predict(image(3, {48, 40}), true).scores, cv::NORM_INF) > 0.03);
  scales.scales = {0};
  CHECK_THROWS_WITH_AS(opened({checkpoint()}, scales), doctest::Contains("is not a valid scale"), SpecError);
}

TEST_CASE("what the transforms cut off has no class in predictions, and does not count in evaluations") {
  auto json = small_unet();
  json["data"]["val"] = json["data"]["train"];
  json["transforms"]["val"] = Json::parse(R"([{"type": "random_crop", "size": [16, 24]}, {"type": "normalize"}])");
  const auto file = checkpoint_of("cut_off", json);
  for (const bool flip : {false, true}) {
    Combination how;
    how.flip = flip;
    const auto answer = opened({file}, how).predict(image(), true);
    const cv::Mat none = answer.labels == kIgnore;
    CHECK(answer.labels.size() == image().size());
    CHECK(answer.labels.total() - static_cast<std::size_t>(cv::countNonZero(none)) == 16 * 24);
    cv::Mat sums, seen;
    cv::transform(answer.scores, sums, cv::Mat::ones(1, 5, CV_32F));
    cv::Mat(none == 0).convertTo(seen, CV_32F, 1.0 / 255);
    CHECK(cv::norm(sums, seen, cv::NORM_INF) < 1e-5);
  }
  // The same pixels count as if the annotation had been cut with the images.
  OpenOptions options;
  options.split = "val";
  options.plugin_path = {kPlugins};
  const auto ignore = [](const std::string&) {};
  const auto original = open_network(file, options, ignore);
  options.changes = {"/evaluate_at=\"input\""};
  const auto input = open_network(file, options, ignore);
  const auto whole = evaluate(original, original.source("val")), cut = evaluate(input, input.source("val"));
  CHECK(whole.headline().value == cut.headline().value);
  CHECK(whole.cut_off == 4);
  CHECK(cut.cut_off == 0);
}

TEST_CASE("a session says what it cannot take") {
  const auto session = opened({checkpoint()});
  CHECK_THROWS_WITH_AS(session.predict(cv::Mat()), "the image: is empty", DataError);
  CHECK_THROWS_WITH_AS(session.predict(image(1, {8, 8}, CV_8UC4)),
                       "the image: has 4 channels, and the network expects 3", DataError);
  for (const int depth : {CV_8S, CV_32S, CV_64F, CV_16F})
    for (const int channels : {1, 3})
      CHECK_THROWS_WITH_AS(session.predict(cv::Mat::zeros(8, 8, CV_MAKETYPE(depth, channels))),
                           doctest::Contains("; expected CV_8U, CV_16U, CV_16S or CV_32F"), DataError);
  const int sizes[] = {8, 9, 3};
  for (const int type : {CV_8UC1, CV_8UC3})
    CHECK_THROWS_WITH_AS(session.predict(cv::Mat(3, sizes, type, cv::Scalar(0))),
                         "the image: has 3 dimensions, and the network expects 2: [height, width]", DataError);
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

TEST_CASE("grey and RGB are converted into each other at every depth") {
  const cv::Mat grey = (cv::Mat_<std::int16_t>(1, 2) << -300, 500);
  const auto color = with_channels(grey, 3, "x");
  CHECK(color.type() == CV_16SC3);
  CHECK(color.at<cv::Vec3s>(0, 0) == cv::Vec3s(-300, -300, -300));
  CHECK(color.at<cv::Vec3s>(0, 1) == cv::Vec3s(500, 500, 500));
  for (const int depth : {CV_8U, CV_16U, CV_16S, CV_32F}) {
    const cv::Mat rgb(1, 1, CV_MAKETYPE(depth, 3), cv::Scalar(200, 100, 50));
    const auto back = with_channels(rgb, 1, "x");
    CHECK(back.type() == CV_MAKETYPE(depth, 1));
    cv::Mat value;
    back.convertTo(value, CV_64F);
    CHECK(std::abs(value.at<double>(0, 0) - (0.299 * 200 + 0.587 * 100 + 0.114 * 50)) < 0.51);  // BT.601
  }
}

TEST_CASE("class numbers that are not the network's are not written") {
  const test::Scratch folder;
  LabelMap labels;
  labels.classes = {{.name = "sky"}, {.name = "road"}};
  CHECK_THROWS_WITH_AS(write_labels(folder / "a.png", cv::Mat(), labels), doctest::Contains("an empty image"),
                       DataError);
  CHECK_THROWS_WITH_AS(write_labels(folder / "a.png", cv::Mat(2, 2, CV_8U, cv::Scalar(0)), labels),
                       doctest::Contains("found CV_8UC1"), DataError);
  CHECK_THROWS_WITH_AS(write_labels(folder / "a.png", cv::Mat(2, 2, CV_16S, cv::Scalar(2)), labels),
                       doctest::Contains("has the class number 2, and there are 2 classes"), DataError);
  CHECK(fs::is_empty(folder.path()));
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
  CHECK(predicted(3, static_cast<std::size_t>(-135)) == -1);
  CHECK(std::string(sectile_error()).find("was it negative?") != std::string::npos);
  CHECK(predicted(0, 0) == -1);
  CHECK(predicted(CV_CN_MAX + 1, 0) == -1);
  CHECK(sectile_class_name(session, 5) == nullptr);
  CHECK(std::string(sectile_error()) == "sectile_class_name: there is no class 5 of 5");
  CHECK(sectile_class_count(session) == 5);
  CHECK(std::string(sectile_error()).empty());
  sectile_close(session);
  sectile_close(nullptr);
  CHECK(sectile_class_count(nullptr) == 0);
  CHECK(sectile_class_name(nullptr, 0) == nullptr);
  CHECK(sectile_open("nothing.pth", nullptr, nullptr) == nullptr);
  CHECK(std::string(sectile_error()).find("nothing.pth: is not a file") != std::string::npos);
}

TEST_CASE("a network of some of the channels is given images with all of them") {
  const auto file = checkpoint_of_last_channel();
  const auto session = opened({file});
  CHECK(session.channels() == 3);
  cv::Mat one(32, 48, CV_8UC3, cv::Scalar(10, 20, 30)), other(32, 48, CV_8UC3, cv::Scalar(90, 200, 30));
  one(cv::Rect(8, 4, 12, 16)).setTo(cv::Scalar(0, 0, 200));
  other(cv::Rect(8, 4, 12, 16)).setTo(cv::Scalar(50, 60, 200));
  const auto scores = [&](const cv::Mat& image) { return session.predict(image, /*scores=*/true).scores; };
  CHECK(cv::norm(scores(one), scores(other), cv::NORM_INF) == 0);
  other.setTo(cv::Scalar(90, 200, 31));
  CHECK(cv::norm(scores(one), scores(other), cv::NORM_INF) > 0);

  // Evaluated as in training.
  const auto network = open_network(file, {.plugin_path = {kPlugins}, .split = "val"}, [](const std::string&) {});
  CHECK(network.image_channels == 3);
  CHECK(network.context.channels == 1);
  CHECK(evaluate(Ensemble({&network}), network.source("val"), {}).images == 4);
}

TEST_CASE("lists of transforms that make images of different channels are refused before training") {
  const test::Scratch folder;
  auto json = small_unet();
  auto images = folder_of_images(folder / "rgb", 3);
  images.erase("channels");
  json["data"] = {{"train", images}};
  json["transforms"]["train"] = {{{"type", "select_channels"}, {"channels", {2}}}};
  SpecFile file;
  file.json = json;
  CHECK_THROWS_WITH_AS(Pipeline::for_training(test::plugins(), read_spec(test::plugins(), file), at::kCPU),
                       doctest::Contains("/transforms/val: makes images of 3 channels, and \"train\" of 1"), SpecError);
}

TEST_CASE("published weights of a single class are refused, and their network sees the channels after the transforms") {
  const auto file = checkpoint_of_last_channel();
  const auto opened_with = [&](const Json& classes) {
    const test::Scratch folder;
    Json spec{{"data", {{"channels", 3}, {"classes", classes}}},
              {"transforms", {{"val", {{{"type", "select_channels"}, {"channels", {2}}}}}}},
              {"model", {{"type", "unet"}, {"widths", {4, 8}}, {"weights", file}}}};
    std::ofstream(folder / "spec.json") << spec;
    const auto network = open_published(folder / "spec.json", {.plugin_path = {kPlugins}}, [](const std::string&) {});
    return std::pair(network.image_channels, network.context.channels);
  };
  CHECK(opened_with({{{"name", "x"}}, {{"name", "y"}}}) == std::pair(3, 1));
  CHECK_THROWS_WITH_AS(opened_with({{{"name", "x"}}}), doctest::Contains("/data: has a single class, \"x\""),
                       SpecError);
}
