#include "ground/spec/spec_file.h"

#include <sys/stat.h>

#include <cstdlib>

#include "support/hostile.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using sectile::test::Scratch;

namespace {

std::string message_of(const std::string& text) {
  const Scratch scratch;
  const auto file = scratch.write("spec.json", text);
  try {
    load_spec(file);
  } catch (const SpecError& error) {
    return test::replaced(error.what(), scratch.path().string() + "/", "");
  }
  return "nothing is wrong";
}

std::vector<std::string> problems_of(const std::string& text, const std::vector<std::string>& changes = {}) {
  const Scratch scratch;
  std::vector<std::string> lines;
  for (const auto& [pointer, message] : load_spec(scratch.write("spec.json", text), changes).problems)
    lines.push_back(pointer + ": " + test::replaced(message, scratch.path().string() + "/", ""));
  return lines;
}

}  // namespace

TEST_CASE("what is not valid JSON is told with file, line, column and what to do") {
  const auto contains = [](const std::string& text, const char* place, const char* advice) {
    const auto message = message_of(text);
    CAPTURE(message);
    CHECK(message.find(place) != std::string::npos);
    CHECK(message.find(advice) != std::string::npos);
  };
  contains("{\n \"a\": [1,\n  2,]\n}", "spec.json:3:5: ", "remove the comma before it");
  contains("{\n \"a\": 1,\n}", "spec.json:3:1: ", "remove the comma before it");
  contains("{\n \"a\": 1 // one\n}", "spec.json:2:", "JSON has no comments; remove it");
  contains("{\n \"a\": 1 \"b\": 2}", "spec.json:2:", "a comma is missing before it");
  contains("{\n 'a': 1}", "spec.json:2:2: ", "strings need double quotes");
  contains("{\n \"a\": [1", "spec.json:2:", "a bracket or a quote is not closed");
  contains("", "spec.json:1:1: ", "the file is empty");
  contains("{\"a\": 1e999}", "spec.json: is not valid JSON: ", "number overflow");
  contains("[1]", "spec.json: ", "expected an object, found an array of 1 value");
  contains(std::string(200000, '['), "spec.json: ", "is nested more than 100 deep");
  contains("{\"a\": [" + test::repeated("0,", 200'000) + "0]}", "spec.json: ", "has more than 200000 values");
  contains(std::string(17 << 20, ' '), "spec.json: ", "has more than 16 MB");
}

TEST_CASE("a change is no deeper than a spec") {
  std::string deep_pointer = test::repeated("/a", 200'000), deep_value = "/b=";
  deep_pointer += "=1";
  deep_value.append(200'000, '[');
  const auto problems = problems_of("{}", {deep_pointer, deep_value});
  REQUIRE(problems.size() == 2);
  CHECK(problems[0] == ": a change names a value that is more than 100 deep");
  CHECK(problems[1].find("/b: ") == 0);
}

TEST_CASE("a named pipe is no spec, and is not waited for") {
  const Scratch scratch;
  REQUIRE(mkfifo((scratch / "spec.json").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(load_spec(scratch / "spec.json"), doctest::Contains("spec.json: is a named pipe"), SpecError);
}

TEST_CASE("a key that an object has twice is a problem with its pointer") {
  const auto problems =
      problems_of(R"({"a": {"b": [1, {"c": 1, "d/e": 2, "c": 3}, {"c": 4, "d/e": 1, "d/e": 1}]}, "f": 1, "f": 2})");
  REQUIRE(problems.size() == 3);
  CHECK(problems[0] == "/a/b/1/c: spec.json: is given twice; remove one of them");
  CHECK(problems[1] == "/a/b/2/d~1e: spec.json: is given twice; remove one of them");
  CHECK(problems[2] == "/f: spec.json: is given twice; remove one of them");
}

TEST_CASE("a spec is merged over the one that it extends") {
  const Scratch scratch;
  scratch.write("base/base.json", R"({"a": {"x": 1, "y": 2}, "list": [1, 2], "gone": 1, "file": "here.txt"})");
  const auto file = scratch.write(
      "spec.json", R"({"extends": "base/base.json", "a": {"y": 3}, "list": [4], "gone": null, "own": "there.txt"})");
  const auto spec = load_spec(file);
  CHECK(spec.json == Json::parse(R"({"a": {"x": 1, "y": 3}, "list": [4], "file": "here.txt", "own": "there.txt"})"));
  CHECK(spec.folder("/file") == scratch.path() / "base");
  CHECK(spec.folder("/own") == scratch.path());
  CHECK(spec.dropped.empty());
}

TEST_CASE("an object whose type changes is replaced, and its lost keys are named") {
  const Scratch scratch;
  scratch.write("base.json", R"({"model": {"type": "unet", "widths": [1], "weights": "w"}})");
  const auto file = scratch.write("spec.json", R"({"extends": "base.json", "model": {"type": "fcn", "weights": "v"}})");
  const auto spec = load_spec(file);
  CHECK(spec.json == Json::parse(R"({"model": {"type": "fcn", "weights": "v"}})"));
  CHECK(spec.dropped == std::vector<std::string>{"/model/widths"});
  const auto changed = load_spec(scratch.path() / "base.json", {"/model/type=fcn"});
  CHECK(changed.json == Json::parse(R"({"model": {"type": "fcn"}})"));
  CHECK(changed.dropped == std::vector<std::string>{"/model/widths", "/model/weights"});
}

TEST_CASE("files that extend each other in a circle are refused with the circle") {
  const Scratch scratch;
  scratch.write("a.json", R"({"extends": "b.json"})");
  scratch.write("b.json", R"({"extends": "a.json"})");
  CHECK_THROWS_WITH_AS(load_spec(scratch.path() / "a.json"),
                       ("/extends: " + (scratch.path() / "a.json").string() +
                        ": the files extend each other in a circle: a.json → b.json → a.json")
                           .c_str(),
                       SpecError);
}

TEST_CASE("--set changes, adds and takes JSON or plain words") {
  const Scratch scratch;
  const auto file = scratch.write("spec.json", R"({"a": {"n": 1}, "list": [{"x": 1}, 2]})");
  const auto spec = load_spec(file, {"/a/n=2.5", "/a/word=plain text", "/b/c=true", "/list/0/x=[1, 2]", "/list/1=\"3\"",
                                     "/e~1f={\"g\": null}"});
  CHECK(spec.problems.empty());
  CHECK(spec.json ==
        Json::parse(
            R"({"a": {"n": 2.5, "word": "plain text"}, "list": [{"x": [1, 2]}, "3"], "b": {"c": true}, "e/f": {}})"));
}

TEST_CASE("every --set that has no place is told") {
  const auto problems = problems_of(R"({"a": 1, "list": [1]})",
                                    {"a=1", "/a/b/c=1", "/a/b=1", "/list/1=2", "/list/-=2", "/a={1", "/a~2=1"});
  REQUIRE(problems.size() == 7);
  CHECK(problems[0] == ": \"a=1\" is not a change: write /pointer=value, as in /train/epochs=3");
  CHECK(problems[1] == "/a/b: has no place: /a is 1 and no object");
  CHECK(problems[2] == "/a/b: has no place: /a is 1 and no object");
  CHECK(problems[3] == "/list/1: has no place: the array has 1 elements, numbered from 0; a change adds none");
  CHECK(problems[4].rfind("/list/-: has no place", 0) == 0);
  CHECK(problems[5].rfind("/a: the value {1 is not valid JSON", 0) == 0);
  CHECK(problems[6].rfind(": \"/a~2=1\" has no JSON pointer before its =", 0) == 0);
}

TEST_CASE("a path may begin with an environment variable") {
  setenv("SECTILE_TEST_ROOT", "/data/sets", 1);
  CHECK(located("${SECTILE_TEST_ROOT}/camvid", "/specs") == "/data/sets/camvid");
  unsetenv("SECTILE_TEST_ROOT");
  CHECK(!located("${SECTILE_TEST_ROOT}/camvid", "/specs"));
  CHECK(located("../camvid", "/specs/a") == "/specs/camvid");
  CHECK(located("/absolute", "/specs") == "/absolute");
  const Scratch scratch;
  std::filesystem::create_directories(scratch / "disk/camvid");
  std::filesystem::create_directory_symlink("disk/camvid", scratch / "link");
  CHECK(located("../camvid", scratch / "link") == std::filesystem::canonical(scratch / "disk/camvid"));
}

TEST_CASE("plugin_path is relative to the file that states it") {
  const Scratch scratch;
  scratch.write("base/base.json", R"({"plugin_path": ["plugins"]})");
  const auto file = scratch.write("spec.json", R"({"extends": "base/base.json"})");
  CHECK(load_spec(file).plugin_path == std::vector<std::filesystem::path>{scratch.path() / "base/plugins"});
  CHECK(problems_of(R"({"plugin_path": ["", 3, "x"]})") ==
        std::vector<std::string>{"/plugin_path/0: expected the name of a folder, found \"\""});
}
