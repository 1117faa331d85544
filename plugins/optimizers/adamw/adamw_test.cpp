#include "parity/optimizer_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("20 steps of adamw give the parameters that torch.optim.AdamW gives") { check_parity("adamw", 4); }

TEST_CASE("adamw with its state loaded goes on as if it had never stopped") {
  check_resumed("adamw", {}, {"exp_avg", "exp_avg_sq", "step"});
  check_resumed("adamw", {{"amsgrad", true}}, {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"});
}

TEST_CASE("adamw gives the same whatever the layout of parameter, gradient and state") { check_layouts("adamw"); }

TEST_CASE("adamw updates bfloat16 beside float32") { check_narrow_types("adamw"); }

TEST_CASE("adamw refuses a state that does not fit, and names the parameter") {
  check_bad_states("adamw", "exp_avg");
  Regression problem(at::kFloat);
  const auto without = optimizer("adamw"), with = optimizer("adamw", {{"amsgrad", true}});
  problem.step(*without, 0);
  CHECK_THROWS_WITH_AS(with->load(without->state()), doctest::Contains("\"max_exp_avg_sq\""), DataError);
}

TEST_CASE("adamw refuses a beta of 1") {
  CHECK_THROWS_WITH_AS(optimizer("adamw", {{"betas", {0.9, 1}}}), doctest::Contains("/part/betas"), SpecError);
}
