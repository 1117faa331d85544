// Files of classes, with values or colors.
#include "small_dataset.h"

using namespace sectile;

int test::LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const SmallDataset dataset;
  dataset.read("classes_file", text_of(bytes, size), R"(, "images": "images", "masks": "masks")");
  return 0;
}
