// From dense networks to instances, queries, volumes, episodes and weak labels: one spec each.
#include <cmath>

#include <c10/core/Allocator.h>
#include <c10/core/InferenceMode.h>

#include "toys.h"
#include "upper/network/sliding_window.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("classes and channels come from the data, and nothing declares them") {
  const Toy toy(Json::parse(
      R"({"data": {"train": {"type": "toy_shapes", "channels": 4}}, "model": {"type": "toy_plain", "widths": [4, 8]},
                    "loss": [{"type": "cross_entropy"}]})"));
  const auto state = state_dict(toy.pipeline.model->module());
  CHECK(state.at("conv0.weight").sizes() == at::IntArrayRef({4, 4, 3, 3}));
  CHECK(state.at("head.weight").size(0) == 3);
  CHECK(toy.pipeline.context.count_pixels().size() == 3);
}

TEST_CASE("a plain module is a model, without a prefix on its names") {
  const Toy plain(Json::parse(
      R"({"data": {"train": {"type": "toy_shapes"}}, "model": {"type": "toy_plain"}, "loss": [{"type": "cross_entropy"}]})"));
  CHECK(plain.pipeline.model->module().named_parameters().contains("head.bias"));
  CHECK(plain.pipeline.model->forward(plain.batch({0})).logits.sizes() == at::IntArrayRef({1, 3, 24, 32}));
  CHECK(plain.pipeline.model->traits().divisor == Extent{1, 1, 1});
}

TEST_CASE("auxiliary heads are weighed by each loss, and a backbone trains inside a model") {
  Toy toy(dense());
  const auto batch = toy.batch({0, 1});
  CHECK(batch.images.is_contiguous(at::MemoryFormat::ChannelsLast));
  std::map<std::string, double> log;
  const double total = toy.loss(batch, &log).item<double>();
  CHECK(total == doctest::Approx(log["cross_entropy"] + 0.4 * log["auxiliary0/cross_entropy"] +
                                 0.5 * (log["dice"] + 0.2 * log["auxiliary0/dice"])));
  const double before = toy.train(1, 0.1), after = toy.train(40, 0.1);
  CHECK(after < 0.6 * before);
  const auto reports = toy.evaluate();  // images of four sizes, at their own size
  CHECK(reports.at(0).values.at(0).value > 0.5);
  CHECK(reports[0].per_class.size() == 3);
}

TEST_CASE("every auxiliary output has its own weight, from the model or from the spec") {
  Json json = Json::parse(
      R"({"data": {"train": {"type": "toy_shapes"}}, "model": {"type": "toy_deep"}, "loss": [{"type": "cross_entropy"}]})");
  const auto total = [&](std::array<double, 3> weights) {
    Toy toy(json);
    std::map<std::string, double> log;
    const double value = toy.loss(toy.batch({0, 1}), &log).item<double>();
    const auto terms = log.size();
    double expected = log["cross_entropy"];
    for (std::size_t i = 0; i < 3; ++i)
      expected += weights[i] * log["auxiliary" + std::to_string(i) + "/cross_entropy"];
    CHECK(value == doctest::Approx(expected));
    return terms;
  };
  CHECK(total({0.5, 0.25, 0.125}) == 4);
  json["loss"][0]["auxiliary"] = {0.3, 0, 0.1};
  CHECK(total({0.3, 0, 0.1}) == 3);
  json["loss"][0]["auxiliary"] = 0.7;
  CHECK(total({0.7, 0.7, 0.7}) == 4);
  json["loss"][0]["auxiliary"] = {0.3, 0.1};
  Toy toy(json);
  CHECK_THROWS_WITH_AS(
      toy.loss(toy.batch({0})),
      "/loss/0/auxiliary: has 2 weights, and model \"toy_deep\" gives 3 auxiliary outputs: give one for "
      "each, or one for all",
      SpecError);
}

