#include "ground/spec/json_options.h"

#include <sectile/transform.h>

#include "ground/describe/component_text.h"
#include "ground/describe/json_schema.h"
#include "ground/spec/pipeline_spec.h"
#include "support/test.h"

using namespace sectile;

namespace {

const PluginIndex& index() {
  static const PluginIndex all({SECTILE_BUILD_DIR "/tests/plugins", SECTILE_BUILD_DIR "/lib/sectile/plugins"});
  return all;
}

struct Holder {
  Ref<Transform> part;
  void declare(Options& options) { options.add("part", &part, "The component."); }
};

// The problems of one component's options, "pointer: message" each; and what it was resolved to.
struct Outcome {
  std::vector<std::string> problems;
  Json resolved;
  std::vector<Problem> notes;
};
Outcome outcome(const std::string& json) {
  SpecFile file;
  file.json["part"] = Json::parse(json);
  file.folders["/part"] = "/specs";
  Holder holder;
  Outcome result;
  try {
    SpecReader{index(), file}.read(&holder, kValueType<Holder>);
    result.resolved = resolved(&holder, kValueType<Holder>)["part"];
  } catch (const SpecError& error) {
    for (const auto& [pointer, message] : error.problems()) result.problems.push_back(pointer + ": " + message);
  }
  result.notes = *file.notes;
  return result;
}
std::vector<std::string> problems_of(const std::string& options) {
  return outcome(R"({"type": "every_shape", )" + options + "}").problems;
}
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a component that is only named gets all its defaults") {
  const auto [problems, resolved, notes] = outcome(R"({"type": "every_shape"})");
  CHECK(problems == Lines{});
  CHECK(resolved == Json::parse(R"({"type": "every_shape", "flag": false, "whole": 3, "large": 1, "real": 0.5,
      "word": "mirror", "free_text": "anything", "file": "", "mode": "linear", "limits": {"from": 1, "to": 9},
      "numbers": [0.5, 2.0], "size": [64, 64], "table": [], "several": [], "factors": {}, "names": ["first"],
      "sequence": []})"));
}

TEST_CASE("every shape of option is read, and written as it was read") {
  const auto text = R"({"type": "every_shape", "flag": true, "whole": -5, "large": 9000000000, "real": 3.0,
      "word": "constant", "free_text": "ä/ö", "file": "/absolute/file", "mode": "nearest",
      "limits": {"from": 2, "to": 2}, "numbers": [0.0, 4.0], "size": [1, 2], "table": [[1, 2], [], [3]], "maybe": 1,
      "maybe_nested": {"low": 1.0, "required_count": 7}, "several": [{"low": 0.0, "required_count": 1}],
      "factors": {"a b": 1.5, "c": -2.0}, "names": ["x", "y"], "then": {"type": "bare"},
      "sequence": [{"type": "bare"}, {"type": "strict", "folder": "/f", "count": 2}]})";
  const auto [problems, resolved, notes] = outcome(text);
  CHECK(problems == Lines{});
  CHECK(resolved == Json::parse(text));
  CHECK(outcome(resolved.dump()).resolved == resolved);
}

TEST_CASE("whole numbers may be written as 1e1 and not as 1.5") {
  CHECK(outcome(R"({"type": "every_shape", "whole": 1e1})").resolved["whole"] == 10);
  CHECK(problems_of(R"("whole": 1.5)") == Lines{"/part/whole: expected integer, found 1.5"});
}

TEST_CASE("a relative path starts at the folder of its file") {
  CHECK(outcome(R"({"type": "every_shape", "file": "a/../b.txt"})").resolved["file"] == "/specs/b.txt");
  CHECK(problems_of(R"("file": "${SECTILE_TEST_UNSET}/b")") ==
        Lines{"/part/file: \"${SECTILE_TEST_UNSET}/b\" starts with an environment variable that is not set"});
  CHECK(problems_of(R"("file": "a\u0000b")") == Lines{"/part/file: contains a zero character, which no file name has"});
}

TEST_CASE("a wrong type is told with what was wanted and what was found") {
  CHECK(problems_of(R"("flag": 1, "whole": "3", "real": [], "word": 2, "limits": [1], "factors": 3, "table": [1])") ==
        Lines{"/part/flag: expected boolean, found 1", "/part/whole: expected integer, found \"3\"",
              "/part/real: expected number, found []", "/part/word: expected string, found 2",
              "/part/limits: expected object, found an array of 1 value",
              "/part/table/0: expected array, found 1; put it in [ ]", "/part/factors: expected object, found 3"});
  CHECK(problems_of(R"("numbers": 1.5, "then": "bare")") ==
        Lines{"/part/numbers: expected array, found 1.5: Numbers within limits.",
              "/part/then: expected object, found \"bare\"; write {\"type\": \"bare\"}"});
}

