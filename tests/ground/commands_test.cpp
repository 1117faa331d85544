// The front program, as its users meet it.
#include <sys/resource.h>

#include <algorithm>
#include <sstream>

#include <spawn.h>

#include "../runner/report.h"
#include "ground/spec/json_text.h"
#include "support/scratch.h"
#include "support/test.h"

using sectile::Json;
using sectile::test::contents;
using sectile::test::replaced;
using sectile::test::run;
using sectile::test::Scratch;
namespace fs = std::filesystem;

namespace {

const std::string kParts = " --plugin-path " SECTILE_BUILD_DIR "/tests/plugins";
const std::string kSpecs = SECTILE_SOURCE_DIR "/tests/bad_specs";
const std::string kGood = SECTILE_SOURCE_DIR "/tests/good_specs/smallest.json";

sectile::test::Ran sectile_(const std::string& arguments) { return sectile::test::sectile(arguments); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Milliseconds of processor time, so that a busy machine does not matter.
double processor_time(const std::string& program, const std::string& argument) {
  const auto of_children = [] {
    rusage usage{};
    getrusage(RUSAGE_CHILDREN, &usage);
    const auto ms = [](const timeval& time) {
      return 1e3 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_usec);
    };
    return ms(usage.ru_utime) + ms(usage.ru_stime);
  };
  const auto before = of_children();
  run(program + " " + argument + " > /dev/null");
  return of_children() - before;
}

}  // namespace

TEST_CASE("every bad spec is told exactly what is wrong with it") {
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(kSpecs)) {
    if (entry.path().extension() != ".json") continue;
    CAPTURE(entry.path().string());
    auto [code, output] = sectile_("check " + entry.path().string() + kParts);
    CHECK(code == 2);
    output = replaced(replaced(output, kSpecs, "SPECS"), SECTILE_BUILD_DIR, "BUILD");
    CHECK(output == contents(fs::path(entry.path()).replace_extension(".txt")));
    ++compared;
  }
  CHECK(compared >= 15);
}

TEST_CASE("good specs are accepted, and their resolved form says the same again") {
  const Scratch scratch;
  for (const auto& entry : fs::directory_iterator(SECTILE_SOURCE_DIR "/tests/good_specs")) {
    CAPTURE(entry.path().string());
    const auto [code, output] = sectile_("check --quiet " + entry.path().string() + kParts);
    CHECK(code == 0);
    CHECK(output == "");
    const auto resolved = sectile_("check --quiet --resolved " + entry.path().string() + kParts);
    REQUIRE(resolved.code == 0);
    const auto again = scratch.write("resolved.json", resolved.output);
    CHECK(sectile_("check --resolved " + again.string() + kParts).output == resolved.output);
  }
}

TEST_CASE("the JSON Schema accepts and refuses the same specs as the reader") {
  if (run("/usr/bin/python3 -c 'import jsonschema' 2>&1").code != 0) {
    MESSAGE("skipped: /usr/bin/python3 has no module jsonschema (package python3-jsonschema)");
    return;
  }
  // What no schema can see: the text of the file, other files, the environment, and rules across options.
  const std::vector<std::string> beyond = {"same_key_twice",      "comment",        "comma_too_many",  "circle",
                                           "rule_across_options", "base_not_there", "variable_not_set"};
  const Scratch scratch;
  const auto schema = scratch.write("schema.json", sectile_("schema --quiet" + kParts).output);
  std::string specs;
  for (const char* folder : {"good_specs", "bad_specs"})
    for (const auto& entry : fs::directory_iterator(SECTILE_SOURCE_DIR "/tests/" + std::string(folder)))
      if (entry.path().extension() == ".json" && !std::count(beyond.begin(), beyond.end(), entry.path().stem()))
        specs += " " + entry.path().string();
  const auto [code, output] =
      run("/usr/bin/python3 " SECTILE_SOURCE_DIR "/tests/ground/schema_oracle.py " + schema.string() + specs + " 2>&1");
  CAPTURE(output);
  CHECK(code == 0);
  std::istringstream lines(output);
  int compared = 0;
  for (std::string name, verdict; lines >> name >> verdict; ++compared) {
    CAPTURE(name);
    const bool good = fs::exists(SECTILE_SOURCE_DIR "/tests/good_specs/" + name + ".json");
    CHECK(verdict == (good ? "accepted" : "refused"));
  }
  CHECK(compared >= 10);
}

