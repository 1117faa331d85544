// The same samples several times per epoch: for small datasets, and to increase the weight of one part of a concat.
#include <stdexcept>

#include <sectile/data/label_files.h>
#include <sectile/dataset.h>

namespace {

struct RepeatOptions {
  sectile::Ref<sectile::Dataset> dataset;
  int times = 0;

  void declare(sectile::Options& options) {
    options.add("dataset", &dataset, "Dataset to repeat.").required();
    options.add("times", &times, "Number of repetitions per epoch. The whole order is repeated.")
        .required()
        .at_least(1);
  }
};

class Repeat final : public sectile::Dataset, public sectile::LabelFiles {
 public:
  Repeat(const RepeatOptions& options, const sectile::BuildContext& context)
      : dataset_(options.dataset.build(context)), size_(dataset_->size() * static_cast<std::size_t>(options.times)) {}

  std::size_t size() const override { return size_; }
  const sectile::LabelMap& labels() const override { return dataset_->labels(); }
  std::optional<std::vector<std::filesystem::path>> label_files() const override {
    return sectile::label_files_of(*dataset_);
  }
  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    return dataset_->read(original(index), wanted);
  }
  sectile::Extent extent_of(std::size_t index) const override { return dataset_->extent_of(original(index)); }
  std::vector<int> classes_of(std::size_t index) const override { return dataset_->classes_of(original(index)); }
  std::string id_of(std::size_t index) const override { return dataset_->id_of(original(index)); }
  std::int64_t image_id_of(std::size_t index) const override { return dataset_->image_id_of(original(index)); }

 private:
  std::size_t original(std::size_t index) const {
    if (index >= size_) throw std::out_of_range("repeat: there is no sample " + std::to_string(index));
    return index % dataset_->size();
  }

  std::shared_ptr<const Dataset> dataset_;
  std::size_t size_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::dataset<Repeat, RepeatOptions>("repeat",
                                                       "Another dataset, each sample several times in an epoch."))