TEST_CASE("one value in place of an array is told how many there must be, where that is known, or what they are") {
  CHECK(problems_of(R"("size": 64)") == Lines{"/part/size: expected array of 2 values, found 64"});
  CHECK(outcome(R"({"type": "random_crop", "size": 64})").problems ==
        Lines{"/part/size: expected array, found 64: Crop size: [height, width] in pixels, or [depth, height, width] "
              "for volumes; without depth, the whole depth."});
  CHECK(problems_of(R"("names": "a")") == Lines{"/part/names: expected array, found \"a\"; put it in [ ]"});
}

TEST_CASE("limits hold at their ends, and for every number in arrays, maps and optional values") {
  CHECK(problems_of(R"("whole": 99, "numbers": [0, 4], "maybe": 1, "factors": {"a": 10})") == Lines{});
  CHECK(problems_of(R"("whole": 100, "numbers": [1, -0.5, 4.5], "size": [1, 0], "maybe": 0, "factors": {"a": 10.5})") ==
        Lines{"/part/whole: 100 is too large: at most 99", "/part/numbers/1: -0.5 is too small: at least 0",
              "/part/numbers/2: 4.5 is too large: at most 4", "/part/size/1: 0 is too small: at least 1",
              "/part/maybe: 0 is too small: at least 1", "/part/factors/a: 10.5 is too large: at most 10"});
}

TEST_CASE("a whole number that its type cannot hold is refused") {
  CHECK(problems_of(R"("table": [[3000000000]], "large": 18446744073709551615)") ==
        Lines{"/part/large: 18446744073709551615 is too large or too small for this option's whole numbers",
              "/part/table/0/0: 3000000000 is too large or too small for this option's whole numbers"});
}

TEST_CASE("empty texts and arrays are refused where something must be there") {
  CHECK(problems_of(R"("free_text": "", "numbers": [], "names": ["a", ""])") ==
        Lines{"/part/free_text: must not be empty", "/part/numbers: must not be empty",
              "/part/names/1: must not be empty"});
}

TEST_CASE("an array of fixed size has that size") {
  CHECK(problems_of(R"("size": [1, 2, 3])") == Lines{"/part/size: expected 2 values, found 3"});
}

TEST_CASE("words of a choice get a suggestion, or all that is possible") {
  CHECK(problems_of(R"("word": "mirorr", "mode": "x")") ==
        Lines{"/part/word: unknown value \"mirorr\", did you mean \"mirror\"?",
              "/part/mode: unknown value \"x\"; known: nearest, linear"});
}

TEST_CASE("missing options are told with their help, at any depth") {
  CHECK(outcome(R"({"type": "strict"})").problems == Lines{"/part: option \"folder\" is missing: Where its files lie.",
                                                           "/part: option \"count\" is missing: How many there are."});
  CHECK(problems_of(R"("maybe_nested": {}, "several": [{"low": 2}])") ==
        Lines{"/part/maybe_nested: option \"required_count\" is missing: Must be given where the group is.",
              "/part/several/0/low: 2 is too large: at most 1",
              "/part/several/0: option \"required_count\" is missing: Must be given where the group is."});
}

TEST_CASE("rules across options are asked once the options are right in themselves") {
  CHECK(problems_of(R"("limits": {"from": 5, "to": 4})") == Lines{"/part/limits/to: 4 is less than \"from\", 5"});
  CHECK(problems_of(R"("limits": {"from": 12})") == Lines{"/part/limits/to: 9 is less than \"from\", 12"});
  CHECK(problems_of(R"("limits": {"from": 12, "to": "x"})") == Lines{"/part/limits/to: expected integer, found \"x\""});
}

TEST_CASE("an old name is read with a note, and not beside the new one") {
  const auto [problems, resolved, notes] = outcome(R"({"type": "every_shape", "big": 5})");
  CHECK(resolved["large"] == 5);
  CHECK(!resolved.contains("big"));
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].pointer == "/part/big");
  CHECK(notes[0].message == "is now called \"large\"");
  CHECK(problems_of(R"("big": 5, "large": 6)") == Lines{"/part/big: unknown option; known: type, flag, whole, large, "
                                                        "real, word, free_text, file, mode, limits, numbers, size, "
                                                        "table, maybe, maybe_nested, several, factors, names, then, "
                                                        "sequence"});
}

