// Files of weights as Python's tools save them: names, shapes and values are Python's.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <nlohmann/json.hpp>

#include "support/hostile.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/weights/checkpoint.h"
#include "upper/weights/files/safetensors.h"
#include "upper/weights/files/torch/torch_file.h"
#include "upper/weights/files/weights_file.h"
#include "upper/weights/loading.h"
#include "upper/weights/wrapped_names.h"
#include "weights_start.h"

using namespace sectile;
using test::whole_file;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const fs::path kFiles = SECTILE_SOURCE_DIR "/tests/weight_files";

const json& expected_weights() {
  static const json all = json::parse(test::contents(kFiles / "expected.json"));
  return all;
}

std::string python_type(const at::Tensor& tensor) {
  static const std::map<at::ScalarType, std::string> names{
      {at::kFloat, "float32"}, {at::kDouble, "float64"}, {at::kHalf, "float16"}, {at::kBFloat16, "bfloat16"},
      {at::kLong, "int64"},    {at::kUInt16, "uint16"},  {at::kBool, "bool"},    {at::kFloat8_e4m3fn, "float8_e4m3fn"}};
  return names.at(tensor.scalar_type());
}

void check_tensors(const std::map<std::string, at::Tensor>& read, const json& expected) {
  CHECK(read.size() == expected.size());
  for (const auto& [name, facts] : expected.items()) {
    CAPTURE(name);
    REQUIRE(read.count(name) == 1);
    const auto& tensor = read.at(name);
    CHECK(python_type(tensor) == facts["type"].get<std::string>());
    CHECK(tensor.sizes().vec() == facts["shape"].get<std::vector<std::int64_t>>());
    const auto sum = tensor.to(at::kFloat).to(at::kDouble).sum().item<double>();
    CHECK(sum == doctest::Approx(facts["sum"].get<double>()).epsilon(1e-12));
  }
}

WeightsContent read_file(const std::string& name, const std::string& key = {}) {
  return read_weights(kFiles / name, key);
}

std::string refusal_of(const fs::path& file, const std::string& key = {}) {
  try {
    read_weights(file, key);
  } catch (const DataError& error) {
    return error.what();
  }
  return "read";
}

}  // namespace

TEST_CASE(
    "files of torch.save, TorchScript and safetensors have the names, types, shapes and values that Python saved") {
  for (const auto& [name, facts] : expected_weights().items()) {
    if (name == "computed" || name == "strides") continue;
    CAPTURE(name);
    check_tensors(read_file(name).state, facts);
  }
  CHECK(read_file("zip.pth").format == "torch.save");
  CHECK(read_file("legacy.pth").format == "torch.save before PyTorch 1.6");
  CHECK(read_file("script.pt").format == "TorchScript");
  CHECK(read_file("plain.safetensors").format == "safetensors");
}

namespace {

// The network that make.py saves.
struct SavedNet : torch::nn::Module, WeightRules {
  SavedNet() {
    auto& conv = part("conv");
    conv.register_parameter("weight", at::zeros({3, 2, 3, 3}));
    conv.register_parameter("bias", at::zeros({3}));
    auto& norm = part("bn");
    for (const char* name : {"weight", "bias"}) norm.register_parameter(name, at::zeros({3}));
    for (const char* name : {"running_mean", "running_var"}) norm.register_buffer(name, at::zeros({3}));
    norm.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
    auto& head = part("head");
    head.register_parameter("weight", at::zeros({2, 3}));
    head.register_parameter("bias", at::zeros({2}));
    register_buffer("grid", at::arange(3.0));
  }
  std::vector<std::string> transient_buffers() const override { return {"grid"}; }

 private:
  torch::nn::Module& part(const char* name) {
    return *register_module(name, std::make_shared<torch::nn::Module>("Part"));
  }
};

struct TiedNet : torch::nn::Module {
  TiedNet() {
    const auto weight = at::zeros({2, 3});
    for (const char* name : {"emb", "out"})
      register_module(name, std::make_shared<torch::nn::Module>("Part"))->register_parameter("weight", weight);
    register_parameter("part", at::zeros({3}));
  }
};

}  // namespace

