// What the user should know about a component, although nothing is wrong.
#pragma once

#include <string>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

// Role of a dataset, found by dynamic_cast right after it is built, also inside another dataset: files that it leaves
// out, channels that it does not use. The host shows them.
class SECTILE_EXPORT Notes {
 public:
  virtual ~Notes();
  virtual std::vector<std::string> notes() const = 0;  // a line each, with the file
};

// Role of a dataset, found likewise: annotations that are wrong, and that it therefore leaves out. Where data is used,
// they are notes; where it is checked, faults.
class SECTILE_EXPORT LeftOut {
 public:
  virtual ~LeftOut();
  virtual std::vector<std::string> left_out() const = 0;  // a line each, with the file
};

}  // namespace sectile
