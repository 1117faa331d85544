// Components that break their contracts: each fault is one message with the component, its place and the image.
#include <opencv2/core.hpp>

#include <sectile/data/image_io.h>

#include "ground/backtrace.h"
#include "support/scratch.h"
#include "toys.h"
#include "upper/inference/predictor.h"
#include "upper/training/trainer.h"

using namespace sectile;
using namespace sectile::test;

namespace {

Json faultless() {
  return Json::parse(R"({
    "data": {"train": {"type": "toy_faulty"}, "val": {"type": "toy_faulty", "count": 2}},
    "model": {"type": "toy_faulty"}, "loss": [{"type": "toy_faulty"}], "metrics": [{"type": "toy_faulty"}],
    "optimizer": {"type": "sgd"}, "sampler": {"type": "sequential"},
    "train": {"epochs": 2, "batch_size": 2, "workers": 0}})");
}

TrainResult trained_with(const Json& changes) {
  auto json = faultless();
  json.merge_patch(changes);
  auto pipeline = Pipeline::for_training(toys(), toy_spec(json), at::kCPU);
  const Scratch folder;
  return train(pipeline, folder.path());
}

// The error's type and message, as a user sees them.
template <class Error>
std::string error_of(const std::string& changes) {
  try {
    trained_with(Json::parse(changes));
  } catch (const Error& error) {
    return without_backtrace(error.what());
  }
  return "no error";
}

std::string with_fault(const std::string& kind, const std::string& fault) {
  const auto component = R"({"type": "toy_faulty", "fault": ")" + fault + "\"}";
  if (kind == "loss") return R"({"loss": [)" + component + "]}";
  if (kind == "metric") return R"({"metrics": [)" + component + "]}";
  if (kind == "transform") return R"({"transforms": {"train": [)" + component + "]}}";
  if (kind == "dataset") return R"({"data": {"train": )" + component + "}}";
  return "{\"" + kind + "\": " + component + "}";
}

struct Called {
  std::string kind, pointer, images;
  bool of_data;  // fails for an image, which may be skipped
};
const std::vector<Called> kCalled = {{"dataset", "/data/train", " on sample 1", true},
                                     {"transform", "/transforms/train/0", " on image1", true},
                                     {"metric", "/metrics/0", " on image1", true},
                                     {"model", "/model", " on image0, image1", false},
                                     {"loss", "/loss/0", " on image0, image1", false},
                                     {"optimizer", "/optimizer", "", false},
                                     {"schedule", "/schedule", "", false},
                                     {"sampler", "/sampler", " on epoch 1", false}};

}  // namespace

TEST_CASE("whatever a component throws is one message with its place, its name and the images") {
  const std::map<std::string, std::string> reasons{
      {"throws", "boom"},
      {"throws_a_number", "it threw something that is not a std::exception"},
      {"memory", "out of memory (std::bad_alloc)"},
      {"torch", "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0"}};
  CHECK(error_of<std::exception>("{}") == "no error");
  for (const auto& [kind, pointer, images, of_data] : kCalled)
    for (const auto& [fault, reason] : reasons) {
      const auto changes = with_fault(kind, fault);
      CAPTURE(changes);
      const auto message = of_data ? error_of<DataError>(changes) : error_of<PluginError>(changes);
      CHECK_MESSAGE(message.starts_with(pointer + ": " + kind + " \"toy_faulty\" failed" + images + ": " + reason),
                    message);
      CHECK(message.find('\n') == std::string::npos);
    }
}

TEST_CASE("whatever a constructor throws is one message with the component's place and name") {
  for (const auto& [kind, pointer, images, of_data] : kCalled)
    CHECK(error_of<PluginError>(with_fault(kind, "constructor")) ==
          pointer + ": " + kind +
              " \"toy_faulty\" could not be built: it threw something that is not a std::exception");
}

TEST_CASE("scores of another shape than the contract's are refused at the first batch") {
  const auto returned = [](const std::string& fault) { return error_of<PluginError>(with_fault("model", fault)); };
  const std::string expected =
      " for images of Float [2, 3, 8, 8] (image0, image1): expected floating point [N, 3, ...], "
      "one channel for each of the 3 classes";
  const std::string begin = "/model: model \"toy_faulty\" returned logits of ";
  CHECK(returned("one_class_more") == begin + "Float [2, 4, 8, 8]" + expected);
  CHECK(returned("one_class_less") == begin + "Float [2, 2, 8, 8]" + expected);
  CHECK(returned("one_image") == begin + "Float [1, 3, 8, 8]" + expected);
  CHECK(returned("flat") == begin + "Float [2, 3, 64]" + expected);
  CHECK(returned("numbers") == begin + "Long [2, 3, 8, 8]" + expected);
  CHECK(returned("not_finite") ==
        "/model: model \"toy_faulty\" returned logits that are not finite (NaN or Inf) for the first batch");
}

