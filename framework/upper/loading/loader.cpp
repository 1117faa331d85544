#include "loader.h"

#include <ATen/Parallel.h>
#include <omp.h>

namespace sectile {

void become_loader_thread() {
  at::get_num_threads();  // the first call initializes the thread and would reset what follows
  omp_set_num_threads(1);
}

}  // namespace sectile
