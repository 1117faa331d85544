// Writes the first inputs of the fuzzers that read checkpoints: fuzz_seeds FOLDER.
#include <ATen/ATen.h>

#include "support/hostile.h"
#include "support/scratch.h"
#include "upper/weights/checkpoint.h"
#include "upper/weights/files/torch/zip_file.h"

using namespace sectile;

namespace {

Checkpoint small_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.spec = R"({"model": {"type": "unet"}})";
  checkpoint.model_type = "unet";
  checkpoint.plugins = {{"model", "unet", "1.0.0"}};
  checkpoint.labels.classes.resize(1);
  checkpoint.labels.classes[0].name = "road";
  checkpoint.metric = 0.5;
  checkpoint.model = {{"weight", at::ones({2, 2})}, {"count", at::ones({}, at::kLong)}};
  checkpoint.ema = checkpoint.model;
  return checkpoint;
}

}  // namespace

int main(int, char** arguments) {
  const std::filesystem::path folder = arguments[1];
  auto checkpoint = small_checkpoint();
  save_checkpoint(folder / "best.pth", checkpoint);
  checkpoint.resumption.emplace();
  checkpoint.resumption->optimizer = PythonDict{{"state", PythonDict{{0, at::ones({1})}}}};
  checkpoint.resumption->data["train"] = {4, "0123"};
  save_checkpoint(folder / "last.pth", checkpoint);
  std::ofstream(folder / "last.pkl") << ZipFile(MappedFile(folder / "last.pth")).read("data.pkl");
  std::ofstream(folder / "tensor.pkl") << "\x80\2" + test::tensor_value(test::storage_value(4), "K\2K\2", "K\2K\1") +
                                              ".";
}
