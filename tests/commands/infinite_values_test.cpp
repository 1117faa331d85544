// Runs whose metric may be infinite: where a class was missed, and no penalty is given.
#include <fstream>
#include <string>

#include "commands/trained_run.h"
#include "ground/spec/json_text.h"
#include "support/scratch.h"
#include "support/test.h"

using sectile::test::contents;
using sectile::test::sectile_program;

TEST_CASE("a run whose best metric is infinite says so, writes it to its log, and is resumed to the same end") {
  const sectile::test::Scratch scratch;
  const auto spec = scratch.write("spec.json", R"({
    "data": {"train": {"type": "synthetic", "count": 4, "size": [48, 48], "seed": 1},
             "val": {"type": "synthetic", "count": 2, "size": [48, 48], "seed": 2}},
    "model": {"type": "unet", "widths": [4, 8]}, "loss": [{"type": "cross_entropy"}],
    "metrics": [{"type": "hausdorff95"}], "schedule": {"type": "plateau", "by": "epoch"},
    "train": {"epochs": 3, "batch_size": 2, "save_every": 2, "keep": 9}})");
  const auto whole = (scratch / "whole").string(), rest = (scratch / "rest").string();
  auto ended = sectile_program("train " + spec.string() + " -o " + whole);
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK_MESSAGE(ended.says("note: the evaluation gives an infinite value for hausdorff95/HD95"), ended.text);
  CHECK(ended.says("HD95 inf"));
  CHECK(ended.says("no best.pth: the metric that it is chosen by was not defined, or infinite"));
  std::ifstream log(scratch / "whole/log.jsonl");
  int evaluations = 0;
  for (std::string line; std::getline(log, line);) {
    const auto event = sectile::Json::parse(line);
    if (event["event"] != "evaluation") continue;
    ++evaluations;
    CHECK(event["values"]["hausdorff95/HD95"] == "Infinity");
  }
  CHECK(evaluations == 3);
  ended = sectile_program("train " + spec.string() + " --resume " + whole + "/step-000004.pth -o " + rest);
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  CHECK(ended.says("resuming from step-000004.pth"));
  CHECK(ended.says("HD95 inf"));
  const auto evaluated = sectile_program("evaluate " + rest + "/last.pth --report " + (scratch / "r.json").string());
  REQUIRE_MESSAGE(evaluated.code == 0, evaluated.text);
  CHECK(sectile::Json::parse(contents(scratch / "r.json"))["values"]["hausdorff95/HD95"] == "Infinity");
}
