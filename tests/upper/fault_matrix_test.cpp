// A run, broken wherever it writes and in every way, goes on to the bits of one that was not, and touches no other
// file; one that replaces another has replaced it or not.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <vector>

#include <sectile/random.h>

#include "support/same_run.h"
#include "support/scratch.h"
#include "support/small_images.h"
#include "support/test.h"

using sectile::Random;  // alone: in one translation unit with tests that include all of LibTorch
namespace fs = std::filesystem;
namespace test = sectile::test;

namespace {

struct Fault {
  std::string kind;  // as in faults.cpp; or the folder of images of which one cannot be read: "train", "val"
  int point = 0;
};

class FaultMatrix {
 public:
  FaultMatrix() {
    test::write_small_images(scratch_ / "train", 8, 1);
    test::write_small_images(scratch_ / "val", 2, 2);
    scratch_.write("spec.json", test::small_run(scratch_ / "train", scratch_ / "val").dump());
    for (const char* name :
         {"best.pth.bak", "log.jsonl.1", "spec.json.orig", "step-000001-good.pth", "step-final.pth", "notes"})
      others_[name] = name;
    points_ = count("", "written");
    REQUIRE(run(scratch_ / "earlier", "", "--set /train/seed=7") == 0);
    for (const char* split : {"train", "val"})
      reads_[split] = count(std::string("/") + split + "/images/:1000000", split);
  }

  Fault any(Random& random) const {
    static const char* const kinds[] = {"kill", "space", "permission", "hangup", "pipe", "train", "val"};
    Fault fault{kinds[random.below(std::size(kinds))]};
    const auto reads = reads_.find(fault.kind);
    fault.point = static_cast<int>(random.below(reads == reads_.end() ? points_ : reads->second)) + 1;
    return fault;
  }

  // False if the fault came to nothing, for example after the last step.
  bool check(const std::vector<Fault>& faults, int number) const {
    const auto folder = scratch_ / ("run" + std::to_string(number));
    for (const auto& [name, text] : others_) scratch_.write(folder.filename().string() + "/" + name, text);
    bool broken = false;
    for (const auto& fault : faults) broken |= run(folder, settings_of(fault)) != 0;
    const int status = run(folder, "");
    CAPTURE(test::contents(scratch_ / "output"));
    CHECK(status == 0);
    if (status != 0) return broken;
    test::check_same_run(scratch_ / "written", folder);
    CHECK(test::log_of(folder) == test::log_of(scratch_ / "written"));
    auto expected = test::files_of(scratch_ / "written");
    for (const auto& [name, text] : others_) {
      expected.insert(name);
      CHECK(test::contents(folder / name) == text);
    }
    CHECK(test::files_of(folder) == expected);
    fs::remove_all(folder);
    return broken;
  }

  // Of a run that replaces another: that one is there as it was, or its replacement goes on.
  bool check_replacement(const Fault& fault, int number) const {
    const auto folder = scratch_ / ("replaced" + std::to_string(number)), earlier = scratch_ / "earlier";
    fs::copy(earlier, folder);
    const bool broken = run(folder, settings_of(fault), "--overwrite") != 0;
    const int status = run(folder, "");
    CAPTURE(test::contents(scratch_ / "output"));
    const bool is_earlier = WIFEXITED(status) && WEXITSTATUS(status) == 2;  // its seed is not that of the spec
    const auto expected = is_earlier ? earlier : scratch_ / "written";
    CHECK((status == 0 || is_earlier));
    if (is_earlier)
      for (const auto& name : test::files_of(earlier))
        CHECK(test::contents(folder / name) == test::contents(earlier / name));
    else
      test::check_same_run(expected, folder);
    CHECK(test::log_of(folder) == test::log_of(expected));
    CHECK(test::files_of(folder) == test::files_of(expected));
    fs::remove_all(folder);
    return broken;
  }

  int points() const { return points_; }

 private:
  std::string settings_of(const Fault& fault) const {
    const auto point = std::to_string(fault.point);
    return reads_.count(fault.kind) ? "FAULTS_READ=/" + fault.kind + "/images/:" + point + " FAULTS_READS=1"
                                    : "FAULTS_POINT=" + point + " FAULTS_KIND=" + fault.kind;
  }

  int run(const fs::path& folder, const std::string& faults, const std::string& options = "--resume=auto") const {
    const auto command =
        "env -u SECTILE_PLUGIN_PATH ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 LD_PRELOAD=" SECTILE_BUILD_DIR
        "/lib/libsectile_test_faults.so FAULTS_FOLDER=" +
        folder.string() + " " + faults + " " SECTILE_BUILD_DIR "/bin/sectile train " +
        (scratch_ / "spec.json").string() + " -o " + folder.string() + " " + options + " >" +
        (scratch_ / "output").string() + " 2>&1";
    return std::system(command.c_str());
  }

  int count(const std::string& read, const std::string& name) const {
    const auto file = scratch_ / "count";
    REQUIRE(run(scratch_ / name, "FAULTS_READ=" + read + " FAULTS_COUNT=" + file.string()) == 0);
    int written = 0, opened = 0;
    std::ifstream(file) >> written >> opened;
    const int found = read.empty() ? written : opened;
    REQUIRE(found > 0);
    return found;
  }

  test::Scratch scratch_;
  std::map<std::string, std::string> others_;
  int points_ = 0;
  std::map<std::string, int> reads_;
};

// Breaks so many runs as the environment, or else the suite, asks for; most faults must come to something.
void break_runs(int in_suite, std::uint64_t seed, const std::function<bool(const FaultMatrix&, Random&, int)>& breaks) {
  const char* asked = std::getenv("SECTILE_FAULTS");
  const int wanted = asked ? std::atoi(asked) : in_suite;
  const FaultMatrix matrix;
  Random random{seed};
  int broken = 0;
  for (int i = 0; i < wanted; ++i) broken += breaks(matrix, random, i);
  MESSAGE(broken << " of " << wanted << " runs were broken, at some of " << matrix.points() << " points");
  CHECK(broken >= wanted / 2);
}

}  // namespace

TEST_CASE("a run that is broken wherever it writes, in every way, goes on to the same bits and touches no other file") {
  break_runs(20, 2026, [](const FaultMatrix& matrix, Random& random, int i) {
    std::vector<Fault> faults{matrix.any(random)};
    if (i % 4 == 3) faults.push_back(matrix.any(random));  // the resumed run too
    std::string text;
    for (const auto& fault : faults) text += fault.kind + " at " + std::to_string(fault.point) + "  ";
    CAPTURE(text);
    return matrix.check(faults, i);
  });
}

TEST_CASE("a run that is broken wherever it replaces another one has replaced it, or not") {
  break_runs(8, 11, [](const FaultMatrix& matrix, Random& random, int i) {
    auto fault = matrix.any(random);
    if (i % 2)
      fault = {"kill", 1 + static_cast<int>(random.below(40))};  // while files are moved, and at the first save
    CAPTURE(fault.kind);
    CAPTURE(fault.point);
    return matrix.check_replacement(fault, i);
  });
}

TEST_CASE("a run that finds no space or permission before its first step leaves a folder in which another one begins") {
  const FaultMatrix matrix;
  for (const std::string kind : {"space", "permission"})
    for (int point = 6; point <= 10; ++point) {  // where its log and its spec.json are written
      CAPTURE(kind);
      CAPTURE(point);
      matrix.check({{kind, point}}, point);
    }
}