TEST_CASE("components in components are found and checked where they stand") {
  CHECK(
      problems_of(R"("sequence": [{"type": "bar"}, {"type": "strict", "folder": "x", "cuont": 3}, {}, {"type": 3}])") ==
      Lines{"/part/sequence/0/type: unknown transform \"bar\", did you mean \"bare\"?" +
                [] {
                  std::string searched = "\nsearched:";
                  for (const auto& [path, unused] : index().searched()) searched += "\n  " + path.string();
                  return searched;
                }(),
            "/part/sequence/1: option \"count\" is missing: How many there are.",
            "/part/sequence/1/cuont: unknown option, did you mean \"count\"?",
            "/part/sequence/2: does not name a transform: \"type\" is missing; known: " +
                [] {
                  std::string known;
                  for (const auto& name : index().names("transform")) known += (known.empty() ? "" : ", ") + name;
                  return known;
                }(),
            "/part/sequence/3/type: expected string, found 3"});
}

TEST_CASE("a pointer escapes the slashes and tildes of keys") {
  CHECK(problems_of(R"("factors": {"a/b~c": "x"})") == Lines{"/part/factors/a~1b~0c: expected number, found \"x\""});
}

TEST_CASE("a component that is a default has the options that the default gives it, and its own beside them") {
  const auto [problems, resolved, notes] = outcome(R"({"type": "outer"})");
  CHECK(problems == Lines{});
  CHECK(resolved == Json::parse(R"({"type": "outer",
      "part": {"type": "inner", "mode": "slow", "strides": [1, 2], "share": 1.0, "exact": true},
      "several": [{"type": "inner", "mode": "fast", "strides": [8], "share": 0.5, "exact": false},
                  {"type": "inner", "mode": "fast", "strides": [4], "share": 0.5, "exact": false}]})"));
  CHECK(outcome(resolved.dump()).resolved == resolved);
}

TEST_CASE("where the spec names the component itself, nothing of the default's options is left") {
  const auto resolved =
      outcome(R"({"type": "outer", "part": {"type": "inner", "share": 0.25}, "several": []})").resolved;
  CHECK(resolved["part"] ==
        Json::parse(R"({"type": "inner", "mode": "fast", "strides": [4], "share": 0.25, "exact": false})"));
  CHECK(resolved["several"] == Json::array());
}

TEST_CASE("a mistake in a default's options is told at its place") {
  struct Wrong {
    Ref<Transform> part = Ref<Transform>("inner").with("strides", {1, 0}).with("mdoe", "slow").with("share", "much");
    void declare(Options& options) { options.add("part", &part, "The component."); }
  } wrong;
  std::vector<std::string> problems;
  try {
    SpecFile file;
    file.json = Json::object();
    SpecReader{index(), file}.read(&wrong, kValueType<Wrong>);
  } catch (const SpecError& error) {
    for (const auto& [pointer, message] : error.problems()) problems.push_back(pointer + ": " + message);
  }
  CHECK(problems == Lines{"/part/strides/1: 0 is too small: at least 1", "/part/share: expected number, found \"much\"",
                          "/part/mdoe: unknown option, did you mean \"mode\"?"});
}

TEST_CASE("descriptions and schemas show what a default component is given") {
  const auto text = describe_text(index(), "transform", "outer");
  CHECK(text.find("part: transform component; default "
                  R"({"type":"inner","mode":"slow","strides":[1,2],"share":1,"exact":true})") != std::string::npos);
  const auto schema = json_schema(index().load("transform", "outer"));
  CHECK(schema["properties"]["several"]["default"] ==
        Json::parse(R"([{"type": "inner", "strides": [8]}, {"type": "inner"}])"));
}

TEST_CASE("a kind in place of a component is told as one") {
  CHECK_THROWS_WITH_AS(describe_text(index(), "", "sampler"),
                       doctest::Contains("\"sampler\" is a kind, and its components are described one by one: sectile "
                                         "describe sampler NAME; sectile list sampler has their names"),
                       SpecError);
}

