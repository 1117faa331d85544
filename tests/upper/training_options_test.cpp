// What the options under /train and /optimizer do to a run.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/network/device.h"
#include "upper/network/open.h"
#include "upper/training/gradients.h"
#include "upper/training/run_state.h"
#include "upper/training/trainer.h"
#include "upper/weights/ema.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

Json small() {
  return Json::parse(R"({
    "data": {"train": {"type": "synthetic", "count": 8, "size": [32, 32], "seed": 1},
             "val": {"type": "synthetic", "count": 2, "size": [32, 32], "seed": 2}},
    "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "unet", "widths": [4, 8], "norm": "none"},
    "loss": [{"type": "cross_entropy"}],
    "optimizer": {"type": "sgd", "lr": 0.1, "weight_decay": 0},
    "metrics": [{"type": "iou"}, {"type": "pixel_accuracy"}],
    "train": {"epochs": 2, "batch_size": 4, "workers": 0}
  })");
}

PipelineSpec spec(const std::string& changes) {
  SpecFile file;
  file.json = small();
  file.json.merge_patch(Json::parse(changes));
  return read_spec(test::plugins(), file);
}

// The images and masks of a folder, in place of the drawn ones of kSpec.
Json two_classes_in(const fs::path& root) {
  return {{"type", "image_folder"}, {"root", root},    {"images", "images"},
          {"masks", "masks"},       {"ignore", {255}}, {"classes", {{{"name", "x"}}, {{"name", "y"}}}},
          {"count", nullptr},       {"size", nullptr}, {"seed", nullptr}};
}

// In two classes; the image `damaged` is cut short.
Json four_samples_in(const fs::path& folder, const std::string& damaged) {
  for (const char* part : {"images", "masks"}) fs::create_directories(folder / part);
  for (int i = 0; i < 4; ++i) {
    const auto name = std::to_string(i) + ".png";
    write_png(folder / "images" / name, cv::Mat(32, 32, CV_8UC3, cv::Scalar(i * 20, 2, 3)));
    write_png(folder / "masks" / name, cv::Mat(32, 32, CV_8UC1, cv::Scalar(i % 2)));
  }
  fs::resize_file(folder / "images" / damaged, 60);
  return two_classes_in(folder);
}

struct Trained {
  test::Scratch scratch;
  Pipeline pipeline;
  std::vector<StepReport> steps;
  std::vector<std::string> notes{};
  TrainResult result;

  explicit Trained(const std::string& changes)
      : pipeline(Pipeline::for_training(test::plugins(), spec(changes), at::kCPU)) {
    TrainListener listener;
    listener.stepped = [this](const StepReport& report) { steps.push_back(report); };
    listener.noted = [this](const std::string& note) { notes.push_back(note); };
    result = train(pipeline, scratch.path(), {listener});
  }
  Checkpoint last() const { return load_checkpoint(scratch.path() / "last.pth"); }
};

double distance(const StateDict& a, const StateDict& b) {
  double sum = 0;
  for (const auto& [name, tensor] : a)
    sum += (tensor.to(at::kDouble) - b.at(name).to(at::kDouble)).square().sum().item<double>();
  return std::sqrt(sum);
}

std::vector<ParameterGroup> groups_of(const std::string& optimizer) {
  auto pipeline = Pipeline::for_training(test::plugins(), spec(R"({"model": {"norm": "batch"}})"), at::kCPU);
  const auto options = spec(R"({"optimizer": )" + optimizer + "}");
  return parameter_groups(pipeline.model->module(), options.optimizer.common());
}

const ParameterGroup* group_of(const std::vector<ParameterGroup>& groups, const std::string& name) {
  for (const auto& group : groups)
    if (std::find(group.names.begin(), group.names.end(), name) != group.names.end()) return &group;
  return nullptr;
}

}  // namespace

