// lib/sectile/sectile-compute: the commands that need LibTorch. Started by bin/sectile, which sets its environment.
#include <cstring>
#include <iostream>

#include <unistd.h>
#include <boost/program_options/errors.hpp>
#include <opencv2/core/utility.hpp>

#include "../framework/upper/network/device.h"
#include "commands/upper_commands.h"
#include "report.h"

namespace {

struct Command {
  const char* name;
  void (*run)(int count, char** words);
};
constexpr Command kCommands[] = {{"train", sectile::train},     {"evaluate", sectile::evaluate},
                                 {"predict", sectile::predict}, {"check", sectile::check},
                                 {"weights", sectile::weights}, {"doctor", sectile::doctor},
                                 {"data", sectile::preview}};  // its other actions need no LibTorch

void run(int count, char** words) {
  cv::setNumThreads(0);  // threads are managed here: loaders and the network's
  sectile::check_blas();
  for (const auto& command : kCommands)
    if (count > 1 && std::strcmp(words[1], command.name) == 0) return command.run(count, words);
  throw boost::program_options::error("this program is started by sectile; use that");
}

}  // namespace

int main(int count, char** words) {
  const int code = sectile::report([&] { run(count, words); }, sectile::wants_backtraces(count, words));
  std::cout.flush();
  std::cerr.flush();
  _exit(code);  // skips LibTorch's static destructors, which unregister thousands of operators: 0.1 s
}
