#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/memory_limit.h"
#include "support/test.h"
#include "upper/loading/batch.h"
#include "upper/loading/loader.h"
#include "upper/network/device.h"
#include "upper/network/sliding_window.h"
#include "upper/training/trainer.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  explicit Folder(const std::string& name)
      : path(fs::temp_directory_path() / ("sectile_" + name + std::to_string(getpid()))) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
};

PipelineSpec small_spec(const std::string& changes = "{}") {
  SpecFile file;
  file.json = Json::parse(R"({
    "data": {"train": {"type": "synthetic", "count": 10, "size": [48, 64], "seed": 1},
             "val": {"type": "synthetic", "count": 3, "size": [50, 70], "seed": 2}},
    "transforms": {"train": [{"type": "random_scale"}, {"type": "random_crop", "size": [40, 40]}, {"type": "horizontal_flip"},
                             {"type": "brightness_contrast"}, {"type": "normalize"}],
                   "val": [{"type": "normalize"}]},
    "model": {"type": "unet", "widths": [4, 8]},
    "loss": [{"type": "cross_entropy"}],
    "optimizer": {"type": "adamw", "lr": 0.01},
    "metrics": [{"type": "iou"}],
    "train": {"epochs": 2, "batch_size": 4}
  })");
  file.json.merge_patch(Json::parse(changes));
  return read_spec(test::plugins(), file);
}

StateDict trained(int workers, const fs::path& folder) {
  auto pipeline = Pipeline::for_training(
      test::plugins(), small_spec(R"({"train": {"workers": )" + std::to_string(workers) + "}}"), at::kCPU);
  train(pipeline, folder, {});
  return load_checkpoint(folder / "last.pth").model;
}

Loader<int, std::vector<int>>::Work counting(std::function<int(std::int64_t, std::size_t)> make) {
  return {[] { return std::int64_t{20}; }, [](std::int64_t whole) { return static_cast<std::size_t>(whole % 3 + 1); },
          std::move(make), [](std::int64_t, std::vector<int> parts) { return parts; }};
}

}  // namespace

TEST_CASE("a loader hands over everything in order, whatever the number of its threads") {
  for (const int threads : {0, 1, 4}) {
    Loader<int, std::vector<int>> loader(
        counting([](std::int64_t whole, std::size_t part) {
          std::this_thread::sleep_for(std::chrono::microseconds((whole * 7 + 3) % 5 * 100));
          return static_cast<int>(whole * 10) + static_cast<int>(part);
        }),
        threads);
    for (int whole = 0; whole < 20; ++whole) {
      const auto parts = loader.next();
      REQUIRE(parts.size() == static_cast<std::size_t>(whole % 3 + 1));
      for (std::size_t part = 0; part < parts.size(); ++part) CHECK(parts[part] == whole * 10 + static_cast<int>(part));
    }
    CHECK(loader.done());
  }
}

TEST_CASE("what a loader thread throws arrives where the item is wanted, and the loader ends") {
  for (const int threads : {0, 3}) {
    Loader<int, std::vector<int>> loader(counting([](std::int64_t whole, std::size_t) {
                                           if (whole == 5) throw DataError("image 5", "is damaged");
                                           return 0;
                                         }),
                                         threads);
    for (int whole = 0; whole < 5; ++whole) loader.next();
    CHECK_THROWS_WITH_AS(loader.next(), "image 5: is damaged", DataError);
  }
}

TEST_CASE("a loader that is given up in the middle ends its threads") {
  Loader<int, std::vector<int>> loader(counting([](std::int64_t, std::size_t) { return 0; }), 4);
  loader.next();
}

TEST_CASE("loader threads that cannot be started are an error, and those that were end") {
  const test::MemoryLimit limit(64u << 20);  // each thread has a stack
  using Numbers = Loader<int, std::vector<int>>;
  CHECK_THROWS_WITH_AS(Numbers(counting([](std::int64_t, std::size_t) { return 0; }), 1000),
                       doctest::Contains("of 1000 loader threads could be started: Resource temporarily unavailable. "
                                         "Lower /train/workers"),
                       std::runtime_error);
}

