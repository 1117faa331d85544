// Checkpoints and other files of weights.
#include "upper/weights/checkpoint.h"

#include <ATen/ATen.h>

#include "fuzz.h"
#include "upper/weights/files/weights_file.h"

using namespace sectile;

int test::LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto file = file_of(text_of(bytes, size));
  read_or_refuse([&] { load_checkpoint(file); });
  read_or_refuse([&] {
    for (const auto& [name, tensor] : read_weights(file).state) tensor.to(at::kDouble).sum();  // reads every value
  });
  return 0;
}
