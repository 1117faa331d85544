// Losses of the hard cases: a sum of other losses, named terms of an instance model, Hungarian matching with deep
// supervision, and labels that are only tags.
#include <algorithm>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>

#include <sectile/loss.h>

namespace {

using at::Tensor;

// Binary cross-entropy per class: overlapping classes, binary masks, soft labels of mixup.
class Bce final : public sectile::DenseLoss {
 protected:
  Tensor forward(const Tensor& logits, const Tensor& labels) const override {
    const auto known = (labels != sectile::kIgnore).unsqueeze(1);
    return forward_per_class(
        logits, at::where(known, at::one_hot(labels.clamp_min(0), logits.size(1)).movedim(-1, 1), sectile::kIgnore)
                    .to(at::kFloat));
  }
  Tensor forward_per_class(const Tensor& logits, const Tensor& labels) const override {
    const auto counts = (labels >= 0).to(at::kFloat);
    return at::binary_cross_entropy_with_logits(logits, labels.clamp_min(0), counts, {}, at::Reduction::Sum) /
           counts.sum().clamp_min(1);
  }
};

struct SumOptions {
  std::vector<sectile::Ref<sectile::Loss>> terms;
  std::map<std::string, double> factors;  // by type, on top of each term's own weight
  void declare(sectile::Options& options) {
    options.add("terms", &terms, "Losses to add up.").required().not_empty();
    options.add("factors", &factors, "Factor per loss type.").at_least(0);
  }
};

class Sum final : public sectile::Loss {
 public:
  Sum(const SumOptions& options, const sectile::BuildContext& context) {
    for (const auto& term : options.terms) {
      const auto factor = options.factors.find(term.type());
      terms_.push_back({term.type(), term.build(context),
                        term.common().weight * (factor == options.factors.end() ? 1 : factor->second)});
    }
  }
  sectile::LossTerms operator()(const sectile::Outputs& outputs, const sectile::Batch& batch) const override {
    sectile::LossTerms result;
    for (const auto& [name, loss, factor] : terms_)
      for (const auto& term : (*loss)(outputs, batch)) result.push_back({name + term.name, term.value * factor});
    return result;
  }