TEST_CASE("predictions of another number, shape, type or class than the contract's are refused") {
  const auto decoded = [](const std::string& fault) { return error_of<PluginError>(with_fault("model", fault)); };
  const std::string begin = "/model: model \"toy_faulty\" decoded ";
  CHECK(decoded("no_prediction") == begin + "0 predictions for 1 images (image0)");
  CHECK(decoded("no_labels") == begin + "no labels (image0)");
  CHECK(decoded("small_labels") == begin + "labels of Long [3, 8]: expected Long [8, 8] (image0)");
  CHECK(decoded("short_labels") == begin + "labels of Short [8, 8]: expected Long [8, 8] (image0)");
  CHECK(decoded("class_too_high").starts_with(begin + "class numbers from "));
}

TEST_CASE("a model with traits that no size fits, and a metric that throws before any image, are refused") {
  for (const char* fault : {"no_divisor", "huge_divisor"})
    CHECK(error_of<PluginError>(with_fault("model", fault)) ==
          "/model: model \"toy_faulty\" has traits that no size fits: \"divisor\" and \"least\" are from 1 to 1048576");
  for (const char* fault : {"wanted", "compute"})
    CHECK(error_of<PluginError>(with_fault("metric", fault)) ==
          "/metrics/0: metric \"toy_faulty\" failed: it threw something that is not a std::exception");
}

TEST_CASE("a model whose parameters the optimizer does not know is refused") {
  for (const char* fault : {"not_registered", "frozen"})
    CHECK_MESSAGE(error_of<PluginError>(with_fault("model", fault))
                      .starts_with("/model: has no parameter that requires a gradient: its "
                                   "constructor must register"),
                  fault);
  for (const char* fault : {"late", "replaced"})
    CHECK_MESSAGE(error_of<PluginError>(with_fault("model", fault))
                      .starts_with("/model: model \"toy_faulty\" added or replaced parameters in its first forward"),
                  fault);
}

TEST_CASE("a loss that is no scalar with a gradient is refused") {
  const auto returned = [](const std::string& fault) { return error_of<PluginError>(with_fault("loss", fault)); };
  const std::string begin = "/loss/0: loss \"toy_faulty\" returned ";
  CHECK(returned("map") == begin +
                               "a tensor of 3 dimensions as its term \"each\": expected a floating point scalar, "
                               "such as a mean");
  CHECK(returned("no_term") == begin + "no term");
  CHECK(returned("undefined") == begin + "an undefined tensor as its value");
  CHECK(returned("no_gradient") ==
        begin + "values without a gradient: compute them from the outputs, without item() and detach()");
}

TEST_CASE("a learning rate that is negative is refused") {
  CHECK(error_of<PluginError>(with_fault("schedule", "negative"))
            .starts_with("/schedule: gave the factor -1.000000 of the learning rate at step 1"));
}

TEST_CASE("a bad sample of a dataset is named in training, and skipped if the spec says so") {
  const std::vector<std::pair<std::string, std::string>> faults{
      {"empty", "has no image"},
      {"two_channels", "has 2 channels, and the network expects 3"},
      {"depth", "has values of CV_64F; expected CV_8U, CV_16U, CV_16S or CV_32F"},
      {"nan", "has pixels that are not finite (NaN or Inf): replace or remove them"},
      {"label_too_high",
       "has the class number 3 in its labels, and there are 3 classes: expected 0 to 2, or -1 (ignored)"},
      {"label_too_low",
       "has the class number -2 in its labels, and there are 3 classes: expected 0 to 2, or -1 (ignored)"},
      {"labels_of_bytes",
       "has labels of CV_8UC1: expected class numbers of CV_16SC1, or CV_32F with one channel for each of the 3 "
       "classes"},
      {"labels_of_another_size", "image and labels differ in size"},
      {"tag", "has a tag of the class number 7, and there are 3 classes: expected 0 to 2"}};
  for (const auto& [fault, reason] : faults)
    for (const char* split : {"train", "val"}) {
      CAPTURE(fault);
      CAPTURE(split);
      Json changes{{"data", {{split, {{"fault", fault}}}}}};
      const auto message = "image1: " + reason;
      CHECK(error_of<DataError>(changes.dump()) == message);
      changes["data"]["on_bad_sample"] = "skip";
      const auto result = trained_with(changes);
      CHECK(result.bad_samples == std::vector<std::string>{message});
      CHECK(result.last->images == (std::string(split) == "train" ? 2 : 1));
    }
}

TEST_CASE("an image that the network or a metric fails on is skipped in evaluation if the spec says so") {
  auto changes = Json::parse(with_fault("metric", "torch"));
  CHECK(error_of<DataError>(changes.dump()).starts_with("/metrics/0: metric \"toy_faulty\" failed on image1: "));
  changes["data"]["on_bad_sample"] = "skip";
  const auto result = trained_with(changes);
  REQUIRE(result.bad_samples.size() == 1);
  CHECK(result.bad_samples[0].starts_with("/metrics/0: metric \"toy_faulty\" failed on image1: "));
  CHECK(result.last->images == 1);
}

