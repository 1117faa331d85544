// Pickles, in an archive that is sound.
#include "fuzz.h"
#include "support/hostile.h"
#include "upper/weights/files/torch/torch_file.h"

using namespace sectile;

int test::LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto file = file_of(zip_of({{"archive/data.pkl", text_of(bytes, size)},
                                    {"archive/data/0", std::string(16, '\0')},
                                    {"archive/version", "3\n"}}));
  read_or_refuse([&] { read_torch_file(file); });
  return 0;
}