TEST_CASE("weights of auxiliary outputs need a model that gives some") {
  Toy toy(Json::parse(
      R"({"data": {"train": {"type": "toy_shapes"}}, "model": {"type": "toy_plain"},
          "loss": [{"type": "cross_entropy", "auxiliary": 0.7}]})"));
  CHECK_THROWS_WITH_AS(toy.loss(toy.batch({0})),
                       "/loss/0/auxiliary: weighs auxiliary outputs, and model \"toy_plain\" gives none: remove it, or "
                       "let the model give some",
                       SpecError);
}

TEST_CASE("a second head has a loss, a target and a prediction of its own, and is measured") {
  Json json = Json::parse(R"({
    "data": {"train": {"type": "toy_shapes", "edges": true}, "val": {"type": "toy_shapes", "edges": true}},
    "transforms": {"train": [{"type": "toy_flip"}, {"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "toy_two_heads"},
    "loss": [{"type": "cross_entropy"}, {"type": "toy_absolute", "output": "edges", "target": "edges", "weight": 2}],
    "metrics": [{"type": "iou"}, {"type": "toy_edge_error"}]})");
  Toy toy(json);
  std::map<std::string, double> log;
  const double total = toy.loss(toy.batch({0, 1}), &log).item<double>();
  CHECK(total == doctest::Approx(log["cross_entropy"] + 2 * log["edges/toy_absolute"]));
  {
    // Each loss reads the output and the target that it names, also of an auxiliary output.
    const auto batch = toy.batch({0, 1});
    Outputs outputs;
    outputs.logits = at::zeros({2, 3, 24, 33});
    outputs.named["edges"] = at::full({2, 1, 24, 33}, 2.0);
    outputs.auxiliary.push_back(
        {.logits = at::zeros({2, 3, 24, 33}), .named = {{"edges", at::full({2, 1, 24, 33}, -1.0)}}});
    const auto terms = toy.pipeline.loss(outputs, batch).second;
    const auto term = [&](const std::string& name) {
      for (const auto& one : terms)
        if (one.name == name) return one.value.item<double>();
      return std::nan("");
    };
    const auto distance = [&](double logit) {
      return (at::full({}, logit).sigmoid() - batch.targets.at("edges")).abs().mean().item<double>();
    };
    CHECK(term("edges/toy_absolute") == doctest::Approx(distance(2)));
    CHECK(term("auxiliary0/edges/toy_absolute") == doctest::Approx(distance(-1)));
  }
  const double untrained = toy.evaluate().at(1).values[0].value;
  toy.train(30, 0.2);
  CHECK(toy.evaluate().at(1).values[0].value < untrained);
  // By windows of the whole height, the second head's output is joined as the logits are.
  Wanted wanted;
  wanted.named = {"edges"};
  const auto whole = toy.predict({toy.prepare(0)}, wanted).at(0).named.at("edges");
  toy.pipeline.spec.inference.window = std::vector<int>{24, 20};
  const auto joined = toy.predict({toy.prepare(0)}, wanted).at(0).named.at("edges");
  CHECK(whole.sizes() == at::IntArrayRef({1, 24, 32}));
  CHECK(close(whole.slice(2, 0, 8), joined.slice(2, 0, 8)));  // far from every seam

  json["loss"][1]["output"] = "egdes";
  Toy output(json);
  CHECK_THROWS_WITH_AS(output.loss(output.batch({0})),
                       "/loss/1/output: model \"toy_two_heads\" has no output \"egdes\"; it has: edges", SpecError);
  json["loss"][1]["output"] = "edges", json["loss"][1]["target"] = "rims";
  Toy target(json);
  CHECK_THROWS_WITH_AS(target.loss(target.batch({0})),
                       "/loss/1/target: no sample of the batch has the target \"rims\"; there are: edges", SpecError);
}

TEST_CASE("a dense loss may take logits at their own resolution") {
  auto json = dense();
  json["loss"] = {{{"type", "toy_coarse"}}};
  Toy toy(json);
  CHECK(std::isfinite(toy.loss(toy.batch({0, 1})).item<double>()));
}

TEST_CASE("an instance model sees objects and its own targets in training, and its loss is found without being named") {
  const Json json = Json::parse(R"({
    "task": "instance",
    "data": {"train": {"type": "toy_shapes", "count": 3}, "val": {"type": "toy_shapes", "count": 3}},
    "transforms": {"train": [{"type": "toy_copy_paste"}, {"type": "normalize"}],
                   "val": [{"type": "toy_resize", "size": [48, 64]}, {"type": "normalize"}]},
    "model": {"type": "toy_rcnn"}, "metrics": [{"type": "toy_recall"}]})");
  Toy toy(json);
  const auto batch = toy.batch({0, 1, 2});  // of different widths: padded
  CHECK(batch.images.size(3) == 36);
  CHECK(batch.sizes[0].width == 32);
  REQUIRE(batch.objects.size() == 3);
  for (std::size_t n = 0; n < 3; ++n) {
    const auto& objects = batch.objects[n];
    const auto& instances = batch.truth[n].instances;
    const auto count = static_cast<std::int64_t>(instances.size());
    CHECK(objects.boxes.sizes() == at::IntArrayRef({count, 4}));
    CHECK(objects.masks.sizes() == at::IntArrayRef({count, 24, 36}));
    for (std::int64_t k = 0; k < count; ++k) {
      const auto& instance = instances[static_cast<std::size_t>(k)];
      CHECK(objects.classes[k].item<std::int64_t>() == instance.category);
      CHECK(objects.masks[k].sum().item<std::int64_t>() == instance.mask.area());
      CHECK(objects.boxes[k][2].item<float>() == instance.box.x + instance.box.width);
      CHECK(!objects.crowd[k].item<bool>());
    }
  }
  CHECK(batch.targets.at("centers").sizes() == at::IntArrayRef({3, 1, 12, 18}));
  std::map<std::string, double> log;
  toy.loss(batch, &log);
  for (const char* term : {"toy_rcnn/mask", "toy_rcnn/classifier", "toy_rcnn/centers"}) CHECK(log.count(term) == 1);
  const double before = toy.train(1, 0.05), after = toy.train(30, 0.05);
  CHECK(after < before);
  auto without = toy.prepare(0);
  without.instances.clear();
  const auto empty = toy.batch_of({without}, true);
  CHECK(empty.objects.at(0).boxes.sizes() == at::IntArrayRef({0, 4}));
  CHECK(std::isfinite(toy.loss(empty).item<double>()));
  CHECK(toy.batch_of({without}).targets.empty());  // its own targets are for training alone

  const auto source = toy.pipeline.source("val");
  const auto predictions = toy.predict({source.prepare({.index = 1})}, {.instances = true, .masks = true});
  CHECK(predictions.at(0).instances.size() == 9);
  CHECK(predictions[0].instances[0].mask.bitmap().cols == 33);  // the image's own size, not the network's
  CHECK(toy.evaluate().at(0).values.at(1).value == 6);
  // Objects that the validation's transforms cut off do not count, whichever coordinates are compared.
  auto cropped = json;
  cropped["transforms"]["val"] = Json::parse(R"([{"type": "random_crop", "size": [12, 16]}, {"type": "normalize"}])");
  const auto objects = [&](const char* at) {
    cropped["evaluate_at"] = at;
    return Toy(cropped).evaluate().at(0).values.at(1).value;
  };
  CHECK(objects("original") == objects("input"));
  CHECK(objects("original") < 6);
  auto other = json;
  other["loss"] = {{{"type", "dice"}}};
  Toy mismatch(other);
  CHECK_THROWS_WITH_AS(mismatch.train(1, 0.1), doctest::Contains("returns no logits"), PluginError);
}

TEST_CASE("queries are matched in the loss, supervised at every layer, and answer all three tasks") {
  Toy toy(Json::parse(R"({
    "task": "panoptic", "data": {"train": {"type": "toy_shapes", "count": 2}, "val": {"type": "toy_shapes", "count": 2}},
    "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "toy_queries"}, "metrics": [{"type": "iou"}, {"type": "toy_recall"}, {"type": "toy_pq"}]})"));
  std::map<std::string, double> log;
  toy.loss(toy.batch({0, 1}), &log);
  CHECK(log.count("toy_query_matching/mask") == 1);
  CHECK(log.count("auxiliary0/toy_query_matching/class") == 1);
  const double before = toy.train(1, 0.2), after = toy.train(40, 0.2);
  CHECK(after < before);
  const auto reports = toy.evaluate();
  REQUIRE(reports.size() == 3);
  for (const auto& report : reports) CHECK(std::isfinite(report.values.at(0).value));
}

TEST_CASE("volumes flow through transforms, batch, windows weighed by a Gaussian, loss and metric") {
  Toy toy(Json::parse(R"({
    "data": {"train": {"type": "toy_shapes", "count": 2, "depth": 5, "channels": 2, "size": [20, 22]},
             "val": {"type": "toy_shapes", "count": 2, "depth": 5, "channels": 2, "size": [20, 22]}},
    "transforms": {"train": [{"type": "toy_flip", "axis": "z", "probability": 1}]},
    "model": {"type": "toy_volume"}, "loss": [{"type": "cross_entropy"}, {"type": "dice"}],
    "inference": {"window": [2, 12, 14], "overlap": 0.25, "weighting": "gaussian"}})"));
  CHECK(toy.pipeline.context.dimensions == 3);
  const auto batch = toy.batch({0, 1});
  CHECK(batch.images.sizes() == at::IntArrayRef({2, 2, 6, 20, 24}));  // padded to the divisor
  CHECK(batch.images.is_contiguous(at::MemoryFormat::ChannelsLast3d));
  CHECK((batch.labels.select(1, 5) == kIgnore).all().item<bool>());
  {
    const c10::AutoGradMode no_grad(false);
    const auto whole = toy.pipeline.model->forward(batch).logits;
    CHECK(close(toy.pipeline.infer(batch).logits, whole, 1e-4));
    toy.pipeline.spec.inference.window = std::vector<int>{12, 14};  // in its whole depth
    CHECK(close(toy.pipeline.infer(batch).logits, whole, 1e-4));
    toy.pipeline.spec.inference.window = std::vector<int>{8, 40, 14};  // larger than the volume
    CHECK(close(toy.pipeline.infer(batch).logits, whole, 1e-4));
    toy.pipeline.spec.inference.window.reset();  // the model's own window
    CHECK(close(toy.pipeline.infer(batch).logits, whole, 1e-4));
  }
  toy.pipeline.spec.inference.window = std::vector<int>{2, 12, 14};
  const double before = toy.train(1, 1e-4), after = toy.train(40, 1e-4);
  CHECK(after < before);
  CHECK(std::isfinite(toy.evaluate().at(0).values.at(0).value));
}

TEST_CASE("windows join big images without a second tensor of every class at full size") {
  // What is allocated on this thread beyond what was there before.
  struct Peak final : c10::MemoryReportingInfoBase {
    std::int64_t now = 0, most = 0;
    void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
      now += size;
      most = std::max(most, now);
    }
    bool memoryProfilingEnabled() const override { return true; }
  };
  const Toy toy(Json::parse(
      R"({"data": {"train": {"type": "toy_shapes", "size": [512, 600], "count": 1}}, "model": {"type": "toy_plain", "widths": [4]},
                    "loss": [{"type": "cross_entropy"}], "inference": {"window": [64, 64]}})"));
  const c10::InferenceMode no_gradients;
  toy.pipeline.model->module().eval();
  const auto batch = toy.batch({0});
  const auto peak = std::make_shared<Peak>();
  {
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, peak);
    const auto predictions = toy.pipeline.model->decode(toy.pipeline.infer(batch), batch, {.labels = true});
    CHECK(predictions[0].labels.sizes() == at::IntArrayRef({512, 600}));
  }
  constexpr std::int64_t kPixels = 512 * 600, kClasses = 3;
  // The scores, the sum of weights, the labels as int64, and a few windows.
  CHECK(peak->most > kPixels * kClasses * 4);
  CHECK(peak->most < kPixels * (kClasses * 4 + 4 + 8) + (1 << 20));
}

