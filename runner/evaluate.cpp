#include <iostream>

#include "progress.h"
#include "table.h"
#include "trained.h"
#include "upper_commands.h"

namespace sectile {

namespace po = boost::program_options;

void evaluate(int count, char** words) {
  po::options_description own("Options of evaluate");
  own.add_options()("split", po::value<std::string>()->default_value("val"),
                    "train, val or test: which of the spec's data sets")(
      "device", po::value<std::string>()->default_value("cpu"), "cpu, cuda or cuda:N");
  const auto line = parse({words, words + count}, "evaluate CHECKPOINT|SPEC [--split NAME] [--set PTR=VALUE]...",
                          "Measures a trained model on annotated pictures, with the spec's metrics. Of a SPEC the "
                          "best.pth in its output folder\n"
                          "is taken; a CHECKPOINT holds its own spec.",
                          own, 1, 1);
  const auto pipeline = open_trained(line.operands[0], line, line.given["device"].as<std::string>());
  const auto source = pipeline.source(line.given["split"].as<std::string>());
  Progress progress(line.common.quiet);
  const auto evaluation = evaluate(pipeline, source, [&](std::size_t done, std::size_t all) {
    progress.show("evaluating " + std::to_string(done) + "/" + std::to_string(all));
  });
  progress.clear();
  std::cout << table(evaluation, *pipeline.context.labels) << skipped(evaluation.bad_samples);
}

}  // namespace sectile
