#include "listener.h"

#include "../reporting/event_log.h"

namespace sectile {
namespace {

JsonLine line_of(const StepReport& report) {
  JsonLine terms;
  for (const auto& [name, value] : report.terms) terms.add(name, value);
  JsonLine line;
  line.add("event", std::string("step"))
      .add("step", report.step)
      .add("epoch", std::int64_t{report.epoch})
      .add("loss", report.loss)
      .add("terms", terms)
      .add("gradient_norm", report.gradient_norm)
      .add("lr", report.lr)
      .add("seconds", report.seconds);
  if (report.loss_scale) line.add("loss_scale", *report.loss_scale);
  return line;
}

JsonLine line_of(const BadSampleReport& report) {
  JsonLine line;
  line.add("event", std::string("bad_sample"))
      .add("step", report.step)
      .add("epoch", std::int64_t{report.epoch})
      .add("reason", report.reason);
  return line;
}

JsonLine line_of(const EvaluationReport& report) {
  const auto& evaluation = report.evaluation;
  JsonLine values, per_class;
  for (const auto& [metric, of] : evaluation.reports) {
    for (const auto& value : of.values) values.add(metric + "/" + value.name, value.value);
    if (of.per_class.empty()) continue;
    for (std::size_t column = 0; column < of.columns.size(); ++column) {
      std::vector<double> cells;
      for (const auto& row : of.per_class) cells.push_back(row[column]);
      per_class.add(metric + "/" + of.columns[column], cells);
    }
  }
  JsonLine line;
  line.add("event", std::string("evaluation"))
      .add("step", report.step)
      .add("epoch", std::int64_t{report.epoch})
      .add("images", static_cast<std::int64_t>(evaluation.images))
      .add("bad_samples", static_cast<std::int64_t>(evaluation.bad_samples.size()))
      .add("seconds", evaluation.seconds)
      .add("values", values)
      .add("per_class", per_class);
  return line;
}

}  // namespace

TrainListener logging_to(EventLog& log) {
  TrainListener listener;
  listener.stepped = [&log](const StepReport& report) { log.write(line_of(report)); };
  listener.skipped = [&log](const BadSampleReport& report) { log.write(line_of(report)); };
  listener.evaluated = [&log](const EvaluationReport& report) { log.write(line_of(report)); };
  return listener;
}

}  // namespace sectile