TEST_CASE("help is printed for the program and every command, and is no error") {
  const auto [code, output] = sectile_("--help");
  CHECK(code == 0);
  for (const char* command : {"train", "evaluate", "predict", "check", "list", "describe", "schema", "doctor"})
    CHECK(has(output, std::string("\n  ") + command + " "));
  for (const std::string command : {"check", "list", "describe", "schema"}) {
    const auto help = sectile_(command + " --help");
    CHECK(help.code == 0);
    CHECK(has(help.output, "usage: sectile " + command));
    CHECK(has(help.output, "--plugin-path DIR"));
    CHECK(has(help.output, "--set PTR=VALUE") == (command == "check"));
  }
  CHECK(sectile_("").output == output);
  CHECK(sectile_("--version").output.rfind("sectile ", 0) == 0);
}

TEST_CASE("words that make no sense are told with what does, and end with 2") {
  const auto said = [](const std::string& words, const std::string& message) {
    const auto [code, output] = sectile_(words);
    CAPTURE(output);
    CHECK(code == 2);
    CHECK(output.rfind("error: " + message, 0) == 0);
  };
  said("lisst", "unknown command \"lisst\", did you mean \"list\"?\nMore: sectile --help\n");
  said("check spec.json --resolvd",
       "unknown option \"--resolvd\", did you mean \"--resolved\"?\nusage: sectile check ");
  said("check", "\"sectile check\" needs an operand, found none\nusage: ");
  said("check a b", "\"sectile check\" takes at most 1, found \"b\"\n");
  said("schema x", "\"sectile schema\" takes no operand, found \"x\"\n");
  said("list --set /a=1", "unknown option \"--set\"");
  said("list lss", "unknown kind \"lss\", did you mean \"loss\"?");
  said("list part_model" + kParts, "\"part_model\" is no kind but a model: sectile describe model part_model");
  said("describe los part_loss" + kParts, "unknown kind \"los\", did you mean \"loss\"?");
  said("describe part_los" + kParts, "unknown component \"part_los\", did you mean \"part_loss\"?\nsearched:\n");
  said("check /nonexistent.json", "/nonexistent.json: cannot be read: No such file or directory\n");
}

TEST_CASE("list prints kind, name, version and summary in columns") {
  const auto [code, output] = sectile_("list transform" + kParts);
  CHECK(code == 0);
  CHECK(has(output, "\ntransform  every_shape"));
  CHECK(has(output, "  1.2.3"));
  CHECK(has(output, "  Has an option of every shape.\n"));
  CHECK(!has(output, "part_model"));
}

TEST_CASE("list tells what is shadowed, skipped or cannot be used, and why") {
  const Scratch scratch;
  const std::string bad = SECTILE_BUILD_DIR "/tests/bad_plugins/";
  const auto skipped = scratch.write("libsectile_text.so", "text");
  const auto [code, output] = sectile_("list schedule --plugin-path " + bad + "other_abi --plugin-path " + bad +
                                       "constructor_throws --plugin-path " + scratch.path().string());
  CHECK(code == 0);
  CHECK(has(output, "\nunusable: " + bad + "other_abi/libsectile_bad_other_abi.so: was built for a different host"));
  CHECK(has(output, "\nshadowed: schedule constant 1.0.0 of " + bad +
                        "constructor_throws/libsectile_bad_constructor_throws.so, by " + bad +
                        "other_abi/libsectile_bad_other_abi.so\n"));
  CHECK(has(output, "\nskipped: " + skipped.string() + ": is no shared library (not an ELF file)\n"));
}

TEST_CASE("list --json and describe --json are JSON") {
  const auto listed = Json::parse(sectile_("list --json" + kParts).output);
  CHECK(listed["components"].size() >= 9);
  CHECK(listed["searched"][0]["folder"] == SECTILE_BUILD_DIR "/tests/plugins");
  const auto described = Json::parse(sectile_("describe --json strict" + kParts).output);
  CHECK(described["version"] == "1.2.3");
  CHECK(described["example"] == Json::parse(R"({"type": "strict", "folder": "folder", "count": 2})"));
  CHECK(described["schema"]["properties"]["count"]["minimum"] == 2);
}

TEST_CASE("describe tells type, limits, default and meaning of every option, nested ones too") {
  const auto [code, output] = sectile_("describe every_shape" + kParts);
  CHECK(code == 0);
  CHECK(has(output, "transform every_shape 1.2.3\nHas an option of every shape.\nfile: "));
  CHECK(has(output, "\n  whole: whole number, -5 to 99; default 3\n      A whole number.\n"));
  CHECK(has(output, "\n  word: \"mirror\" | \"repeat\" | \"constant\"; default \"mirror\"\n"));
  CHECK(has(output, "\n  numbers: array of number, 0 to 4, not empty; default [0.5,2.0]\n"));
  CHECK(has(output, "\n  limits/from: whole number; default 1\n"));
  CHECK(has(output, "\n  several/0/required_count: whole number, at least 1; required\n"));
  CHECK(has(output, "\n  then: transform component; may be left out\n"));
  CHECK(has(output, "\nIn a spec:\n  {\"transforms\":{\"train\":[{\"type\":\"every_shape\"}]}}\n"));
  CHECK(has(sectile_("describe part_loss" + kParts).output, "\nOptions of every loss:\n  weight: number, at least 0"));
}

