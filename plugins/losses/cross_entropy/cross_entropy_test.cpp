#include <cmath>

#include <sectile/roles.h>
#include <sectile/transform.h>
#include <opencv2/core.hpp>

#include "parity/loss_cases.h"
#include "parity/losses/random_cases.h"
#include "parity/losses/small_batch.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("cross entropy equals torch.nn.functional.cross_entropy, weights, smoothing and ignored pixels included") {
  compare_with_reference("cross_entropy");
}

TEST_CASE("cross entropy equals PyTorch's, and mmsegmentation's over all pixels, in 200 cases") {
  compare_with_random_cases("cross_entropy");
}

// Divided by other numbers, the losses of two frameworks differ by a factor, and learning rates do not carry over. The
// values are PyTorch's mean and sum.
TEST_CASE("cross entropy divides by what is counted, or by all pixels as mmsegmentation does by default") {
  const auto logits = small_batch_logits(), labels = small_batch_labels();
  const auto value = [&](const char* options) {
    const auto loss = make<Loss>(std::string(R"({"type": "cross_entropy")").append(options).append("}"), context(3));
    return doctest::Approx(evaluate(*loss, logits, labels).value).epsilon(1e-12);
  };
  CHECK(1.2687043761774477 == value(""));
  CHECK(1.3787993842108242 == value(R"(, "class_weights": [1, 2, 0.5])"));
  CHECK(0.9515282821330858 == value(R"(, "average": "all")"));
  CHECK(0.9766495638160005 == value(R"(, "average": "all", "class_weights": [1, 2, 0.5])"));
}

TEST_CASE("over all pixels, cross entropy of several batches is weighed by their pixels") {
  const auto counted = [](const char* json, const at::Tensor& labels, bool overlapping) {
    const auto loss = make<Loss>(json, context(2, 3, overlapping));
    return dynamic_cast<const MeanLoss&>(*loss).counted(labels);
  };
  const auto labels = at::tensor({0, 1, kIgnore}, at::kLong).view({1, 1, 3});
  const auto per_class = at::tensor({0., 1., -1., 1., -1., -1.}, at::kFloat).view({1, 2, 1, 3});
  const char* all = R"({"type": "cross_entropy", "average": "all", "class_weights": [1, 3]})";
  CHECK(counted(all, labels, false) == 3);
  CHECK(counted(all, per_class, true) == 6);
  CHECK(counted(all, per_class, false) == 3);
  CHECK(counted(R"({"type": "cross_entropy", "class_weights": [1, 3]})", labels, false) == 4);
}

TEST_CASE("cross entropy of soft labels over all pixels divides by all pixels") {
  const auto logits = at::randn({1, 2, 2, 3}, at::kDouble);
  const auto share = at::rand({1, 1, 2, 3}, at::kDouble);
  auto labels = at::cat({share, 1 - share}, 1);
  labels.select(3, 2).fill_(kIgnore);
  const auto value = [&](const char* json) { return evaluate(*make<Loss>(json, context(2)), logits, labels).value; };
  CHECK(value(R"({"type": "cross_entropy", "average": "all"})") ==
        doctest::Approx(value(R"({"type": "cross_entropy"})") * 2 / 3).epsilon(1e-12));
}

