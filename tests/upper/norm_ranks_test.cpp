// Batch norm's statistics over ranks, which are threads here.
#include <barrier>
#include <thread>

#include <ATen/ATen.h>

#include <sectile/error.h>
#include <sectile/nn/batch_norm.h>

#include "nn_support.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// Ranks as threads of this process. Every thread adds in the same order, so that all get the same sum.
class Meeting {
 public:
  explicit Meeting(int count) : barrier_(count), parts_(static_cast<std::size_t>(count)) {}
  int count() const { return static_cast<int>(parts_.size()); }
  at::Tensor sum(std::size_t rank, const at::Tensor& value) {
    parts_[rank] = value;
    barrier_.arrive_and_wait();
    auto total = parts_[0].clone();
    for (std::size_t i = 1; i < parts_.size(); ++i) total += parts_[i];
    barrier_.arrive_and_wait();
    return total;
  }

 private:
  std::barrier<> barrier_;
  std::vector<at::Tensor> parts_;
};
struct Member final : Ranks {
  Member(std::shared_ptr<Meeting> all, std::size_t own) : meeting(std::move(all)), rank(own) {}
  int count() const override { return meeting->count(); }
  at::Tensor sum(const at::Tensor& value) const override { return meeting->sum(rank, value); }

  std::shared_ptr<Meeting> meeting;
  std::size_t rank;
};

struct NormRun {
  at::Tensor output, of_input, of_weight, of_bias, mean, variance;
};

NormRun run_norm(nn::BatchNorm& norm, const at::Tensor& input, const at::Tensor& gradient) {
  const auto x = input.clone().set_requires_grad(true);
  const auto output = norm.forward(x);
  output.backward(gradient);
  return {output.detach(), x.grad(), norm.weight.grad(), norm.bias.grad(), norm.running_mean, norm.running_var};
}

std::shared_ptr<nn::BatchNorm> filled_norm(int channels, at::ScalarType type, double momentum = 0.1) {
  auto norm = std::make_shared<nn::BatchNorm>(nn::BatchNormOptions{.channels = channels, .momentum = momentum});
  if (type == at::kDouble) to_double(*norm);
  fill_by_name(*norm);
  return norm;
}

// The same batch in parts of these sizes, one for each rank: outputs and gradients of the input are put together again,
// those of the parameters added, and every rank's running statistics must agree.
NormRun run_ranks(const at::Tensor& input, const at::Tensor& gradient, const std::vector<std::int64_t>& sizes) {
  const auto meeting = std::make_shared<Meeting>(static_cast<int>(sizes.size()));
  const auto inputs = input.split_with_sizes(sizes), gradients = gradient.split_with_sizes(sizes);
  std::vector<std::shared_ptr<nn::BatchNorm>> norms;
  std::vector<NormRun> runs(sizes.size());
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < sizes.size(); ++rank) {
    norms.push_back(filled_norm(static_cast<int>(input.size(1)), input.scalar_type()));
    CHECK(connect(*norms.back(), std::make_shared<Member>(meeting, rank)) == 1);
  }
  for (std::size_t rank = 0; rank < sizes.size(); ++rank)
    threads.emplace_back([&, rank] { runs[rank] = run_norm(*norms[rank], inputs[rank], gradients[rank]); });
  for (auto& thread : threads) thread.join();
  NormRun whole = runs[0];
  for (std::size_t rank = 1; rank < runs.size(); ++rank) {
    whole.output = at::cat({whole.output, runs[rank].output});
    whole.of_input = at::cat({whole.of_input, runs[rank].of_input});
    whole.of_weight = whole.of_weight + runs[rank].of_weight;
    whole.of_bias = whole.of_bias + runs[rank].of_bias;
    CHECK(at::equal(whole.mean, runs[rank].mean));
    CHECK(at::equal(whole.variance, runs[rank].variance));
  }
  return whole;
}

at::Tensor normal(at::IntArrayRef shape, std::uint64_t seed) {
  at::manual_seed(seed);
  return at::randn(shape, at::kDouble);
}

}  // namespace

