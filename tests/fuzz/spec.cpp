// Specs in files, and inside checkpoints.
#include "fuzz.h"
#include "ground/spec/pipeline_spec.h"
#include "ground/spec/spec_file.h"
#include "support/component.h"

using namespace sectile;

int test::LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = text_of(bytes, size);
  read_or_refuse([&] { resolved_text(read_spec(plugins(), load_spec(file_of(text)))); });
  read_or_refuse([&] {
    const EmbeddedSpec about{.checkpoint = "last.pth", .parts = network_parts()};
    read_spec(plugins(), load_embedded(text, about));
  });
  return 0;
}
