// Logits compared at the labels' size without being resized, against resizing them.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <sectile/error.h>
#include <sectile/losses/upsampled_softmax.h>
#include <sectile/sample.h>

#include "support/test.h"

using namespace sectile;
using namespace sectile::test;

namespace {

struct SoftmaxCase {
  std::vector<std::int64_t> logits, labels;
};
const SoftmaxCase kSoftmaxCases[] = {{{2, 5, 4, 6}, {2, 16, 24}},   {{1, 19, 9, 11}, {1, 35, 43}},
                                     {{2, 33, 17, 3}, {2, 18, 3}},  {{1, 1, 1, 1}, {1, 5, 3}},
                                     {{3, 16, 20, 5}, {3, 20, 40}}, {{1, 150, 7, 7}, {1, 28, 28}}};

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  // A gradient of one class alone is 0 but for rounding.
  return ((a - b).abs().max() / b.abs().max().clamp_min(0.1)).to(at::kDouble).item<double>();
}

}  // namespace

TEST_CASE("upsampled cross entropy equals interpolation and cross entropy, gradients too") {
  at::manual_seed(1);
  for (const auto type : {at::kDouble, at::kFloat})
    for (const auto& one : kSoftmaxCases)
      for (const double smoothing : {0.0, 0.1}) {
        CAPTURE(one.logits);
        CAPTURE(smoothing);
        const auto classes = one.logits[1];
        const auto labels = at::randint(-1, classes, one.labels, at::kLong);
        const auto weights = at::rand({classes}, at::kDouble) + 0.1;
        const auto a = (3 * at::randn(one.logits, type)).requires_grad_(), b = a.detach().clone().requires_grad_();
        REQUIRE(takes_upsampled_softmax(a, labels));
        const auto found = upsampled_cross_entropy(a, labels, weights, smoothing);
        const auto full = at::upsample_bilinear2d(b, labels.sizes().slice(1), false);
        const auto sum = at::cross_entropy_loss(full, labels, weights.to(type), at::Reduction::Sum, kIgnore, smoothing);
        (2 * found.sum).backward();
        (2 * sum).backward();
        const double tolerance = type == at::kDouble ? 1e-10 : 1e-5;
        CHECK(largest_difference(found.sum, sum) < tolerance);
        CHECK(largest_difference(a.grad(), b.grad()) < tolerance);
        const auto total = (weights.index({labels.clamp_min(0)}) * (labels >= 0)).sum();
        CHECK(largest_difference(found.total.to(at::kDouble), total) < 1e-6);
      }
}

TEST_CASE("upsampled areas equal those of resized probabilities, gradients too") {
  at::manual_seed(1);
  for (const auto type : {at::kDouble, at::kFloat})
    for (const auto& one : kSoftmaxCases) {
      CAPTURE(one.logits);
      const auto labels = at::randint(-1, one.logits[1], one.labels, at::kLong);
      const auto a = (3 * at::randn(one.logits, type)).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_();
      const auto b = a.detach().clone().requires_grad_();
      const auto found = upsampled_areas(a, labels);
      const auto full =
          at::upsample_bilinear2d(b, labels.sizes().slice(1), false).softmax(1).flatten(2).to(at::kDouble);
      const auto counted = (labels >= 0).flatten(1).unsqueeze(1);
      const auto own = at::one_hot(labels.clamp_min(0), one.logits[1]).movedim(-1, 1).flatten(2) * counted;
      const auto overlap = (full * own).sum(2), predicted = (full * counted).sum(2);
      const auto u = at::rand_like(overlap), v = at::randn_like(overlap);
      (found.overlap * u + found.predicted * v).sum().backward();
      (overlap * u + predicted * v).sum().backward();
      const double tolerance = type == at::kDouble ? 1e-10 : 1e-5;
      CHECK(largest_difference(found.overlap, overlap) < tolerance);
      CHECK(largest_difference(found.predicted, predicted) < tolerance);
      CHECK((a.grad() - b.grad()).abs().max().item<double>() <=
            tolerance * std::max(0.1, b.grad().abs().max().item<double>()));
    }
}

TEST_CASE("upsampled sums and gradients do not depend on the number of threads") {
  const auto labels = at::randint(-1, 7, {2, 66, 50}, at::kLong);
  const auto logits = at::randn({2, 7, 33, 25});
  const auto threads = at::get_num_threads();
  std::vector<at::Tensor> sums, gradients;
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    const auto leaf = logits.clone().requires_grad_();
    const auto areas = upsampled_areas(leaf, labels);
    const auto sum =
        upsampled_cross_entropy(leaf, labels, {}, 0).sum + areas.overlap.sum() + areas.predicted.square().sum();
    sum.backward();
    sums.push_back(sum), gradients.push_back(leaf.grad());
  }
  at::set_num_threads(threads);
  for (std::size_t i = 1; i < sums.size(); ++i) {
    CHECK(at::equal(sums[i], sums[0]));
    CHECK(at::equal(gradients[i], gradients[0]));
  }
}

TEST_CASE("a class number that the upsampled logits do not have is an error, and NaN stays NaN") {
  auto labels = at::zeros({1, 8, 8}, at::kLong);
  auto logits = at::zeros({1, 3, 4, 4});
  logits[0][1][2][2] = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(upsampled_cross_entropy(logits, labels, {}, 0).sum.item<double>()));
  labels[0][7][7] = 3;
  CHECK_THROWS_WITH(upsampled_areas(logits, labels), doctest::Contains("class number 3, and the logits 3 classes"));
}

TEST_CASE("a second derivative of upsampled softmax is an error, instead of one that lacks a part") {
  at::manual_seed(1);
  const auto logits = at::randn({1, 3, 4, 4}).requires_grad_();
  const auto labels = at::randint(0, 3, {1, 8, 8}, at::kLong);
  const auto differentiated = [&](const at::Tensor& sum, bool again) {
    return torch::autograd::grad({sum}, {logits}, {}, /*retain_graph=*/true, again).front();
  };
  const auto areas = upsampled_areas(logits, labels);
  for (const auto& sum :
       {upsampled_cross_entropy(logits, labels, {}, 0).sum, areas.overlap.sum(), areas.predicted.square().sum()}) {
    CHECK_THROWS_WITH_AS(differentiated(sum, true),
                         doctest::Contains("has no second derivative where the logits are smaller than the labels"),
                         PluginError);
    CHECK_FALSE(differentiated(sum, false).requires_grad());
  }
}
