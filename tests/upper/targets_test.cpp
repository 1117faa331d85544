// Targets that transforms of a spec add: they move with the image, reach the batch, and a loss reads them.
#include <cmath>

#include <ATen/ATen.h>

#include <sectile/data/image_io.h>
#include <sectile/sampler.h>
#include <opencv2/core.hpp>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/training/pipeline.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

// Two images of 8 x 16, in which class 1 is two squares of 2 x 2 that are 2 apart.
struct TargetFolder {
  test::Scratch scratch;

  TargetFolder() {
    for (const char* folder : {"images", "masks"}) fs::create_directories(scratch.path() / folder);
    for (const char* name : {"a.png", "b.png"}) {
      cv::Mat mask(8, 16, CV_8UC1, cv::Scalar(0));
      mask(cv::Rect(3, 3, 2, 2)).setTo(1), mask(cv::Rect(7, 3, 2, 2)).setTo(1);
      write_png(scratch.path() / "images" / name, cv::Mat(8, 16, CV_8UC3, cv::Scalar(9, 8, 7)));
      write_png(scratch.path() / "masks" / name, mask);
    }
  }

  Json spec(const std::string& transforms, const std::string& losses, const std::string& sampler = "shuffle") const {
    Json json = Json::parse(R"({
      "model": {"type": "unet", "widths": [2, 2], "norm": "none"}, "metrics": [{"type": "iou"}],
      "train": {"epochs": 1, "batch_size": 2, "workers": 0}})");
    json["data"]["train"] = {{"type", "image_folder"},
                             {"root", scratch.path()},
                             {"images", "images"},
                             {"masks", "masks"},
                             {"classes", {{{"name", "ground"}}, {{"name", "cell"}}}}};
    json["transforms"]["train"] = Json::parse(transforms);
    json["loss"] = Json::parse(losses);
    json["sampler"]["type"] = sampler;
    return json;
  }
};

Pipeline pipeline_of(const Json& json) {
  SpecFile file;
  file.json = json;
  return Pipeline::for_training(test::plugins(), read_spec(test::plugins(), file), at::kCPU);
}

Batch batch_with_targets(const Pipeline& pipeline) {
  std::vector<Sample> samples;
  for (const std::size_t i : {0, 1}) samples.push_back(pipeline.prepare({.index = i}).sample);
  return pipeline.collate(std::move(samples), /*training=*/true);
}

Outputs with_logits_of_zero(const Batch& batch) {
  Outputs outputs;
  outputs.logits = at::zeros({2, 2, batch.images.size(2), batch.images.size(3)}).requires_grad_();
  return outputs;
}

const char* const kThreeTargets = R"([
  {"type": "edges", "width": 1}, {"type": "border_weights", "name": "weights"},
  {"type": "distance_map", "include": ["cell"], "distance": "signed"},
  {"type": "horizontal_flip", "probability": 1}, {"type": "normalize"}])";

}  // namespace

TEST_CASE("maps that transforms add are warped by later ones, and a batch carries them") {
  const TargetFolder folder;
  const auto pipeline = pipeline_of(folder.spec(kThreeTargets, R"([{"type": "cross_entropy"}])"));
  const auto batch = batch_with_targets(pipeline);
  REQUIRE(batch.targets.size() == 3);
  const auto &edges = batch.targets.at("edges"), &weights = batch.targets.at("weights"),
             &distances = batch.targets.at("distance_map");
  CHECK((edges.scalar_type() == at::kLong));
  CHECK(edges.sizes() == batch.labels.sizes());
  CHECK(weights.sizes() == at::IntArrayRef({2, 1, 8, 16}));
  CHECK(distances.sizes() == at::IntArrayRef({2, 1, 8, 16}));
  // Mirrored: columns 3 and 4 become 12 and 11, and 7 and 8 become 8 and 7.
  const auto of_cells = batch.labels == 1;
  CHECK(at::equal(of_cells[1][3].nonzero().flatten(), at::tensor({7, 8, 11, 12}, at::kLong)));
  CHECK((distances.squeeze(1).lt(0) == of_cells).all().item<bool>());
  CHECK(distances[0][0][3][13].item<float>() == 1);
  CHECK(weights[0][0][3][9].item<float>() == doctest::Approx(1 + 10 * std::exp(-9 / 50.)));  // 1 and 2 away
  CHECK((weights.squeeze(1).masked_select(of_cells) == 1).all().item<bool>());
  // An edge is below its square and at the corner above it, where this was at the right before it was mirrored.
  CHECK(edges[0][5][12].item<std::int64_t>() == 1);
  CHECK(edges[0][2][6].item<std::int64_t>() == 1);
  CHECK(edges[0][5][13].item<std::int64_t>() == 0);
  CHECK(edges[0][5][6].item<std::int64_t>() == 0);
}

