// How much memory the whole program asked for at once, C libraries included.
#pragma once

#include <cstddef>

// From its making on; one at a time.
class AllocationPeak {
 public:
  AllocationPeak();
  std::size_t bytes() const;  // beyond what was held then

 private:
  std::ptrdiff_t before_;
};