TEST_CASE("two accumulated batches of 2 train as one batch of 4, in half as many steps as batches") {
  const Trained whole(R"({"train": {"precision": "fp64"}})");
  const Trained halves(R"({"train": {"batch_size": 2, "accumulate": 2, "precision": "fp64"}})");
  CHECK(whole.steps.size() == 4);
  CHECK(halves.steps.size() == 4);
  // Cross entropy is a mean over pixels, of which every batch here has as many.
  CHECK(distance(whole.last().model, halves.last().model) < 1e-10);
  CHECK(whole.steps[3].loss == doctest::Approx(halves.steps[3].loss).epsilon(1e-10));
}

TEST_CASE("accumulated batches are weighed by the pixels that count, where the loss is a mean over these") {
  const test::Scratch scratch;
  for (const char* folder : {"images", "masks"}) fs::create_directories(scratch.path() / folder);
  for (int i = 0; i < 4; ++i) {
    const auto name = std::to_string(i) + ".png";
    cv::Mat mask(32, 32, CV_8UC1, cv::Scalar(255));
    mask(cv::Rect(0, 0, 32, i < 2 ? 1 : 32)).setTo(i % 2);
    write_png(scratch.path() / "images" / name, cv::Mat(32, 32, CV_8UC3, cv::Scalar(i * 60, 200 - i * 60, 3)));
    write_png(scratch.path() / "masks" / name, mask);
  }
  for (const char* loss : {R"({"type": "cross_entropy"})", R"({"type": "cross_entropy", "class_weights": [1, 3]})",
                           R"({"type": "focal"})"}) {
    CAPTURE(loss);
    Json changes{{"data", {{"train", two_classes_in(scratch.path())}, {"val", nullptr}}},
                 {"loss", {Json::parse(loss)}},
                 {"sampler", {{"type", "sequential"}}},
                 {"train", {{"precision", "fp64"}}}};
    const Trained whole(changes.dump());
    changes["train"]["batch_size"] = 2, changes["train"]["accumulate"] = 2;
    const Trained halves(changes.dump());
    CHECK(distance(whole.last().model, halves.last().model) < 1e-10);
    CHECK(whole.steps[0].loss == doctest::Approx(halves.steps[0].loss).epsilon(1e-10));
    CHECK(whole.steps[0].terms[0].second == doctest::Approx(halves.steps[0].terms[0].second).epsilon(1e-10));
  }
}

TEST_CASE("a loss that is not finite before it is scaled stops fp16 too, and names the images") {
  CHECK_THROWS_WITH_AS(Trained(R"({"optimizer": {"lr": 1e30}, "train": {"epochs": 4, "precision": "fp16"}})"),
                       doctest::Contains("the loss is not finite (NaN or Inf) at step 2"), std::runtime_error);
}

TEST_CASE("fp64 keeps weights, losses and checkpoint in double precision") {
  const Trained made(R"({"train": {"precision": "fp64"}})");
  for (const auto& [name, tensor] : made.last().model)
    if (tensor.is_floating_point()) CHECK((tensor.scalar_type() == at::kDouble));
}

TEST_CASE("bf16 and fp16 autocast train a network to nearly the same loss, with weights in fp32") {
  for (const auto precision : {PipelineSpec::Precision::bf16, PipelineSpec::Precision::fp16}) {
    auto pipeline = Pipeline::for_training(test::plugins(), spec(R"({"model": {"norm": "batch"}})"), at::kCPU);
    std::vector<Sample> samples;
    for (std::size_t i = 0; i < 4; ++i) samples.push_back(pipeline.prepare({.index = i}).sample);
    const auto batch = pipeline.collate(std::move(samples));
    const double exact = pipeline.loss(pipeline.forward(batch), batch).first.item<double>();
    Outputs outputs;
    {
      const PrecisionScope scope(at::kCPU, precision);
      outputs = pipeline.model->forward(batch);
    }
    CHECK((outputs.logits.scalar_type() == (precision == PipelineSpec::Precision::bf16 ? at::kBFloat16 : at::kHalf)));
    const auto loss = pipeline.loss(outputs, batch).first;
    CHECK(loss.item<double>() == doctest::Approx(exact).epsilon(0.02));
    loss.backward();
    for (const auto& parameter : parameters_of(pipeline.model->module()))
      CHECK((parameter.grad().scalar_type() == at::kFloat));
  }
}