TEST_CASE("checkpoints of every kind that Python saved start a network with nothing missing") {
  const test::Scratch scratch;
  for (const char* name :
       {"zip.pth", "protocol4.pth", "legacy.pth", "half.pth", "bfloat16.pth", "nested.pth", "prefixed.pth",
        "module.pth", "module_legacy.pth", "script.pt", "sharded", "code.pth", "arguments.pth"}) {
    CAPTURE(name);
    SavedNet net;
    const auto read = read_file(name).state;
    const auto note = start_from(net, read, whole_file(name));
    CHECK(note.find("9 tensors loaded into model") != std::string::npos);
    CHECK(note.find("missing") == std::string::npos);
    const bool prefixed = read.count("module.conv.weight");
    for (const auto& [tensor, ours] : state_dict(net)) {
      CAPTURE(tensor);
      CHECK(at::equal(ours, read.at((prefixed ? "module." : "") + tensor).to(ours.scalar_type())));
    }
    CHECK(state_dict(net).at("bn.running_mean")[0].item<double>() == 0.5);
  }
  for (const char* name : {"tied.pth", "tied_legacy.pth"}) {
    CAPTURE(name);
    TiedNet net;
    const auto read = read_file(name).state;
    start_from(net, read, whole_file(name));
    CHECK(net.named_parameters()["emb.weight"].is_same(net.named_parameters()["out.weight"]));
    for (const auto& [tensor, ours] : state_dict(net)) CHECK(at::equal(ours, read.at(tensor)));
  }
}

TEST_CASE("the dictionary with the weights is found by its usual name, or named") {
  const auto read = read_file("nested.pth");
  CHECK(read.key == "model_state");
  CHECK(read.keys == std::vector<std::string>{"model_state", "ema"});
  CHECK(at::equal(read_file("nested.pth", "ema").state.at("conv.weight"), read.state.at("conv.weight") * 2));
  CHECK(refusal_of(kFiles / "nested.pth", "emma")
            .find("has no tensors under \"emma\"; it has some under \"model_state\", \"ema\"") != std::string::npos);
  CHECK(refusal_of(kFiles / "plain.safetensors", "ema").find("has no dictionaries") != std::string::npos);
}

TEST_CASE("tensors that share storage in Python share it here") {
  for (const char* name : {"tied.pth", "tied_legacy.pth"}) {
    CAPTURE(name);
    const auto tied = read_file(name).state;
    CHECK(tied.at("emb.weight").const_data_ptr() == tied.at("out.weight").const_data_ptr());
    CHECK(tied.at("part").storage().is_alias_of(tied.at("out.weight").storage()));
  }
}

TEST_CASE("strides and offsets are followed: channels last, transposed, sliced, one value, none, expanded") {
  const auto read = read_file("strides.pth").state;
  for (const auto& [name, values] : expected_weights()["strides"].items()) {
    CAPTURE(name);
    const auto flat = read.at(name).flatten().contiguous();
    CHECK(std::vector<float>(flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()) ==
          values.get<std::vector<float>>());
  }
}

TEST_CASE("a file that asks to run code is read, nothing runs, and what it asked for is said") {
  const auto read = read_file("code.pth");
  CHECK(read.not_called == std::set<std::string>{"posix.system"});
  CHECK(read_file("arguments.pth").not_called == std::set<std::string>{"argparse.Namespace"});
  CHECK(read_file("zip.pth").not_called.empty());
  CHECK(!fs::exists("pwned"));
}

TEST_CASE("dictionaries that are in one another many times are refused before their names fill the memory") {
  const test::Scratch scratch;
  const auto hostile = test::hostile_files();
  for (const char* what : {"dicts in dicts, twice each", "dicts in dicts, 300 times each"}) {
    CAPTURE(what);
    CHECK(refusal_of(scratch.write("hostile.pth", hostile.at(what))).find("has the same dictionaries in one another") !=
          std::string::npos);
  }
}

TEST_CASE("numbers, texts and attributes of unknown classes are kept") {
  const auto arguments = read_torch_file(kFiles / "arguments.pth").content;
  REQUIRE(arguments.find("args"));
  CHECK(*arguments.find("args")->find("lr")->as<double>() == 0.1);
  CHECK(*read_torch_file(kFiles / "numpy.pth").content.find("score")->as<double>() == 0.5);
}

TEST_CASE("weight norm is computed, of both kinds, and the wrapper of torch.compile removed") {
  for (const auto& [name, facts] : expected_weights()["computed"].items()) {
    CAPTURE(name);
    auto unwrapped = unwrap(read_file(name).state);
    CHECK(unwrapped.weight_norms == std::vector<std::string>{"weight"});
    CHECK(unwrapped.state.size() == 2);  // and the bias
    check_tensors({{"weight", unwrapped.state.at("weight")}}, facts);
  }
}

