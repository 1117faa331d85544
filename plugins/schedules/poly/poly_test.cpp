#include "parity/schedule_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("poly gives the factors of torch's PolynomialLR") { check_factors("poly", 3, 2); }
