// Warps and their records, random numbers by key, metrics in parts, weights and ranks.
#include <array>
#include <barrier>
#include <set>
#include <thread>

#include <torch/csrc/autograd/custom_function.h>

#include <sectile/backbone.h>
#include <opencv2/core.hpp>

#include "toys.h"
#include "upper/loading/sample_check.h"
#include "upper/weights/loading.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("one warp moves everything, and the geometry record brings scores back") {
  const Toy toy(dense());
  const auto original = toy.pipeline.training.read(1);
  const auto size = extent(original.image);
  for (const auto& warp :
       {Warp::flip(size, 0), Warp::flip(size, 1), Warp::crop(3, 2, 0, {1, 20, 40}), Warp::resize(size, {1, 48, 66})}) {
    auto sample = original;
    apply(warp, sample);
    apply(Warp::flip(extent(sample.image), 0), sample);
    for (const auto& instance : sample.instances) {  // painted with its own labels
      const cv::Mat differ = (sample.labels == instance.category) != (instance.mask.bitmap() == 1);
      CHECK(cv::countNonZero(differ) == 0);
      CHECK(cv::countNonZero((sample.segment_ids == int(instance.id)) != (instance.mask.bitmap() == 1)) == 0);
      CHECK(instance.box == instance.mask.box());
    }
    const auto truth = labels_tensor(original);
    const auto batch = toy.batch_of({sample});
    const auto scores = at::one_hot(batch.labels.clamp_min(0)[0], 3).permute({2, 0, 1}).to(at::kFloat);
    const auto back = restore(scores, batch, 0).argmax(0);
    CHECK(back.sizes() == truth.sizes());
    CHECK((back == truth).to(at::kFloat).mean().item<double>() > (warp.size == size ? 0.9999 : 0.95));
  }
  // Half a resize is what interpolate does.
  auto half = original;
  apply(Warp::resize(size, {1, 12, 16}), half);
  const auto batch = collate({half}, {.classes = 3});
  const auto scores = at::rand({2, 12, 16});
  CHECK(close(restore(scores, batch, 0), at::upsample_bilinear2d(scores.unsqueeze(0), {24, 33}, false)[0]));
  CHECK(restore(cv::Rect2f(1, 2, 3, 4), batch, 0) == cv::Rect2f(1 * 33 / 16.f, 4, 3 * 33 / 16.f, 8));
}

TEST_CASE("targets move with the image and reach the batch; a stated area does not outlive a warp") {
  const Toy toy(dense());
  auto sample = toy.pipeline.training.read(0), without = sample;  // 24 x 32
  cv::Mat distance(24, 32, CV_32FC2, cv::Scalar(0, 1)), edges(24, 32, CV_16S, cv::Scalar(0));
  for (int x = 0; x < 32; ++x) distance.col(x).setTo(cv::Scalar(x, 1));
  edges.col(3).setTo(1);
  sample.targets = {{"distance", distance}, {"edges", edges}};
  sample.instances.at(0).area = 81.5;
  apply(Warp::crop(-2, 0, 0, {1, 24, 32}), sample);
  CHECK(!sample.instances.at(0).area);
  const Collation sixteen{.traits = {.divisor = {1, 16, 16}}, .classes = 3};
  const auto batch = collate({sample, without}, sixteen);
  CHECK(batch.targets.at("distance").sizes() == at::IntArrayRef({2, 2, 32, 32}));
  CHECK(batch.targets.at("distance")[0][0][5][7].item<float>() == 5);
  CHECK(batch.targets.at("edges")[0][5][5].item<std::int64_t>() == 1);
  CHECK((batch.targets.at("edges")[0].select(1, 0) == kIgnore).all().item<bool>());  // came in from outside
  CHECK((batch.targets.at("edges")[1] == kIgnore).all().item<bool>());
  CHECK(batch.truth[0].targets.empty());
  sample.targets["edges"] = cv::Mat(2, 2, CV_16S, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(check_sample(sample, sixteen), doctest::Contains("\"edges\" differ in size"), DataError);
  CHECK(toy.pipeline.training.data->classes_of(0) == std::vector<int>{0, 1, 2});
}

TEST_CASE("a window of a batch has its own sizes, labels, targets, objects and truth") {
  Json json = Json::parse(R"({"task": "instance", "data": {"train": {"type": "toy_shapes", "count": 2, "edges": true}},
                              "model": {"type": "toy_rcnn"}})");
  const Toy toy(json);
  const auto batch = toy.batch({0, 1});                         // 24 x 32 and 24 x 33, padded to 36
  const auto part = window_of(batch, {0, 8, 20}, {1, 16, 24});  // reaches 8 pixels past the padding
  CHECK(part.images.sizes() == at::IntArrayRef({2, 3, 16, 24}));
  CHECK(at::equal(part.images.slice(3, 0, 16), batch.images.slice(2, 8, 24).slice(3, 20, 36)));
  CHECK(part.images.slice(3, 16).abs().max().item<float>() == 0);
  CHECK((part.labels.slice(2, 16) == kIgnore).all().item<bool>());
  CHECK(part.targets.at("edges").sizes() == at::IntArrayRef({2, 1, 16, 24}));
  CHECK(part.targets.count("centers") == 0);  // of another size
  CHECK(part.sizes[0] == Extent{1, 16, 12});
  CHECK(part.sizes[1] == Extent{1, 16, 13});
  CHECK(part.truth[0].geometry.to_original * cv::Vec4d(0, 0, 0, 1) == cv::Vec4d(20, 8, 0, 1));
  for (std::size_t n = 0; n < 2; ++n) {
    REQUIRE(part.objects[n].classes.size(0) == static_cast<std::int64_t>(part.truth[n].instances.size()));
    for (std::size_t k = 0; k < part.truth[n].instances.size(); ++k)
      CHECK(part.objects[n].boxes[static_cast<std::int64_t>(k)][0].item<float>() == part.truth[n].instances[k].box.x);
  }
}