TEST_CASE("fp16 scales its loss and comes to weights close to those of fp32") {
  const Trained half(R"({"train": {"precision": "fp16"}})"), full("{}");
  CHECK(half.last().resumption->loss_scale == 65536);
  CHECK(half.last().resumption->growth_tracker == 4);
  CHECK(half.steps[0].gradient_norm == doctest::Approx(full.steps[0].gradient_norm).epsilon(0.02));
  CHECK(distance(half.last().model, full.last().model) < 0.02);
}

TEST_CASE("the loss scale halves at an overflow and doubles after 2000 steps without one") {
  LossScaler scaler;
  scaler.update(true);
  CHECK(scaler.scale == 32768);
  for (int step = 0; step < 1999; ++step) scaler.update(false);
  CHECK(scaler.scale == 32768);
  scaler.update(false);
  CHECK(scaler.scale == 65536);
}

TEST_CASE("the running mean follows its formula, is evaluated, and is what the checkpoint predicts with") {
  const Trained made(R"({"train": {"epochs": 8, "ema": {"decay": 0.999, "warmup": false}}})");
  const Trained without(R"({"train": {"epochs": 8}})");
  const auto checkpoint = made.last();
  CHECK(distance(checkpoint.model, without.last().model) == 0);  // training itself does not see it
  CHECK(distance(checkpoint.model, checkpoint.ema) > 0);
  SpecFile text;
  text.json = Json::parse(checkpoint.spec);
  const auto again = Pipeline::from_checkpoint(read_spec(test::plugins(), text), checkpoint, "last.pth", at::kCPU);
  CHECK(distance(state_dict(again.model->module()), checkpoint.ema) == 0);
  CHECK(evaluate(again, again.source("val")).headline().value == made.result.last->headline().value);
  CHECK(made.result.last->headline().value != without.result.last->headline().value);
}

TEST_CASE("a running mean is (1 - decay) of the new and decay of the old, less of the old at the beginning") {
  auto pipeline = Pipeline::for_training(test::plugins(), spec("{}"), at::kCPU);
  auto& module = pipeline.model->module();
  const c10::InferenceMode off(false);
  for (const bool warmup : {false, true}) {
    Ema ema(module, 0.9, warmup);
    const auto before = ema.state().at("outc.conv.bias").clone();
    const at::NoGradGuard no_gradients;
    auto bias = state_dict(module).at("outc.conv.bias");
    bias.add_(1);
    ema.update(1);
    const double decay = warmup ? 2.0 / 11 : 0.9;
    CHECK(at::allclose(ema.state().at("outc.conv.bias"), before + (1 - decay), 1e-6, 1e-6));
    {
      const Ema::Scope means(&ema);
      CHECK(at::allclose(state_dict(module).at("outc.conv.bias"), before + (1 - decay), 1e-6, 1e-6));
    }
    CHECK(at::equal(state_dict(module).at("outc.conv.bias"), bias));
  }
}

TEST_CASE("training ends early when evaluations get no better, and best.pth goes by the metric that is named") {
  const Trained made(R"({"optimizer": {"lr": 0}, "train": {"epochs": 9, "best_metric": "pixel_accuracy/mean accuracy",
                         "early_stopping": {"patience": 2}}})");
  CHECK((made.result.ending == Ending::early));
  CHECK(made.result.step == 6);  // the first evaluation is the best, two more are no better
  CHECK(made.result.best_epoch == 1);
  CHECK(load_checkpoint(made.scratch.path() / "best.pth").metric_name == "pixel_accuracy/mean accuracy");
  CHECK_THROWS_WITH_AS(Trained(R"({"train": {"best_metric": "iou/miou"}})"), doctest::Contains("there are: iou/mIoU"),
                       SpecError);
}

