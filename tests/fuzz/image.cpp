// Image files of all formats.
#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "fuzz.h"
#include "support/png_checksums.h"

using namespace sectile;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size, std::size_t most, unsigned) {
  size = LLVMFuzzerMutate(bytes, size, most);
  auto file = test::text_of(bytes, size);
  test::seal_png(file);
  std::copy(file.begin(), file.end(), bytes);
  return size;
}

int test::LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto file = file_of(text_of(bytes, size));
  read_or_refuse([&] { read_info(file); });
  read_or_refuse([&] { read_image(file); });
  for (int page = 0; page < 2; ++page) read_or_refuse([&] { read_raw_image(file, {.page = page}); });
  return 0;
}
