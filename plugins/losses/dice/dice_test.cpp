#include <sectile/roles.h>

#include "parity/loss_cases.h"
#include "parity/losses/random_cases.h"
#include "parity/losses/small_batch.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// One of two ranks that see the same batch.
class TwoEqualRanks final : public Ranks {
 public:
  int count() const override { return 2; }
  at::Tensor sum(const at::Tensor& value) const override { return 2 * value; }
};

}  // namespace

TEST_CASE("Dice equals its formula, absent classes and ignored pixels included") { compare_with_reference("dice"); }

TEST_CASE("Dice equals 200 random results of each package whose rules it has") { compare_with_random_cases("dice"); }

TEST_CASE("Dice leaves ignored pixels out of the prediction too") {
  // Two classes, four pixels, of which the last two are ignored: they would count as 0.9 and 0.1 of the first class.
  const auto loss = make<Loss>(R"({"type": "dice", "preset": "smp"})", context(2));
  const auto first = at::tensor({0.8, 0.3, 0.9, 0.1}, at::kDouble).view({1, 1, 2, 2});
  const auto logits = at::cat({first, 1 - first}, 1).log();
  const auto labels = at::tensor({0, 1, kIgnore, kIgnore}, at::kLong).view({1, 2, 2});
  CHECK(evaluate(*loss, logits, labels).value ==
        doctest::Approx(1 - (2 * 0.8 / (1.1 + 1) + 2 * 0.7 / (0.9 + 1)) / 2).epsilon(1e-9));
}

// The values are segmentation_models_pytorch 0.6.0's and numpy's; with the predictions at ignored pixels it would be
// 0.7154.
TEST_CASE("Dice of a batch with ignored pixels, by class and in the mean") {
  const auto logits = small_batch_logits(), labels = small_batch_labels();
  for (const char* rules : {R"("preset": "smp")", R"("smooth": 0)"}) {
    CAPTURE(rules);
    const auto value = [&](const char* more) {
      const auto json = std::string(R"({"type": "dice", )").append(rules).append(more).append("}");
      return doctest::Approx(evaluate(*make<Loss>(json, context(3)), logits, labels).value).epsilon(1e-12);
    };
    CHECK(0.6684857767285005 == value(""));
    CHECK(0.6234409668719209 == value(R"(, "include": ["0"])"));
    CHECK(0.8028205259092189 == value(R"(, "include": ["1"])"));
    CHECK(0.5791958374043616 == value(R"(, "include": ["2"])"));
  }
}

// Whoever compares two packages' losses has to know what they make of 0 / 0 and of false alarms.
TEST_CASE("Dice loss of empty masks follows each package") {
  const auto empty = at::zeros({1, 1, 4, 4}, at::kDouble);
  auto square = empty.clone();
  square.slice(2, 1, 3).slice(3, 1, 3).fill_(1);
  const auto value = [&](const char* preset, const at::Tensor& prediction, const at::Tensor& truth) {
    const auto json = std::string(R"({"type": "dice", "preset": ")").append(preset).append("\"}");
    return evaluate(*make<Loss>(json, context(1, 3, true)), (prediction - 0.5) * 2e3, truth).value;
  };
  const auto missed = doctest::Approx(0.9999974966049194).epsilon(1e-7);  // MONAI's, in float32
  CHECK(value("smp", empty, empty) == 0);
  CHECK(value("smp", square, empty) == 0);
  CHECK(value("smp", empty, square) == 1);
  CHECK(value("smp", square, square) == doctest::Approx(0));
  CHECK(value("monai", empty, empty) == doctest::Approx(0));
  CHECK(value("monai", square, empty) == missed);
  CHECK(value("monai", empty, square) == missed);
  CHECK(value("monai", square, square) == doctest::Approx(0));
}

TEST_CASE("Dice weighs classes, and the preset smp divides by the sum of the weights") {
  const auto logits = at::randn({2, 3, 4, 4}, at::kDouble);
  const auto labels = at::randint(0, 3, {2, 4, 4}, at::kLong);
  const auto value = [&](const std::string& options) {
    return evaluate(*make<Loss>(R"({"type": "dice")" + options + "}", context(3)), logits, labels).value;
  };
  std::array<double, 3> of{};
  for (std::size_t c = 0; c < 3; ++c) of[c] = value(R"(, "include": [")" + std::to_string(c) + R"("])");
  CHECK(value(R"(, "class_weights": [1, 0, 4])") == doctest::Approx((of[0] + 4 * of[2]) / 3).epsilon(1e-12));
  CHECK(value(R"(, "class_weights": [1, 0, 4], "include": ["2", "0"])") ==
        doctest::Approx((of[0] + 4 * of[2]) / 2).epsilon(1e-12));
  CHECK(value(R"(, "class_weights": [1, 0, 4], "preset": "smp", "smooth": 1)") ==
        doctest::Approx((of[0] + 4 * of[2]) / 5).epsilon(1e-12));
  CHECK(value(R"(, "include_background": false)") == doctest::Approx((of[1] + of[2]) / 2).epsilon(1e-12));
}