TEST_CASE("test-time augmentation is a warp and its record") {
  auto json = dense();
  json["transforms"]["train"] = json["transforms"]["val"];
  json["model"] = {{"type", "toy_plain"}, {"widths", {1}}};
  const Toy toy(json);
  auto sample = toy.prepare(0), flipped = sample;
  apply(Warp::flip(extent(sample.image), 0), flipped);
  // A mirror-symmetric network must answer the same.
  {
    const c10::AutoGradMode no_grad(false);
    auto weight = toy.pipeline.model->module().named_parameters()["conv0.weight"];
    weight.copy_((weight + weight.flip(3)) / 2);
  }
  const auto two = toy.predict({sample, flipped}, {.scores = true});
  CHECK(close(two[0].scores, two[1].scores, 1e-3));
  CHECK(close(two[0].scores.sum(0), at::ones({24, 32}), 1e-4));
}

TEST_CASE("mixing draws other samples by key, and refuses where there are none") {
  const Json json = Json::parse(
      R"({"data": {"train": {"type": "toy_shapes", "count": 3}}, "transforms": {"train": [{"type": "toy_copy_paste"}]},
                                    "task": "instance", "model": {"type": "toy_rcnn"}})");
  const Toy toy(json), other(json);
  const auto one = toy.pipeline.prepare({.epoch = 5, .index = 1}).sample;
  other.prepare(2);  // what was read before does not matter
  const auto two = other.pipeline.prepare({.epoch = 5, .index = 1}).sample;
  CHECK(cv::norm(one.image, two.image) == 0);
  CHECK(one.instances.size() == two.instances.size());
  CHECK(one.instances.size() > 1);
  auto sample = toy.pipeline.training.read(0);
  Draw draw(Random{1}, nullptr);
  CHECK_THROWS_AS(toy.pipeline.training.transforms[0]->apply(sample, draw), DataError);
}

TEST_CASE("mixup makes soft labels, and is refused for objects") {
  Json json = Json::parse(
      R"({"data": {"train": {"type": "toy_shapes"}}, "transforms": {"train": [{"type": "toy_mixup", "alpha": 0.5}]},
                              "model": {"type": "toy_plain"}, "loss": [{"type": "toy_bce"}]})");
  Toy toy(json);
  const auto batch = toy.batch({0, 1});
  CHECK(batch.labels.sizes() == at::IntArrayRef({2, 3, 24, 33}));
  const auto part = batch.labels[0].amax(0);
  CHECK((part.lt(0.999).logical_and(part.gt(0)).any()).item<bool>());
  CHECK(std::isfinite(toy.train(3, 0.001)));
  json["task"] = "instance";
  CHECK_THROWS_WITH_AS(Toy{json},
                       doctest::Contains("/task: mixup mixes labels, not objects: only for the semantic task"),
                       SpecError);  // thrown in a plugin
}

