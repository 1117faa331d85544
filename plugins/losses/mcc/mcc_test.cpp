#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("MCC equals segmentation_models_pytorch's, in 200 cases") {
  // Where a class is nowhere, its counts differ by little more than eps, and rounding shows.
  compare_with_random_cases("mcc", 2e-3);
}