TEST_CASE("the smallest value can be the best one") {
  const Trained largest(R"({"train": {"epochs": 3}})"), smallest(R"({"train": {"epochs": 3, "best_is": "min"}})");
  CHECK(*smallest.result.best <= *largest.result.best);
}

TEST_CASE("a batch larger than the data is all of the data") {
  const Trained made(R"({"train": {"batch_size": 100}})");
  CHECK(made.steps.size() == 2);
}

TEST_CASE("an incomplete last batch is trained on where it is not to be dropped") {
  CHECK(Trained(R"({"train": {"batch_size": 3, "epochs": 1}})").steps.size() == 2);
  CHECK(Trained(R"({"train": {"batch_size": 3, "epochs": 1, "drop_last": false}})").steps.size() == 3);
}

TEST_CASE("images without any pixel that counts train and evaluate to finite numbers") {
  const test::Scratch scratch;
  fs::create_directories(scratch.path() / "images");
  fs::create_directories(scratch.path() / "masks");
  for (const char* name : {"a.png", "b.png"}) {
    write_png(scratch.path() / "images" / name, cv::Mat(32, 32, CV_8UC3, cv::Scalar(1, 2, 3)));
    write_png(scratch.path() / "masks" / name, cv::Mat(32, 32, CV_8UC1, cv::Scalar(255)));
  }
  const auto data = two_classes_in(scratch.path());
  const Trained made(Json{{"data", {{"train", data}, {"val", data}}}}.dump());
  for (const auto& step : made.steps) CHECK(step.loss == 0);
  CHECK(std::any_of(made.notes.begin(), made.notes.end(), [](const std::string& note) {
    return note.starts_with("the evaluation gives no value for iou/mIoU");
  }));
}

TEST_CASE("a bad sample stops the run with its name, or is skipped, replaced, logged and reported") {
  const test::Scratch scratch;
  const auto data = four_samples_in(scratch.path(), "2.png");
  Json changes{{"data", {{"train", data}, {"val", data}}}};
  CHECK_THROWS_WITH_AS(Trained(changes.dump()), doctest::Contains("2.png"), DataError);
  changes["data"]["on_bad_sample"] = "skip";
  const Trained made(changes.dump());
  CHECK(made.steps.size() == 2);
  REQUIRE(made.result.bad_samples.size() == 1);  // in two epochs and two evaluations
  CHECK(made.result.bad_samples[0].find("2.png") != std::string::npos);
  CHECK(made.last().resumption->bad_samples == made.result.bad_samples);
  CHECK(made.result.last->images == 3);
  std::ifstream log(made.scratch.path() / "log.jsonl");
  int bad = 0;
  for (std::string line; std::getline(log, line);) bad += Json::parse(line)["event"] == "bad_sample";
  CHECK(bad == 1);
}

TEST_CASE("a bad sample is replaced by one that the sampler gives, not by one that never comes") {
  const test::Scratch scratch;
  const auto data = four_samples_in(scratch.path(), "1.png");
  const Json changes{{"data", {{"train", data}, {"val", data}, {"on_bad_sample", "skip"}}},
                     {"sampler", {{"type", "weighted"}, {"weights", {1, 1, 0, 0}}}}};
  const auto pipeline = Pipeline::for_training(test::plugins(), spec(changes.dump()), at::kCPU);
  const auto planned = plan_of(pipeline);
  int replaced = 0;
  for (std::int64_t batch = 0; batch < 8; ++batch)
    for (std::size_t part = 0; part < planned.size(batch); ++part) {
      const auto made = pipeline.prepare(planned, batch, part);
      CHECK(made.sample.id == "0");
      replaced += !made.bad.empty();
    }
  CHECK(replaced > 0);
}