TEST_CASE("a warp that cannot be undone is refused when predictions must go back") {
  auto json = dense();
  json["transforms"]["val"].push_back({{"type", "toy_wobble"}});
  CHECK_THROWS_WITH_AS(Toy{json}.evaluate(), doctest::Contains("use that transform for training only"), DataError);
  json["evaluate_at"] = "input";
  CHECK_NOTHROW(Toy{json}.evaluate());
}

TEST_CASE("a sample that is drawn twice is augmented twice, and the samples of a batch share a stream") {
  auto json = dense();
  json["transforms"]["train"] = {{{"type", "toy_of_batch"}}};
  json["sampler"] = {{"type", "toy_twice"}};
  const Toy toy(json);
  const auto shown = [&](const Occasion& when) {
    const auto pixel = toy.pipeline.prepare(when).sample.image.at<cv::Vec3b>(0, 0);
    return std::pair<int, int>(pixel[0], pixel[1]);
  };
  const auto first = shown({.index = 0, .batch = 0}), again = shown({.index = 0, .batch = 0});
  const auto twice = shown({.index = 0, .occurrence = 1, .batch = 0});
  const auto other = shown({.index = 1, .batch = 0}), later = shown({.index = 0, .batch = 1});
  CHECK(first == again);
  CHECK(first.second != twice.second);
  CHECK(first.first == twice.first);  // of one batch
  CHECK(first.first == other.first);
  CHECK(first.first != later.first);
  CHECK(first.second == later.second);
}

TEST_CASE("a metric counted in parts equals one counted whole") {
  const Toy toy(dense());
  const auto make = [&] { return toy.pipeline.spec.metrics.at(0).build(toy.pipeline.context); };
  const auto whole = make(), left = make(), right = make();
  for (std::size_t i = 0; i < 4; ++i) {
    const auto sample = toy.pipeline.training.read(i);
    const Truth truth{.sample = sample, .labels = labels_tensor(sample)};
    const Prediction prediction{.id = sample.id, .labels = truth.labels.roll(2, 1)};
    whole->update(prediction, truth);
    (i < 2 ? left : right)->update(prediction, truth);
  }
  left->merge(right->state());
  CHECK(left->compute().values[0].value == doctest::Approx(whole->compute().values[0].value));
  CHECK(!whole->compute().convention.empty());
  CHECK(!whole->wanted().scores);  // so scores never leave the device
}

TEST_CASE("a metric that wants what the model cannot give is refused by pointer") {
  auto json = dense();
  json["metrics"] = {{{"type", "iou"}}, {{"type", "toy_recall"}}};
  CHECK_THROWS_WITH_AS(
      Toy{json}, "/metrics/1: \"toy_recall\" needs instances, which model \"toy_pyramid\" does not predict", SpecError);
  Json objects = Json::parse(R"({"task": "instance", "data": {"train": {"type": "toy_shapes", "count": 2}},
    "model": {"type": "toy_rcnn"}, "metrics": [{"type": "iou"}], "inference": {"window": [16, 16]}})");
  try {
    Toy{objects};
    FAIL("nothing was refused");
  } catch (const SpecError& error) {
    const std::string what = error.what();
    CHECK(what.find("/metrics/0: \"iou\" counts classes of pixels, and the task is \"instance\"") != std::string::npos);
    CHECK(what.find("/inference/window: joins the class scores of parts") != std::string::npos);
  }
  objects.erase("inference");
  objects["model"] = Json::parse(R"({"type": "faster_rcnn", "backbone": {"type": "resnet18"}})");
  objects["metrics"] = Json::parse(R"([{"type": "coco_ap", "iou_type": "bbox"}, {"type": "coco_ap"}])");
  CHECK_THROWS_WITH_AS(
      Toy{objects},
      doctest::Contains("/metrics/1: \"coco_ap\" compares masks, and model \"faster_rcnn\" predicts boxes"), SpecError);
}

