#include <cstdlib>
#include <filesystem>

#include <ATen/ATen.h>
#include <torch/nn/modules/linear.h>

#include "support/hostile.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/weights/checkpoint.h"
#include "upper/weights/files/torch/torch_file.h"
#include "upper/weights/files/weights_file.h"

using namespace sectile;
namespace fs = std::filesystem;
using test::contents;
using test::Scratch;
using test::zip_of;

namespace {

Checkpoint small_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.spec = "{}";
  checkpoint.model_type = "linear";
  checkpoint.labels.classes.resize(2);
  checkpoint.labels.classes[0].name = "sky \"above\"";
  checkpoint.labels.classes[1].name = "Straße";
  checkpoint.labels.classes[1].color = {1, 2, 255};
  checkpoint.epoch = 3;
  checkpoint.step = std::int64_t{1} << 40;
  checkpoint.metric_name = "iou/mIoU";
  checkpoint.metric = 0.125;
  checkpoint.model = {{"weight", at::arange(6, at::kFloat).view({2, 3}) / 7},
                      {"bias", at::ones({2})},
                      {"count", at::full({}, 5, at::kLong)}};
  return checkpoint;
}

std::string message(const std::function<void()>& act) {
  try {
    act();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

}  // namespace

TEST_CASE("values of every kind come back from a torch file as they went in") {
  const Scratch folder;
  const auto file = folder / "values.pth";
  const auto tensors = {at::arange(5, at::kDouble), at::arange(4).to(at::kBFloat16), at::arange(3).to(at::kHalf),
                        at::arange(2).to(at::kInt), at::ones({2}, at::kBool),        at::arange(6).to(at::kByte),
                        at::empty({0, 3}),          at::full({}, 7, at::kLong)};
  PythonList all;
  for (const auto& tensor : tensors) all.push_back(tensor);
  write_torch_file(file, PythonDict{{"tensors", all},
                                    {"none", PythonValue()},
                                    {"yes", true},
                                    {"small", -5},
                                    {"large", std::int64_t{1} << 40},
                                    {"real", 0.1},
                                    {"text", "häßlich"}});
  const auto read = read_torch_file(file).content;
  const auto& list = *read.find("tensors")->list();
  REQUIRE(list.size() == tensors.size());
  std::size_t i = 0;
  for (const auto& tensor : tensors) {
    const auto& back = *list[i++].as<at::Tensor>();
    CHECK((back.scalar_type() == tensor.scalar_type()));
    CHECK(at::equal(back, tensor));
  }
  CHECK(read.find("none")->as<std::monostate>() != nullptr);
  CHECK(*read.find("yes")->as<bool>());
  CHECK(*read.find("small")->as<std::int64_t>() == -5);
  CHECK(*read.find("large")->as<std::int64_t>() == std::int64_t{1} << 40);
  CHECK(*read.find("real")->as<double>() == 0.1);
  CHECK(*read.find("text")->as<std::string>() == "häßlich");
}

TEST_CASE("a checkpoint comes back as it was saved") {
  const Scratch folder;
  const auto file = folder / "last.pth";
  const auto saved = small_checkpoint();
  save_checkpoint(file, saved);
  const auto read = load_checkpoint(file);
  CHECK(read.labels.classes[0].name == "sky \"above\"");
  CHECK(read.labels.classes[1].color == saved.labels.classes[1].color);
  CHECK(read.step == saved.step);
  CHECK(read.metric.value() == saved.metric.value());
  REQUIRE(read.model.size() == 3);
  for (const auto& [name, tensor] : saved.model) CHECK(at::equal(read.model.at(name), tensor));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("Python's torch.load with weights_only reads a checkpoint, bit for bit") {
  const char* python = std::getenv("SECTILE_PYTHON");
  if (!python) {
    MESSAGE("skipped: set SECTILE_PYTHON to a Python that has torch");
    return;
  }
  const Scratch folder;
  const auto file = folder / "last.pth";
  save_checkpoint(file, small_checkpoint());
  const std::string program =
      "import sys, torch; c = torch.load(sys.argv[1], weights_only=True); "
      "assert torch.equal(c['model']['weight'], torch.arange(6, dtype=torch.float32).view(2, 3) / 7); "
      "assert c['model']['count'].item() == 5 and c['step'] == 1 << 40 and c['metric'] == 0.125; "
      "assert c['classes'][1]['name'] == 'Stra\\u00dfe' and c['classes'][1]['color'] == [1, 2, 255]";
  CHECK(std::system((std::string(python) + " -c \"" + program + "\" " + file.string()).c_str()) == 0);
}

TEST_CASE("a torch file that was cut short anywhere is refused by name") {
  const Scratch folder;
  const auto whole = folder / "whole.pth";
  save_checkpoint(whole, small_checkpoint());
  const auto bytes = contents(whole);
  for (std::size_t size = 0; size < bytes.size(); size += 37) {
    const auto cut = folder.write("cut.pth", bytes.substr(0, size));
    CAPTURE(size);
    CHECK(message([&] { load_checkpoint(cut); }).find(cut.string()) == 0);
  }
}

TEST_CASE("a torch file with any byte changed is read or refused, never worse") {
  const Scratch folder;
  const auto whole = folder / "whole.pth";
  save_checkpoint(whole, small_checkpoint());
  const auto bytes = contents(whole);
  int refused = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 11) {
    auto copy = bytes;
    copy[at] = static_cast<char>(copy[at] ^ 0x55);
    const auto changed = folder.write("changed.pth", copy);
    try {
      load_checkpoint(changed);
    } catch (const DataError&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("what is no checkpoint is told apart") {
  const Scratch folder;
  const auto file = folder / "x.pth";
  CHECK(message([&] { load_checkpoint(file); }) == file.string() + ": is not a file");
  write_torch_file(file, PythonDict{{"weight", at::ones({2})}});
  CHECK(message([&] { load_checkpoint(file); }).find("not a Sectile checkpoint") != std::string::npos);
  CHECK(read_weights(file).state.count("weight") == 1);
  write_torch_file(file, PythonDict{{"best_score", at::ones({1})}, {"state_dict", PythonDict{{"a", at::ones({2})}}}});
  CHECK(read_weights(file).state.size() == 1);
  CHECK(read_weights(file).state.count("a") == 1);
  write_torch_file(file, PythonDict{{"format", "sectile-99"}});
  CHECK(message([&] { load_checkpoint(file); }).find("has format \"sectile-99\"") != std::string::npos);
}

TEST_CASE("files of other formats are named, with how to convert them") {
  const Scratch folder;
  const auto said = [&](const std::string& bytes, const std::string& name = "w.pth") {
    const auto file = folder.write(name, bytes);
    return message([&] { read_weights(file); }).substr(file.string().size() + 2);
  };
  CHECK(said(std::string("\x80\x04\x95\x0a", 4)) == "is a Python pickle, and not a file of torch.save");
  CHECK(said(std::string("\x02\0\0\0\0\0\0\0{}", 10)) == "has no named tensors");
  CHECK(message([&] { load_checkpoint(folder / "w.pth"); }).find("is a safetensors file, and not one of torch.save") !=
        std::string::npos);
  CHECK(said("\x89HDF\r\n\x1a\n").find("is an HDF5 file") == 0);
  CHECK(said("\x08\x07\x12\x07pytorch").find("is an ONNX model") == 0);
  CHECK(said("x", "w.onnx").find("is an ONNX model") == 0);
  CHECK(said("version https://git-lfs.github.com/spec/v1\n").find("is a Git LFS pointer") == 0);
  CHECK(said("<!DOCTYPE html>").find("is an HTML or XML file") == 0);
  CHECK(said("") == "is empty");
  CHECK(said("PK\3\4 and no more").find("is cut short or damaged") == 0);
  CHECK(said(zip_of({{"weights.npy", "x"}})) == "is a zip archive, and not one of torch.save: it has no data.pkl");
}

TEST_CASE("weights of another network are refused with the names that differ") {
  torch::nn::Linear linear(3, 4);
  auto checkpoint = small_checkpoint();
  checkpoint.model.erase("count");
  CHECK(message([&] {
          load_into(*linear, checkpoint.model, "linear", "best.pth");
        }).find("missing or of another shape: bias, weight") != std::string::npos);
  checkpoint.model["extra.weight"] = at::ones({1});
  CHECK(message([&] {
          load_into(*linear, checkpoint.model, "linear", "best.pth");
        }).find("not known to it: extra.weight") != std::string::npos);
}

TEST_CASE("a file that is replaced keeps its mode, and a symbolic link to it stays one") {
  const Scratch folder;
  const auto file = folder / "w.pth", link = folder / "link.pth";
  write_torch_file(file, PythonDict{{"a", at::ones({2})}});
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("w.pth", link);
  write_torch_file(link, PythonDict{{"b", at::ones({2})}});
  CHECK(fs::is_symlink(link));
  CHECK(read_weights(file).state.count("b") == 1);
  CHECK((fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write)));
}

TEST_CASE("a symbolic link to nothing is written where it points, and one to itself is an error") {
  const Scratch folder;
  fs::create_directory(folder / "models");
  fs::create_symlink("models/w.pth", folder / "link.pth");
  fs::create_symlink("link.pth", folder / "two.pth");
  write_torch_file(folder / "two.pth", PythonDict{{"b", at::ones({2})}});
  CHECK(fs::is_symlink(folder / "two.pth"));
  CHECK(fs::is_symlink(folder / "link.pth"));
  CHECK(read_weights(folder / "models/w.pth").state.count("b") == 1);
  fs::create_symlink("loop.pth", folder / "loop.pth");
  CHECK(message([&] { write_torch_file(folder / "loop.pth", PythonDict{}); }).find("loop.pth") != std::string::npos);
  CHECK(fs::is_symlink(folder / "loop.pth"));
}

TEST_CASE("a save that fails leaves the earlier file whole and nothing beside it") {
  const Scratch folder;
  const auto file = folder / "last.pth";
  save_checkpoint(file, small_checkpoint());
  const auto before = contents(file);
  auto broken = small_checkpoint();
  broken.model["strange"] = at::ones({1}, at::kComplexFloat);
  CHECK(message([&] { save_checkpoint(file, broken); }).find("cannot hold tensors") != std::string::npos);
  CHECK(contents(file) == before);
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
  CHECK(message([&] {
          save_checkpoint(folder / "no/such/folder.pth", small_checkpoint());
        }).find("cannot be written") != std::string::npos);
}