TEST_CASE("what is written as safetensors or by torch.save comes back, and Python reads it") {
  const test::Scratch scratch;
  auto state = read_file("plain.safetensors").state;
  state["view"] = state.at("conv.weight").permute({1, 0, 2, 3});
  state["none"] = at::empty({0, 3});
  const auto file = scratch / "out.safetensors", torch_file = scratch / "out.pth";
  write_safetensors(file, state);
  PythonDict dict;
  for (const auto& [name, tensor] : state) dict.emplace_back(name, tensor);
  write_torch_file(torch_file, dict);
  for (const auto& written : {file, torch_file}) {
    const auto back = read_weights(written).state;
    CHECK(back.size() == state.size());
    for (const auto& [name, tensor] : state) {
      CAPTURE(name);
      CHECK((back.at(name).scalar_type() == tensor.scalar_type()));
      CHECK(at::equal(back.at(name), tensor));
    }
  }
  const char* python = std::getenv("SECTILE_PYTHON");
  if (!python) {
    MESSAGE("skipped: set SECTILE_PYTHON to a Python that has torch and safetensors");
    return;
  }
  const std::string program =
      "import sys, torch; from safetensors.torch import load_file; a = load_file(sys.argv[1]); "
      "b = torch.load(sys.argv[2], weights_only=True); "
      "p = load_file(sys.argv[3]); "
      "assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a); "
      "assert all(torch.equal(a[k], p[k]) and a[k].dtype == p[k].dtype for k in p); "
      "assert torch.equal(a['view'], p['conv.weight'].permute(1, 0, 2, 3)) and a['none'].shape == (0, 3)";
  CHECK(std::system((std::string(python) + " -c \"" + program + "\" " + file.string() + " " + torch_file.string() +
                     " " + (kFiles / "plain.safetensors").string())
                        .c_str()) == 0);
}

TEST_CASE("a name that safetensors left out for a shared tensor has the values of its twin, which the metadata names") {
  const test::Scratch scratch;
  const auto with = [&](const std::string& metadata) {
    const std::string header = "{\"__metadata__\": " + metadata +
                               R"(, "emb.weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}})";
    return scratch.write("tied.safetensors",
                         test::little_endian(header.size(), 8) + header + std::string("\0\0\x80?\0\0\0@", 8));
  };
  const auto alias = read_weights(with(R"({"head.weight": "emb.weight", "format": "pt"})")).state;
  REQUIRE(alias.size() == 2);
  CHECK(at::equal(alias.at("head.weight"), at::tensor({1.0F, 2.0F}).view({1, 2})));
  CHECK(alias.at("head.weight").is_alias_of(alias.at("emb.weight")));
  CHECK(read_weights(with(R"({"head.weight": "emb.weight", "format": "pt"})")).spare ==
        std::set<std::string>{"head.weight"});
  CHECK(read_weights(with(R"({"format": "emb.weight"})")).state.size() == 1);
}

TEST_CASE(
    "every type and shape of safetensors has its values: the top half of a float, whole numbers, one value, none") {
  const test::Scratch scratch;
  const std::string header = R"({"i": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]},)"
                             R"( "none": {"dtype": "F32", "shape": [0, 3], "data_offsets": [16, 16]},)"
                             R"( "one": {"dtype": "F32", "shape": [], "data_offsets": [16, 20]},)"
                             R"( "b": {"dtype": "BF16", "shape": [2], "data_offsets": [20, 24]},)"
                             R"( "h": {"dtype": "F16", "shape": [1, 2], "data_offsets": [24, 28]},)"
                             R"( "t": {"dtype": "BOOL", "shape": [3], "data_offsets": [28, 31]}}    )";
  const auto file = scratch.write(
      "t.safetensors", test::little_endian(header.size(), 8) + header + test::little_endian(1ull << 40, 8) +
                           test::little_endian(~0ull, 8) + test::little_endian(0x40f00000, 4) +  // 7.5
                           test::little_endian(0x4049, 2) + test::little_endian(0x0da2, 2) +     // 3.140625, 1e-30
                           test::little_endian(0x7bff, 2) + test::little_endian(0x2e66, 2) + std::string("\1\0\1", 3));
  const auto read = read_weights(file).state;
  CHECK(at::equal(read.at("i"), at::tensor({std::int64_t{1} << 40, std::int64_t{-1}})));
  CHECK(read.at("none").sizes() == at::IntArrayRef({0, 3}));
  CHECK(read.at("one").dim() == 0);
  CHECK(read.at("one").item<double>() == 7.5);
  CHECK((read.at("b").scalar_type() == at::kBFloat16));
  CHECK(read.at("b")[0].item<double>() == 3.140625);
  CHECK(read.at("b")[1].item<double>() == doctest::Approx(0x1.44p-100));
  CHECK(read.at("h")[0][0].item<double>() == 65504);
  CHECK(read.at("h")[0][1].item<double>() == 0.0999755859375);
  CHECK(at::equal(read.at("t"), at::tensor({1, 0, 1}).to(at::kBool)));
}

TEST_CASE("a parameter with the name of a usual dictionary is a parameter") {
  const test::Scratch scratch;
  write_torch_file(scratch / "w.pth", PythonDict{{"params", at::ones({2})}, {"bias", at::ones({1})}});
  const auto read = read_weights(scratch / "w.pth").state;
  CHECK(read.count("params") == 1);
  CHECK(read.count("bias") == 1);
}

