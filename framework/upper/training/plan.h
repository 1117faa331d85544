// Which samples are seen when: every epoch all of them, in an order of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "../loading/sample_source.h"

namespace sectile {

// Samples make batches, batches make steps (several of them when gradients are accumulated), steps make epochs. A pure
// function of these numbers, so that a run goes on in the middle of an epoch as if it had never stopped.
struct TrainingPlan {
  std::size_t samples = 1;
  std::size_t batch = 1;       // samples; the last one of an epoch may be smaller where it is not dropped
  std::size_t accumulate = 1;  // batches of a step; the last step of an epoch may have fewer
  bool drop_last = true;
  std::size_t epochs = 1;
  std::uint64_t seed = 0;

  // A data set smaller than one batch is one batch, whatever drop_last says.
  std::size_t batches() const;  // of an epoch
  std::int64_t steps_per_epoch() const;
  std::int64_t steps() const { return steps_per_epoch() * static_cast<std::int64_t>(epochs); }
  std::int64_t total_batches() const { return static_cast<std::int64_t>(batches() * epochs); }

  std::size_t epoch_of(std::int64_t step) const;      // 0 …
  std::int64_t first_batch(std::int64_t step) const;  // counted over all epochs; of steps(): total_batches()

  std::size_t size(std::int64_t batch_number) const;  // in samples
  std::size_t epoch_of_batch(std::int64_t batch_number) const;
  std::size_t index(std::int64_t batch_number, std::size_t part) const;  // of the data set; from any thread
};

}  // namespace sectile