TEST_CASE("an image that the network fails on is named with its size in prediction, and skipped if that is wanted") {
  const Scratch folder;
  write_png(folder / "good.png", cv::Mat(8, 8, CV_8UC3, cv::Scalar(1, 2, 3)));
  write_png(folder / "small.png", cv::Mat(7, 5, CV_8UC3, cv::Scalar(1, 2, 3)));
  const std::map<std::string, std::string> reasons{
      {"torch_if_small", "The size of tensor a (2) must match"},
      {"memory_if_small", "out of memory (std::bad_alloc); /inference/window, such as [512, 512], predicts large"}};
  for (const auto& [fault, reason] : reasons) {
    auto json = faultless();
    json["model"]["fault"] = fault;
    const Toy toy(json);
    const std::vector<ImageSource> sources{{folder / "small.png"}, {folder / "good.png"}};
    std::size_t done = 0;
    const auto use = [&](const PredictedImage& image) { CHECK(image.index == ++done); };
    const auto message =
        "/model: model \"toy_faulty\" failed on " + (folder / "small.png").string() + " (7 x 5 pixels): " + reason;
    CHECK_THROWS_WITH_AS(predict(toy.pipeline, sources, {}, use), doctest::Contains(message.c_str()), DataError);
    const auto bad = predict(toy.pipeline, sources, {.skip_bad = true}, use);
    REQUIRE(bad.size() == 1);
    CHECK(bad[0].starts_with(message));
    CHECK(bad[0].find('\n') == std::string::npos);
    CHECK(done == 1);
  }
}

TEST_CASE("bands of windows give the prediction of the whole image") {
  auto json = faultless();
  json["data"]["train"]["count"] = 2;
  Toy toy(json);
  auto& network = toy.pipeline;
  network.spec.inference.window = std::vector<int>{16, 24};
  Sample sample;
  sample.id = "large";
  sample.image = cv::Mat(61, 83, CV_8UC3);
  cv::randu(sample.image, 0, 256);
  const Wanted wanted{.labels = true};
  const auto batch = [&] { return network.collate({sample}); };
  const c10::AutoGradMode no_gradients(false);
  const auto joined = network.model->decode(network.infer(batch()), batch(), wanted).at(0);
  const auto bands = network.predict(batch(), wanted).at(0);
  CHECK(bands.id == "large");
  CHECK(bands.labels.equal(joined.labels));
}

TEST_CASE("outputs that are not numbers are no prediction") {
  const Toy toy(faultless());
  const auto batch = toy.batch({0});
  const c10::AutoGradMode no_gradients(false);
  for (const bool overlapping : {false, true}) {
    auto outputs = toy.pipeline.infer(batch);
    const Wanted wanted{.labels = true, .overlapping = overlapping};
    CHECK_NOTHROW(toy.pipeline.model->decode(outputs, batch, wanted));
    outputs.logits.select(1, 0).fill_(INFINITY).select(1, 0).fill_(-INFINITY);  // extreme, and still an order
    CHECK_NOTHROW(toy.pipeline.model->decode(outputs, batch, wanted));
    outputs.logits.select(1, 0).select(1, 0).fill_(NAN);
    CHECK_THROWS_WITH_AS(toy.pipeline.model->decode(outputs, batch, wanted),
                         doctest::Contains("the network's outputs are not numbers (NaN)"), DataError);
  }
}

TEST_CASE("one grey image among RGB is converted, as in prediction") {
  const auto json = faultless();
  auto spec = json;
  spec["data"]["train"]["fault"] = "grey";
  const Toy toy(spec);
  const auto batch = toy.batch({0, 1});
  CHECK(batch.images.size(1) == 3);
  CHECK(batch.images[1][2][0][7].item<float>() == 200);
  CHECK(error_of<std::exception>(R"({"data": {"train": {"fault": "grey"}, "val": {"fault": "grey"}}})") == "no error");
}

TEST_CASE("images, labels, targets and masks that are parts of larger ones give the batch of whole ones") {
  auto json = faultless();
  json["task"] = "instance", json["model"] = {{"type", "toy_rcnn"}}, json.erase("loss"), json.erase("metrics");
  const Toy whole(json);
  json["data"]["train"]["fault"] = "views";
  const Toy parts(json);
  const auto expected = whole.batch({1}), found = parts.batch({1});
  CHECK(found.images.equal(expected.images));
  CHECK(found.labels.equal(expected.labels));
  CHECK((found.targets.at("weights") == 0.5).all().item<bool>());
  const auto mask = found.objects.at(0).masks[0];
  CHECK(mask.sum().item<std::int64_t>() == 6);
  CHECK(mask.slice(0, 1, 4).slice(1, 2, 4).all().item<bool>());
  CHECK(parts.pipeline.context.count_pixels() == whole.pipeline.context.count_pixels());
  CHECK(labels_tensor(parts.prepare(1)).equal(labels_tensor(whole.prepare(1))));
  CHECK((target_tensors(parts.prepare(1)).at("weights") == 0.5).all().item<bool>());
}
