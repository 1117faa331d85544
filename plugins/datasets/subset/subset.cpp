// Part of another dataset: samples by index, or a contiguous range, optionally shuffled.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <sectile/dataset_view.h>
#include <sectile/random.h>

namespace {

struct SubsetOptions {
  sectile::Ref<sectile::Dataset> dataset;
  std::vector<int> indices;
  std::optional<std::int64_t> seed;
  int skip = 0;
  std::optional<int> count;
  std::optional<double> fraction;

  void declare(sectile::Options& options) {
    options.add("dataset", &dataset, "Dataset to take samples from.").required();
    options.add("indices", &indices, "Sample indices, from 0, in this order; instead of the other options.")
        .at_least(0);
    options
        .add("seed", &seed,
             "Shuffle with this seed before skip, count and fraction are applied. Default: no shuffling.")
        .at_least(0);
    options.add("skip", &skip, "Number of samples to skip at the start.").at_least(0);
    options.add("count", &count, "Maximum number of samples, after skip. Default: all.").at_least(1);
    options
        .add("fraction", &fraction, "Like count, as a fraction of the dataset, 0 to 1; rounded, at least one sample.")
        .at_least(0)
        .at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (count && fraction) problems.add("fraction", "cannot be combined with \"count\"");
    if (indices.empty()) return;
    if (seed || skip || count || fraction)
      problems.add("indices", "cannot be combined with seed, skip, count or fraction");
    std::set<int> seen;
    for (std::size_t i = 0; i < indices.size(); ++i)
      if (!seen.insert(indices[i]).second)
        problems.add("indices/" + std::to_string(i), std::to_string(indices[i]) + " stands there already");
  }
};

std::vector<std::size_t> named(const std::vector<int>& indices, std::size_t size) {
  for (std::size_t i = 0; i < indices.size(); ++i)
    if (static_cast<std::size_t>(indices[i]) >= size)
      throw sectile::OptionError("indices/" + std::to_string(i), "there is no sample " + std::to_string(indices[i]) +
                                                                     ": the dataset has " + std::to_string(size) +
                                                                     ", numbered from 0");
  return {indices.begin(), indices.end()};
}

std::vector<std::size_t> stretch(const SubsetOptions& options, std::size_t size) {
  const auto skip = static_cast<std::size_t>(options.skip);
  if (skip >= size)
    throw sectile::OptionError("skip", "leaves out " + std::to_string(skip) + " samples, and the dataset has " +
                                           std::to_string(size) + ": none is left");
  auto count = size;
  if (options.count) count = static_cast<std::size_t>(*options.count);
  if (options.fraction)
    count =
        std::max<std::size_t>(1, static_cast<std::size_t>(std::llround(*options.fraction * static_cast<double>(size))));
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (options.seed) sectile::Random{static_cast<std::uint64_t>(*options.seed)}.shuffle(order);
  const auto begin = order.begin() + options.skip;
  return {begin, begin + static_cast<std::ptrdiff_t>(std::min(count, size - skip))};
}

class Subset final : public sectile::DatasetView {
 public:
  Subset(const SubsetOptions& options, const sectile::BuildContext& context)
      : Subset(options, std::shared_ptr<const Dataset>(options.dataset.build(context))) {}

 private:
  Subset(const SubsetOptions& options, const std::shared_ptr<const Dataset>& dataset)
      : DatasetView(dataset, options.indices.empty() ? stretch(options, dataset->size())
                                                     : named(options.indices, dataset->size())) {}
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<Subset, SubsetOptions>(
                            "subset", "Part of another dataset: by number, by count, or a share of it."))
