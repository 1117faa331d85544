#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("Tversky equals segmentation_models_pytorch's, in 200 cases") { compare_with_random_cases("tversky"); }
TEST_CASE("focal Tversky equals its formula, in 200 cases") { compare_with_random_cases("focal_tversky"); }
