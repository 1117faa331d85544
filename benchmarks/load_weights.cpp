// Loads a weights file into a network that is there, and prints the seconds and the memory beside the network:
//   bench_load_weights FILE
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include <ATen/Functions.h>
#include <torch/nn/module.h>

#include "upper/weights/files/weights_file.h"
#include "upper/weights/loading.h"

namespace {

// A module with the tensors of the file, filled with zeros.
std::shared_ptr<torch::nn::Module> network_of(const sectile::StateDict& state) {
  auto root = std::make_shared<torch::nn::Module>("Network");
  for (const auto& [name, tensor] : state) {
    auto owner = root;
    std::size_t at = 0;
    for (auto dot = name.find('.'); dot != std::string::npos; at = dot + 1, dot = name.find('.', at)) {
      const auto part = name.substr(at, dot - at);
      const auto children = owner->named_children();
      owner = children.contains(part) ? children[part]
                                      : owner->register_module(part, std::make_shared<torch::nn::Module>("Part"));
    }
    owner->register_parameter(name.substr(at), at::empty(tensor.sizes(), tensor.options()).zero_());
  }
  return root;
}

double resident_mib(const std::string& line) {  // "VmRSS:", or "VmHWM:", the peak
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == line && status >> word) return std::stod(word) / 1024;
  return 0;
}

}  // namespace

int main(int, char** words) {
  const std::string file = words[1];
  const auto network = network_of(sectile::read_weights(file).state);
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak starts anew
  const auto before = resident_mib("VmRSS:");
  const auto start = std::chrono::steady_clock::now();
  const auto read = sectile::read_weights(file);
  sectile::WeightsFile all{file, "the network"};
  all.whole = true;
  sectile::start_from(*network, read.state, all);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::cout << "{\"seconds\": " << seconds.count() << ", \"beside_mib\": " << resident_mib("VmHWM:") - before << "}\n";
}
