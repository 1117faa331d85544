// Other classes for a dataset: merged, renamed, reordered or ignored.
#include <filesystem>

#include <sectile/data/label_files.h>
#include <sectile/data/options_file.h>
#include <sectile/dataset.h>

#include "class_mapping.h"

namespace {

using remap::Mapping;
using remap::Others;

struct RemapOptions {
  sectile::Ref<sectile::Dataset> dataset;
  remap::ClassList list;
  std::filesystem::path classes_file;
  Others others = Others::keep;

  void declare(sectile::Options& options) {
    options.add("dataset", &dataset, "Dataset to take samples from.").required();
    list.declare(options);
    options.add("classes_file", &classes_file,
                "JSON file with \"classes\" and \"ignore\", instead of these options, to share between datasets.");
    options
        .add("others", &others,
             "Classes that neither \"classes\" nor \"ignore\" names: keep them behind the new ones, ignore them, or "
             "report an error, to be sure that none is forgotten.")
        .one_of({"keep", "ignore", "error"});
  }
  void check(sectile::Problems& problems) const {
    list.check(problems);
    if (!classes_file.empty() && (!list.classes.empty() || !list.ignore.empty()))
      problems.add("classes_file", "cannot be combined with classes or ignore");
  }
};

Mapping mapping_of(const RemapOptions& options, const sectile::LabelMap& old) {
  const auto& file = options.classes_file;
  if (file.empty()) return {options.list, options.others, old};
  try {
    return {sectile::read_options<remap::ClassList>(file), options.others, old};
  } catch (const sectile::OptionError& error) {  // of what the file says, and not of an option in the spec
    const auto& problem = error.problems().front();
    if (problem.pointer == "others") throw;
    throw sectile::DataError(file.string(), problem.pointer + ": " + problem.message);
  }
}

class Remap final : public sectile::Dataset, public sectile::LabelFiles {
 public:
  Remap(const RemapOptions& options, const sectile::BuildContext& context)
      : dataset_(options.dataset.build(context)),
        mapping_(mapping_of(options, dataset_->labels())),
        classes_file_(options.classes_file) {}

  std::size_t size() const override { return dataset_->size(); }
  const sectile::LabelMap& labels() const override { return mapping_.labels(); }
  std::optional<std::vector<std::filesystem::path>> label_files() const override {
    auto files = sectile::label_files_of(*dataset_);
    if (files && !classes_file_.empty()) files->push_back(classes_file_);
    return files;
  }
  sectile::Extent extent_of(std::size_t index) const override { return dataset_->extent_of(index); }
  std::string id_of(std::size_t index) const override { return dataset_->id_of(index); }
  std::int64_t image_id_of(std::size_t index) const override { return dataset_->image_id_of(index); }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    auto sample = dataset_->read(index, wanted);
    mapping_.apply(sample);
    return sample;
  }
  std::vector<int> classes_of(std::size_t index) const override { return mapping_.apply(dataset_->classes_of(index)); }

 private:
  std::shared_ptr<const Dataset> dataset_;
  Mapping mapping_;
  std::filesystem::path classes_file_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<Remap, RemapOptions>(
                            "remap", "Another dataset with its classes merged, renamed, reordered or ignored."))
