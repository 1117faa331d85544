#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("Jaccard equals segmentation_models_pytorch's, in 200 cases") { compare_with_random_cases("jaccard"); }

TEST_CASE("a class that a loss over chosen classes includes twice is refused: it would count twice") {
  for (const char* name :
       {"dice", "jaccard", "tversky", "focal_tversky", "mcc", "generalized_dice", "boundary", "hausdorff", "cldice"}) {
    CAPTURE(name);
    const auto made = [&](const char* include) {
      return make<Loss>(
          std::string(R"({"type": ")").append(name).append(R"(", "include": )").append(include).append("}"),
          context(3));
    };
    CHECK_THROWS_WITH_AS(made(R"(["2", "1", "2"])"),
                         "/part/include/2: names the class \"2\" again, as include/0 does; expected each class once: "
                         "remove one of them",
                         SpecError);
    CHECK_NOTHROW(made(R"(["2", "1"])"));
  }
}
