// Other classes for a dataset: merged, renamed, reordered or ignored.

#include <sectile/dataset.h>

#include "class_mapping.h"

namespace {

using remap::Mapping;

struct RemapOptions {
  sectile::Ref<sectile::Dataset> dataset;
  remap::Request request;

  void declare(sectile::Options& options) {
    options.add("dataset", &dataset, "Dataset to take samples from.").required();
    request.declare(options);
  }
  void check(sectile::Problems& problems) const { request.check(problems); }
};

class Remap final : public sectile::Dataset {
 public:
  Remap(const RemapOptions& options, const sectile::BuildContext& context)
      : dataset_(options.dataset.build(context)), mapping_(options.request, dataset_->labels()) {}

  std::size_t size() const override { return dataset_->size(); }
  const sectile::LabelMap& labels() const override { return mapping_.labels(); }
  sectile::Extent extent_of(std::size_t index) const override { return dataset_->extent_of(index); }
  std::string id_of(std::size_t index) const override { return dataset_->id_of(index); }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    auto sample = dataset_->read(index, wanted);
    mapping_.apply(sample);
    return sample;
  }
  std::vector<int> classes_of(std::size_t index) const override { return mapping_.apply(dataset_->classes_of(index)); }

 private:
  std::shared_ptr<const Dataset> dataset_;
  Mapping mapping_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<Remap, RemapOptions>(
                            "remap", "Another dataset with its classes merged, renamed, reordered or ignored."))
