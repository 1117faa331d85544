// Losses that compare predicted and true areas class by class: Dice, Jaccard, Tversky, … Each is one function of soft
// counts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/TensorOperators.h>

#include <sectile/loss.h>
#include <sectile/losses/class_target.h>
#include <sectile/roles.h>

namespace sectile {

// Sums over the pixels that count, with probabilities p and targets y; float64 [rows, C]. A row is a sample, or the
// whole batch of all ranks.
struct SoftCounts {
  at::Tensor overlap;    // of p * y: true positives
  at::Tensor predicted;  // of p, or of p * p
  at::Tensor truth;      // of y, or of y * y
  at::Tensor pixels;     // how many count

  at::Tensor false_positive() const { return predicted - overlap; }
  at::Tensor false_negative() const { return truth - overlap; }
};

struct SECTILE_EXPORT RegionLossOptions {
  enum class Over { batch, sample };
  enum class Absent { count, skip, zero };

  LossActivation activation = LossActivation::automatic;
  Over over = Over::batch;
  Absent absent = Absent::count;
  std::vector<std::string> include{};

  void declare(Options& options);
};

// The sums are made in one pass over the logits where their resolution is lower than that of the labels, without
// resizing them (see upsampled_softmax.h).
class SECTILE_EXPORT RegionLoss : public DenseLoss, public AcrossRanks {
 public:
  void use(std::shared_ptr<const Ranks> ranks) final;

 protected:
  // squared: predicted and truth are sums of squares.
  RegionLoss(const RegionLossOptions& options, const BuildContext& context, bool squared = false);

  // The loss of each row and class [rows, C], float64. Where nothing is predicted and nothing is true, it must be
  // finite, and so must its gradient.
  virtual at::Tensor per_class(const SoftCounts& counts) const = 0;
  // Of the included classes; a scalar. By default the mean of per_class over rows and classes, as "absent" says.
  virtual at::Tensor combined(const SoftCounts& counts) const;

  const RegionLossOptions& options() const { return options_; }

 private:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const final;
  at::Tensor forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const final;
  bool at_own_resolution() const final { return true; }

  SoftCounts of_numbers(const at::Tensor& logits, const at::Tensor& labels) const;
  SoftCounts per_class_counts(const at::Tensor& logits, const at::Tensor& labels) const;
  at::Tensor probabilities(const at::Tensor& logits) const;  // [N, C, pixels]
  at::Tensor reduced(SoftCounts counts, const at::Tensor& logits) const;

  RegionLossOptions options_;
  bool squared_, sigmoid_;
  at::Tensor included_;  // int64 class numbers; undefined: all
  std::shared_ptr<const Ranks> ranks_;
};

}  // namespace sectile
