// bin/sectile: the commands that do not need a network, without loading LibTorch. For others it executes
// sectile-compute.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>
#include <boost/program_options/errors.hpp>

#include "../framework/ground/spec/suggestion.h"
#include "commands/commands.h"
#include "commands/compared_files.h"
#include "report.h"

namespace {

void evaluate(int count, char** words);
void weights(int count, char** words);
void data(int count, char** words);

struct Command {
  const char* name;
  const char* summary;
  void (*run)(int count, char** words);  // null: run by sectile-compute
};
constexpr Command kCommands[] = {
    {"train", "train a model from a spec", nullptr},
    {"evaluate", "evaluate a trained model on labelled images, or compare files", evaluate},
    {"predict", "segment images with a trained model", nullptr},
    {"check", "check a spec and report all errors, or print it with all defaults", nullptr},
    {"data", "find faults in the datasets of a spec, print their statistics, and write samples to look at", data},
    {"list", "list the available components", sectile::list},
    {"describe", "describe a component and its options", sectile::describe},
    {"schema", "print the JSON Schema of specs, for editors", sectile::schema},
    {"weights", "list and download published weights; show, compare and convert files of weights", weights},
    {"doctor", "check that this installation works correctly and at full speed", nullptr},
};

void print_help() {
  std::cout << "usage: sectile COMMAND [OPTION]...\n\n"
               "Image segmentation: models, losses, datasets and transforms from plugins, composed by a JSON spec.\n\n";
  for (const auto& command : kCommands)
    std::cout << "  " << std::left << std::setw(10) << command.name << command.summary << "\n";
  std::cout << "\nRun sectile COMMAND --help for details, and sectile --version for the version.\n";
}

void set_unless_chosen(const char* name, const char* value) { setenv(name, value, 0); }

// libgomp, oneDNN and glibc's malloc read their settings at start, so they are set here.
[[noreturn]] void become_compute(char** words) {
  set_unless_chosen("OMP_WAIT_POLICY", "passive");  // spinning threads slow down other programs
  const bool training = std::strcmp(words[1], "train") == 0;
  // Memory of activations is reused instead of mapped again; but in training, persistent tensors (weights, moments)
  // between them would keep a quarter more memory, so large ones are mapped, which is cheap with large pages.
  set_unless_chosen("MALLOC_MMAP_THRESHOLD_", training ? "8000000" : "1073741824");
  set_unless_chosen("MALLOC_TRIM_THRESHOLD_", "2147483647");
  set_unless_chosen("MALLOC_TOP_PAD_", "268435456");
  // Large pages: without them, a tenth of a training step is page faults. For a single image they do not pay off if the
  // kernel first has to compact memory.
  if (training) set_unless_chosen("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
  set_unless_chosen("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64");  // kernels are cached per image size: limits memory
  set_unless_chosen("LRU_CACHE_CAPACITY", "64");
  const auto program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "lib/sectile/sectile-compute";
  execv(program.c_str(), words);
  throw std::runtime_error(program.string() + ": " + std::strerror(errno) +
                           "; it belongs to this program: install both together");
}

// Files need no network, and only the metrics of label maps need LibTorch.
void evaluate(int count, char** words) {
  if (!sectile::names_files(count, words)) return become_compute(words);
  const auto files = sectile::compared_files(count, words);
  if (files.kind == sectile::FileKind::results) return sectile::evaluate_results(files);
  if (files.kind == sectile::FileKind::panoptic) return sectile::evaluate_panoptic(files);
  // Nothing here is as large as activations: what an image needed goes back, so that memory does not grow with their
  // number.
  set_unless_chosen("MALLOC_MMAP_THRESHOLD_", "65536");
  set_unless_chosen("MALLOC_TRIM_THRESHOLD_", "131072");
  set_unless_chosen("MALLOC_TOP_PAD_", "131072");
  become_compute(words);
}

// The first word that is no option: what is to be done.
std::string action_of(int count, char** words) {
  const auto action = std::find_if(words + 2, words + count, [](const char* word) { return *word != '-'; });
  return action == words + count ? "" : *action;
}

// Transforms of samples are applied by the upper floor.
void data(int count, char** words) {
  if (action_of(count, words) == "preview") become_compute(words);
  sectile::data(count, words);
}

// The catalogue needs no network; files of weights do.
void weights(int count, char** words) {
  const auto action = action_of(count, words);
  if (action == "list" || action == "get") return sectile::weights_catalogue(count, words);
  become_compute(words);
}

void run(int count, char** words) {
  const std::string name = count > 1 ? words[1] : "--help";
  if (name == "--help" || name == "-h" || name == "help") return print_help();
  if (name == "--version") {
    std::cout << "sectile " SECTILE_VERSION "\n";
    return;
  }
  std::vector<std::string> names;
  for (const auto& command : kCommands) {
    if (name == command.name) return command.run ? command.run(count, words) : become_compute(words);
    names.emplace_back(command.name);
  }
  throw boost::program_options::error("unknown command \"" + name + "\"" + sectile::suggestion(name, names) +
                                      "\nMore: sectile --help");
}

}  // namespace

int main(int count, char** words) {
  return sectile::report([&] { run(count, words); }, sectile::wants_backtraces(count, words));
}