TEST_CASE("pixels are counted once, without images, and without bad samples where those are skipped") {
  const test::Scratch scratch;
  fs::create_directories(scratch.path() / "images");
  fs::create_directories(scratch.path() / "masks");
  for (const char* name : {"a.png", "b.png", "c.png"}) {
    write_png(scratch.path() / "images" / name, cv::Mat(32, 32, CV_8UC3, cv::Scalar(9, 2, 3)));
    cv::Mat mask(32, 32, CV_8UC1, cv::Scalar(0));
    mask.rowRange(0, 4).setTo(1), mask.rowRange(4, 5).setTo(255);
    write_png(scratch.path() / "masks" / name, mask);
  }
  const auto data = two_classes_in(scratch.path());
  Json changes{{"data", {{"train", data}, {"val", data}}}};
  const auto stops = Pipeline::for_training(test::plugins(), spec(changes.dump()), at::kCPU);
  changes["data"]["on_bad_sample"] = "skip";
  const auto skips = Pipeline::for_training(test::plugins(), spec(changes.dump()), at::kCPU);
  fs::resize_file(scratch.path() / "images/a.png", 60);
  fs::resize_file(scratch.path() / "masks/b.png", 60);
  CHECK_THROWS_WITH_AS(stops.context.count_pixels(), doctest::Contains("b.png"), DataError);
  const std::vector<std::int64_t> counts{2 * 27 * 32, 2 * 4 * 32};
  CHECK(skips.context.count_pixels() == counts);
  fs::remove_all(scratch.path() / "masks");
  CHECK(skips.context.count_pixels() == counts);
}

TEST_CASE("weights that are not finite are neither saved nor used") {
  const test::Scratch scratch;
  const auto with = spec(R"({"optimizer": {"type": "sgd", "lr": 1e300}, "train": {"epochs": null, "steps": 1}})");
  auto pipeline = Pipeline::for_training(test::plugins(), with, at::kCPU);
  CHECK_THROWS_WITH(train(pipeline, scratch.path()),
                    doctest::Contains("the weights are not finite (NaN or Inf) after step 1. A lower learning rate"));
  CHECK(!fs::exists(scratch / "last.pth"));

  const Trained made("{}");
  auto checkpoint = made.last();
  checkpoint.model.begin()->second.view({-1})[0] = NAN;
  const auto file = scratch / "diverged.pth";
  save_checkpoint(file, checkpoint);
  const auto message = file.string() + ": has weights that are not finite (NaN or Inf)";
  CHECK_THROWS_WITH_AS(open_network(file, {}, [](const std::string&) {}), doctest::Contains(message.c_str()),
                       DataError);
  CHECK_THROWS_WITH(Trained(Json{{"model", {{"weights", file.string()}}}}.dump()), doctest::Contains(message.c_str()));
}

TEST_CASE("a gradient that is no number stops the run and names parameters and images") {
  auto pipeline = Pipeline::for_training(test::plugins(), spec("{}"), at::kCPU);
  for (auto& parameter : parameters_of(pipeline.model->module()))
    parameter.register_hook([](const at::Tensor& gradient) { return gradient / 0; });
  const test::Scratch scratch;
  try {
    train(pipeline, scratch.path(), {});
    FAIL("no exception");
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    CAPTURE(text);
    CHECK(text.find("a gradient is not finite (NaN or Inf) at step 1: cross_entropy") != std::string::npos);
    CHECK(text.find("; of inc.double_conv.0.") != std::string::npos);
    CHECK(text.find("; images:") != std::string::npos);
    CHECK(text.find("nothing was saved yet") != std::string::npos);
  }
}

TEST_CASE("a deterministic run trains, and asks LibTorch for determinism") {
  const Trained made(R"({"train": {"deterministic": true}})");
  CHECK(at::globalContext().deterministicAlgorithms());
  at::globalContext().setDeterministicAlgorithms(false, false);
}

TEST_CASE("what looks at evaluations is refused in a run that has none") {
  try {
    Trained(R"({"data": {"val": null}, "schedule": {"type": "plateau"}, "train": {"early_stopping": {}}})");
    FAIL("no exception");
  } catch (const SpecError& error) {
    REQUIRE(error.problems().size() == 2);
    CHECK(error.problems()[0].pointer == "/schedule");
    CHECK(error.problems()[1].pointer == "/train/early_stopping");
  }
}

