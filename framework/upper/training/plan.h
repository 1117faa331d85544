// Which samples are seen when.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <sectile/sampler.h>

#include "../loading/sample_source.h"

namespace sectile {

// Samples make batches, batches make steps (several of them when gradients are accumulated), steps make epochs. A pure
// function of these numbers and the sampler, so that a run goes on in the middle of an epoch as if it had never
// stopped.
struct TrainingPlan {
  std::shared_ptr<const Sampler> sampler;
  std::size_t available = 1;   // in the data
  std::size_t samples = 1;     // of an epoch
  std::size_t batch = 1;       // samples; the last one of an epoch may be smaller where it is not dropped
  std::size_t accumulate = 1;  // batches of a step; the last step of an epoch may have fewer
  bool drop_last = true;
  std::size_t whole_epochs = 1;
  std::optional<std::int64_t> stop_after;  // steps; comes before whole_epochs
  std::uint64_t seed = 0;

  // An epoch with fewer samples than one batch is one batch, whatever drop_last says.
  std::size_t batches() const;  // of an epoch
  std::int64_t steps_per_epoch() const;
  std::int64_t steps() const;
  std::size_t epochs() const;  // begun ones
  std::int64_t total_batches() const { return first_batch(steps()); }

  std::size_t epoch_of(std::int64_t step) const;      // 0 …
  std::int64_t first_batch(std::int64_t step) const;  // counted over all epochs

  std::size_t size(std::int64_t batch_number) const;  // in samples
  std::size_t epoch_of_batch(std::int64_t batch_number) const;
  // Which sample, and which of its occurrences. From any thread. Throws PluginError for a sampler that breaks its
  // contract.
  Occasion occasion(std::int64_t batch_number, std::size_t part) const;

  // The sampler's choice for one epoch, with how often each index came before.
  using Epoch = std::vector<std::pair<std::size_t, std::size_t>>;
  Epoch draw(std::size_t epoch) const;
};

}  // namespace sectile
