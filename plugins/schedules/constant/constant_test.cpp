#include "parity/schedule_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("constant gives the factors of torch's ConstantLR") { check_factors("constant", 1, 2); }
