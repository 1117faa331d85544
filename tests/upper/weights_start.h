// A small network, and files of weights that it starts from.
#pragma once

#include <filesystem>
#include <string>

#include <ATen/ATen.h>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/training/trainer.h"
#include "upper/weights/files/torch/torch_file.h"
#include "upper/weights/loading.h"

namespace sectile::test {

namespace fs = std::filesystem;

inline const PluginIndex& plugins_and_toys() {
  static const PluginIndex index({SECTILE_BUILD_DIR "/lib/sectile/plugins", SECTILE_BUILD_DIR "/tests/plugins"});
  return index;
}

inline Pipeline pipeline(const std::string& changes = "{}") {
  SpecFile file;
  file.json = Json::parse(R"({
    "data": {"train": {"type": "synthetic", "count": 8, "size": [16, 16], "seed": 1},
             "val": {"type": "synthetic", "count": 2, "size": [16, 16], "seed": 2}},
    "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "toy", "backbone": {"type": "toy_attention"}},
    "loss": [{"type": "cross_entropy"}],
    "optimizer": {"type": "sgd", "lr": 0.1, "momentum": 0.9},
    "metrics": [{"type": "iou"}],
    "train": {"epochs": 2, "batch_size": 2, "workers": 0}
  })");
  file.json.merge_patch(Json::parse(changes));
  return Pipeline::for_training(plugins_and_toys(), read_spec(plugins_and_toys(), file), at::kCPU);
}

inline StateDict copy_of(torch::nn::Module& module) {
  StateDict copy;
  for (const auto& [name, tensor] : state_dict(module)) copy[name] = tensor.detach().clone();
  return copy;
}

// The weights of a network of another seed, so that nothing is there already that is to be loaded.
inline StateDict trained() { return copy_of(pipeline(R"({"train": {"seed": 7}})").model->module()); }

inline void move(StateDict& state, const std::string& from, const std::string& to) {
  auto node = state.extract(from);
  node.key() = to;
  state.insert(std::move(node));
}

// A file of weights that a spec names, in the model or in its backbone.
struct Start {
  Scratch folder;
  const fs::path file = folder / "w.pth";
  std::string note;

  explicit Start(const StateDict& weights) {
    PythonDict content;
    for (const auto& [name, tensor] : weights) content.emplace_back(name, tensor);
    write_torch_file(file, content);
  }
  Pipeline model(const std::string& options = "") {
    return noted(R"({"model": {"weights": ")" + file.string() + "\"" + options + "}}");
  }
  Pipeline backbone(const std::string& options = "") {
    return noted(R"({"model": {"backbone": {"weights": ")" + file.string() + "\"" + options + "}}}");
  }
  // What is said in place of starting, with the file as FILE.
  template <class Begin>
  std::string refusal(Begin begin) {
    try {
      begin();
    } catch (const DataError& error) {
      return replaced(error.what(), file.string(), "FILE");
    }
    return "started: " + note;
  }
  std::string refusal_by_model(const std::string& options = "") {
    return refusal([&] { model(options); });
  }

 private:
  Pipeline noted(const std::string& changes) {
    auto made = pipeline(changes);
    REQUIRE(made.notes.size() == 1);
    note = replaced(made.notes[0], file.string(), "FILE");
    return made;
  }
};

inline void check_same(const StateDict& state, const StateDict& wanted) {
  CHECK(state.size() == wanted.size());
  for (const auto& [name, tensor] : wanted) {
    CAPTURE(name);
    REQUIRE(state.count(name) == 1);
    CHECK(at::equal(state.at(name), tensor));
  }
}

inline std::string spec_refusal(const std::string& changes) {
  try {
    pipeline(changes);
  } catch (const SpecError& error) {
    return error.what();
  }
  return "accepted";
}

inline constexpr const char* kLax = R"(, "weights_strict": false)";

// Of a network that is not trained, so that it needs all weights.
inline WeightsFile whole_file(const std::string& path, const std::string& network = "model") {
  WeightsFile file{path, network};
  file.whole = true;
  return file;
}

}  // namespace sectile::test