TEST_CASE("a Gaussian trusts a window's centre most, as MONAI's does") {
  // A network whose answer is which window it saw: its own mean.
  class Mean final : public torch::nn::Module, public Model {
   public:
    Outputs forward(const Batch& batch) override {
      Outputs outputs;
      outputs.logits = batch.images.mean({2, 3}, true).expand({1, 1, 1, batch.images.size(3)});
      return outputs;
    }
    torch::nn::Module& module() override { return *this; }
  } model;
  Batch batch;
  batch.images = at::zeros({1, 1, 1, 12});
  batch.images.slice(3, 4).fill_(1);
  batch.sizes = {{1, 1, 12}};
  batch.truth.resize(1);
  batch.truth[0].geometry.original = batch.sizes[0];
  PipelineSpec::Inference inference;
  inference.window = std::vector<int>{1, 8};  // at 0 and 4: means 0.5 and 1
  const auto flat = infer(model, batch, inference).logits.flatten();
  CHECK(flat[2].item<float>() == 0.5f);
  CHECK(flat[5].item<float>() == 0.75f);
  inference.weighting = PipelineSpec::Inference::Weighting::gaussian;
  const auto joined = infer(model, batch, inference).logits.flatten();
  // Pixel 5 is 1.5 from the first window's centre and 2.5 from the second's, whose deviation is 8 / 8.
  const double near = std::exp(-1.5 * 1.5 / 2), far = std::exp(-2.5 * 2.5 / 2);
  CHECK(joined[5].item<double>() == doctest::Approx((near * 0.5 + far * 1) / (near + far)));
  CHECK(joined[0].item<float>() == 0.5f);
}

