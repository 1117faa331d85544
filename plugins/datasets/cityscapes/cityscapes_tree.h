// Which files of Cityscapes' folders belong to a split.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cityscapes_labels.h"

namespace cityscapes {

struct Entry {
  std::string name;  // frankfurt_000000_000294
  std::filesystem::path image;
  std::filesystem::path labels;  // empty: unlabelled
  Encoding encoding = Encoding::label_ids;
  std::filesystem::path objects;  // file of instance ids; empty: not asked for
};

struct Request {
  std::filesystem::path root;  // the folder of leftImg8bit
  std::string split;
  std::string annotations;  // gtFine or gtCoarse
  std::vector<std::string> cities;
  Labels labels = Labels::train_ids;
  bool objects = false;
};

// By city and name. Only the split "test" may be without labels. Throws OptionError and DataError.
std::vector<Entry> find_entries(const Request& request);

}  // namespace cityscapes
