// Shared libraries, of which the stamp is read.
#include <cstdlib>
#include <sstream>

#include "fuzz.h"
#include "ground/plugins/stamp_reader.h"

using namespace sectile;

int test::LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::istringstream library(text_of(bytes, size));
  const auto [stamps, problem] = read_stamps(library);
  if (stamps.empty() == problem.empty()) std::abort();
  return 0;
}
