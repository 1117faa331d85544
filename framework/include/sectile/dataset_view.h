// A selection of another dataset's samples, in any order: the base of subset and k_fold.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sectile/data/label_files.h>
#include <sectile/dataset.h>

namespace sectile {

// Sample i is sample indices[i] of the other dataset, unchanged, including its id.
class DatasetView : public Dataset, public LabelFiles {
 public:
  DatasetView(std::shared_ptr<const Dataset> dataset, std::vector<std::size_t> indices)
      : dataset_(std::move(dataset)), indices_(std::move(indices)) {}

  std::size_t size() const override { return indices_.size(); }
  using Dataset::read;
  Sample read(std::size_t index, Parts wanted) const override { return dataset_->read(indices_.at(index), wanted); }
  const LabelMap& labels() const override { return dataset_->labels(); }
  std::optional<std::vector<std::filesystem::path>> label_files() const override { return label_files_of(*dataset_); }
  Extent extent_of(std::size_t index) const override { return dataset_->extent_of(indices_.at(index)); }
  std::vector<int> classes_of(std::size_t index) const override { return dataset_->classes_of(indices_.at(index)); }
  std::string id_of(std::size_t index) const override { return dataset_->id_of(indices_.at(index)); }
  std::int64_t image_id_of(std::size_t index) const override { return dataset_->image_id_of(indices_.at(index)); }

 private:
  std::shared_ptr<const Dataset> dataset_;
  std::vector<std::size_t> indices_;
};

}  // namespace sectile
