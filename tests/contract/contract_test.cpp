// Runs the contract of its kind on every component of the build tree, and on some that break it.
#include "contract.h"

#include <atomic>
#include <cmath>

#include <sectile/schedule.h>
#include <sectile/transform.h>
#include <opencv2/core.hpp>

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

// Writes to pixels that others share, and invents some where there are none.
class Careless final : public Transform {
 public:
  void apply(Sample& sample, Draw&) const override {
    if (sample.image.empty()) sample.image = cv::Mat(1, 1, CV_8U);
    sample.image.setTo(cv::Scalar::all(7));
  }
};

// Makes something else each time.
class Restless final : public Transform {
 public:
  void apply(Sample& sample, Draw&) const override {
    if (sample.image.empty()) return;
    sample.image = cv::Mat(sample.image.dims, sample.image.size.p, sample.image.type());
    sample.image.setTo(cv::Scalar::all(++calls_ % 100));
  }

 private:
  mutable std::atomic<int> calls_ = 0;
};

// Fails without saying what it expected.
class RowsAlone final : public Transform {
 public:
  void apply(Sample& sample, Draw&) const override {
    if (sample.image.rows < 2) throw DataError(sample.id, "is too small");
  }
};

struct Chance {
  double probability = 0.5;
  void declare(Options& options) {
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
};

// Looks at what it cannot take only after chance.
class Late final : public Transform {
 public:
  explicit Late(const Chance& options) : probability_(options.probability) {}
  void apply(Sample& sample, Draw& draw) const override {
    if (sample.image.empty() || !draw.random.chance(probability_)) return;
    if (sample.image.depth() == CV_16S) throw DataError(sample.id, "is of 16S, expected 8U, 16U or 32F");
  }

 private:
  double probability_;
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

TEST_CASE("the contract sees a transform that changes what others hold, differs each time, or refuses small images") {
  const auto careless = contract::broken_rules({test::plugins(), transform<Careless>("careless", "Writes pixels.")});
  CHECK(found(careless, "an annotated image: pixels that the sample shares with others are changed"));
  CHECK(found(careless, "an image of 0 x 5 pixels: gets pixels"));
  const auto restless = contract::broken_rules({test::plugins(), transform<Restless>("restless", "Changes pixels.")});
  CHECK(found(restless, "an annotated image: the same key gives another result"));
  CHECK(found(restless, "4 threads give another result than one"));
  CHECK_FALSE(found(restless, "pixels that the sample shares"));
  const auto rows = contract::broken_rules({test::plugins(), transform<RowsAlone>("rows", "Needs two rows.")});
  CHECK(found(rows, "an image of one pixel: throws sample 1: is too small"));
  CHECK(found(rows, "an image of 0 x 0 pixels: is refused without the reason \"has no image\""));
  CHECK_FALSE(found(rows, "an annotated image"));
}

TEST_CASE("the contract sees a transform that refuses an image only when chance has it applied") {
  const auto broken =
      contract::broken_rules({test::plugins(), transform<Late, Chance>("late", "Refuses 16S by chance.")});
  CHECK(found(broken, "an image of CV_16SC3 is refused only when chance has it applied"));
  CHECK(found(broken, "a volume of CV_16SC1 is refused only when chance has it applied"));
  CHECK(broken.size() == 8);  // images and volumes of four numbers of channels, all 16S
}