TEST_CASE("weights: dialects, heads, transient buffers, freezing, groups, inference form") {
  auto json = dense();
  json["model"]["backbone"]["freeze"] = 1;
  const Toy frozen(json);
  auto& module = frozen.pipeline.model->module();
  const auto state = state_dict(module);
  CHECK(state.count("backbone.stem.norm.running_mean") == 1);
  CHECK(state.count("backbone.grid") == 0);
  CHECK(!module.named_parameters()["backbone.stem.conv.weight"].requires_grad());

  StateDict theirs;  // other names, other number of classes
  for (const auto& [name, tensor] : state) {
    if (name.starts_with("backbone."))
      theirs["encoder." + name.substr(9)] = at::full_like(tensor, 2);
    else if (name.starts_with("classifier."))
      theirs["decode_head." + name.substr(11)] =
          at::zeros(name.ends_with("weight") ? at::IntArrayRef{21, tensor.size(1), 1, 1} : at::IntArrayRef{21});
  }
  theirs["loss.constant"] = at::zeros({1});
  const auto report = load_state(module, theirs);
  REQUIRE(report.translations.size() == 1);
  CHECK(report.translations[0].dialect == "encoder-decoder");
  using Names = std::vector<std::string>;
  REQUIRE(report.reinitialized.size() == 2);
  CHECK(report.reinitialized[1].name == "classifier.weight");
  CHECK(report.reinitialized[1].file == "[21, 32, 1, 1]");
  CHECK(report.missing == Names{"aux_classifier.bias", "aux_classifier.weight"});
  CHECK(report.unexpected == Names{"loss.constant"});
  CHECK(state.at("backbone.layer1.conv.weight")[0][0][0][0].item<float>() == 2);
  theirs["encoder.stem.conv.weight"] = at::zeros({7});
  CHECK_THROWS_AS(load_state(module, theirs), DataError);

  Toy fresh(dense());
  auto& free_module = fresh.pipeline.model->module();
  Kind<Optimizer>::Common options;
  options.layer_decay = 0.5;
  std::map<std::string, std::pair<double, bool>> of;
  for (const auto& group : parameter_groups(free_module, options))
    for (const auto& name : group.names) of[name] = {group.lr_scale, group.decay};
  CHECK(of.at("backbone.stem.conv.weight") == std::pair(0.25, true));
  CHECK(of.at("backbone.layer1.norm.weight") == std::pair(0.5, false));
  CHECK(of.at("classifier.bias") == std::pair(1.0, false));

  fresh.train(3, 0.1);
  free_module.eval();
  const c10::AutoGradMode no_grad(false);
  const auto batch = fresh.batch({0});
  const auto before = fresh.pipeline.model->forward(batch).logits;
  CHECK(prepare_for_inference(free_module, {.verify = true}) == 4);  // two convolutions and their norms
  CHECK(close(fresh.pipeline.model->forward(batch).logits, before, 1e-4));
}

namespace {

// Ranks as threads; what NCCL or Gloo do in the host.
struct Exchange {
  std::barrier<> barrier{2};
  std::array<at::Tensor, 2> slots;
  at::Tensor sum(int rank, const at::Tensor& value) {
    slots[static_cast<std::size_t>(rank)] = value.detach();
    barrier.arrive_and_wait();
    const auto total = slots[0] + slots[1];
    barrier.arrive_and_wait();
    return total;
  }
};
struct AllReduce : torch::autograd::Function<AllReduce> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& value, std::int64_t exchange,
                            std::int64_t rank) {
    context->saved_data["exchange"] = exchange, context->saved_data["rank"] = rank;
    return reinterpret_cast<Exchange*>(exchange)->sum(static_cast<int>(rank), value);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    auto* exchange = reinterpret_cast<Exchange*>(context->saved_data["exchange"].toInt());
    return {exchange->sum(static_cast<int>(context->saved_data["rank"].toInt()), gradients[0]), {}, {}};
  }
};
struct ThreadRanks final : Ranks {
  ThreadRanks(Exchange& all, int own) : exchange(all), rank(own) {}
  int count() const override { return 2; }
  at::Tensor sum(const at::Tensor& value) const override {
    return AllReduce::apply(value, reinterpret_cast<std::int64_t>(&exchange), rank);
  }
  Exchange& exchange;
  int rank;
};

}  // namespace

