// Which samples are used in which step.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <sectile/sampler.h>

#include "../loading/sample_source.h"

namespace sectile {

// Samples form batches, batches form steps (several per step with gradient accumulation), steps form epochs. A pure
// function of these numbers and the sampler, so that a run can resume within an epoch with the same result.
struct TrainingPlan {
  std::shared_ptr<const Sampler> sampler;
  std::size_t available = 1;   // in the data
  std::size_t samples = 1;     // of an epoch
  std::size_t batch = 1;       // samples; the last one of an epoch may be smaller unless it is dropped
  std::size_t accumulate = 1;  // batches per step; the last step of an epoch may have fewer
  bool drop_last = true;
  std::size_t whole_epochs = 1;
  std::optional<std::int64_t> stop_after;  // steps; takes precedence over whole_epochs
  std::uint64_t seed = 0;

  // An epoch with fewer samples than one batch is a single batch, regardless of drop_last.
  std::size_t batches() const;  // of an epoch
  std::int64_t steps_per_epoch() const;
  std::int64_t steps() const;
  std::size_t epochs() const;  // started
  std::int64_t total_batches() const { return first_batch(steps()); }

  std::size_t epoch_of(std::int64_t step) const;      // 0 …
  std::int64_t first_batch(std::int64_t step) const;  // counted over all epochs

  std::size_t size(std::int64_t batch_number) const;  // in samples
  std::size_t epoch_of_batch(std::int64_t batch_number) const;
  // The sample, and which of its occurrences; or the one that comes so many samples later, which may be in a later
  // epoch, in its place. May be called from any thread. Throws PluginError for a sampler that violates its contract.
  Occasion occasion(std::int64_t batch_number, std::size_t part, std::size_t later = 0) const;

  // The sampler's indexes for one epoch, with how often each index came before.
  using Epoch = std::vector<std::pair<std::size_t, std::size_t>>;
  Epoch draw(std::size_t epoch) const;
};

}  // namespace sectile