TEST_CASE("one value may stand for an array of one where the option says so") {
  const auto strides = [](const std::string& json) { return outcome(R"({"type": "inner", "strides": )" + json + "}"); };
  CHECK(strides("3").resolved["strides"] == Json::parse("[3]"));
  CHECK(strides("[3, 5]").resolved["strides"] == Json::parse("[3, 5]"));
  CHECK(strides("0").problems == Lines{"/part/strides: 0 is too small: at least 1"});
  CHECK(strides("[3, 0]").problems == Lines{"/part/strides/1: 0 is too small: at least 1"});
  CHECK(strides("[]").problems == Lines{"/part/strides: must not be empty"});
  CHECK(strides("\"a\"").problems == Lines{"/part/strides: expected integer or array, found \"a\""});
  CHECK(outcome(R"({"type": "outer", "factors": 0.4})").resolved["factors"] == Json::parse("[0.4]"));
  CHECK(!outcome(R"({"type": "outer", "factors": null})").resolved.contains("factors"));
  CHECK(problems_of(R"("numbers": 1)") == Lines{"/part/numbers: expected array, found 1: Numbers within limits."});

  const auto schema = json_schema(index().load("transform", "inner"))["properties"]["strides"];
  CHECK(schema["anyOf"] == Json::parse(R"([{"type": "integer", "minimum": 1.0},
      {"type": "array", "items": {"type": "integer", "minimum": 1.0}, "minItems": 1}])"));
  const auto text = describe_text(index(), "transform", "inner");
  CHECK(text.find("strides: whole number, at least 1, or an array of such, not empty; default [4]") !=
        std::string::npos);
}

TEST_CASE("a long or binary value is quoted in short") {
  const auto problems = problems_of("\"whole\": \"" + std::string(500, 'x') + "\"");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].size() < 120);
}

TEST_CASE("problems that were found while the file was read come first") {
  SpecFile file;
  file.json["part"] = Json::parse(R"({"type": "bare", "x": 1})");
  file.problems.push_back({"/before", "was wrong"});
  Holder holder;
  try {
    SpecReader{index(), file}.read(&holder, kValueType<Holder>);
    FAIL("two problems are accepted");
  } catch (const SpecError& error) {
    REQUIRE(error.problems().size() == 2);
    CHECK(error.problems()[0].pointer == "/before");
    CHECK(error.problems()[1].pointer == "/part/x");
  }
}

// Every component that is found, with each key of its resolved options misspelt by one letter in its turn.
namespace {

// Fills the holder's one member with the JSON; the problems, or none.
template <class Interface>
std::vector<Problem> problems_with(const Json& json) {
  struct Any {
    Ref<Interface> part;
    void declare(Options& options) { options.add("part", &part, "The component."); }
  } any;
  SpecFile file;
  file.json["part"] = json;
  try {
    SpecReader{index(), file}.read(&any, kValueType<Any>);
  } catch (const SpecError& error) {
    return error.problems();
  }
  return {};
}

template <class Interface>
void misspell_all() {
  for (const auto& name : index().names(Kind<Interface>::name)) {
    CAPTURE(name);
    const auto example = Json::parse(example_text(index(), Kind<Interface>::name, name));
    CHECK(problems_with<Interface>(example).empty());
    const auto schema = json_schema(index().load(Kind<Interface>::name, name));
    for (const auto& [option, its_schema] : schema["properties"].items()) {
      if (option == "type" || its_schema.contains("deprecated")) continue;
      auto misspelt = example;
      misspelt.erase(option);
      const auto wrong = option + "q";
      misspelt[wrong] = 1;
      CAPTURE(option);
      bool told = false;
      for (const auto& [pointer, message] : problems_with<Interface>(misspelt))
        told = told || (pointer == "/part/" + wrong && message == "unknown option, did you mean \"" + option + "\"?");
      CHECK(told);
    }
  }
}

}  // namespace

TEST_CASE("every option of every component, misspelt by one letter, is refused with the right suggestion") {
  misspell_all<Transform>();
  misspell_all<Dataset>();
  misspell_all<Model>();
  misspell_all<Backbone>();
  misspell_all<Loss>();
  misspell_all<Metric>();
  misspell_all<Optimizer>();
  misspell_all<Schedule>();
}

TEST_CASE("stamp and table of every plugin of the tree say the same") {
  for (const auto& entry : index().all()) {
    CAPTURE(entry.file.string());
    CHECK(entry.problem == "");
    const auto& component = index().load(entry.kind, entry.name);
    CHECK(entry.kind == component.kind);
    CHECK(entry.name == component.name);
    CHECK(entry.summary == component.summary);
  }
}