TEST_CASE("episodes carry their support through transforms and batch") {
  Toy toy(Json::parse(R"({
    "data": {"train": {"type": "toy_episodes", "shots": 2, "data": {"type": "toy_shapes", "count": 3, "size": [24, 30]}}},
    "transforms": {"train": [{"type": "toy_resize", "size": [24, 32]}, {"type": "normalize"}]},
    "model": {"type": "toy_prototypes"}, "loss": [{"type": "cross_entropy"}]})"));
  const auto batch = toy.batch({0, 1});
  REQUIRE(batch.support.size() == 2);
  CHECK(batch.support[1].labels.sizes() == at::IntArrayRef({2, 24, 32}));
  const double before = toy.train(1, 0.05), after = toy.train(20, 0.05);
  CHECK(after < before);
}

TEST_CASE("tags alone train, and unlabelled images join a batch as ignored") {
  Toy weak(Json::parse(
      R"({"data": {"train": {"type": "toy_shapes", "truth": "tags"}}, "transforms": {"train": [{"type": "normalize"}]},
               "model": {"type": "toy_plain"}, "loss": [{"type": "toy_tags"}]})"));
  const auto tagged = weak.batch({0});
  CHECK(!tagged.labels.defined());
  CHECK(close(tagged.tags, at::ones({1, 3})));
  const double first = weak.train(1, 0.1), last = weak.train(20, 0.1);
  CHECK(last < first);

  const Toy toy(dense());
  auto with = toy.prepare(0), without = with;
  without.labels.release();
  CHECK((toy.batch_of({with, without}).labels[1] == kIgnore).all().item<bool>());
  CHECK(!toy.batch_of({without}).labels.defined());
  // Pseudo-labels are a line of the host: the teacher's confident answers become labels.
  const auto teacher = toy.predict({without}, {.labels = true, .scores = true}).at(0);
  const auto pseudo = at::where(teacher.scores.amax(0) > 0.9, teacher.labels, kIgnore);
  CHECK((pseudo.scalar_type() == at::kLong));
}

