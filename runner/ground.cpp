// bin/sectile: what needs no network, without loading LibTorch. For anything else it becomes sectile-compute.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iomanip>

#include <unistd.h>

#include "../framework/ground/spec/pipeline_spec.h"
#include "report.h"

namespace po = boost::program_options;
using namespace sectile;

// libgomp and glibc's malloc read their settings before main, so they are made here. The user's own choice stands.
[[noreturn]] static void become_compute(char** arguments) {
  setenv("OMP_WAIT_POLICY", "passive", 0);            // spinning threads starve other programs
  setenv("MALLOC_MMAP_THRESHOLD_", "1073741824", 0);  // activations are reused instead of mapped anew
  setenv("MALLOC_TRIM_THRESHOLD_", "2147483647", 0);
  setenv("MALLOC_TOP_PAD_", "268435456", 0);
  const auto program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "lib/sectile/sectile-compute";
  execv(program.c_str(), arguments);
  throw std::runtime_error(program.string() + ": " + std::strerror(errno));
}

static void run(int count, char** words) {
  const std::string command = count > 1 ? words[1] : "help";
  if (command == "train" || command == "doctor") become_compute(words);

  std::vector<std::string> names, changes;
  po::options_description options;
  options.add_options()("name", po::value(&names))("set", po::value(&changes))("resolved", "");
  po::variables_map given;
  po::store(po::command_line_parser(count, words)
                .options(options)
                .positional(po::positional_options_description().add("name", -1))
                .run(),
            given);
  po::notify(given);
  const PluginIndex index(plugin_folders());
  if (command == "list" && names.size() <= 2) {
    for (const auto& entry : index.all())
      if (names.size() == 1 || names[1] == entry.kind)
        std::cout << std::left << std::setw(10) << entry.kind << std::setw(16) << entry.name << std::setw(8)
                  << entry.version << entry.summary << "\n";
  } else if (command == "describe" && names.size() == 3) {
    std::cout << describe_text(index, names[1], names[2]) << "\n";
  } else if (command == "schema" && names.size() == 1) {
    std::cout << schema_text(index) << "\n";
  } else if (command == "check" && names.size() == 2) {
    std::vector<std::string> dropped;
    const auto spec = read_spec(index, names[1], changes, dropped);
    for (const auto& pointer : dropped) std::cerr << pointer << ": dropped with the type that it belonged to\n";
    if (given.count("resolved")) std::cout << resolved_text(spec) << "\n";
  } else {
    throw po::error(
        "sectile list [KIND] | describe KIND NAME | schema | check SPEC [--resolved] [--set PTR=VALUE]... |\n"
        "        train SPEC [--steps N] [--set PTR=VALUE]... | doctor");
  }
}

int main(int count, char** words) {
  return report([&] { run(count, words); });
}
