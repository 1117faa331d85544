// What a component throws while it is built, as the spec's author gets to read it.
#include <sectile/dataset.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;
using test::make;

TEST_CASE("a data set's own error keeps its kind, and is told with its place once") {
  try {
    make<Dataset>(R"({"type": "repeat", "times": 2, "dataset":
                     {"type": "subset", "dataset": {"type": "image_folder", "root": "/no/such"}}})");
    FAIL("a folder that is not there is accepted");
  } catch (const DataError& error) {
    CHECK(std::string(error.what()).starts_with("/part/dataset/dataset: /no/such: is no folder"));
  }
  CHECK_THROWS_WITH_AS(make<Dataset>(R"({"type": "concat", "datasets": [{"type": "synthetic"},
                           {"type": "subset", "skip": 4, "dataset": {"type": "synthetic", "count": 4}}]})"),
                       doctest::Contains("/part/datasets/1: skip: leaves out 4 samples"), DataError);
}

TEST_CASE("options of a data set inside another are checked where they stand") {
  CHECK_THROWS_WITH_AS(make<Dataset>(R"({"type": "concat", "datasets": [{"type": "synthetic", "count": 0},
                           {"type": "repeat", "times": 0, "dataset": {"type": "synthetik"}}]})"),
                       doctest::Contains("/part/datasets/0/count: 0 is too small: at least 1\n"
                                         "/part/datasets/1/dataset/type: unknown dataset \"synthetik\", did you mean "
                                         "\"synthetic\"?"),
                       SpecError);
}
