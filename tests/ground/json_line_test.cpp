// JSON that is written.
#include <limits>

#include "ground/json_line.h"
#include "support/test.h"

using sectile::JsonLine;

TEST_CASE("numbers that JSON does not have: undefined ones are null, and infinite ones a text") {
  constexpr double kInfinite = std::numeric_limits<double>::infinity(),
                   kNone = std::numeric_limits<double>::quiet_NaN();
  CHECK(JsonLine().add("a", kNone).add("b", kInfinite).add("c", -kInfinite).text() ==
        R"({"a": null, "b": "Infinity", "c": "-Infinity"})");
  CHECK(JsonLine().add("a", std::vector<double>{1.5, kInfinite, kNone}).text() == R"({"a": [1.5, "Infinity", null]})");
}