// All batches of a run with mixup have soft labels, also of samples that are not mixed.
TEST_CASE("soft labels of one class per pixel have the loss, the gradient and the count of class numbers") {
  const auto logits = small_batch_logits(), numbers = small_batch_labels();
  const auto soft = at::one_hot(numbers.clamp_min(0), 3)
                        .movedim(-1, 1)
                        .to(at::kFloat)
                        .masked_fill((numbers < 0).unsqueeze(1), kIgnore);
  for (const char* name : {"cross_entropy", "bce", "focal", "boundary"})
    for (const char* options :
         {"", R"(, "class_weights": [1, 7, 0.25])", R"(, "class_weights": [1, 7, 0.25], "label_smoothing": 0.2)",
          R"(, "class_weights": [0, 2, 0.5], "average": "all")",
          R"(, "class_weights": [1, 7, 0.25], "label_smoothing": 0.2, "pixel_weights": "w")",
          R"(, "class_weights": [1, 7, 0.25], "average": "all", "pixel_weights": "w")", R"(, "alpha": [0.1, 0.9, 0.4])",
          R"(, "activation": "sigmoid")"}) {
      const auto json = std::string(R"({"type": ")").append(name).append("\"").append(options).append("}");
      CAPTURE(json);
      const auto has = [&](const char* text) { return json.find(text) != std::string::npos; };
      const bool weighs = has("cross_entropy") || has("bce"), activates = has("focal") || has("boundary");
      if ((has("class_weights") && !weighs) || (has("activation") && !activates)) continue;
      if ((has("average") || has("pixel_weights")) && !has("cross_entropy")) continue;
      if (has("alpha") && !has("focal")) continue;
      const auto loss = make<Loss>(json, context(3));
      const auto evaluated = [&](const at::Tensor& labels) {
        auto batch = with_labels(labels);
        batch.targets["w"] = at::arange(24, at::kFloat).view({2, 1, 3, 4}) / 8;
        auto leaf = logits.clone().requires_grad_();
        const auto terms = (*loss)(with_logits(leaf), batch);
        terms.front().value.backward();
        return Evaluated{terms.front().value.item<double>(), leaf.grad()};
      };
      const auto of_numbers = evaluated(numbers), of_soft = evaluated(soft);
      CHECK(of_soft.value == doctest::Approx(of_numbers.value).epsilon(1e-10));
      CHECK(of_soft.gradient.allclose(of_numbers.gradient, 1e-9, 1e-12));
      const auto& mean = dynamic_cast<const MeanLoss&>(*loss);
      CHECK(mean.counted(soft) == doctest::Approx(mean.counted(numbers)).epsilon(1e-12));
    }
}

TEST_CASE("cross entropy of soft labels counts each class's weight by its share") {
  const auto loss = make<Loss>(R"({"type": "cross_entropy", "class_weights": [1, 3]})", context(2));
  const auto labels = at::tensor({0.25, 1., -1., 0.75, 0., -1.}, at::kFloat).view({1, 2, 1, 3});
  CHECK(dynamic_cast<const MeanLoss&>(*loss).counted(labels) == 0.25 + 3 * 0.75 + 1);
  // All classes have a probability of one half.
  CHECK(evaluate(*loss, at::zeros({1, 2, 1, 3}, at::kDouble), labels).value == doctest::Approx(std::log(2)));
}

TEST_CASE("cross entropy refuses wrong weights and averages and says what it expected") {
  const auto refuses = [](const char* options, const char* message) {
    CAPTURE(options);
    CHECK_THROWS_WITH_AS(
        make<Loss>(std::string(R"({"type": "cross_entropy", )").append(options).append("}"), context(3)),
        doctest::Contains(message), SpecError);
  };
  refuses(R"("average": "some")", "/part/average");
  refuses(R"("class_balance": "square")", "/part/class_balance");
  refuses(R"("class_weights": [1, 1, 1], "class_balance": "inverse")", "remove one of both");
  refuses(R"("beta": 0.9)", "only used with class_balance");
  refuses(R"("beta": 0.9, "class_balance": "inverse")", "only used with class_balance");
  refuses(R"("beta": 1, "class_balance": "effective_number")", "beta: is 1; expected at least 0 and below 1");
  refuses(R"("class_balance": "inverse")", "class_balance: needs training data");
  refuses(R"("class_weights": [0, 0, 0])", "/part/class_weights: are all 0, so that nothing would be learned");
  refuses(R"("class_weights": [2])", "has 1 value, and the dataset has 3 classes: give one value per class");
}

TEST_CASE("cross entropy of extreme logits is finite and so is its gradient") {
  const auto loss = make<Loss>(R"({"type": "cross_entropy", "label_smoothing": 0.1})", context(3));
  const auto logits = at::tensor({1e4, -1e4, 0., -1e4, 1e4, 1e4}, at::kFloat).view({1, 3, 1, 2});
  const auto [value, gradient] = evaluate(*loss, logits, at::tensor({1, 0}, at::kLong).view({1, 1, 2}));
  CHECK(std::isfinite(value));
  CHECK(gradient.isfinite().all().item<bool>());
}

