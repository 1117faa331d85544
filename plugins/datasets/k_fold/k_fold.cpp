// Cross-validation: a dataset in equal folds, one of which is held out. Without a seed, the folds are those of
// scikit-learn's KFold(shuffle=False): contiguous ranges, of which the first size % folds have one sample more.
#include <algorithm>
#include <map>
#include <numeric>

#include <sectile/dataset_view.h>
#include <sectile/random.h>

namespace {

enum class Part { train, val };

struct KFoldOptions {
  sectile::Ref<sectile::Dataset> dataset;
  int folds = 5;
  int fold = 0;
  Part part = Part::train;
  std::optional<std::int64_t> seed;
  std::string group;

  void declare(sectile::Options& options) {
    options.add("dataset", &dataset, "Dataset to split.").required();
    options.add("fold", &fold, "Fold to hold out, from 0.").at_least(0);
    options.add("folds", &folds, "Number of folds. Their sizes differ by at most one sample.").at_least(2);
    options.add("part", &part, "train: all folds but the held-out one; val: the held-out one.")
        .one_of({"train", "val"});
    options
        .add("seed", &seed,
             "Shuffle with this seed before splitting. Use the same for train and val. Default: contiguous folds.")
        .at_least(0);
    options.add("group", &group,
                "Keep groups of samples in one fold, such as the slices of a patient: a pattern for the start of a "
                "sample's name, with one * for the group (the shortest match), such as \"patient*_\". Folds then have "
                "equal numbers of groups. Default: no groups.");
  }
  void check(sectile::Problems& problems) const {
    if (fold >= folds)
      problems.add("fold", std::to_string(fold) + " is none of " + std::to_string(folds) + " folds, numbered from 0");
    const auto star = group.find('*');
    if (!group.empty() && (star == std::string::npos || group.find('*', star + 1) != std::string::npos))
      problems.add("group", "\"" + group + "\" must have exactly one *");
  }
};

std::string group_of(const std::string& id, const std::string& pattern) {
  const auto star = pattern.find('*');
  const auto before = pattern.substr(0, star), after = pattern.substr(star + 1);
  const auto end = after.empty() ? id.size() : id.find(after, star);
  if (!id.starts_with(before) || end == std::string::npos)
    throw sectile::OptionError("group", "the sample \"" + id + "\" does not begin with \"" + pattern + "\"");
  return id.substr(star, end - star);
}

// Units are not split: a sample, or a group in the order of its first sample. Returns the unit of each sample.
std::vector<std::size_t> units(const sectile::Dataset& dataset, const std::string& pattern) {
  std::vector<std::size_t> unit(dataset.size());
  std::map<std::string, std::size_t> numbers;
  for (std::size_t i = 0; i < unit.size(); ++i)
    unit[i] = pattern.empty() ? i : numbers.emplace(group_of(dataset.id_of(i), pattern), numbers.size()).first->second;
  return unit;
}

std::vector<std::size_t> chosen(const KFoldOptions& options, const sectile::Dataset& dataset) {
  const auto unit = units(dataset, options.group);
  const auto count = unit.empty() ? 0 : *std::max_element(unit.begin(), unit.end()) + 1;
  const auto folds = static_cast<std::size_t>(options.folds), fold = static_cast<std::size_t>(options.fold);
  if (count < folds)
    throw sectile::OptionError("folds", std::to_string(folds) + " folds were requested, and the dataset has only " +
                                            std::to_string(count) + (options.group.empty() ? " samples" : " groups"));
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (options.seed) sectile::Random{static_cast<std::uint64_t>(*options.seed)}.shuffle(order);

  const auto begin = fold * (count / folds) + std::min(fold, count % folds);
  const auto end = begin + count / folds + (fold < count % folds ? 1 : 0);
  std::vector<bool> held_out(count);
  for (std::size_t i = begin; i < end; ++i) held_out[order[i]] = true;
  std::vector<std::size_t> samples;
  for (std::size_t i = 0; i < unit.size(); ++i)
    if (held_out[unit[i]] == (options.part == Part::val)) samples.push_back(i);
  return samples;
}

class KFold final : public sectile::DatasetView {
 public:
  KFold(const KFoldOptions& options, const sectile::BuildContext& context)
      : KFold(options, std::shared_ptr<const Dataset>(options.dataset.build(context))) {}

 private:
  KFold(const KFoldOptions& options, const std::shared_ptr<const Dataset>& dataset)
      : DatasetView(dataset, chosen(options, *dataset)) {}
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<KFold, KFoldOptions>(
                            "k_fold", "Another dataset in folds, one of which is held out: cross-validation."))
