// How often the classes occur in a dataset, and in which samples: found at the first call, without images, and kept in
// files, so that the next run does not read all labels again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sectile/dataset.h>

#include "../../ground/checking/class_weights.h"

namespace sectile {

// Where counts are kept. They are used only while the dataset's options and all its files of labels (LabelFiles) are as
// they were, by size and times; a dataset that cannot name them is counted in each run.
struct CountCache {
  std::filesystem::path folder{};  // empty: counts are not kept
  std::string identity{};          // of the dataset: its type, version and options
  double least_seconds = 0.5;      // counting less long is not worth a file

  // $SECTILE_CACHE/class_counts, or where the user's cache is; no folder if there is none.
  static CountCache of_user(std::string identity);
};

using ClassesOfSamples = std::vector<std::vector<int>>;  // ascending class numbers of each sample

// Copies share what was counted. BuildContext::count_pixels is one in training, from which losses also get the rest;
// BuildContext::list_classes calls a copy.
class ClassCounter {
 public:
  // skip_bad: samples that cannot be read are left out; otherwise counting throws their DataError.
  ClassCounter(std::shared_ptr<const Dataset> data, bool skip_bad, CountCache cache);

  const std::vector<ClassFrequency>& frequencies() const;
  std::vector<std::int64_t> operator()() const;  // pixels of each class

  // As Dataset::classes_of says, which reads no labels where the format tells; a sample that is left out has none.
  const ClassesOfSamples& classes_of_samples() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sectile
