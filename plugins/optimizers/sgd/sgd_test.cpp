#include "parity/optimizer_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("20 steps of sgd give the parameters that torch.optim.SGD gives") { check_parity("sgd", 8); }

TEST_CASE("sgd with its state loaded goes on as if it had never stopped") {
  check_resumed("sgd", {}, {"momentum_buffer"});
  check_resumed("sgd", {{"momentum", 0}}, {});
}

TEST_CASE("sgd gives the same whatever the layout of parameter, gradient and state") { check_layouts("sgd"); }

TEST_CASE("sgd updates bfloat16 beside float32") {
  check_narrow_types("sgd", {{"momentum", 0}, {"weight_decay", 0.1}});
  check_narrow_types("sgd", {{"dampening", 0.5}});
  check_narrow_types("sgd", {{"nesterov", true}});
}

TEST_CASE("sgd refuses a state that does not fit, and names the parameter") {
  check_bad_states("sgd", "momentum_buffer");
}

TEST_CASE("sgd refuses nesterov without momentum, or with dampening") {
  const auto nesterov = [](double momentum, double dampening) {
    return optimizer("sgd", {{"nesterov", true}, {"momentum", momentum}, {"dampening", dampening}});
  };
  CHECK_THROWS_WITH_AS(nesterov(0, 0), doctest::Contains("/part/nesterov: needs a momentum"), SpecError);
  CHECK_THROWS_WITH_AS(nesterov(0.9, 0.1), doctest::Contains("/part/nesterov: goes with a dampening of 0"), SpecError);
  CHECK_NOTHROW(nesterov(0.9, 0));
}
