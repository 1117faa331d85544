#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("Tversky equals segmentation_models_pytorch's, in 200 cases") { compare_with_random_cases("tversky"); }
TEST_CASE("focal Tversky equals its formula, in 200 cases") { compare_with_random_cases("focal_tversky"); }

TEST_CASE("Tversky losses refuse alpha and beta of 0, by which no mistake would count") {
  for (const char* name : {"tversky", "focal_tversky"}) {
    CAPTURE(name);
    const auto made = [&](const char* options) {
      return make<Loss>(std::string(R"({"type": ")").append(name).append(R"(", )").append(options).append("}"),
                        context(2));
    };
    CHECK_THROWS_WITH_AS(made(R"("alpha": 0, "beta": 0)"), doctest::Contains("/part/alpha: is 0, and so is beta"),
                         SpecError);
    CHECK_NOTHROW(made(R"("alpha": 0)"));
    CHECK_NOTHROW(made(R"("beta": 0)"));
  }
}