TEST_CASE("norms and biases do not decay unless they are to") {
  const auto groups = groups_of("{}");
  CHECK(group_of(groups, "inc.double_conv.0.weight")->decay);
  CHECK(!group_of(groups, "inc.double_conv.1.weight")->decay);
  CHECK(!group_of(groups, "outc.conv.bias")->decay);
  CHECK(groups_of(R"({"decay_norms": true})").size() == 1);
}

TEST_CASE("stages learn slower the deeper they lie, and the head as fast as it is told") {
  const auto groups = groups_of(R"({"layer_decay": 0.5, "head_lr_scale": 10})");
  CHECK(group_of(groups, "inc.double_conv.0.weight")->lr_scale == 0.25);  // widths of 2: stages 0 and 1
  CHECK(group_of(groups, "down1.maxpool_conv.1.double_conv.0.weight")->lr_scale == 0.5);
  CHECK(group_of(groups, "up1.up.weight")->lr_scale == 1);
  CHECK(group_of(groups, "outc.conv.weight")->lr_scale == 10);
}

TEST_CASE("rules by name set rate and decay and freeze, and one that matches nothing is refused") {
  const auto groups = groups_of(R"({"groups": [{"match": "inc.*", "lr_scale": 0.1, "decay": false},
                                               {"match": "*.bias", "freeze": true}]})");
  CHECK(group_of(groups, "inc.double_conv.0.weight")->lr_scale == 0.1);
  CHECK(!group_of(groups, "inc.double_conv.0.weight")->decay);
  CHECK(group_of(groups, "outc.conv.bias") == nullptr);
  CHECK_THROWS_WITH_AS(groups_of(R"({"groups": [{"match": "encoder.*"}]})"),
                       doctest::Contains("\"encoder.*\" matches no parameter"), SpecError);
  CHECK_THROWS_WITH_AS(groups_of(R"({"groups": [{"match": "*", "freeze": true}]})"),
                       doctest::Contains("freezes all parameters"), SpecError);
}

TEST_CASE("the last rule that matches freezes or trains: all but the head") {
  const auto groups = groups_of(R"({"groups": [{"match": "*", "freeze": true}, {"match": "*", "lr_scale": 0.5},
                                               {"match": "outc.*", "freeze": false}]})");
  CHECK(group_of(groups, "outc.conv.weight")->lr_scale == 0.5);
  CHECK(group_of(groups, "outc.conv.bias") != nullptr);
  CHECK(group_of(groups, "inc.double_conv.0.weight") == nullptr);
}

TEST_CASE("a frozen parameter stays as it is") {
  const Trained made(R"({"optimizer": {"groups": [{"match": "inc.*", "freeze": true}]}})");
  auto untrained = Pipeline::for_training(test::plugins(), spec("{}"), at::kCPU);
  const auto before = state_dict(untrained.model->module()), after = made.last().model;
  CHECK(at::equal(before.at("inc.double_conv.0.weight"), after.at("inc.double_conv.0.weight")));
  CHECK(!at::equal(before.at("outc.conv.weight"), after.at("outc.conv.weight")));
}

TEST_CASE("Python's torch.optim goes on with the optimizer of a checkpoint") {
  const char* python = std::getenv("SECTILE_PYTHON");
  if (!python) {
    MESSAGE("skipped: set SECTILE_PYTHON to a Python that has torch");
    return;
  }
  for (const std::string type : {"adam", "adamw", "sgd"}) {
    const Trained made(R"({"optimizer": {"type": ")" + type + R"(", "lr": 0.01}})");
    const auto script = std::string(python) + " " SECTILE_SOURCE_DIR "/tests/parity/torch_optimizer.py ";
    CHECK(std::system((script + (made.scratch.path() / "last.pth").string() + " " + type).c_str()) == 0);
  }
}
