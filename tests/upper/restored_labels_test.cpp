// Class numbers from small scores in one pass, against upsampling and then comparing.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <sectile/error.h>
#include <sectile/model.h>
#include <sectile/transform.h>

#include "support/test.h"
#include "upper/loading/restored_labels.h"

using namespace sectile;

namespace {

struct DecodeOnly final : Model {
  Outputs forward(const Batch&) override { return {}; }
  torch::nn::Module& module() override { throw PluginError("a decoder", "has no module"); }
};

// A batch of one image, of which only the sizes matter.
Batch batch_of_size(std::int64_t padded_height, std::int64_t padded_width, int height, int width) {
  Batch batch;
  batch.images = at::zeros({1, 1, padded_height, padded_width});
  batch.sizes = {{1, height, width}};
  batch.truth.resize(1);
  batch.truth[0].id = "a.png";
  batch.truth[0].geometry.original = batch.sizes[0];
  return batch;
}

struct UpsampledPair {
  Batch batch;
  at::Tensor logits;  // [1, C, h, w]
};

UpsampledPair random_upsampling(std::uint64_t seed, bool channels_last) {
  at::manual_seed(seed);
  const auto draw = [](std::int64_t from, std::int64_t to) { return at::randint(from, to, {1}).item<std::int64_t>(); };
  const auto h = draw(1, 40), w = draw(1, 40);
  const auto height = h * draw(1, 5) + draw(1, 9), width = w * draw(1, 17) + draw(0, 9);
  auto logits = at::randn({1, draw(1, 22), h, w}) * 10;
  if (seed % 5 == 0) logits = logits.round();  // ties
  if (channels_last) logits = logits.contiguous(at::MemoryFormat::ChannelsLast);
  return {batch_of_size(height, width, static_cast<int>(std::max<std::int64_t>(1, height - draw(0, 3))),
                        static_cast<int>(std::max<std::int64_t>(1, width - draw(0, 3)))),
          logits};
}

// Pixels with another class than the best of `scores`; each must be within 1e-6 of it, relative to the largest score.
std::int64_t near_ties(const at::Tensor& labels, const at::Tensor& scores) {
  const auto best = scores.argmax(0);
  REQUIRE(labels.sizes() == best.sizes());
  REQUIRE((labels.scalar_type() == at::kLong));
  const auto gap = scores.gather(0, best.unsqueeze(0)) - scores.gather(0, labels.unsqueeze(0));
  CHECK(gap.max().item<double>() <= 1e-6 * std::max(1., scores.abs().max().item<double>()));
  return labels.ne(best).sum().item<std::int64_t>();
}

}  // namespace

TEST_CASE("labels in one pass equal upsampling and arg max, but for scores that are equal but for rounding") {
  for (const bool channels_last : {false, true}) {
    std::int64_t others = 0, pixels = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      CAPTURE(seed);
      const auto [batch, logits] = random_upsampling(seed, channels_last);
      const auto labels = restored_labels(logits[0], batch, 0);
      REQUIRE(labels.defined());
      others += near_ties(labels, restore(logits[0], batch, 0));
      pixels += labels.numel();
    }
    CHECK(others * 100'000 < pixels);
  }
}

TEST_CASE("of classes with equal scores, one pass takes the first, as arg max does") {
  const auto one = at::randn({1, 6, 7});
  const auto batch = batch_of_size(24, 56, 23, 50);
  const auto two = at::cat({one - 1, one, one});
  CHECK(at::equal(restored_labels(two, batch, 0), at::ones({23, 50}, at::kLong)));
}

TEST_CASE("one pass flips images back to their files") {
  for (const int axis : {0, 1}) {
    CAPTURE(axis);
    auto batch = batch_of_size(32, 64, 30, 60);
    Sample sample;
    sample.image = cv::Mat::zeros(30, 60, CV_8UC3);
    sample.geometry.original = batch.sizes[0];
    apply(Warp::flip(batch.sizes[0], axis), sample);
    batch.truth[0].geometry = sample.geometry;
    const auto logits = at::randn({5, 8, 16});
    const auto labels = restored_labels(logits, batch, 0);
    REQUIRE(labels.defined());
    CHECK(near_ties(labels, restore(logits, batch, 0)) == 0);
  }
}

TEST_CASE("one pass is for finite float32 scores that are upsampled and not warped; others take the plain path") {
  const auto batch = batch_of_size(16, 16, 16, 16);
  const auto logits = at::randn({3, 4, 4});
  CHECK(restored_labels(logits, batch, 0).defined());
  CHECK_FALSE(restored_labels(logits.to(at::kDouble), batch, 0).defined());
  CHECK_FALSE(restored_labels(logits.to(at::kBFloat16), batch, 0).defined());
  CHECK_FALSE(restored_labels(at::randn({3, 16, 16}), batch, 0).defined());
  CHECK_FALSE(restored_labels(at::randn({3, 2, 4, 4}), batch, 0).defined());
  for (const double value : {std::nan(""), HUGE_VAL}) {
    auto damaged = logits.clone();
    damaged[1][3][0] = value;
    CHECK_FALSE(restored_labels(damaged, batch, 0).defined());
  }
  auto resized = batch;
  resized.truth[0].geometry.original = {1, 20, 20};
  CHECK_FALSE(restored_labels(logits, resized, 0).defined());
  auto lost = batch;
  lost.truth[0].geometry.invertible = false;
  CHECK_FALSE(restored_labels(logits, lost, 0).defined());
}

TEST_CASE("decoding gives the same labels with and without scores, and refuses what is not a number") {
  const DecodeOnly model;
  const auto batch = batch_of_size(64, 96, 60, 90);
  Outputs outputs;
  outputs.logits = at::randn({1, 7, 16, 24});
  const auto labels = model.decode(outputs, batch, {.labels = true}).at(0);
  const auto both = model.decode(outputs, batch, {.labels = true, .scores = true}).at(0);
  CHECK(labels.id == "a.png");
  CHECK_FALSE(labels.scores.defined());
  CHECK(both.scores.defined());
  CHECK(at::equal(labels.labels, both.labels));
  CHECK(model.decode(outputs, batch, {.labels = true, .named = {"logits"}}).at(0).named.size() == 1);
  outputs.logits[0][2][3][4] = std::nan("");
  CHECK_THROWS_WITH_AS(model.decode(outputs, batch, {.labels = true}), doctest::Contains("not numbers (NaN)"),
                       DataError);
}

TEST_CASE("labels in one pass do not depend on the number of threads") {
  const auto threads = at::get_num_threads();
  const auto batch = batch_of_size(256, 640, 250, 630);
  const auto logits = at::randn({9, 32, 80});
  at::set_num_threads(1);
  const auto alone = restored_labels(logits, batch, 0);
  at::set_num_threads(4);
  const auto together = restored_labels(logits, batch, 0);
  at::set_num_threads(threads);
  CHECK(at::equal(alone, together));
}