TEST_CASE("overlapping classes and one binary class are labels per class with a sigmoid") {
  Json json = Json::parse(R"({
    "data": {"train": {"type": "toy_shapes", "truth": "regions"}, "val": {"type": "toy_shapes", "truth": "regions"}},
    "transforms": {"train": [{"type": "random_crop", "size": [24, 24]}, {"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "toy_plain"}, "loss": [{"type": "toy_bce"}, {"type": "dice"}], "evaluate_at": "input"})");
  Toy toy(json);
  const auto batch = toy.batch({0, 1});
  CHECK(batch.labels.sizes() == at::IntArrayRef({2, 2, 24, 24}));
  CHECK(batch.labels.is_floating_point());
  std::vector<std::int64_t> counts(2);  // a pixel in both classes counts in both
  for (std::size_t i = 0; i < toy.pipeline.training.data->size(); ++i) {
    const auto labels = toy.pipeline.training.data->read(i, {}).labels;
    for (auto at = labels.begin<cv::Vec2f>(); at != labels.end<cv::Vec2f>(); ++at)
      for (int c = 0; c < 2; ++c) counts[static_cast<std::size_t>(c)] += (*at)[c] > 0;
  }
  CHECK(counts[0] > counts[1]);
  CHECK(toy.pipeline.context.count_pixels() == counts);
  toy.train(30, 0.3);
  CHECK(toy.evaluate().at(0).values.at(0).value > 0.5);
}

TEST_CASE("the host checks sizes and dimensions, once for all models") {
  Json json = Json::parse(
      R"({"data": {"train": {"type": "toy_shapes", "size": [8, 8], "count": 1}}, "model": {"type": "toy_deep"},
                              "loss": [{"type": "cross_entropy"}]})");
  json["data"]["train"]["count"] = 2;
  json["data"]["val"] = json["data"]["train"];
  {
    // By windows an image may be smaller, because a window keeps its size.
    auto windows = json;
    windows["inference"] = {{"window", {16, 16}}};
    CHECK(Toy{windows}.evaluate().size() == 1);
    windows["inference"] = {{"window", {8, 8}}};
    CHECK_THROWS_WITH_AS(Toy{windows}, "/inference/window: model \"toy_deep\" takes at least [16, 16]", SpecError);
    // What is too small is a bad sample like any other.
    auto skipping = json;
    skipping["data"]["on_bad_sample"] = "skip";
    const Toy skips{skipping};
    CHECK_THROWS_WITH_AS(skips.prepare(0), doctest::Contains("has no usable sample; the first error: shape0"),
                         DataError);
  }
  const Toy small(json);
  CHECK_THROWS_WITH_AS(small.batch({0}),
                       "shape0: is 8 x 8 pixels, and model \"toy_deep\" needs at least 16 x 16: remove such images, or "
                       "enlarge them with a transform such as pad",
                       DataError);
  json["data"]["train"]["depth"] = 4;
  CHECK_THROWS_WITH_AS(Toy{json},
                       "/model/type: \"toy_deep\" works on images, and the data has volumes: choose another model",
                       SpecError);
  json["data"]["train"].erase("depth"), json["data"]["train"]["size"] = {24, 24};
  json["inference"] = {{"window", {20, 24}}};
  CHECK_THROWS_WITH_AS(Toy{json}, "/inference/window: model \"toy_deep\" takes multiples of [8, 8]", SpecError);
  json["inference"] = {{"window", {2, 24, 24}}};
  CHECK_THROWS_WITH_AS(Toy{json}, "/inference/window: has a depth, and the data has images: give [height, width]",
                       SpecError);
}

TEST_CASE("a decoder asks its backbone for a stride and levels, and one that cannot is refused by name") {
  Json json =
      Json::parse(R"({"data": {"train": {"type": "toy_shapes", "size": [32, 32]}}, "model": {"type": "toy_stride8"},
                              "loss": [{"type": "cross_entropy"}]})");
  Toy toy(json);
  const auto outputs = toy.pipeline.model->forward(toy.batch({0}));
  CHECK(outputs.logits.sizes() == at::IntArrayRef({1, 3, 4, 4}));
  json["model"]["backbone"] = {{"type", "toy_rigid"}};
  CHECK_THROWS_WITH_AS(
      Toy{json},
      "/model/backbone/type: \"toy_rigid\" gives 1 levels of features, and the model asks for 2: choose "
      "another backbone",
      SpecError);
}
