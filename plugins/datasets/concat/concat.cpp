// Several data sets of the same classes, one after the other.
#include <algorithm>

#include <sectile/dataset.h>

namespace {

struct ConcatOptions {
  std::vector<sectile::Ref<sectile::Dataset>> datasets;

  void declare(sectile::Options& options) {
    options
        .add("datasets", &datasets,
             "The data sets, one after the other. Their classes must be the same in name and order. Samples keep their "
             "names, which are unique only if they were so across all of them.")
        .required()
        .not_empty();
  }
};

// What the second says otherwise than the first, or nothing.
std::string difference(const sectile::LabelMap& first, const sectile::LabelMap& second) {
  if (first.overlapping != second.overlapping)
    return second.overlapping ? "its classes may overlap, and those of datasets/0 may not"
                              : "its classes may not overlap, and those of datasets/0 may";
  const auto& theirs = first.classes;
  const auto& own = second.classes;
  for (std::size_t i = 0; i < std::min(theirs.size(), own.size()); ++i) {
    const std::string place = "its class " + std::to_string(i) + " is \"" + own[i].name + "\"";
    if (own[i].name != theirs[i].name) return place + ", and that of datasets/0 \"" + theirs[i].name + "\"";
    if (own[i].thing != theirs[i].thing)
      return place + (own[i].thing ? " as things" : " as stuff") + ", and that of datasets/0 is not";
  }
  if (own.size() == theirs.size()) return "";
  return "it has " + std::to_string(own.size()) + " classes, and datasets/0 has " + std::to_string(theirs.size());
}

class Concat final : public sectile::Dataset {
 public:
  Concat(const ConcatOptions& options, const sectile::BuildContext& context) {
    for (std::size_t i = 0; i < options.datasets.size(); ++i) {
      parts_.push_back(options.datasets[i].build(context));
      ends_.push_back(size() + parts_.back()->size());
      const auto found = difference(labels(), parts_.back()->labels());
      if (!found.empty())
        throw sectile::DataError("datasets/" + std::to_string(i), found + "; concat joins data sets of equal classes");
    }
  }

  std::size_t size() const override { return ends_.empty() ? 0 : ends_.back(); }
  const sectile::LabelMap& labels() const override { return parts_.front()->labels(); }
  sectile::Sample read(std::size_t index) const override {
    const auto [part, number] = find(index);
    return part.read(number);
  }
  std::vector<int> classes_of(std::size_t index) const override {
    const auto [part, number] = find(index);
    return part.classes_of(number);
  }
  std::string id_of(std::size_t index) const override {
    const auto [part, number] = find(index);
    return part.id_of(number);
  }

 private:
  struct Place {
    const Dataset& part;
    std::size_t number;
  };
  Place find(std::size_t index) const {
    const auto part = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin());
    return {*parts_.at(part), part == 0 ? index : index - ends_[part - 1]};
  }

  std::vector<std::shared_ptr<const Dataset>> parts_;
  std::vector<std::size_t> ends_;  // the first number behind each part
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::dataset<Concat, ConcatOptions>("concat",
                                                       "Several data sets of the same classes, one after the other."))
