// What the samples of a file that lists images are called.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include <sectile/abi.h>

namespace sectile {

// The names of their files, with folders, without suffix, and without a way out of a folder of results.
class SECTILE_EXPORT SampleNames {
 public:
  // "image 17", with its id, for an image that cannot be used: `fault` says why, or is set here for a file without a
  // name, or with that of an image that was added before.
  std::string add(const std::string& file_name, std::int64_t id, std::string& fault);

 private:
  std::set<std::string> names_;
};

}  // namespace sectile
