// Built against another version of the public headers. Its static constructor would leave a file behind.
#include <cstdlib>
#include <fstream>

#include "plain.h"

#undef SECTILE_API_VERSION
#define SECTILE_API_VERSION 999

namespace {
struct Trace {
  Trace() {
    if (const char* file = std::getenv("SECTILE_TEST_TRACE")) std::ofstream(file) << "executed";
  }
} const trace;
}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::schedule<Constant>("constant", "Never changes."))
