// Which files a dataset reads labels from, so that results about them need not be computed again in each run.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

// Role of a dataset, found by dynamic_cast. Whatever may change its labels, besides its options: masks, annotations,
// lists, tables of classes. Nothing if they cannot be named, as of a dataset inside without this role.
class SECTILE_EXPORT LabelFiles {
 public:
  virtual ~LabelFiles();
  virtual std::optional<std::vector<std::filesystem::path>> label_files() const = 0;  // in the order of the samples
};

}  // namespace sectile
