// Runs the contract of its kind on every component of the build tree, and on some that break it.
#include "contract.h"

#include <cmath>

#include <sectile/schedule.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;
using contract::Subject;

namespace {

void check_kind(const std::string& kind) {
  for (const auto& name : test::plugins().names(kind)) {
    CAPTURE(name);
    const auto broken = contract::broken_rules({test::plugins(), test::plugins().load(kind, name)});
    CHECK(broken.empty());
    for (const auto& finding : broken) FAIL_CHECK(finding);
  }
}

bool found(const std::vector<std::string>& broken, const std::string& text) {
  return std::any_of(broken.begin(), broken.end(), [&](const auto& b) { return b.find(text) != std::string::npos; });
}

struct WrongOptions {
  int count = 0;
  std::string mode = "fast";
  void declare(Options& options) {
    options.add("count", &count, "How many there are.").at_least(1);
    options.add("Mode", &mode, "");
  }
};

class TooLarge final : public Schedule {
 public:
  double factor(const SchedulePoint& at) const override { return static_cast<double>(at.step); }
};

}  // namespace

TEST_CASE("the build tree has components to check") { CHECK(!test::plugins().all().empty()); }
TEST_CASE("every dataset keeps the contract") { check_kind("dataset"); }
TEST_CASE("every transform keeps the contract") { check_kind("transform"); }
TEST_CASE("every schedule keeps the contract") { check_kind("schedule"); }
TEST_CASE("every sampler keeps the contract") { check_kind("sampler"); }
TEST_CASE("every model keeps the contract") { check_kind("model"); }
TEST_CASE("every backbone keeps the contract") { check_kind("backbone"); }
TEST_CASE("every loss keeps the contract") { check_kind("loss"); }
TEST_CASE("every metric keeps the contract") { check_kind("metric"); }
TEST_CASE("every optimizer keeps the contract") { check_kind("optimizer"); }

TEST_CASE("the contract tells what a badly documented component with wrong defaults and numbers breaks") {
  constexpr auto component = schedule<TooLarge, WrongOptions>("Wrong", "");
  const auto broken = contract::broken_rules({test::plugins(), component});
  CHECK(found(broken, "its name is not snake_case"));
  CHECK(found(broken, "it has no summary"));
  CHECK(found(broken, "option \"Mode\" has no sentence of help"));
  CHECK(found(broken, "its defaults are not valid: /count: 0 is too small"));
  CHECK(found(broken, "step 2 of 7 gives 2.000000, which is outside 0..1"));
}

TEST_CASE("the contract sees a model that reads a value on the host, and lets pass one that says so") {
  const PluginIndex toys({SECTILE_BUILD_DIR "/tests/toys", SECTILE_BUILD_DIR "/lib/sectile/plugins"});
  const auto broken = [&](const char* name) { return contract::broken_rules({toys, toys.load("model", name)}); };
  CHECK(found(broken("toy_peeking"), "it does not run on the meta device"));
  for (const char* name : {"toy_plain", "toy_deep", "toy_two_heads", "toy_pyramid", "toy_stride8", "toy_volume"}) {
    CAPTURE(name);
    for (const auto& finding : broken(name)) FAIL_CHECK(finding);
  }
}
