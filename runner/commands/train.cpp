#include <cstdio>
#include <iostream>
#include <optional>

#include "../../framework/ground/spec/spec_file.h"
#include "../../framework/ground/spec/spec_text.h"
#include "../../framework/upper/network/device.h"
#include "../../framework/upper/training/run_state.h"
#include "../../framework/upper/training/trainer.h"
#include "../command_line.h"
#include "../interrupt.h"
#include "../progress.h"
#include "../report.h"
#include "../results/table.h"
#include "upper_commands.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

fs::path folder_of(const PipelineSpec& spec, const CommandLine& line) {
  const auto given = line.given["output"].as<std::string>();
  const fs::path folder = given.empty() ? spec.output : tidied(fs::absolute(given));
  if (folder.empty()) throw SpecError("/output", "is missing: name a folder there, or with --output DIR");
  return folder;
}

// A given checkpoint resumes its own run, in its folder or in one without a run.
fs::path resume_from_file(const RunFolder& folder, const fs::path& file, bool overwrite) {
  std::error_code unknown;
  const auto is = [&](const fs::path& other) { return fs::equivalent(file, other, unknown); };
  if (fs::equivalent(file.parent_path(), folder.path(), unknown)) {
    const auto steps = folder.saved_steps();
    const bool latest = is(folder.last()) || (!steps.empty() && is(folder.save_of(steps.back())));
    if (!latest && folder.latest_save() && !overwrite)
      throw DataError(file,
                      "is not the latest save of its run, and the later ones would be removed; resume it into another "
                      "folder with --output DIR, or add --overwrite");
  } else if (folder.has_run())
    throw DataError(folder.path(),
                    "contains another run than " + file.string() +
                        "; choose another folder with --output DIR, or resume the run there with --resume");
  return file;
}

// The checkpoint to resume from, if any. Throws DataError if that, or a new run, would lose an earlier run that is not
// to be replaced.
std::optional<fs::path> resumed(const RunFolder& folder, const CommandLine& line) {
  const auto resume = line.given["resume"].as<std::string>();
  if (resume.empty()) {
    if (folder.has_run() && !line.given.count("overwrite"))
      throw DataError(folder.path(),
                      "contains an earlier run; resume it with --resume, choose another folder with --output DIR, or "
                      "replace it with --overwrite");
    return std::nullopt;
  }
  if (resume != "last" && resume != "auto")
    return resume_from_file(folder, fs::absolute(resume), line.given.count("overwrite") > 0);
  if (auto latest = folder.latest_save()) return latest;
  if (folder.has_saves())
    throw DataError(
        folder.best(),
        "cannot be resumed, because it contains only weights, and there is no last.pth or step-*.pth; replace "
        "the run with --overwrite, or start a new one from these weights (/model/weights)");
  if (resume == "last")
    throw DataError(folder.path(), "has no last.pth to resume from; --resume=auto starts a new run in this case");
  return std::nullopt;
}

// "10 samples", and how many of them an epoch has, if that is another number.
std::string samples_text(const TrainingPlan& plan) {
  auto text = std::to_string(plan.available) + (plan.available == 1 ? " sample" : " samples");
  if (plan.samples != plan.available) text += ", " + std::to_string(plan.samples) + " per epoch,";
  return text;
}

std::string step_line(const StepReport& report) {
  char text[160];
  std::snprintf(text, sizeof text, "epoch %d/%d  step %lld/%lld  loss %.4f  lr %.2e  %.1f images/s  %s left",
                report.epoch, report.epochs, static_cast<long long>(report.step), static_cast<long long>(report.steps),
                report.loss, report.lr, report.images_per_second, duration(report.seconds_left).c_str());
  return text;
}