TEST_CASE("maps that are added before or after the image is moved are the same, at the image's new place") {
  const TargetFolder folder;
  // Objects are whole in the crop and next to each other as before, so that distances within and between them stay.
  const std::string moves = R"({"type": "transpose", "probability": 1}, {"type": "crop", "window": [1, 2, 7, 14]},
      {"type": "vertical_flip", "probability": 1})";
  const std::string maps = R"({"type": "distance_map", "include": ["cell"]}, {"type": "border_weights"},
      {"type": "edges"})";
  const auto losses = R"([{"type": "cross_entropy"}])";
  const auto before = batch_with_targets(pipeline_of(folder.spec("[" + maps + ", " + moves + "]", losses)));
  const auto after = batch_with_targets(pipeline_of(folder.spec("[" + moves + ", " + maps + "]", losses)));
  CHECK(at::equal(before.labels, after.labels));
  CHECK(before.labels.sizes() == at::IntArrayRef({2, 12, 6}));
  for (const char* name : {"distance_map", "border_weights"}) {
    CAPTURE(name);
    CHECK(before.targets.at(name).sizes() == at::IntArrayRef({2, 1, 12, 6}));
    CHECK(at::equal(before.targets.at(name), after.targets.at(name)));
    CHECK(before.targets.at(name).max().item<float>() > before.targets.at(name).min().item<float>());
  }
  // The rule of edges looks up and right, so that those of a mirrored image are others next to the same borders.
  const auto &moved = before.targets.at("edges"), &added = after.targets.at("edges");
  CHECK(moved.sizes() == before.labels.sizes());
  CHECK((moved == added).to(at::kFloat).mean().item<float>() > 0.6);
  CHECK(at::logical_or(moved == 1, before.labels == 0).all().item<bool>());  // squares of 2 x 2 are all border
  CHECK(at::logical_or(added == 1, before.labels == 0).all().item<bool>());
}

TEST_CASE("a loss reads a target of classes in place of the labels, and weights of pixels beside them") {
  const TargetFolder folder;
  const auto pipeline = pipeline_of(folder.spec(kThreeTargets, R"([
    {"type": "cross_entropy", "target": "edges"}, {"type": "cross_entropy", "pixel_weights": "weights"}])"));
  const auto batch = batch_with_targets(pipeline);
  const auto outputs = with_logits_of_zero(batch);
  const auto terms = pipeline.loss(outputs, batch).second;
  REQUIRE(terms.size() == 2);
  CHECK(terms[0].value.item<double>() == doctest::Approx(std::log(2)));
  CHECK(terms[1].value.item<double>() ==
        doctest::Approx(std::log(2) * batch.targets.at("weights").mean().item<double>()));
  CHECK(terms[1].value.item<double>() > std::log(2) * 1.05);
}

TEST_CASE("a target that only some samples would get by chance is refused, with the place of its transform") {
  const TargetFolder folder;
  const auto refuses = [&](const std::string& transform, const std::string& place) {
    try {
      pipeline_of(
          folder.spec("[" + transform + "]", R"([{"type": "cross_entropy", "pixel_weights": "border_weights"}])"));
      FAIL("no exception");
    } catch (const SpecError& error) {
      REQUIRE(error.problems().size() == 1);
      CHECK(error.problems()[0].pointer == place);
      CHECK(error.problems()[0].message.find("adds the target \"border_weights\" to some samples only") == 0);
    }
  };
  refuses(R"({"type": "sometimes", "transforms": [{"type": "border_weights"}]})", "/transforms/train/0/transforms/0");
  refuses(R"({"type": "one_of", "probability": 1, "transforms": [{"type": "transpose"}, {"type": "sequence",
              "transforms": [{"type": "vertical_flip"}, {"type": "border_weights"}]}]})",
          "/transforms/train/0/transforms/1/transforms/1");
  pipeline_of(folder.spec(R"([{"type": "sequence", "transforms": [{"type": "border_weights"}]}])",
                          R"([{"type": "cross_entropy", "pixel_weights": "border_weights"}])"));
}

TEST_CASE("a target that no loss reads is noted") {
  const TargetFolder folder;
  const auto notes = [&](const std::string& losses) {
    std::string text;
    for (const auto& note : pipeline_of(folder.spec(kThreeTargets, losses)).notes)
      if (note.find("which no loss reads") != std::string::npos) text += note.substr(0, note.find(',')) + "\n";
    return text;
  };
  CHECK(notes(R"([{"type": "cross_entropy"}])") ==
        "/transforms/train/0: adds the target \"edges\"\n/transforms/train/1: adds the target \"weights\"\n"
        "/transforms/train/2: adds the target \"distance_map\"\n");
  CHECK(notes(R"([{"type": "cross_entropy", "target": "edges"}, {"type": "bce", "target": "distance_map"},
                  {"type": "cross_entropy", "pixel_weights": "weights"}])")
            .empty());
}

TEST_CASE("a loss that names weights that no transform adds says so, with its place in the spec") {
  const TargetFolder folder;
  const auto pipeline =
      pipeline_of(folder.spec(kThreeTargets, R"([{"type": "cross_entropy", "pixel_weights": "border_weights"}])"));
  const auto batch = batch_with_targets(pipeline);
  CHECK_THROWS_WITH_AS(pipeline.loss(with_logits_of_zero(batch), batch),
                       doctest::Contains("/loss/0: loss \"cross_entropy\" failed on"), PluginError);
  CHECK_THROWS_WITH_AS(pipeline.loss(with_logits_of_zero(batch), batch),
                       doctest::Contains("\"border_weights\", which no sample of the batch has; there are: "
                                         "distance_map, edges, weights"),
                       PluginError);
}

TEST_CASE("samplers learn the classes of the training data from the pipeline") {
  const TargetFolder folder;
  const auto pipeline = pipeline_of(folder.spec("[]", R"([{"type": "cross_entropy"}])", "class_balanced"));
  CHECK(pipeline.context.list_classes() == std::vector<std::vector<int>>{{0, 1}, {0, 1}});
  const auto sampler = pipeline.spec.sampler.build(pipeline.context);
  CHECK(sampler->draw({0, 4, 2}, Random{1}).size() == 4);
}
