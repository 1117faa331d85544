#include <cstdio>
#include <iostream>

#include "../framework/ground/spec/spec_text.h"
#include "../framework/upper/inference/device.h"
#include "../framework/upper/training/trainer.h"
#include "command_line.h"
#include "progress.h"
#include "table.h"
#include "upper_commands.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// Makes the run's folder; an earlier run in it is only replaced when that was asked for.
fs::path run_folder(const PipelineSpec& spec, const CommandLine& line) {
  const auto given = line.given["output"].as<std::string>();
  const fs::path folder = given.empty() ? spec.output : fs::absolute(given);
  if (folder.empty()) throw SpecError("/output", "is missing: name a folder there, or with --output DIR");
  std::error_code failed;
  const auto there = [&](const char* name) {
    const bool found = fs::exists(folder / name, failed);
    if (failed)
      throw DataError(folder, "cannot be used: " + failed.message() + "; choose another folder with --output DIR");
    return found;
  };
  const bool used = there("last.pth") || there("log.jsonl");
  if (used && !line.given.count("overwrite"))
    throw DataError(folder,
                    "holds an earlier run; choose another folder with --output DIR, or replace it with --overwrite");
  fs::create_directories(folder, failed);
  if (failed)
    throw DataError(folder, "cannot be made: " + failed.message() + "; choose another folder with --output DIR");
  if (used)
    for (const char* name : {"last.pth", "best.pth", "log.jsonl", "spec.json"}) fs::remove(folder / name, failed);
  return folder;
}

std::string step_line(const StepReport& report) {
  const double rate = report.seconds > 0 ? static_cast<double>(report.images) / report.seconds : 0;
  const double left =
      report.seconds / static_cast<double>(report.step) * static_cast<double>(report.steps - report.step);
  char text[160];
  std::snprintf(text, sizeof text, "epoch %d/%d  step %lld/%lld  loss %.4f  lr %.2e  %.1f images/s  %s left",
                report.epoch, report.epochs, static_cast<long long>(report.step), static_cast<long long>(report.steps),
                report.loss, report.lr, rate, duration(left).c_str());
  return text;
}

}  // namespace

void train(int count, char** words) {
  po::options_description own("Options of train");
  own.add_options()("output,o", po::value<std::string>()->default_value("", "the spec's")->value_name("DIR"),
                    "folder that the run writes to")("overwrite", "replace an earlier run in that folder")(
      "device", po::value<std::string>()->default_value("cpu"), "cpu, cuda or cuda:N");
  const auto line =
      parse(count, words, "train SPEC [-o DIR] [--set PTR=VALUE]...",
            "Trains the model that a spec describes. Writes spec.json (with every default), log.jsonl, last.pth and\n"
            "best.pth into the run's folder.",
            own, 1, 1);
  const auto text = open_spec(line.operands[0], line.common.changes);
  const auto index = open_plugins(line.common, text.get());
  auto spec = read_and_tell(line.common, index, *text);
  const auto device = open_device(line.given["device"].as<std::string>());
  auto pipeline = Pipeline::for_training(index, std::move(spec), device);
  const auto folder = run_folder(pipeline.spec, line);

  Progress progress(line.common.quiet);
  for (const auto& note : pipeline.notes) progress.say("note: " + note);
  std::int64_t parameters = 0;
  for (const auto& group : parameter_groups(pipeline.model->module(), 1))
    for (const auto& parameter : group.parameters) parameters += parameter.numel();
  progress.say("training " + pipeline.spec.model.type() + " (" + std::to_string(parameters) + " parameters) on " +
               std::to_string(pipeline.training.data->size()) + " samples of " +
               std::to_string(pipeline.context.classes()) + " classes, into " + folder.string());
  TrainListener listener;
  listener.stepped = [&](const StepReport& report) { progress.show(step_line(report), report.step == report.steps); };
  listener.evaluating = [&](std::size_t done, std::size_t all) {
    if (done < all) progress.show("evaluating " + std::to_string(done) + "/" + std::to_string(all));
  };
  listener.evaluated = [&](int epoch, const Evaluation& evaluation, bool best) {
    progress.say("epoch " + std::to_string(epoch) + "  " + headline(evaluation) + (best ? "  (best so far)" : ""));
  };
  const auto result = sectile::train(pipeline, folder, listener);
  progress.clear();
  if (result.last) std::cout << "\nafter the last epoch:\n" << table(*result.last, *pipeline.context.labels) << "\n";
  if (result.best)
    std::printf("best: %.4f after epoch %d, in %s\n", *result.best, result.best_epoch, (folder / "best.pth").c_str());
  if (!result.last)
    std::cout << "trained without evaluation (the spec has no /data/val); weights in " << (folder / "last.pth").string()
              << "\n";
}

}  // namespace sectile