TEST_CASE("nnU-Net's Dice counts the first class where classes overlap") {
  const auto logits = at::randn({1, 2, 3, 3}, at::kDouble);
  const auto labels = at::tensor({1., 0.}, at::kDouble).view({1, 2, 1, 1}).expand({1, 2, 3, 3}).contiguous();
  const auto made = [&](const char* options) {
    return evaluate(*make<Loss>(options, context(2, 3, true)), logits, labels).value;
  };
  CHECK(made(R"({"type": "dice", "preset": "nnunet"})") ==
        made(R"({"type": "dice", "smooth": 1e-5, "include": ["0", "1"]})"));
}

TEST_CASE("Dice refuses options that contradict each other, and says what is possible") {
  CHECK_THROWS_WITH_AS(make<Loss>(R"({"type": "dice", "include_background": false, "include": ["1"]})", context(2)),
                       doctest::Contains("is false, and include names the classes: leave one of both out"), SpecError);
  CHECK_THROWS_WITH_AS(make<Loss>(R"({"type": "dice", "preset": "nnunet"})", context(1)),
                       doctest::Contains("expected to be true: the data has no class but the first one"), SpecError);
}

TEST_CASE("Dice takes one weight per class, of which one that counts is above 0") {
  const auto refuses = [](const char* options, const char* message) {
    CAPTURE(options);
    CHECK_THROWS_WITH_AS(make<Loss>(std::string(R"({"type": "dice", )").append(options).append("}"), context(3)),
                         doctest::Contains(message), SpecError);
  };
  refuses(R"("class_weights": [1, 2])", "has 2 values, and the dataset has 3 classes");
  refuses(R"("class_weights": [2])", "has 1 value, and the dataset has 3 classes: give one value per class");
  for (const char* preset : {"none", "smp"}) {
    CAPTURE(preset);
    const auto with = [&](const char* more) {
      return std::string(R"("preset": ")").append(preset).append(R"(", "class_weights": )").append(more);
    };
    refuses(with("[0, 0, 0]").c_str(), "/part/class_weights: are all 0, so that nothing would be learned");
    refuses(with(R"([3, 0, 0], "include": ["2", "1"])").c_str(), "are 0 for all classes that are averaged over");
    refuses(with(R"([3, 0, 0], "include_background": false)").c_str(), "are 0 for all classes that are averaged over");
  }
}

TEST_CASE("Dice of a perfect prediction is 0, and of a wrong one without smoothing 1") {
  const auto loss = make<Loss>(R"({"type": "dice", "smooth": 0})", context(2));
  const auto labels = at::tensor({0, 1, 1, 0}, at::kLong).view({1, 2, 2});
  const auto right = (at::one_hot(labels, 2).movedim(-1, 1).to(at::kFloat) - 0.5) * 2e4;
  CHECK(evaluate(*loss, right, labels).value == 0);
  CHECK(evaluate(*loss, -right, labels).value == 1);
}

TEST_CASE("Dice of classes that are neither predicted nor true is 0 with a finite gradient") {
  const auto loss = make<Loss>(R"({"type": "dice", "smooth": 0})", context(3));
  const auto [value, gradient] = evaluate(*loss, at::randn({2, 3, 4, 4}), at::full({2, 4, 4}, kIgnore, at::kLong));
  CHECK(value == 0);
  CHECK(gradient.eq(0).all().item<bool>());
}

TEST_CASE("Dice over the batch sums areas over ranks, where smoothing then weighs half") {
  const auto logits = at::randn({2, 3, 4, 4});
  const auto labels = at::randint(0, 3, {2, 4, 4}, at::kLong);
  const auto across = make<Loss>(R"({"type": "dice", "smooth": 2})", context(3));
  auto* role = dynamic_cast<AcrossRanks*>(across.get());
  REQUIRE(role);
  role->use(std::make_shared<TwoEqualRanks>());
  const auto alone = make<Loss>(R"({"type": "dice", "smooth": 1})", context(3));
  CHECK(evaluate(*across, logits, labels).value == doctest::Approx(evaluate(*alone, logits, labels).value));
}

TEST_CASE("Dice refuses softmax for overlapping classes and an unknown class name, and says what there is") {
  CHECK_THROWS_WITH_AS(make<Loss>(R"({"type": "dice", "activation": "softmax"})", context(2, 3, true)),
                       doctest::Contains("/part/activation: is softmax, and the classes overlap"), SpecError);
  CHECK_THROWS_WITH_AS(
      make<Loss>(R"({"type": "dice", "include": ["road"]})", context(2)),
      doctest::Contains("/part/include/0: names the class \"road\", which the data does not have; it has: 0, 1"),
      SpecError);
}
