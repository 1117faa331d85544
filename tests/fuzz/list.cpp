// Lists of samples.
#include "small_dataset.h"

using namespace sectile;

int test::LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const SmallDataset dataset;
  dataset.read("list", text_of(bytes, size), R"(, "classes": [{"name": "one", "value": 1}])");
  return 0;
}
