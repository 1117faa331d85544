#include <cmath>
#include <iostream>

#include "../progress.h"
#include "../results/evaluation_report.h"
#include "../results/report_file.h"
#include "../results/table.h"
#include "../trained.h"
#include "compared_files.h"
#include "upper_commands.h"

namespace sectile {

namespace po = boost::program_options;

void evaluate(int count, char** words) {
  if (names_files(count, words)) return evaluate_label_maps(compared_files(count, words));
  po::options_description own("Options of evaluate");
  own.add_options()("split", po::value<std::string>()->default_value("val"),
                    "dataset to evaluate on: train, val or test")("worst", po::value<int>()->value_name("N"),
                                                                  "list the N images with the worst scores")(
      "report", po::value<std::string>()->value_name("FILE"),
      "write all results as JSON: values, per class, tables such as the confusion matrix, per image");
  add_network_options(own);
  const auto line = parse(
      {words, words + count}, "evaluate CHECKPOINT|SPEC|WEIGHTS [--split NAME] [--set PTR=VALUE]...",
      "Evaluates a trained model with the metrics of its spec. CHECKPOINT contains its spec; of a SPEC, the run in "
      "its\n"
      "output folder is used, or its weights; WEIGHTS is the name of published weights (sectile weights list), or\n"
      "a folder of Hugging Face's transformers, for which --set gives /data/val and /metrics.\n\n"
      "Files of label maps, of panoptic segments in COCO's format, and of a detector's results need no model:\n"
      "evaluate --truth PATH --predictions PATH; see evaluate --truth --help.",
      own, 1, 1);
  const int worst = line.given.count("worst") ? line.given["worst"].as<int>() : 0;
  if (line.given.count("worst") && worst < 1)
    throw po::error("--worst: " + std::to_string(worst) + " is not a number of images: use 1 or more");
  const auto report = report_file(line);
  const auto split = line.given["split"].as<std::string>();
  const auto trained = open_trained(line.operands[0], line, {.split = split});
  if (trained.ensemble->first().spec.task != Task::semantic)
    refuse_joined(line, "a network that predicts objects",
                  "several predictions are joined pixel by pixel, without objects");
  const auto source = trained.ensemble->first().source(split);
  if (!line.common.quiet)
    for (const auto& note : source.notes) std::cerr << "note: " << note << "\n";
  ImageScores images(trained.ensemble->first());
  std::vector<EvaluationObserver*> observers;
  if (line.given.count("worst") || line.given.count("report")) observers.push_back(&images);
  Progress progress(line.common.quiet, Progress::Stream::errors);
  const auto evaluation = evaluate(
      *trained.ensemble, source,
      [&](std::size_t done, std::size_t all) {
        progress.tell_file_notes();
        progress.show("evaluating " + std::to_string(done) + "/" + std::to_string(all));
      },
      observers);
  progress.clear();
  const auto& [metric, first] = evaluation.reports.front();
  if (!line.common.quiet && std::isnan(first.values.front().value))
    std::cerr << "note: there is no value for " << metric << "/" << first.values.front().name
              << ": does the data have labels that count?\n";
  std::cout << table(evaluation, trained.labels()) << skipped(evaluation.bad_samples);
  if (worst > 0) std::cout << images.worst(static_cast<std::size_t>(worst));
  if (!report.empty()) write_report(report, evaluation, trained.labels(), images.all());
}

}  // namespace sectile
