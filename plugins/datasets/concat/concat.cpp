// Concatenation of datasets with the same classes.
#include <algorithm>

#include <sectile/data/label_files.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>

namespace {

struct ConcatOptions {
  std::vector<sectile::Ref<sectile::Dataset>> datasets;

  void declare(sectile::Options& options) {
    options
        .add("datasets", &datasets,
             "Datasets to concatenate. Their classes must have the same names and order. Colors and numbers of "
             "classes in files of predictions are those of the first. Sample names are kept, and are unique only if "
             "they are unique across all datasets.")
        .required()
        .not_empty();
  }
};

// Numbers of classes in files that are not those of the first dataset. Empty: none.
std::string other_numbers(const sectile::LabelMap& labels, const sectile::LabelMap& first) {
  std::string all;
  for (std::size_t i = 0; i < labels.classes.size(); ++i) {
    const auto &one = labels.classes[i], &its = first.classes[i];
    if (one.category_id < 0 || its.category_id < 0 || one.category_id == its.category_id) continue;
    all += (all.empty() ? "\"" : ", \"") + one.name + "\" has " + std::to_string(one.category_id) + ", and not " +
           std::to_string(its.category_id);
  }
  return all;
}

class Concat final : public sectile::Dataset, public sectile::Notes, public sectile::LabelFiles {
 public:
  Concat(const ConcatOptions& options, const sectile::BuildContext& context) {
    for (std::size_t i = 0; i < options.datasets.size(); ++i) {
      parts_.push_back(options.datasets[i].build(context));
      ends_.push_back(size() + parts_.back()->size());
      const auto found = parts_.back()->labels().difference(labels());
      if (!found.empty())
        throw sectile::OptionError("datasets/" + std::to_string(i),
                                   "differs from datasets/0: " + found + "; concat joins datasets of the same classes");
      if (const auto numbers = other_numbers(parts_.back()->labels(), labels()); !numbers.empty())
        notes_.push_back("datasets/" + std::to_string(i) +
                         " of a concat has other numbers of classes in its files than " +
                         "datasets/0, whose numbers files of predictions have: " + numbers);
    }
  }

  std::vector<std::string> notes() const override { return notes_; }
  std::size_t size() const override { return ends_.empty() ? 0 : ends_.back(); }
  const sectile::LabelMap& labels() const override { return parts_.front()->labels(); }
  std::optional<std::vector<std::filesystem::path>> label_files() const override {
    std::vector<std::filesystem::path> all;
    for (const auto& part : parts_) {
      const auto files = sectile::label_files_of(*part);
      if (!files) return std::nullopt;
      all.insert(all.end(), files->begin(), files->end());
    }
    return all;
  }
  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const auto [part, number] = find(index);
    return part.read(number, wanted);
  }
  sectile::Extent extent_of(std::size_t index) const override {
    const auto [part, number] = find(index);
    return part.extent_of(number);
  }
  std::vector<int> classes_of(std::size_t index) const override {
    const auto [part, number] = find(index);
    return part.classes_of(number);
  }
  std::string id_of(std::size_t index) const override {
    const auto [part, number] = find(index);
    return part.id_of(number);
  }
  std::int64_t image_id_of(std::size_t index) const override {
    const auto [part, number] = find(index);
    return part.image_id_of(number);
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
  std::vector<std::size_t> ends_;  // the index after the last sample of each part
  std::vector<std::string> notes_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::dataset<Concat, ConcatOptions>("concat",
                                                       "Several datasets of the same classes, one after the other."))