TEST_CASE("class weights of another number than the classes are refused with both numbers") {
  try {
    make<Loss>(R"({"type": "cross_entropy", "class_weights": [1, 2]})", context(3));
    FAIL("was built");
  } catch (const SpecError& error) {
    const std::string message = error.what();
    CHECK(message.find("/part/class_weights: has 2 values, and the dataset has 3 classes") == 0);
  }
}

TEST_CASE("a class of weight 0 alone in a batch gives 0, not NaN") {
  const auto loss = make<Loss>(R"({"type": "cross_entropy", "class_weights": [0, 1]})", context(2));
  const auto [value, gradient] = evaluate(*loss, at::ones({1, 2, 2, 2}), at::zeros({1, 2, 2}, at::kLong));
  CHECK(value == 0);
  CHECK(gradient.eq(0).all().item<bool>());
}

TEST_CASE("cross entropy and Dice of coarse logits equal those of logits that were resized before") {
  const auto labels = at::randint(kIgnore, 4, {2, 24, 20}, at::kLong);
  const auto coarse = at::randn({2, 4, 6, 5}, at::kDouble);
  for (const char* json : {R"({"type": "cross_entropy", "label_smoothing": 0.1, "class_weights": [1, 2, 0.5, 3]})",
                           R"({"type": "cross_entropy", "average": "all"})",
                           R"({"type": "cross_entropy", "average": "all", "class_weights": [1, 2, 0.5, 3]})",
                           R"({"type": "dice"})", R"({"type": "dice", "over": "sample", "absent": "skip"})"}) {
    CAPTURE(json);
    const auto loss = make<Loss>(json, context(4));
    const auto found = evaluate(*loss, coarse, labels);
    auto leaf = coarse.clone().requires_grad_();
    const auto terms = (*loss)(with_logits(at::upsample_bilinear2d(leaf, {24, 20}, false)), with_labels(labels));
    terms.front().value.backward();
    CHECK(found.value == doctest::Approx(terms.front().value.item<double>()).epsilon(1e-10));
    CHECK((found.gradient - leaf.grad()).abs().max().item<double>() < 1e-10);
  }
}

// Filled with class 0, the border would be learned as that class, and the loss would be 1.65479:
// https://github.com/open-mmlab/mmsegmentation/issues/2087. The values are PyTorch's, with and without the border.
TEST_CASE("pixels that padding adds do not count in cross entropy, unless they are given a class") {
  const auto logits =
      at::tensor({-0.42, -0.06, -2.14, 1.64,  -1.79, -0.84, 0.5,   -1.25, -1.06, -0.91, 0.55,  2.29,  0.04,  -1.12,
                  0.54,  -0.6,  -0.02, 1.18,  -0.75, 0.01,  -0.88, -0.16, 0.26,  -0.99, -0.34, -0.24, -0.64, -1.19,
                  -1.42, -0.15, -0.27, 2.23,  -2.43, 0.11,  0.37,  1.36,  0.5,   -0.84, 0.0,   0.54,  -0.31, 0.77,
                  -1.87, 1.73,  1.47,  -0.34, 0.61,  0.05,  -0.83, 0.09,  1.0,   -0.38, -0.38, -0.07, 0.43,  1.28,
                  -0.63, 0.51,  0.22,  -1.86, -0.42, -0.13, -0.04, 0.33,  -2.04, 0.05,  -0.68, -1.44, 0.52,  0.74,
                  -0.65, 0.84,  -0.38, 0.07,  -1.1,  1.58,  -2.66, -0.09, 0.7,   -2.03},
                 at::kDouble)
          .view({1, 4, 4, 5});
  const auto loss = make<Loss>(R"({"type": "cross_entropy"})", context(4));
  const auto padded_by = [&](const Warp& pad) {
    Sample sample;
    sample.image = (cv::Mat_<std::uint8_t>(2, 3) << 1, 2, 3, 4, 5, 6);
    sample.labels = (cv::Mat_<std::int16_t>(2, 3) << 0, 1, 2, 3, 0, kIgnore);
    apply(pad, sample);
    const auto labels = at::from_blob(sample.labels.data, {1, sample.labels.rows, sample.labels.cols}, at::kShort);
    const auto seen = logits.narrow(2, 0, sample.labels.rows).narrow(3, 0, sample.labels.cols);
    return evaluate(*loss, seen, labels.to(at::kLong));
  };
  const auto padded = padded_by(Warp::crop(0, 0, 0, {1, 4, 5}));
  CHECK(padded.value == doctest::Approx(1.5811829178216164).epsilon(1e-12));
  CHECK(padded_by(Warp::crop(0, 0, 0, {1, 2, 3})).value == doctest::Approx(1.5811829178216164).epsilon(1e-12));
  CHECK(padded.gradient.narrow(2, 2, 2).abs().max().item<double>() == 0);
  CHECK(padded.gradient.narrow(3, 3, 2).abs().max().item<double>() == 0);
  auto of_class = Warp::crop(0, 0, 0, {1, 4, 5});
  of_class.label_fill = 0;
  CHECK(padded_by(of_class).value == doctest::Approx(1.6547906799785606).epsilon(1e-12));
}

