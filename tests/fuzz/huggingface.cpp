// Folders of Hugging Face: the bytes as the network's file, and as that of the preprocessing beside a sound one.
#include "fuzz.h"
#include "ground/spec/spec_file.h"
#include "ground/weights/huggingface_folder.h"

using namespace sectile;

int test::LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const Scratch folders;
  static const auto sound = folders.write("b/config.json", R"({"model_type": "segformer"})");
  const auto text = text_of(bytes, size);
  folders.write("a/config.json", text);
  folders.write("b/preprocessor_config.json", text);
  for (const char* name : {"a", "b"})
    read_or_refuse([&] { load_spec_text(huggingface_spec(folders / name).text, name, {}); });
  return 0;
}
