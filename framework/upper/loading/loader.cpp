#include "loader.h"

#include <ATen/Parallel.h>
#include <omp.h>

namespace sectile {

void become_loader_thread() {
  at::get_num_threads();  // the first call sets up the thread and would undo what follows
  omp_set_num_threads(1);
}

}  // namespace sectile