// 0 / 0 in many implementations, and one such batch destroys a training run.
TEST_CASE("a batch of ignored pixels has a loss of exactly 0, with a gradient of 0 that belongs to the graph") {
  const auto logits = at::tensor({0.28, 0.79, 0.32, 0.7, 0.39, -0.04, 0.3, -0.43, 1.73, -0.87, -0.82, -1.1, 0.09, 0.46,
                                  0.43, 2.07, -0.54, -1.38},
                                 at::kFloat)
                          .view({1, 3, 2, 3});
  const auto numbers = at::full({1, 2, 3}, kIgnore, at::kLong), per_class = at::full({1, 3, 2, 3}, kIgnore, at::kFloat);
  for (const char* json :
       {R"({"type": "cross_entropy"})", R"({"type": "cross_entropy", "average": "all", "label_smoothing": 0.1})",
        R"({"type": "cross_entropy", "class_weights": [1, 0, 2]})", R"({"type": "bce"})",
        R"({"type": "bce", "class_weights": [1, 0, 2]})", R"({"type": "focal"})", R"({"type": "ohem_cross_entropy"})",
        R"({"type": "topk_cross_entropy"})", R"({"type": "lovasz"})", R"({"type": "lovasz", "per_image": true})",
        R"({"type": "dice"})", R"({"type": "jaccard"})", R"({"type": "tversky"})", R"({"type": "mcc"})",
        R"({"type": "generalized_dice"})", R"({"type": "cldice"})", R"({"type": "hausdorff"})",
        R"({"type": "boundary"})"})
    for (const bool overlapping : {false, true}) {
      const std::string text = json;
      // Of class numbers only.
      if (overlapping && (text.find("ohem") != std::string::npos || text.find("topk") != std::string::npos)) continue;
      CAPTURE(text);
      CAPTURE(overlapping);
      const auto found =
          evaluate(*make<Loss>(text, context(3, 3, overlapping)), logits, overlapping ? per_class : numbers);
      CHECK(found.value == 0);
      REQUIRE(found.gradient.defined());
      CHECK(found.gradient.eq(0).all().item<bool>());
    }
}

namespace {

// A target of weights for small_batch_labels(), [2, 1, 3, 4], and the same as a batch with these labels.
at::Tensor some_pixel_weights() { return at::arange(24, at::kFloat).view({2, 1, 3, 4}) / 8; }

Batch weighed_batch(const at::Tensor& labels) {
  auto batch = with_labels(labels);
  batch.targets["w"] = some_pixel_weights();
  return batch;
}

Evaluated evaluate_weighed(const char* options, const at::Tensor& logits, const Batch& batch,
                           bool overlapping = false) {
  const auto json = std::string(R"({"type": "cross_entropy", "pixel_weights": "w")").append(options).append("}");
  const auto loss = make<Loss>(json, context(3, 3, overlapping));
  auto leaf = logits.detach().clone().requires_grad_();
  const auto terms = (*loss)(with_logits(leaf), batch);
  terms.front().value.backward();
  return {terms.front().value.item<double>(), leaf.grad()};
}

}  // namespace

