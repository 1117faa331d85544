#include "plan.h"

#include <algorithm>
#include <tuple>

namespace sectile {
namespace {

// The order of the epoch that this thread is in.
const std::vector<std::size_t>& order(std::size_t samples, std::uint64_t seed, std::size_t epoch) {
  thread_local std::vector<std::size_t> known;
  thread_local std::tuple<std::size_t, std::uint64_t, std::size_t> key{0, 0, 0};
  const std::tuple wanted{samples, seed, epoch};
  if (key != wanted) {
    known = shuffled(samples, seed, epoch);
    key = wanted;
  }
  return known;
}

}  // namespace

std::size_t TrainingPlan::batches() const {
  const std::size_t whole = samples / batch, rest = samples % batch;
  return whole + (rest > 0 && (!drop_last || whole == 0) ? 1 : 0);
}

std::int64_t TrainingPlan::steps_per_epoch() const {
  return static_cast<std::int64_t>((batches() + accumulate - 1) / accumulate);
}

std::size_t TrainingPlan::epoch_of(std::int64_t step) const {
  return static_cast<std::size_t>(step / steps_per_epoch());
}

std::int64_t TrainingPlan::first_batch(std::int64_t step) const {
  const auto before = static_cast<std::size_t>(step % steps_per_epoch()) * accumulate;
  return static_cast<std::int64_t>(epoch_of(step) * batches() + before);
}

std::size_t TrainingPlan::size(std::int64_t batch_number) const {
  const auto first = static_cast<std::size_t>(batch_number) % batches() * batch;
  return std::min(batch, samples - first);
}

std::size_t TrainingPlan::epoch_of_batch(std::int64_t batch_number) const {
  return static_cast<std::size_t>(batch_number) / batches();
}

std::size_t TrainingPlan::index(std::int64_t batch_number, std::size_t part) const {
  const auto first = static_cast<std::size_t>(batch_number) % batches() * batch;
  return order(samples, seed, epoch_of_batch(batch_number))[first + part];
}

}  // namespace sectile
