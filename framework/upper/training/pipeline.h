// A network in training, with its data and losses.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sectile/loss.h>

#include "../network/network.h"
#include "plan.h"

namespace sectile {

struct Prepared {
  Sample sample;
  std::vector<std::string> bad;  // errors of samples that could not be read
};

class Pipeline : public Network {
 public:
  // Classes, channels and dimensions come from the training data. initial_weights: load the weights files that the spec
  // names; a run that is resumed does not need them. Throws SpecError, PluginError, DataError.
  static Pipeline for_training(const PluginIndex& index, PipelineSpec spec, const at::Device& device,
                               bool initial_weights = true);

  // As much of it as can be built, with everything that is wrong. Parts are missing then: datasets and transforms, the
  // model, losses. If the training data cannot be opened, the classes are those of other data of the spec.
  static Pipeline as_far_as_possible(const PluginIndex& index, PipelineSpec spec, const at::Device& device,
                                     bool initial_weights, AllProblems& all);

  Pipeline(Pipeline&&) = default;

  // A training sample after its transforms; if the spec skips bad samples, it is replaced by the next one of the data
  // that can be read. Depends only on the seed and the occasion; called from several threads at once.
  Prepared prepare(const Occasion& when) const;
  // The same of a run, where it is replaced by the next one that the sampler gives, in this epoch or a later one.
  Prepared prepare(const TrainingPlan& plan, std::int64_t batch_number, std::size_t part) const;

  struct NamedTerm {
    std::string name;  // "dice", "dice_2" of the second one, "auxiliary0/dice", "edges/dice" of another output
    at::Tensor value;  // unweighted
    double share = 1;  // of this batch in the step
  };
  // The weighted sum, and its terms. shares: this batch's, from shares(); empty: it is the whole step. Throws SpecError
  // for an output, a target or weights of auxiliary outputs that the spec names and the model or the data do not have,
  // PluginError for a loss that returns no scalar with a gradient.
  std::pair<at::Tensor, std::vector<NamedTerm>> loss(const Outputs& outputs, const Batch& batch,
                                                     const std::vector<double>& shares = {}) const;
  // How much each batch of a step counts in each loss, [batch][loss], so that the step is that of one large batch: by
  // what the loss averages over (MeanLoss), or by the number of images.
  std::vector<std::vector<double>> shares(const std::vector<Batch>& batches) const;

  SampleSource training;

 private:
  using Network::Network;
  void open_data(AllProblems& all);
  void refuse_missing_weights() const;
  bool measure_sample(AllProblems& all);
  Prepared first_usable(std::size_t most, const std::function<Occasion(std::size_t tries)>& occasion) const;
  void refuse_targets_by_chance(AllProblems& all) const;
  void note_unread_targets();
  bool note_chance_of_normalizing();  // whether there is any
  void note_other_statistics(const Prepared& first);
  void build_losses(const PluginIndex& index, AllProblems& all);

  struct WeighedLoss {
    std::shared_ptr<Loss> loss;
    Kind<Loss>::Common common;
    std::string name;
    std::string pointer;
  };
  static double counted(const WeighedLoss& one, const Batch& batch);
  LossTerms terms_of(const WeighedLoss& one, const Outputs& from, const Batch& truth) const;
  // Throws PluginError if they are not what Loss promises.
  static void check_terms(const WeighedLoss& one, const LossTerms& terms, bool wants_gradient);
  std::vector<WeighedLoss> losses_;
};

}  // namespace sectile