TEST_CASE("weights of pixels multiply the loss of each pixel, and not what the sum is divided by") {
  const auto logits = small_batch_logits(), labels = small_batch_labels();
  const auto weights = some_pixel_weights().squeeze(1).to(at::kDouble);
  const auto each = at::cross_entropy_loss(logits, labels, {}, at::Reduction::None, kIgnore) * weights;
  const auto batch = weighed_batch(labels);
  const auto found = evaluate_weighed("", logits, batch);
  CHECK(found.value == doctest::Approx(each.sum().item<double>() / 18).epsilon(1e-10));
  CHECK(evaluate_weighed(R"(, "average": "all")", logits, batch).value ==
        doctest::Approx(each.sum().item<double>() / 24).epsilon(1e-10));
  auto leaf = logits.clone().requires_grad_();
  ((at::cross_entropy_loss(leaf, labels, {}, at::Reduction::None, kIgnore) * weights).sum() / 18).backward();
  CHECK(found.gradient.allclose(leaf.grad(), 1e-9, 1e-12));

  const auto class_weights = at::tensor({1., 2., 0.5}, at::kDouble);
  const auto smooth =
      at::cross_entropy_loss(logits, labels, class_weights, at::Reduction::None, kIgnore, 0.2) * weights;
  const auto divisor = (class_weights.index({labels.clamp_min(0)}) * (labels >= 0)).sum();
  CHECK(evaluate_weighed(R"(, "class_weights": [1, 2, 0.5], "label_smoothing": 0.2)", logits, batch).value ==
        doctest::Approx((smooth.sum() / divisor).item<double>()).epsilon(1e-10));
}

TEST_CASE("weights of pixels of 1 are none: of coarse logits, many classes, soft labels and overlapping classes") {
  auto batch = weighed_batch(small_batch_labels());
  batch.targets["w"] = at::ones({2, 1, 3, 4});
  const auto check = [&](const at::Tensor& logits, bool overlapping = false) {
    const auto loss = make<Loss>(R"({"type": "cross_entropy", "label_smoothing": 0.1})", context(3, 3, overlapping));
    const auto plain = evaluate(*loss, logits, batch.labels);
    const auto found = evaluate_weighed(R"(, "label_smoothing": 0.1)", logits, batch, overlapping);
    CHECK(found.value == doctest::Approx(plain.value).epsilon(1e-10));
    CHECK((found.gradient - plain.gradient).abs().max().item<double>() < 1e-10);
  };
  check(small_batch_logits());
  check(small_batch_logits().slice(2, 0, 2).slice(3, 0, 3));
  check(at::randn({2, 20, 3, 4}, at::kDouble).contiguous(at::MemoryFormat::ChannelsLast));
  batch.labels = at::rand({2, 3, 3, 4}, at::kDouble).softmax(1);
  batch.labels.select(3, 1).fill_(kIgnore);
  check(small_batch_logits());
  check(small_batch_logits(), true);
}

TEST_CASE("weights of pixels count in labels per class too, by hand") {
  auto batch = with_labels(at::tensor({1., 0., -1., 0., 1., -1.}, at::kDouble).view({1, 2, 1, 3}));
  batch.targets["w"] = at::tensor({2.f, 3.f, 5.f}).view({1, 1, 1, 3});
  const auto logits = at::zeros({1, 2, 1, 3}, at::kDouble);
  const auto value = [&](bool overlapping) {
    const auto loss = make<Loss>(R"({"type": "cross_entropy", "pixel_weights": "w"})", context(2, 3, overlapping));
    return (*loss)(with_logits(logits), batch).front().value.item<double>();
  };
  CHECK(value(false) == doctest::Approx(std::log(2) * (2 + 3) / 2));
  CHECK(value(true) == doctest::Approx(std::log(2) * 2 * (2 + 3) / 4));
}

TEST_CASE("a target that cannot be weights of pixels is refused, and says what it expected") {
  const auto refuses = [](const at::Tensor& target, const char* message, const char* name = "w") {
    auto batch = with_labels(small_batch_labels());
    batch.targets[name] = target;
    CHECK_THROWS_WITH(evaluate_weighed("", small_batch_logits(), batch), doctest::Contains(message));
  };
  refuses(some_pixel_weights(), "names the target \"w\", which no sample of the batch has; there are: edges", "edges");
  refuses(small_batch_labels(), "which is a map of class numbers");
  refuses(at::ones({2, 4, 3, 4}), "which has 4 channels; expected one");
  refuses(at::ones({2, 1, 6, 8}), "which has another size than the labels");
}