 private:
  struct Term {
    std::string name;
    std::shared_ptr<sectile::Loss> loss;
    double factor;
  };
  std::vector<Term> terms_;
};

// Goes with model toy_rcnn, which names what it sampled: class_logits [M, classes + 1], class_targets [M],
// mask_logits [P, S, S], mask_targets [P, S, S]; and centers [N, 1, H / 2, W / 2], whose target the model prepares.
class ToyRcnnLoss final : public sectile::Loss {
 public:
  sectile::LossTerms operator()(const sectile::Outputs& outputs, const sectile::Batch& batch) const override {
    const auto& masks = outputs.at("mask_logits");
    const auto mask =
        masks.size(0) == 0 ? masks.sum() : at::binary_cross_entropy_with_logits(masks, outputs.at("mask_targets"));
    return {{"classifier", at::cross_entropy_loss(outputs.at("class_logits"), outputs.at("class_targets"))},
            {"mask", mask},
            {"centers", at::binary_cross_entropy_with_logits(outputs.at("centers"), batch.targets.at("centers"))}};
  }
};

// The assignment of least cost: rows ≤ columns; returns the column of each row. (Kuhn-Munkres with potentials, O(n²m).)
std::vector<int> assign(const Tensor& cost) {
  const int n = static_cast<int>(cost.size(0)), m = static_cast<int>(cost.size(1));
  const auto a = cost.accessor<float, 2>();
  std::vector<double> u(n + 1), v(m + 1);
  std::vector<int> row(m + 1), way(m + 1), result(n);
  for (int i = 1; i <= n; ++i) {
    row[0] = i;
    int column = 0;
    std::vector<double> least(m + 1, std::numeric_limits<double>::infinity());
    std::vector<char> used(m + 1);
    do {
      used[column] = 1;
      const int current = row[column];
      double delta = std::numeric_limits<double>::infinity();
      int next = 0;
      for (int j = 1; j <= m; ++j) {
        if (used[j]) continue;
        const double reduced = a[current - 1][j - 1] - u[current] - v[j];
        if (reduced < least[j]) least[j] = reduced, way[j] = column;
        if (least[j] < delta) delta = least[j], next = j;
      }
      for (int j = 0; j <= m; ++j) used[j] ? (u[row[j]] += delta, v[j] -= delta) : (least[j] -= delta);
      column = next;
    } while (row[column] != 0);
    for (int previous; column != 0; column = previous) previous = way[column], row[column] = row[previous];
  }
  for (int j = 1; j <= m; ++j)
    if (row[j]) result[row[j] - 1] = j - 1;
  return result;
}

// Goes with model toy_queries: class_logits [N, Q, classes + 1], mask_logits [N, Q, h, w]. Truth is a set of segments,
// or of instances. Called for the last layer and, by the host, for every layer in Outputs::auxiliary.
class QueryMatching final : public sectile::Loss {
 public:
  bool reads_values() const override { return true; }  // for matching
  sectile::LossTerms operator()(const sectile::Outputs& outputs, const sectile::Batch& batch) const override {
    const auto& classes = outputs.at("class_logits");
    const auto& masks = outputs.at("mask_logits");
    const auto none = classes.size(2) - 1;
    auto class_loss = classes.sum() * 0, mask_loss = masks.sum() * 0;
    for (std::int64_t n = 0; n < classes.size(0); ++n) {
      std::vector<std::int64_t> categories;
      std::vector<Tensor> truths;
      for (const auto& instance : batch.truth[static_cast<std::size_t>(n)].instances) {
        const auto bits = instance.mask.bitmap();
        auto whole = at::zeros(batch.images.sizes().slice(2));
        whole.narrow(0, 0, bits.rows)
            .narrow(1, 0, bits.cols)
            .copy_(at::from_blob(bits.data, {bits.rows, bits.cols}, at::kByte));
        truths.push_back(at::adaptive_avg_pool2d(whole.unsqueeze(0), masks.sizes().slice(2))[0]);
        categories.push_back(instance.category);
      }
      auto targets = at::full({classes.size(1)}, none, at::kLong);
      if (!truths.empty()) {
        const auto truth = at::stack(truths).flatten(1);  // [T, hw]
        const auto mask = masks[n].flatten(1);            // [Q, hw]
        const auto wanted = at::tensor(at::ArrayRef<std::int64_t>(categories));
        const auto cost = (at::softplus(mask).mean(1).unsqueeze(0) - truth.matmul(mask.t()) / truth.size(1) -
                           classes[n].softmax(-1).index_select(1, wanted).t())
                              .detach()
                              .contiguous();
        const auto chosen = assign(cost);
        for (std::size_t t = 0; t < chosen.size(); ++t) {
          targets[chosen[t]] = categories[t];
          mask_loss =
              mask_loss + at::binary_cross_entropy_with_logits(mask[chosen[t]], truth[static_cast<std::int64_t>(t)]) /
                              double(chosen.size());
        }
      }
      class_loss = class_loss + at::cross_entropy_loss(classes[n], targets);
    }
    return {{"class", class_loss / classes.size(0)}, {"mask", mask_loss / classes.size(0)}};
  }
};

// Weak supervision: the best pixel of a class must say whether the class is there.
class Tags final : public sectile::Loss {
 public:
  sectile::LossTerms operator()(const sectile::Outputs& outputs, const sectile::Batch& batch) const override {
    if (!batch.tags.defined()) throw sectile::PluginError("tags", "the batch has no tags");
    return {{"", at::binary_cross_entropy_with_logits(outputs.logits.flatten(2).amax(2), batch.tags)}};
  }
};

// Mean absolute difference of an output and a target, both float [N, C, …], whatever they are.
class Absolute final : public sectile::Loss {
 public:
  sectile::LossTerms operator()(const sectile::Outputs& outputs, const sectile::Batch& batch) const override {
    return {{"", (outputs.logits.sigmoid() - batch.labels).abs().mean()}};
  }
};

// Cross entropy against labels of the logits' size: the full-size tensor of scores is never made.
class Coarse final : public sectile::DenseLoss {
 protected:
  bool at_own_resolution() const override { return true; }
  Tensor forward(const Tensor& logits, const Tensor& labels) const override {
    const auto stride = labels.size(-1) / logits.size(-1);
    if (stride < 2) throw sectile::PluginError("toy_coarse", "was given up-sampled logits");
    return at::cross_entropy_loss(logits, labels.slice(1, 0, {}, stride).slice(2, 0, {}, stride), {},
                                  at::Reduction::Mean, sectile::kIgnore);
  }
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Bce>("toy_bce", "Binary cross-entropy per class."),
               sectile::loss<Sum, SumOptions>("toy_sum", "A weighted sum of other losses."),
               sectile::loss<ToyRcnnLoss>("toy_rcnn", "Terms of model toy_rcnn."),
               sectile::loss<QueryMatching>("toy_query_matching", "Hungarian matching of queries and objects."),
               sectile::loss<Tags>("toy_tags", "From the classes known to be present."),
               sectile::loss<Absolute>("toy_absolute", "Absolute difference of an output and a target."),
               sectile::loss<Coarse>("toy_coarse", "Cross entropy at the logits' own resolution."))
