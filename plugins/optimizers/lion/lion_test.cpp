#include "parity/optimizer_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("20 steps of lion give the parameters that lion-pytorch's Lion gives") { check_parity("lion", 4); }

TEST_CASE("lion with its state loaded goes on as if it had never stopped") { check_resumed("lion", {}, {"exp_avg"}); }

TEST_CASE("lion gives the same whatever the layout of parameter, gradient and state") { check_layouts("lion"); }

TEST_CASE("lion updates bfloat16 beside float32") { check_narrow_types("lion"); }

TEST_CASE("lion refuses a state that does not fit, and names the parameter") { check_bad_states("lion", "exp_avg"); }

TEST_CASE("lion refuses a beta of 1") {
  CHECK_THROWS_WITH_AS(optimizer("lion", {{"betas", {0.9, 1}}}), doctest::Contains("/part/betas"), SpecError);
}