TEST_CASE("list opens no plugin library") {
  const auto output = run("LD_DEBUG=files " SECTILE_BUILD_DIR "/bin/sectile list" + kParts + " 2>&1 >/dev/null").output;
  CHECK(has(output, "libsectile.so"));  // the loader does talk
  CHECK(!has(output, "/plugins/libsectile_"));
  const auto described =
      run("LD_DEBUG=files " SECTILE_BUILD_DIR "/bin/sectile describe bare" + kParts + " 2>&1 >/dev/null").output;
  CHECK(has(described, "/plugins/libsectile_transform_every_shape.so"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("list answers within 15 ms of processor time") {
  double best = 1e9;
  for (int i = 0; i < 15; ++i) best = std::min(best, processor_time(SECTILE_BUILD_DIR "/bin/sectile", "list" + kParts));
  CHECK(best <= 15);
}
#endif

TEST_CASE("a spec's plugin_path is searched unless --no-spec-plugins") {
  const Scratch scratch;
  fs::create_directory_symlink(SECTILE_BUILD_DIR "/tests/plugins", scratch.path() / "mine");
  auto json = Json::parse(contents(kGood));
  json["plugin_path"] = {"mine"};
  const auto spec = scratch.write("spec.json", json.dump()).string();
  CHECK(sectile_("check " + spec).output == spec + ": no mistakes found\n");
  const auto [code, output] = sectile_("check --no-spec-plugins " + spec);
  CHECK(code == 2);
  CHECK(has(output, "unknown model \"part_model\""));
  CHECK(!has(output, "/mine"));
}

TEST_CASE("--set changes a spec, and what an exchanged type drops is told") {
  const auto [code, output] =
      sectile_("check " + kGood + kParts + " --set /data/train/type=part_datset --set /loss/0/smooth=2");
  CHECK(code == 2);
  CHECK(has(output, "note: /data/train/root: is dropped with the type that it belonged to\n"));
  CHECK(has(output, "error: /data/train/type: unknown dataset \"part_datset\", did you mean \"part_dataset\"?"));
  const auto resolved = sectile_("check --resolved " + kGood + kParts + " --set /loss/0/smooth=2");
  CHECK(Json::parse(resolved.output)["loss"][0]["smooth"] == 2);
}

TEST_CASE("other commands become sectile-compute, with the settings that must precede it") {
  const Scratch scratch;
  fs::create_directories(scratch.path() / "bin");
  fs::copy_file(SECTILE_BUILD_DIR "/bin/sectile", scratch.path() / "bin/sectile");
  const auto compute = scratch.write("lib/sectile/sectile-compute", "#!/bin/sh\necho \"$@\"\nenv\n");
  fs::permissions(compute, fs::perms::owner_all);
  const auto command =
      "LD_LIBRARY_PATH=" SECTILE_BUILD_DIR "/lib MALLOC_TOP_PAD_=5 " + (scratch.path() / "bin/sectile").string() + " ";
  const auto [code, output] = run(command + "train spec.json --resume");
  CHECK(code == 0);
  CHECK(output.rfind("train spec.json --resume\n", 0) == 0);
  CHECK(has(output, "\nOMP_WAIT_POLICY=passive\n"));
  CHECK(has(output, "\nMALLOC_TOP_PAD_=5\n"));  // the user's choice
  CHECK(has(output, "\nMALLOC_MMAP_THRESHOLD_="));
  CHECK(has(output, "\nONEDNN_PRIMITIVE_CACHE_CAPACITY=64\n"));
  CHECK(has(output, "\nLRU_CACHE_CAPACITY=64\n"));
  fs::remove(compute);
  const auto gone = run(command + "train spec.json 2>&1");
  CHECK(gone.code == 1);
  CHECK(has(gone.output, "sectile-compute: No such file or directory; it belongs to this program"));
}

TEST_CASE("an error of LibTorch's loses its backtrace") {
  const std::string message =
      "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)\nException raised from addmm at ../aten/Blas.cpp:12 "
      "(most recent call first):\nframe #0: c10::Error::Error + 0x56";
  CHECK(sectile::without_backtrace(message) == "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)");
  CHECK(sectile::without_backtrace("short") == "short");
}
