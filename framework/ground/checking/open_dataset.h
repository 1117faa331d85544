// Datasets of a spec, opened and checked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sectile/context.h>
#include <sectile/dataset.h>
#include <sectile/error.h>

namespace sectile {

struct DataSpec;

// A spec's dataset, which must have samples and, if its labels are requested, classes; otherwise throws DataError at
// this pointer. notes: gets those of the dataset and of the datasets inside it, for the user; also what they leave out
// as wrong, unless there is a list for it.
std::shared_ptr<const Dataset> open_dataset(const Ref<Dataset>& recipe, BuildContext context,
                                            const std::string& pointer, std::vector<std::string>& notes,
                                            Parts wanted = {}, std::vector<std::string>* left_out = nullptr);

struct Split {
  std::string name;                     // train, val or test
  std::shared_ptr<const Dataset> data;  // null: it cannot be opened
  std::string problem;                  // why not
  std::vector<std::string> notes{}, left_out{};
};

// All splits of the spec, or only this one. Datasets need no classes. Throws SpecError if there is no such split.
std::vector<Split> open_splits(const DataSpec& spec, const std::string& only);

}  // namespace sectile
