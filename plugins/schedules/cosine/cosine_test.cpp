#include "parity/schedule_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("cosine gives the factors of torch's CosineAnnealingLR") { check_factors("cosine", 4, 2); }
