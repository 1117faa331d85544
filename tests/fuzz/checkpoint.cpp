// Checkpoints and other files of weights.
#include "upper/weights/checkpoint.h"
#include "fuzz.h"
#include "upper/weights/files/weights_file.h"

using namespace sectile;

int test::LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto file = file_of(text_of(bytes, size));
  read_or_refuse([&] { load_checkpoint(file); });
  read_or_refuse([&] { read_weights(file); });
  return 0;
}