TEST_CASE("a loss over the whole batch is exact across ranks, also inside another loss") {
  const std::string json = R"({"type": "toy_sum", "terms": [{"type": "dice"}]})";
  const auto made = [&](std::shared_ptr<const Ranks> ranks) {
    auto settings = context(3);
    settings.after_build = [ranks](const Component&, void* part, const void*) {
      if (auto* loss = static_cast<Loss*>(part); ranks)
        if (auto* role = dynamic_cast<AcrossRanks*>(loss)) role->use(ranks);
    };
    struct Holder {
      Ref<Loss> part;
      void declare(Options& options) { options.add("part", &part, "The loss.").required(); }
    } holder;
    SpecFile file;
    file.json = {{"part", Json::parse(json)}};
    SpecReader{toys(), file}.read(&holder, kValueType<Holder>);
    return holder.part.build(settings);
  };
  const auto logits = at::randn({2, 3, 24, 32});
  const auto labels = at::randint(kIgnore, 3, {2, 24, 32}, at::kLong);
  const auto evaluated = [&](const Loss& loss, at::Tensor leaf, const at::Tensor& truth) {
    Outputs outputs;
    outputs.logits = leaf.set_requires_grad(true);
    Batch batch;
    batch.labels = truth;
    const auto value = loss(outputs, batch)[0].value;
    value.backward();
    return value.item<double>();
  };
  auto whole = logits.clone();
  const double expected = evaluated(*made(nullptr), whole, labels);
  Exchange exchange;
  std::array<at::Tensor, 2> leaves = {logits.slice(0, 0, 1).clone(), logits.slice(0, 1, 2).clone()};
  std::array<double, 2> values{};
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank, r = static_cast<std::size_t>(rank)] {
      const auto loss = made(std::make_shared<ThreadRanks>(exchange, rank));
      values[r] = evaluated(*loss, leaves[r], labels.slice(0, rank, rank + 1));
    });
  for (auto& thread : threads) thread.join();
  CHECK(values[0] == doctest::Approx(expected));
  CHECK(values[1] == doctest::Approx(expected));
  CHECK(close(at::cat({leaves[0].grad(), leaves[1].grad()}) / 2, whole.grad()));  // the host averages over ranks
}

TEST_CASE("norms span all ranks, without being replaced and without a word of the model's author") {
  Toy alone(dense());
  const auto batch = alone.batch({0, 1});
  auto& module = alone.pipeline.model->module();
  StateDict start;
  for (const auto& [name, tensor] : state_dict(module)) start[name] = tensor.detach().clone();
  module.train();
  const auto whole = alone.pipeline.model->forward(batch).logits;
  whole.square().sum().backward();
  Exchange exchange;
  std::array<at::Tensor, 2> logits, gradients, variances;
  std::vector<std::unique_ptr<Toy>> toys_of_ranks;
  for (int rank = 0; rank < 2; ++rank) {
    toys_of_ranks.push_back(std::make_unique<Toy>(dense()));
    load_state(toys_of_ranks.back()->pipeline.model->module(), start);
    CHECK(connect(toys_of_ranks.back()->pipeline.model->module(), std::make_shared<ThreadRanks>(exchange, rank)) == 2);
  }
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank, r = static_cast<std::size_t>(rank)] {
      auto& model = *toys_of_ranks[r]->pipeline.model;
      model.module().train();
      Batch part;
      part.images = batch.images.slice(0, rank, rank + 1);
      logits[r] = model.forward(part).logits;
      logits[r].square().sum().backward();
      gradients[r] = model.module().named_parameters()["backbone.stem.conv.weight"].grad();
      variances[r] = model.module().named_buffers()["backbone.stem.norm.running_var"];
    });
  for (auto& thread : threads) thread.join();
  CHECK(close(at::cat({logits[0], logits[1]}), whole, 1e-4));
  CHECK(close(gradients[0] + gradients[1], module.named_parameters()["backbone.stem.conv.weight"].grad(), 1e-3));
  CHECK(close(variances[1], module.named_buffers()["backbone.stem.norm.running_var"], 1e-4));
}
