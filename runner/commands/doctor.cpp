#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>
#include <stdexcept>

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include "../../framework/upper/network/device.h"
#include "../../framework/upper/nn/cuda/gpu_kernels.h"
#include "../command_line.h"
#include "upper_commands.h"

namespace sectile {
namespace {

double matrix_product_ms() {
  const auto matrix = at::ones({1024, 1024});
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    at::mm(matrix, matrix);
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// Two OpenMP runtimes in one process compete for the cores.
std::set<std::string> openmp_runtimes() {
  std::set<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    for (const char* name : {"libgomp", "libomp.", "libiomp"})
      if (line.find(name) != std::string::npos) found.insert(line.substr(line.find('/')));
  return found;
}

std::string gpu_kernels() {
  const auto library = nn::gpu_kernels_file();
  if (!std::filesystem::exists(library)) return "none, the build had no nvcc: detectors need the CPU";
  nn::load_gpu_kernels(library);
  return library.string();
}

}  // namespace

void doctor(int count, char** words) {
  const auto line =
      parse({words, words + count}, "doctor", "Checks that this installation works correctly and at full speed.",
            boost::program_options::options_description("Options of doctor"), 0, 0);
  const auto index = open_plugins(line.common, nullptr);
  std::size_t components = 0;
  for (const auto& entry : index.all())
    index.load(entry.kind, entry.name), ++components;  // with all libraries that plugins link
  std::printf("LibTorch        %s, instructions %s, %d threads\n", TORCH_VERSION, at::get_cpu_capability().c_str(),
              at::get_num_threads());
  std::printf("components      %zu, all of them load\n", components);
  std::printf("GPU kernels     %s\n", gpu_kernels().c_str());
  const auto ms = matrix_product_ms();
  std::printf("matrix product  %.1f ms for 1024 x 1024 (%.0f GFLOP/s), from %s\n", ms, 2.147483648 / ms * 1e3,
              blas_library().c_str());
  check_blas();
  const auto runtimes = openmp_runtimes();
  for (const auto& runtime : runtimes) std::printf("OpenMP          %s\n", runtime.c_str());
  if (runtimes.size() != 1)
    throw std::runtime_error("this program has " + std::to_string(runtimes.size()) +
                             " OpenMP runtimes where one belongs; they slow each other down");
  std::printf("everything works\n");
}

}  // namespace sectile