// "--resume auto" and "--resume FILE.pth" as one argument, as program_options requires for an optional value.
std::vector<std::string> joined(int count, char** words) {
  std::vector<std::string> result(words, words + count);
  for (std::size_t i = 0; i + 1 < result.size(); ++i)
    if (result[i] == "--resume" && (result[i + 1] == "auto" || result[i + 1].ends_with(".pth"))) {
      result[i] += "=" + result[i + 1];
      result.erase(result.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
  return result;
}

void tell_result(const TrainResult& result, const fs::path& folder, const LabelMap& labels) {
  if (result.last) std::cout << "\nafter the last evaluation:\n" << table(*result.last, labels) << "\n";
  if (result.ending == Ending::early) std::cout << "stopped early: no improvement\n";
  std::error_code unknown;
  if (result.best && fs::exists(folder / "best.pth", unknown))
    std::printf("best: %.4f after epoch %d, in %s\n", *result.best, static_cast<int>(result.best_epoch),
                (folder / "best.pth").c_str());
  else
    std::cout << "trained; weights in " << (folder / "last.pth").string() << "\n";
  if (!result.best && result.last)
    std::cout
        << "no best.pth: the metric that it is chosen by was not defined, or infinite, on the validation data: does it "
           "have labels that count?\n";
  std::fflush(stdout);
  std::cout << skipped(result.bad_samples);
}

}  // namespace

void train(int count, char** words) {
  po::options_description own("Options of train");
  own.add_options()("output,o", po::value<std::string>()->default_value("", "the spec's")->value_name("DIR"),
                    "output folder")(
      "overwrite", "replace an earlier run in that folder; with --resume FILE, the saves after that one")(
      "resume", po::value<std::string>()->default_value("", "")->implicit_value("last", "")->value_name("[auto|FILE]"),
      "resume the run in the output folder from last.pth; auto: start a new run if there is none; FILE: resume from "
      "that checkpoint")("device", po::value<std::string>()->default_value("cpu"), "cpu, cuda or cuda:N");
  const auto line =
      parse(joined(count, words), "train SPEC [-o DIR] [--resume [auto|FILE]] [--set PTR=VALUE]...",
            "Trains a model from a spec. Writes spec.json (with all defaults), log.jsonl, last.pth and\n"
            "best.pth to the output folder. Ctrl-C saves and stops; --resume continues as if it had never stopped.",
            own, 1, 1);
  const auto& resume = line.given["resume"];
  if (line.given.count("overwrite") && !resume.defaulted() && !resume.as<std::string>().ends_with(".pth"))
    throw po::error("--overwrite and --resume exclude each other");
  const auto text = open_spec(line.operands[0], line.common.changes);
  const auto index = open_plugins(line.common, text.get());
  auto spec = read_and_tell(line.common, index, *text);
  const auto device = open_device(line.given["device"].as<std::string>());
  RunFolder run_folder(folder_of(spec, line));
  const auto folder = run_folder.path();
  const auto resume_from = resumed(run_folder, line);
  spec.output = folder;  // so that the spec in it finds its checkpoints
  auto pipeline = Pipeline::for_training(index, std::move(spec), device, /*initial_weights=*/!resume_from);

  Progress progress(line.common.quiet);
  for (const auto& note : run_folder.notes()) progress.say("note: " + note);
  for (const auto& note : pipeline.notes) progress.say("note: " + note);
  std::int64_t parameters = 0;
  for (const auto& parameter : parameters_of(pipeline.model->module())) parameters += parameter.numel();
  progress.say("training " + pipeline.spec.model.type() + " (" + std::to_string(parameters) + " parameters) on " +
               samples_text(plan_of(pipeline)) + " of " + std::to_string(pipeline.context.classes()) +
               " classes, into " + folder.string() +
               (resume_from ? ", resuming from " + resume_from->filename().string() : ""));
  TrainListener listener;
  listener.noted = [&](const std::string& note) { progress.say("note: " + note); };
  listener.stepped = [&](const StepReport& report) {
    progress.tell_file_notes();
    progress.show(step_line(report), report.step == report.steps);
  };
  listener.evaluating = [&](std::size_t done, std::size_t all) {
    progress.tell_file_notes();
    if (done < all) progress.show("evaluating " + std::to_string(done) + "/" + std::to_string(all));
  };
  listener.evaluated = [&](const EvaluationReport& report) {
    progress.say("epoch " + std::to_string(report.epoch) + "  " + headline(report.evaluation) +
                 (report.best ? "  (best so far)" : ""));
  };
  listener.skipped = [&](const BadSampleReport& report) { progress.say("skipped: " + report.reason); };
  listener.saved_after_error = [&](std::int64_t step) {
    progress.say("saved after step " + std::to_string(step) + " in " + (folder / "last.pth").string() +
                 "; when the error below is mended, resume with the same command and --resume");
  };
  catch_interrupts();
  const auto result = sectile::train(pipeline, std::move(run_folder), {listener},
                                     {.interrupted = interrupted, .resume_from = resume_from});
  progress.clear();
  if (result.ending == Ending::interrupted)
    throw Stopped{"stopped after step " + std::to_string(result.step) + ", saved in " + (folder / "last.pth").string() +
                  "; resume with the same command and --resume"};
  tell_result(result, folder, *pipeline.context.labels);
}

}  // namespace sectile
