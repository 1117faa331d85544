#include "plan.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <sectile/error.h>

#include "../../ground/component_call.h"

namespace sectile {
namespace {

constexpr std::uint64_t kOrderStream = 0x6f72646572;  // separates the random numbers of the order and of transforms

// The current epoch of this thread.
const TrainingPlan::Epoch& current(const TrainingPlan& plan, std::size_t epoch) {
  thread_local TrainingPlan::Epoch known;
  thread_local std::tuple<std::shared_ptr<const Sampler>, std::size_t, std::size_t, std::uint64_t, std::size_t> key;
  const std::tuple wanted{plan.sampler, plan.available, plan.samples, plan.seed, epoch};
  if (key != wanted) {
    known = plan.draw(epoch);
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

std::int64_t TrainingPlan::steps() const {
  return stop_after.value_or(steps_per_epoch() * static_cast<std::int64_t>(whole_epochs));
}

std::size_t TrainingPlan::epochs() const { return epoch_of(steps() - 1) + 1; }

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

Occasion TrainingPlan::occasion(std::int64_t batch_number, std::size_t part, std::size_t later) const {
  const auto first = static_cast<std::size_t>(batch_number) % batches() * batch;
  const auto epoch = epoch_of_batch(batch_number);
  const auto position = first + part + later;
  const auto [index, occurrence] = current(*this, epoch + position / samples).at(position % samples);
  return {.epoch = epoch, .index = index, .occurrence = occurrence, .batch = batch_number};
}

TrainingPlan::Epoch TrainingPlan::draw(std::size_t epoch) const {
  const auto indexes = call<PluginError>(place_of(sampler), "epoch " + std::to_string(epoch + 1), [&] {
    return sampler->draw({.epoch = epoch, .samples = samples, .available = available},
                         Random{seed, epoch, kOrderStream});
  });
  if (indexes.size() != samples)
    throw PluginError("/sampler", "gave " + std::to_string(indexes.size()) + " samples for epoch " +
                                      std::to_string(epoch + 1) + ", and " + std::to_string(samples) +
                                      " were requested");
  std::vector<std::size_t> times(available);
  Epoch drawn;
  drawn.reserve(samples);
  for (const auto index : indexes) {
    if (index >= available)
      throw PluginError("/sampler",
                        "gave the sample " + std::to_string(index) + ", and the data has " + std::to_string(available));
    drawn.emplace_back(index, times[index]++);
  }
  return drawn;
}

}  // namespace sectile
