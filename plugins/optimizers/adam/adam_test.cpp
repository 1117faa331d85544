#include "parity/optimizer_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("20 steps of adam give the parameters that torch.optim.Adam gives") { check_parity("adam", 4); }

TEST_CASE("adam with its state loaded goes on as if it had never stopped") {
  check_resumed("adam", {}, {"exp_avg", "exp_avg_sq", "step"});
  check_resumed("adam", {{"amsgrad", true}}, {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"});
}

TEST_CASE("adam gives the same whatever the layout of parameter, gradient and state") { check_layouts("adam"); }

TEST_CASE("adam updates bfloat16 beside float32") { check_narrow_types("adam"); }

TEST_CASE("adam refuses a state that does not fit, and names the parameter") {
  check_bad_states("adam", "exp_avg_sq");
  Regression problem(at::kFloat);
  const auto without = optimizer("adam"), with = optimizer("adam", {{"amsgrad", true}});
  problem.step(*without, 0);
  CHECK_THROWS_WITH_AS(with->load(without->state()), doctest::Contains("\"max_exp_avg_sq\""), DataError);
}

TEST_CASE("adam refuses a beta of 1") {
  CHECK_THROWS_WITH_AS(optimizer("adam", {{"betas", {0.9, 1}}}), doctest::Contains("/part/betas"), SpecError);
}