TEST_CASE("statistics over ranks are those of one batch of all, whatever part each rank has") {
  for (const auto type : {at::kFloat, at::kDouble})
    for (const std::vector<std::int64_t>& sizes :
         {std::vector<std::int64_t>{4, 4}, {1, 7}, {2, 2, 2, 2}, {1, 4, 2, 1}, {0, 8}})
      for (const std::vector<std::int64_t>& shape :
           {std::vector<std::int64_t>{8, 5, 6, 7}, std::vector<std::int64_t>{8, 5, 2, 3, 7}}) {
        CAPTURE(sizes.size());
        CAPTURE(sizes[0]);
        const double close = type == at::kDouble ? 1e-10 : 1e-5;
        const auto x = normal(shape, 1).to(type), gradient = normal(shape, 2).to(type);
        const auto wanted = run_norm(*filled_norm(5, type), x, gradient);
        const auto answer = run_ranks(x, gradient, sizes);
        CHECK(furthest(wanted.output, answer.output) < close);
        CHECK(furthest(wanted.of_input, answer.of_input) < close);
        CHECK(furthest(wanted.of_weight, answer.of_weight) < close);
        CHECK(furthest(wanted.of_bias, answer.of_bias) < close);
        CHECK(furthest(wanted.mean, answer.mean) < close);
        CHECK(furthest(wanted.variance, answer.variance) < close);
      }
}

// E[x²] - E[x]² has no right digit of this variance in float32.
TEST_CASE("statistics over ranks keep their digits where the mean is far from 0") {
  const std::vector<std::int64_t> shape{8, 5, 32, 32};
  const auto x = (normal(shape, 1) + 1e4).to(at::kFloat);
  const auto gradient = normal(shape, 2).to(at::kFloat);
  const auto exact = run_norm(*filled_norm(5, at::kDouble), x.to(at::kDouble), gradient.to(at::kDouble));
  const auto alone = run_norm(*filled_norm(5, at::kFloat), x, gradient);
  for (const std::vector<std::int64_t>& sizes : {std::vector<std::int64_t>{4, 4}, {1, 7}, {1, 4, 2, 1}}) {
    const auto ranks = run_ranks(x, gradient, sizes);
    const auto check = [&](const at::Tensor NormRun::*part) {
      const auto least = 1e-7;  // one rounding of float32
      CHECK(furthest(exact.*part, ranks.*part) <= 2 * std::max(furthest(exact.*part, alone.*part), least));
    };
    check(&NormRun::output);
    check(&NormRun::of_input);
    check(&NormRun::of_weight);
    check(&NormRun::of_bias);
    check(&NormRun::mean);
    CHECK(furthest(exact.variance, ranks.variance) < 1e-3);
    MESSAGE("at mean 1e4: ", furthest(exact.output, ranks.output), " off over ranks, ",
            furthest(exact.output, alone.output), " on one; input gradient ", furthest(exact.of_input, ranks.of_input),
            " and ", furthest(exact.of_input, alone.of_input), "; variance ", furthest(exact.variance, ranks.variance),
            " and ", furthest(exact.variance, alone.variance));
  }
}

TEST_CASE("statistics over ranks can be learned without weight and bias, and in bfloat16") {
  const auto x = normal({4, 3, 5, 5}, 1);
  struct Twin final : Ranks {
    int count() const override { return 2; }
    at::Tensor sum(const at::Tensor& value) const override { return 2 * value; }
  };
  nn::BatchNorm alone({.channels = 3, .affine = false}), shared({.channels = 3, .affine = false});
  shared.use(std::make_shared<Twin>());
  const auto a = x.clone().set_requires_grad(true), b = x.clone().set_requires_grad(true);
  to_double(alone);
  to_double(shared);
  const auto wanted = alone.forward(a), answer = shared.forward(b);
  CHECK(furthest(wanted, answer) < 1e-12);
  wanted.pow(3).sum().backward();
  answer.pow(3).sum().backward();
  CHECK(furthest(a.grad(), b.grad()) < 1e-12);
  nn::BatchNorm half({.channels = 3});
  half.use(std::make_shared<Twin>());
  const auto c = x.to(at::kBFloat16).set_requires_grad(true);
  const auto in_half = half.forward(c);
  CHECK((in_half.scalar_type() == at::kBFloat16));
  CHECK(furthest(wanted, in_half) < 0.02);
  in_half.pow(3).sum().backward();
  CHECK((c.grad().scalar_type() == at::kBFloat16));
  CHECK((half.weight.grad().scalar_type() == at::kFloat));
}

TEST_CASE("one value per channel cannot be trained on alone, and can where other ranks add theirs") {
  const auto pixel = image_of({1, 3, 1, 1});
  nn::BatchNorm norm({.channels = 3});
  CHECK_THROWS_AS(norm.forward(pixel), DataError);
  norm.use(std::make_shared<Member>(std::make_shared<Meeting>(1), 0));
  CHECK_THROWS_AS(norm.forward(pixel), DataError);
  norm.eval();
  CHECK(norm.forward(pixel).isfinite().all().item<bool>());
  const auto two = run_ranks(normal({2, 3, 1, 1}, 1), normal({2, 3, 1, 1}, 2), {1, 1});
  CHECK(two.output.isfinite().all().item<bool>());
  CHECK(two.variance.isfinite().all().item<bool>());
}
