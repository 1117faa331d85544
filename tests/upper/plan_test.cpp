#include <set>

#include <sectile/error.h>

#include "support/component.h"
#include "support/test.h"
#include "upper/training/plan.h"

using namespace sectile;

namespace {

TrainingPlan plan(std::size_t samples, std::size_t batch, std::size_t accumulate = 1, bool drop_last = true) {
  TrainingPlan made;
  made.sampler = test::make<Sampler>(R"({"type": "shuffle"})");
  made.available = made.samples = samples, made.batch = batch, made.accumulate = accumulate;
  made.drop_last = drop_last, made.whole_epochs = 3, made.seed = 7;
  return made;
}

class Always final : public Sampler {
 public:
  explicit Always(std::vector<std::size_t> indexes) : indexes_(std::move(indexes)) {}
  std::vector<std::size_t> draw(const EpochRequest&, Random) const override { return indexes_; }

 private:
  std::vector<std::size_t> indexes_;
};

}  // namespace

TEST_CASE("an incomplete last batch is left out or kept, as asked") {
  CHECK(plan(10, 4).batches() == 2);
  const auto keeping = plan(10, 4, 1, false);
  CHECK(keeping.batches() == 3);
  CHECK(keeping.size(1) == 4);
  CHECK(keeping.size(2) == 2);
  CHECK(keeping.size(3) == 4);
  CHECK(plan(12, 4, 1, false).batches() == 3);
}

TEST_CASE("a step takes so many batches, and what is left at the end of an epoch makes a smaller one") {
  const auto made = plan(22, 4, 2);  // 5 batches
  CHECK(made.steps_per_epoch() == 3);
  CHECK(made.steps() == 9);
  const std::vector<std::int64_t> first{0, 2, 4, 5, 7, 9, 10};
  for (std::size_t step = 0; step < first.size(); ++step)
    CHECK(made.first_batch(static_cast<std::int64_t>(step)) == first[step]);
  CHECK(made.first_batch(made.steps()) == made.total_batches());
  CHECK(made.epoch_of(2) == 0);
  CHECK(made.epoch_of(3) == 1);
}

TEST_CASE("an epoch shows every sample once, in another order than the next") {
  const auto made = plan(12, 4);
  std::vector<std::vector<std::size_t>> orders(2);
  for (std::int64_t batch = 0; batch < 6; ++batch)
    for (std::size_t part = 0; part < 4; ++part)
      orders[made.epoch_of_batch(batch)].push_back(made.occasion(batch, part).index);
  for (const auto& order : orders) CHECK(std::set<std::size_t>(order.begin(), order.end()).size() == 12);
  CHECK(orders[0] != orders[1]);
}

TEST_CASE("a number of steps ends training inside an epoch, and a run of fewer samples has shorter ones") {
  auto made = plan(22, 4, 2, false);  // 6 batches, 3 steps an epoch
  made.stop_after = 4;
  CHECK(made.steps() == 4);
  CHECK(made.epochs() == 2);
  CHECK(made.total_batches() == 8);
  made.samples = 8;
  CHECK(made.steps_per_epoch() == 1);
  CHECK(made.epochs() == 4);
}

TEST_CASE("a sample that is drawn twice in an epoch has two occurrences, also across batches") {
  auto made = plan(4, 2);
  made.sampler = std::make_shared<Always>(std::vector<std::size_t>{3, 0, 3, 3});
  CHECK(made.occasion(0, 0).occurrence == 0);
  CHECK(made.occasion(1, 0).index == 3);
  CHECK(made.occasion(1, 0).occurrence == 1);
  CHECK(made.occasion(1, 1).occurrence == 2);
  CHECK(made.occasion(1, 1).batch == 1);
  CHECK(made.occasion(2, 0).epoch == 1);
  CHECK(made.occasion(2, 0).occurrence == 0);
}

TEST_CASE("what replaces a sample comes later in the epoch, or in the next one") {
  auto made = plan(4, 2);
  made.sampler = std::make_shared<Always>(std::vector<std::size_t>{3, 0, 3, 2});
  CHECK(made.occasion(1, 0).index == 3);
  CHECK(made.occasion(1, 0, 1).index == 2);
  CHECK(made.occasion(1, 0, 2).index == 3);
  CHECK(made.occasion(1, 0, 2).occurrence == 0);
  CHECK(made.occasion(1, 0, 3).index == 0);
  CHECK(made.occasion(1, 0, 3).batch == 1);
  CHECK(made.occasion(1, 0, 3).epoch == 0);
}

TEST_CASE("a sampler that gives too few samples, or one that is not there, is named") {
  auto made = plan(4, 2);
  made.sampler = std::make_shared<Always>(std::vector<std::size_t>{1, 2});
  CHECK_THROWS_WITH_AS(made.occasion(0, 0), "/sampler: gave 2 samples for epoch 1, and 4 were requested", PluginError);
  made.sampler = std::make_shared<Always>(std::vector<std::size_t>{1, 2, 4, 0});
  CHECK_THROWS_WITH_AS(made.occasion(0, 0), "/sampler: gave the sample 4, and the data has 4", PluginError);
}
