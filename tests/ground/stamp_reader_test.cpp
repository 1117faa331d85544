#include "ground/plugins/stamp_reader.h"

#include <sys/stat.h>

#include <cstring>
#include <random>
#include <sstream>

#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using sectile::test::Scratch;

namespace {

const std::string kLibrary = SECTILE_BUILD_DIR "/tests/plugins/libsectile_transform_every_shape.so";

StampReading read_bytes(const std::string& bytes) {
  std::istringstream in(bytes);
  return read_stamps(in);
}

}  // namespace

TEST_CASE("stamps of a plugin are read in the order of its components") {
  const auto [stamps, problem] = read_stamps(kLibrary);
  CHECK(problem == "");
  REQUIRE(stamps.size() == 3);
  CHECK(text(stamps[0].kind) == "transform");
  CHECK(text(stamps[0].name) == "every_shape");
  CHECK(text(stamps[0].version) == "1.2.3");
  CHECK(text(stamps[0].summary) == "Has an option of every shape.");
  CHECK(text(stamps[0].abi) == SECTILE_ABI);
  CHECK(text(stamps[2].name) == "bare");
}

TEST_CASE("each thing that is no plugin has its own reason") {
  const Scratch scratch;
  const auto good = test::contents(kLibrary);
  const auto problem_of = [](const std::string& bytes) { return read_bytes(bytes).problem; };
  CHECK(read_stamps(scratch.path() / "absent.so").problem == "cannot be read: No such file or directory");
  CHECK(read_stamps(scratch.path()).problem == "is a folder");
  REQUIRE(mkfifo((scratch / "pipe.so").c_str(), 0600) == 0);
  CHECK(read_stamps(scratch / "pipe.so").problem == "is a named pipe");
  CHECK(problem_of("") == "is empty");
  CHECK(problem_of("#!/bin/sh\nexit 1\n") == "is not a shared library (not an ELF file)");
  CHECK(problem_of("\x7f") == "is not a shared library (not an ELF file)");
  CHECK(problem_of(good.substr(0, 40)) == "is cut short or damaged");
  CHECK(problem_of(good.substr(0, good.size() / 2)) == "is cut short or damaged");

  auto narrow = good;
  narrow[4] = 1;  // EI_CLASS
  CHECK(problem_of(narrow).rfind("was built for another machine (ELF class 1", 0) == 0);
  auto foreign = good;
  foreign[18] = 8, foreign[19] = 0;  // e_machine: MIPS
  CHECK(problem_of(foreign).rfind("was built for another machine (ELF class 2, machine 8;", 0) == 0);
  auto object = good;
  object[16] = 1;  // e_type: a relocatable object
  CHECK(problem_of(object) == "is an ELF file, but not a shared library");
  CHECK(read_stamps(SECTILE_BUILD_DIR "/lib/libsectile.so").problem ==
        "is not a Sectile plugin (it has no SECTILE_PLUGIN)");

  auto other_layout = good;
  other_layout.replace(good.find(kStampMagic), 14, "sectile-plug-9");
  CHECK(problem_of(other_layout).rfind("has a stamp of another layout", 0) == 0);
  auto control = good;
  control[good.find(kStampMagic) + offsetof(Stamp, summary)] = '\x1b';
  CHECK(problem_of(control) == "has a damaged stamp");
}

TEST_CASE("4,000 damaged copies of a plugin are read without a crash") {
  const auto good = test::contents(SECTILE_BUILD_DIR "/tests/bad_plugins/twice/libsectile_bad_twice_a.so");
  std::mt19937 random(1);
  const auto below = [&](std::size_t count) { return random() % count; };
  int whole = 0, refused = 0;
  for (int i = 0; i < 4000; ++i) {
    auto bytes = good;
    for (std::size_t changes = 1 + below(20); changes > 0; --changes) {
      const auto header = below(64), tables = bytes.size() - 1 - below(2000), anywhere = below(bytes.size());
      bytes[below(3) == 0 ? header : below(2) == 0 ? tables : anywhere] = static_cast<char>(random());
    }
    if (below(4) == 0) bytes.resize(below(bytes.size()));
    const auto [stamps, problem] = read_bytes(bytes);
    CHECK(stamps.empty() != problem.empty());
    for (const auto& stamp : stamps) CHECK(text(stamp.name).size() < sizeof stamp.name);
    ++(stamps.empty() ? refused : whole);
  }
  CHECK(whole > 100);
  CHECK(refused > 100);
}
