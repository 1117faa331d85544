#include "parity/optimizer_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("20 steps of lamb give the parameters that timm's Lamb gives") { check_parity("lamb", 8); }

TEST_CASE("lamb with its state loaded goes on as if it had never stopped") {
  check_resumed("lamb", {}, {"exp_avg", "exp_avg_sq", "step"});
}

TEST_CASE("lamb gives the same whatever the layout of parameter, gradient and state") { check_layouts("lamb"); }

TEST_CASE("lamb updates bfloat16 beside float32") { check_narrow_types("lamb"); }

TEST_CASE("lamb refuses a state that does not fit, and names the parameter") { check_bad_states("lamb", "exp_avg_sq"); }

TEST_CASE("lamb refuses a beta of 1") {
  CHECK_THROWS_WITH_AS(optimizer("lamb", {{"betas", {0.9, 1}}}), doctest::Contains("/part/betas"), SpecError);
}
