// Which files a dataset reads labels from, so that results about them need not be computed again in each run.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include <sectile/dataset.h>

namespace sectile {

// Role of a dataset, found by dynamic_cast. Whatever may change its labels, besides its options: masks, annotations,
// lists, tables of classes. Nothing if they cannot be named, as of a dataset inside without this role.
class SECTILE_EXPORT LabelFiles {
 public:
  virtual ~LabelFiles();
  virtual std::optional<std::vector<std::filesystem::path>> label_files() const = 0;  // in the order of the samples
};

// Of any dataset; nothing if it does not have the role.
SECTILE_EXPORT std::optional<std::vector<std::filesystem::path>> label_files_of(const Dataset& dataset);

// A member of each entry, such as its mask, where it is not empty.
template <class Entries, class Member>
std::vector<std::filesystem::path> files_of_entries(const Entries& entries, Member member) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : entries)
    if (!(entry.*member).empty()) files.push_back(entry.*member);
  return files;
}

}  // namespace sectile
