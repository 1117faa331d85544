// What metrics report: which direction is better, tables, and how they are shown.
#include "../../runner/results/table.h"
#include "toys.h"
#include "upper/inference/evaluation.h"
#include "upper/reporting/numbered_names.h"
#include "upper/training/best_by.h"
#include "upper/training/trainer.h"

#include "support/scratch.h"

using namespace sectile;
using namespace sectile::test;

namespace {

Json edges(const std::string& changes = "{}") {
  auto json = Json::parse(R"({
    "data": {"train": {"type": "toy_shapes", "edges": true}, "val": {"type": "toy_shapes", "edges": true}},
    "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
    "model": {"type": "toy_two_heads"},
    "loss": [{"type": "cross_entropy"}, {"type": "toy_absolute", "output": "edges", "target": "edges"}],
    "metrics": [{"type": "toy_edge_error"}],
    "train": {"epochs": 4, "batch_size": 1, "workers": 0}})");
  json.merge_patch(Json::parse(changes));
  return json;
}

std::string refusal(const MetricReport& report) {
  try {
    check_report("toy", report, 2);
  } catch (const PluginError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("one sample that was skipped is told as one") {
  CHECK(skipped({"a: is empty"}) == "1 bad sample was skipped:\n  a: is empty\n");
  CHECK(skipped({"a", "b"}) == "2 bad samples were skipped:\n  a\n  b\n");
  CHECK(skipped({}).empty());
}

TEST_CASE("a metric says whether less is better, and the spec has the last word") {
  const BestBy unasked(Toy(edges()).pipeline), asked(Toy(edges(R"({"train": {"best_is": "max"}})")).pipeline);
  CHECK(unasked.name() == "toy_edge_error/error");
  CHECK(unasked.better(0.2, 0.5));
  CHECK_FALSE(unasked.better(0.6, 0.5));
  CHECK_FALSE(asked.better(0.2, 0.5));
  CHECK(asked.better(0.6, 0.5));
  const BestBy higher(Toy(edges(R"({"metrics": [{"type": "iou"}]})")).pipeline);
  CHECK(higher.better(0.6, 0.5));
}

TEST_CASE("best.pth is the network with the least error, without being asked for") {
  const Scratch folder;
  Toy toy(edges());
  std::vector<double> errors;
  TrainListener listener;
  listener.evaluated = [&](const EvaluationReport& report) { errors.push_back(report.evaluation.headline().value); };
  const auto result = train(toy.pipeline, folder.path(), {listener});
  REQUIRE(errors.size() == 4);
  CHECK(*result.best == *std::min_element(errors.begin(), errors.end()));
  CHECK(load_checkpoint(folder / "best.pth").metric == result.best);
}

TEST_CASE("every listener hears everything, in order, and the log is one of them") {
  const Scratch folder;
  Toy toy(edges());
  std::vector<std::string> heard;
  std::vector<TrainListener> listeners(2);
  for (const char* name : {"a", "b"}) {
    auto& listener = listeners[name == std::string("b")];
    listener.stepped = [&heard, name](const StepReport& report) {
      heard.push_back(name + std::to_string(report.step));
    };
    listener.evaluated = [&heard, name](const EvaluationReport& report) {
      heard.push_back(std::string(name) + " evaluated " + std::to_string(report.epoch));
    };
  }
  train(toy.pipeline, folder.path(), listeners);
  REQUIRE(heard.size() > 4);
  CHECK(heard[0] == "a1");
  CHECK(heard[1] == "b1");
  CHECK(std::count(heard.begin(), heard.end(), "a evaluated 1") == 1);
  CHECK(std::count(heard.begin(), heard.end(), "b evaluated 1") == 1);
  std::ifstream log(folder / "log.jsonl");
  std::size_t lines = 0;
  for (std::string line; std::getline(log, line);) ++lines;
  CHECK(2 * lines == heard.size());
}

TEST_CASE("values per class are in the log") {
  const Scratch folder;
  Toy toy(edges(R"({"metrics": [{"type": "iou"}], "train": {"epochs": 1}})"));
  train(toy.pipeline, folder.path());
  std::ifstream log(folder / "log.jsonl");
  Json last;
  for (std::string line; std::getline(log, line);) last = Json::parse(line);
  CHECK(last["event"] == "evaluation");
  CHECK(last["per_class"]["iou/IoU"].size() == 3);
  CHECK(last["per_class"]["iou/pixels"].size() == 3);
}

TEST_CASE("tables that do not fit their rows and columns are refused with the metric's name") {
  MetricReport report;
  CHECK(refusal(report) == "metric \"toy\": broke its contract: it returns no value");
  report.values = {{"v", 1}};
  CHECK(refusal(report) == "accepted");
  report.columns = {"a", "b"};
  report.per_class = {{1, 2}, {3}};
  CHECK(refusal(report) ==
        "metric \"toy\": broke its contract: row 1 of the table per class has 1 values, and there are 2 columns");
  report.per_class = {{1, 2}};
  CHECK(refusal(report) == "metric \"toy\": broke its contract: the table per class has 1 rows, and 2 names of rows");
  report.per_class = {};
  report.tables = {{.name = "t", .rows = {"x"}, .columns = {"y", "z"}, .cells = {{1}}}};
  CHECK(refusal(report) ==
        "metric \"toy\": broke its contract: row 0 of table \"t\" has 1 values, and there are 2 columns");
}

TEST_CASE("names that occur twice in a report are refused, and a metric that a spec names twice gets two names") {
  MetricReport report;
  report.values = {{"v", 1}, {"v", 2}};
  CHECK(refusal(report) == "metric \"toy\": broke its contract: the value \"v\" occurs twice");
  report.values = {{"v", 1}};
  report.columns = {"a", "b", "a"};
  report.per_class = {{1, 2, 3}, {4, 5, 6}};
  CHECK(refusal(report) == "metric \"toy\": broke its contract: the column \"a\" occurs twice");
  report.columns = {"a", "b", "c"};
  CHECK(refusal(report) == "accepted");
  report.tables = {{.name = "t", .rows = {"x", "x"}, .columns = {"y"}, .cells = {{1}, {2}}}};
  CHECK(refusal(report) == "metric \"toy\": broke its contract: in table \"t\" the row \"x\" occurs twice");
  report.tables = {{.name = "t", .rows = {"x"}, .columns = {"y"}, .cells = {{1}}}};
  report.tables.push_back(report.tables.front());
  CHECK(refusal(report) == "metric \"toy\": broke its contract: the table \"t\" occurs twice");

  auto json = edges(R"({"metrics": [{"type": "iou"}, {"type": "toy_edge_error"}, {"type": "iou"}, {"type": "iou"}]})");
  json["train"]["best_metric"] = "iou_3/mIoU";
  const Toy toy(json);
  CHECK(metric_names(toy.pipeline.spec) == std::vector<std::string>{"iou", "toy_edge_error", "iou_2", "iou_3"});
  CHECK(BestBy(toy.pipeline).name() == "iou_3/mIoU");
  CHECK(evaluate(toy.pipeline, toy.pipeline.source("val")).reports.at(3).first == "iou_3");
}

TEST_CASE("losses of one type are numbered in the log, as metrics are, with each output and auxiliary head") {
  auto json = dense();
  json["loss"] =
      Json::parse(R"([{"type": "cross_entropy"}, {"type": "dice"}, {"type": "cross_entropy", "label_smoothing": 0.5},
                                 {"type": "cross_entropy", "label_smoothing": 1, "auxiliary": 0}])");
  Toy toy(json);
  std::map<std::string, double> log;
  const auto batch = toy.batch({0, 1});
  const double total = toy.loss(batch, &log).item<double>();
  std::vector<std::string> names;
  for (const auto& [name, unused] : log) names.push_back(name);
  CHECK(names == std::vector<std::string>{"auxiliary0/cross_entropy", "auxiliary0/cross_entropy_2", "auxiliary0/dice",
                                          "cross_entropy", "cross_entropy_2", "cross_entropy_3", "dice"});
  CHECK(log["cross_entropy_2"] ==
        doctest::Approx((log["cross_entropy"] + log["cross_entropy_3"]) / 2));  // linear in the smoothing
  const double main = log["cross_entropy"] + log["cross_entropy_2"] + log["cross_entropy_3"] + log["dice"];
  CHECK(total > main);
  CHECK(numbered_names({"dice", "edges/dice", "dice_2", "edges/dice", "dice"}) ==
        std::vector<std::string>{"dice", "edges/dice", "dice_2", "edges/dice_2", "dice_3"});
  json["loss"] = Json::parse(R"([{"type": "toy_sum", "terms": [{"type": "dice"}, {"type": "dice"}]}])");
  Toy twice(json);
  CHECK_THROWS_WITH_AS(twice.loss(batch), doctest::Contains("loss \"toy_sum\" returned its term \"dice\" twice"),
                       PluginError);
}

TEST_CASE("columns of two metrics with one name are both shown, unless they say the same") {
  LabelMap labels;
  labels.classes = {{.name = "sky"}, {.name = "road"}};
  Evaluation evaluation;
  evaluation.reports = {
      {"iou", {.values = {{"mIoU", 0.5}}, .columns = {"precision", "pixels"}, .per_class = {{0.25, 7}, {0.75, 9}}}},
      {"boundary_f1",
       {.values = {{"F1", 0.5}}, .columns = {"precision", "pixels"}, .per_class = {{0.125, 7}, {0.5, 9}}}}};
  const auto text = table(evaluation, labels);
  CHECK(text.find("class  precision  pixels  boundary_f1/precision\n"
                  "sky       0.2500       7                 0.1250\n"
                  "road      0.7500       9                 0.5000\n") != std::string::npos);
}

TEST_CASE("observers see each image of an evaluation, with its prediction and its truth") {
  struct Seen final : EvaluationObserver {
    std::vector<std::string> ids;
    void image(std::size_t index, const Prediction& prediction, const Truth& truth) override {
      CHECK(index == ids.size());
      CHECK(prediction.id == truth.sample.id);
      CHECK(prediction.labels.defined());
      ids.push_back(truth.sample.id);
    }
  } seen;
  const Toy toy(edges(R"({"metrics": [{"type": "iou"}]})"));
  evaluate(toy.pipeline, toy.pipeline.source("val"), {}, {&seen});
  CHECK(seen.ids == std::vector<std::string>{"shape0", "shape1", "shape2", "shape3"});
}