TEST_CASE("a batch is normalised, padded at right and bottom, and channels_last without a copy") {
  std::vector<Sample> samples(2);
  samples[0].image = cv::Mat(2, 3, CV_8UC3, cv::Scalar(10, 20, 30));
  samples[0].labels = cv::Mat(2, 3, CV_16S, cv::Scalar(1));
  samples[0].mean = {10, 10, 10}, samples[0].deviation = {2, 5, 10};
  samples[1].image = cv::Mat(3, 2, CV_8UC3, cv::Scalar(0, 0, 255));
  const auto batch = collate(samples, {.traits = {.divisor = {1, 4, 4}}, .classes = 2});
  CHECK(batch.images.sizes() == at::IntArrayRef({2, 3, 4, 4}));
  CHECK(batch.images.is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(batch.images[0].select(1, 1).select(1, 2).equal(at::tensor({0.f, 2.f, 2.f})));
  CHECK(batch.images[0].select(1, 2).abs().max().item<float>() == 0);
  CHECK(batch.images[1][2][2][1].item<float>() == 255);
  CHECK(batch.labels[0][1][2].item<std::int64_t>() == 1);
  CHECK(batch.labels[0][1][3].item<std::int64_t>() == kIgnore);
  CHECK((batch.labels[1] == kIgnore).all().item<bool>());
  CHECK(batch.sizes[1] == Extent{1, 3, 2});
}

TEST_CASE("sixteen-bit and float images keep their values in a batch") {
  std::vector<Sample> one(1);
  one[0].image = cv::Mat(1, 1, CV_16UC1, cv::Scalar(50000));
  CHECK(collate(one, {.classes = 2}).images.item<float>() == 50000);
  one[0].image = cv::Mat(1, 1, CV_32FC1, cv::Scalar(0.25));
  CHECK(collate(one, {.classes = 2}).images.item<float>() == 0.25f);
}

TEST_CASE("images of different channels do not make a batch") {
  std::vector<Sample> samples(2);
  samples[0].id = "a", samples[1].id = "b";
  samples[0].image = cv::Mat(2, 2, CV_8UC3), samples[1].image = cv::Mat(2, 2, CV_8UC1);
  CHECK_THROWS_WITH_AS(collate(samples, {.classes = 2}), "b: has other dimensions or channels than a", DataError);
}

TEST_CASE("the number of loader threads changes no bit of what is trained") {
  const Folder folder("threads");
  const auto none = trained(0, folder.path), one = trained(1, folder.path), four = trained(4, folder.path);
  REQUIRE(!none.empty());
  for (const auto& [name, tensor] : none) {
    CAPTURE(name);
    CHECK(at::equal(tensor, one.at(name)));
    CHECK(at::equal(tensor, four.at(name)));
  }
}

TEST_CASE("another seed trains other weights") {
  const Folder folder("seeds");
  const auto first = trained(0, folder.path);
  auto pipeline = Pipeline::for_training(test::plugins(), small_spec(R"({"train": {"seed": 2}})"), at::kCPU);
  train(pipeline, folder.path, {});
  CHECK(
      !at::equal(first.at("outc.conv.weight"), load_checkpoint(folder.path / "last.pth").model.at("outc.conv.weight")));
}

TEST_CASE("a run leaves its spec, its log and checkpoints that give the evaluated score again") {
  const Folder folder("run");
  auto pipeline = Pipeline::for_training(test::plugins(), small_spec(), at::kCPU);
  int steps = 0;
  TrainListener listener;
  listener.stepped = [&](const StepReport& report) { CHECK(report.step == ++steps); };
  const auto result = train(pipeline, folder.path, {listener});
  CHECK(steps == 4);  // 10 samples in batches of 4: the incomplete batch is left out
  std::ifstream log(folder.path / "log.jsonl");
  int lines = 0;
  for (std::string line; std::getline(log, line); ++lines) CHECK(Json::parse(line).is_object());
  CHECK(lines == steps + 2);
  REQUIRE(result.last);
  const auto file = folder.path / "last.pth";
  const auto checkpoint = load_checkpoint(file);
  CHECK(checkpoint.epoch == 2);
  CHECK(checkpoint.resumption.has_value());
  SpecFile text;
  text.json = Json::parse(checkpoint.spec);
  const auto again = Pipeline::from_checkpoint(read_spec(test::plugins(), text), checkpoint, file, at::kCPU);
  CHECK(evaluate(again, again.source("val")).headline().value ==
        doctest::Approx(result.last->headline().value).epsilon(1e-3));
  CHECK(load_checkpoint(folder.path / "best.pth").metric.value() == result.best.value());
}

TEST_CASE("bf16 trains and keeps its weights in fp32") {
  const Folder folder("bf16");
  auto pipeline = Pipeline::for_training(test::plugins(), small_spec(R"({"train": {"precision": "bf16"}})"), at::kCPU);
  train(pipeline, folder.path, {});
  for (const auto& [name, tensor] : load_checkpoint(folder.path / "last.pth").model)
    if (tensor.is_floating_point()) CHECK((tensor.scalar_type() == at::kFloat));
}

TEST_CASE("a loss that is no number stops the run and names step, term and images") {
  const Folder folder("nan");
  auto pipeline = Pipeline::for_training(
      test::plugins(), small_spec(R"({"optimizer": {"lr": 1e30}, "train": {"epochs": 20}})"), at::kCPU);
  try {
    train(pipeline, folder.path, {});
    FAIL("no exception");
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    CHECK(text.find("is not finite (NaN or Inf) at step") != std::string::npos);
    CHECK(text.find("cross_entropy") != std::string::npos);
    CHECK(text.find("images:") != std::string::npos);
  }
}

TEST_CASE("gradients are clipped to the norm that the spec names") {
  const Folder folder("clip");
  auto pipeline = Pipeline::for_training(test::plugins(),
                                         small_spec(R"({"train": {"clip_gradient": 0.01, "epochs": 1}})"), at::kCPU);
  train(pipeline, folder.path, {});
  at::Tensor sum = at::zeros({});
  for (const auto& parameter : parameters_of(pipeline.model->module())) sum = sum + parameter.grad().square().sum();
  CHECK(sum.sqrt().item<double>() == doctest::Approx(0.01).epsilon(1e-3));
}

TEST_CASE("a checkpoint of another architecture or with other classes than the data's is refused") {
  const Folder folder("other");
  auto pipeline = Pipeline::for_training(test::plugins(), small_spec(R"({"train": {"epochs": 1}})"), at::kCPU);
  train(pipeline, folder.path, {});
  const auto file = folder.path / "last.pth";
  auto checkpoint = load_checkpoint(file);
  CHECK_THROWS_WITH_AS(Pipeline::from_checkpoint(small_spec(R"({"model": {"type": "fast_scnn", "widths": null}})"),
                                                 checkpoint, file, at::kCPU),
                       doctest::Contains("contains a trained \"unet\", and the spec names the model \"fast_scnn\""),
                       DataError);
  CHECK_THROWS_WITH_AS(
      Pipeline::from_checkpoint(small_spec(R"({"model": {"widths": [4, 8, 16]}})"), checkpoint, file, at::kCPU),
      doctest::Contains("missing or of another shape"), DataError);
  auto fewer = Pipeline::from_checkpoint(small_spec(), checkpoint, file, at::kCPU);
  auto labels = std::make_shared<LabelMap>(*fewer.context.labels);
  labels->classes.pop_back();
  fewer.context.labels = labels;
  CHECK_THROWS_WITH_AS(fewer.source("val"), doctest::Contains("/data/val: has the classes"), DataError);
  CHECK_THROWS_WITH_AS(fewer.source("test"), doctest::Contains("/data/test: is missing"), SpecError);
  CHECK_THROWS_WITH_AS(fewer.source("valid"), doctest::Contains("known: train, val, test"), SpecError);
}

TEST_CASE("windows give the logits of the whole image where the network looks at single pixels") {
  class Pointwise final : public torch::nn::Module, public Model {
   public:
    Outputs forward(const Batch& batch) override {
      Outputs outputs;
      outputs.logits = at::cat({batch.images, -batch.images}, 1);
      return outputs;
    }
    torch::nn::Module& module() override { return *this; }
  } model;
  Batch batch;
  batch.images = at::rand({1, 1, 37, 53});
  batch.sizes = {{1, 37, 53}};
  PipelineSpec::Inference windows;
  windows.window = {1, 16, 24};
  CHECK(at::allclose(infer(model, batch, windows).logits, model.forward(batch).logits, 1e-5, 1e-6));
}

TEST_CASE("matrix products are LibTorch's own") { CHECK_NOTHROW(check_blas()); }

TEST_CASE("devices that are not there are refused with a way out") {
  CHECK(open_device("cpu").is_cpu());
  CHECK_THROWS_WITH_AS(open_device("gpu"), doctest::Contains("known: cpu, cuda"), SpecError);
  CHECK_THROWS_WITH_AS(open_device("cuda:"), doctest::Contains("unknown device"), SpecError);
}
