#include <cmath>

#include <sectile/dataset.h>
#include <sectile/sampler.h>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;

namespace {

// Samples without anything but names.
class NamedSamples final : public Dataset {
 public:
  explicit NamedSamples(std::vector<std::string> names) : names_(std::move(names)) {}
  std::size_t size() const override { return names_.size(); }
  using Dataset::read;
  Sample read(std::size_t index, Parts wanted) const override {
    CHECK_FALSE(wanted.image);
    CHECK_FALSE(wanted.labels);
    Sample sample;
    sample.id = names_.at(index);
    return sample;
  }
  const LabelMap& labels() const override { return labels_; }

 private:
  std::vector<std::string> names_;
  LabelMap labels_;
};

BuildContext with_names(std::vector<std::string> names) {
  BuildContext context;
  context.data = std::make_shared<NamedSamples>(std::move(names));
  return context;
}

std::vector<double> shares(const Sampler& sampler, std::size_t available, std::size_t draws = 40000) {
  std::vector<double> all(available);
  for (const auto index : sampler.draw({0, draws, available}, Random{3})) ++all.at(index);
  for (auto& share : all) share /= static_cast<double>(draws);
  return all;
}

void check_shares(const std::vector<double>& found, const std::vector<double>& expected, double draws = 40000) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    const double deviation = std::sqrt(expected[i] * (1 - expected[i]) / draws);  // of a binomial distribution
    CHECK(std::abs(found[i] - expected[i]) <= 4 * deviation);
  }
}

}  // namespace

TEST_CASE("weighted draws samples as often as their weights say, and those of weight 0 never") {
  const auto sampler = test::make<Sampler>(R"({"type": "weighted", "weights": [0, 1, 0, 2, 5, 0]})");
  CHECK(sampler->samples_per_epoch(6) == 6);
  check_shares(shares(*sampler, 6), {0, 0.125, 0, 0.25, 0.625, 0});
  check_shares(shares(*test::make<Sampler>(R"({"type": "weighted"})"), 4), {0.25, 0.25, 0.25, 0.25});
  check_shares(shares(*test::make<Sampler>(R"({"type": "weighted", "weights": [0, 0.001]})"), 2), {0, 1});
}

TEST_CASE("weighted draws the same for the same key, other samples for another, and as many as are requested") {
  const auto sampler = test::make<Sampler>(R"({"type": "weighted", "weights": [1, 2, 3]})");
  const auto first = sampler->draw({0, 50, 3}, Random{1, 0});
  CHECK(first.size() == 50);
  CHECK(first == sampler->draw({0, 50, 3}, Random{1, 0}));
  CHECK(first != sampler->draw({1, 50, 3}, Random{1, 1}));
}

TEST_CASE("weighted reads weights from a file, in the data's order or by name") {
  const test::Scratch scratch;
  const auto from = [&](const std::string& text, const BuildContext& context) {
    const Json json{{"type", "weighted"}, {"weights_file", scratch.write("weights.txt", text).string()}};
    return test::make<Sampler>(json.dump(), context);
  };
  const auto context = with_names({"a/1.png", "a/2.png", "b 3"});
  check_shares(shares(*from("1\n0\n3\n", context), 3), {0.25, 0, 0.75});
  check_shares(shares(*from("# of each\n1e0\n\n0.5\n 2.5 \n", {}), 3), {0.25, 0.125, 0.625});
  check_shares(shares(*from("b 3\t6\na/1.png\t2\nother\t9\na/2.png\t0\n", context), 3), {0.25, 0, 0.75});

  const auto refuses = [&](const std::string& text, const char* message) {
    CAPTURE(text);
    CHECK_THROWS_WITH(from(text, context), doctest::Contains(message));
  };
  refuses("1\n2\n", "/part/weights_file: has 2 values, and the training data has 3 samples: give one value per sample");
  refuses("1\nmany\n3\n", "weights.txt, line 2: has \"many\" as a weight; expected a number, 0 or more");
  refuses("1\n-1\n3\n", "line 2: has \"-1\" as a weight");
  refuses("1\nnan\n3\n", "line 2: has \"nan\" as a weight");
  refuses("1\na 2\n3\n", "line 2: has 2 words; expected a number, as in the first line");
  refuses("a/1.png\t1\n2\n", "line 2: has 1 word; expected a sample's name and its weight");
  refuses("a/1.png 1\nb 3 2\n",
          "line 2: has 3 words; expected a sample's name and its weight, with a tab between them");
  refuses("a/1.png\t1\na/1.png\t2\n", "line 2: gives a weight to \"a/1.png\" again");
  refuses("a/1.png\t1\nb 3\t2\n", "/part/weights_file: gives no weight to 1 training sample: \"a/2.png\"; add a line");
  refuses(
      "a/1\t1\na/2\t0\nb 3\t6\n",
      "gives no weight to 2 training samples: \"a/1.png\", \"a/2.png\"; add a line with a name and a number for each. "
      "The file names \"a/1\", for example");
  refuses("0\n0\n0\n", "/part/weights_file: has weights that are all 0");
  CHECK_THROWS_WITH(from("a 1\n", {}), doctest::Contains("/part/weights_file: names samples"));
}

TEST_CASE("weighted refuses weights that do not fit, and says what it expected") {
  const auto refuses = [](const char* options, const char* message, const BuildContext& context = {}) {
    CAPTURE(options);
    const auto json = std::string(R"({"type": "weighted", )").append(options).append("}");
    CHECK_THROWS_WITH_AS(test::make<Sampler>(json, context), doctest::Contains(message), SpecError);
  };
  refuses(R"("weights": [1, -1])", "/part/weights");
  refuses(R"("weights": [0, 0])", "/part/weights: has weights that are all 0; expected at least one above 0");
  refuses(R"("weights": [1e308, 1e308])", "/part/weights: has a sum that is not finite");
  refuses(R"("weights": [1], "weights_file": "w.txt")", "/part/weights_file: cannot be combined with \"weights\"");
  refuses(R"("weights": [1])", "/part/weights: has 1 value, and the training data has 2 samples",
          with_names({"a", "b"}));
  const auto sampler = test::make<Sampler>(R"({"type": "weighted", "weights": [1, 2]})");
  CHECK_THROWS_WITH_AS(sampler->draw({0, 2, 3}, Random{1}), doctest::Contains("has 2 values"), DataError);
}
