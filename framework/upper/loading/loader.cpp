#include "loader.h"

#include <string>

#include <ATen/Parallel.h>
#include <omp.h>

namespace sectile {

void become_loader_thread() {
  at::get_num_threads();  // the first call initializes the thread and would reset what follows
  omp_set_num_threads(1);
}

void refuse_threads(int wanted, int started, const std::system_error& reason) {
  throw std::runtime_error("only " + std::to_string(started) + " of " + std::to_string(wanted) +
                           " loader threads could be started: " + reason.code().message() +
                           ". Lower /train/workers, or raise the limit (ulimit -u)");
}

}  // namespace sectile