TEST_CASE("the weights of a network that started from a file of Python are the same bits in Python when it is saved") {
  const char* python = std::getenv("SECTILE_PYTHON");
  if (!python) {
    MESSAGE("skipped: set SECTILE_PYTHON to a Python that has torch and safetensors");
    return;
  }
  const test::Scratch scratch;
  SavedNet net;
  start_from(net, read_file("zip.pth").state, {"zip.pth", "model"});
  Checkpoint checkpoint;
  checkpoint.labels.classes.resize(1);
  checkpoint.model = state_dict(net);
  save_checkpoint(scratch / "last.pth", checkpoint);
  write_safetensors(scratch / "net.safetensors", checkpoint.model);
  const std::string program =
      "import sys, torch; from safetensors.torch import load_file; p = torch.load(sys.argv[1]); "
      "bits = lambda t: t.reshape(-1).view(torch.uint8); "
      "same = lambda s: s.keys() == p.keys() and all(s[k].dtype == p[k].dtype and s[k].shape == p[k].shape and "
      "torch.equal(bits(s[k]), bits(p[k])) for k in p); "
      "assert same(torch.load(sys.argv[2], weights_only=True)['model']) and same(load_file(sys.argv[3]))";
  CHECK(std::system((std::string(python) + " -c \"" + program + "\" " + (kFiles / "zip.pth").string() + " " +
                     (scratch / "last.pth").string() + " " + (scratch / "net.safetensors").string())
                        .c_str()) == 0);
}

TEST_CASE("weights in several files are those that the index names") {
  const test::Scratch scratch;
  fs::copy(kFiles / "sharded", scratch / "net");
  fs::copy_file(kFiles / "plain.safetensors", scratch / "net/stray.safetensors");
  const auto index = scratch / "net/model.safetensors.index.json";
  check_tensors(read_weights(index).state, expected_weights()["sharded"]);
  const auto text = test::contents(index);
  const auto with = [&](const std::string& from, const std::string& to) {
    scratch.write("net/model.safetensors.index.json", test::replaced(text, from, to));
    return refusal_of(scratch / "net");
  };
  CHECK(with("model-00002-of-00002.safetensors", "lost.safetensors").find("names lost.safetensors for ") !=
        std::string::npos);
  CHECK(with("model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors").find("has no tensor ") !=
        std::string::npos);
  CHECK(with("model-00002-of-00002.safetensors", "../secret.safetensors").find("is not in the folder of the index") !=
        std::string::npos);
  CHECK(with("model-00002-of-00002.safetensors", "model.safetensors.index.json").find("is an index itself") !=
        std::string::npos);
  CHECK(with("weight_map", "weights").find("without \"weight_map\"") != std::string::npos);
  CHECK(refusal_of(scratch.path()).find("is a folder without model.safetensors") != std::string::npos);
}

TEST_CASE("the published nets of the data folder are read with Python's names, shapes and sums") {
  const char* data = std::getenv("SECTILE_DATA");
  if (!data) {
    MESSAGE("skipped: set SECTILE_DATA to the folder of real data");
    return;
  }
  const json published = json::parse(test::contents(kFiles / "published.json"));
  for (const auto& [name, facts] : published.items()) {
    CAPTURE(name);
    const auto read = read_weights(fs::path(data) / name).state;
    CHECK(read.size() == facts["tensors"].get<std::size_t>());
    double sum = 0;
    std::int64_t values = 0;
    for (const auto& item : read) {
      sum += item.second.to(at::kDouble).sum().item<double>();
      values += item.second.numel();
    }
    CHECK(values == facts["values"].get<std::int64_t>());
    CHECK(sum == doctest::Approx(facts["sum"].get<double>()).epsilon(1e-9));
    for (const auto& [tensor, shape] : facts["shapes"].items()) {
      CAPTURE(tensor);
      REQUIRE(read.count(tensor) == 1);
      CHECK(read.at(tensor).sizes().vec() == shape.get<std::vector<std::int64_t>>());
    }
  }
}

TEST_CASE("weights that are not finite are found in every type and layout, and the largest values are finite") {
  for (const auto type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    CAPTURE(c10::toString(type));
    const auto largest = type == at::kHalf ? 65504.0 : 3e38;
    const auto weights = at::full({3, 70'000}, largest, type);
    CHECK(all_finite({{"w", weights}, {"none", at::empty({0}, type)}, {"count", at::ones({}, at::kLong)}}));
    for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      const auto bad = weights.clone();
      bad[2][69'999] = value;
      CHECK(!all_finite({{"w", bad}}));
      CHECK(!all_finite({{"w", bad.t()}}));
      CHECK(!all_finite({{"w", bad.narrow(1, 69'000, 1'000)}}));
      CHECK(all_finite({{"w", bad.narrow(1, 0, 69'000)}}));
    }
  }
}
