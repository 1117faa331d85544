#include <iostream>

#include <unistd.h>

#include <opencv2/core/utility.hpp>

#include <sectile/error.h>

#include "../../framework/ground/checking/data_check.h"
#include "../../framework/ground/checking/data_stats.h"
#include "../../framework/ground/file_notes.h"
#include "../../framework/ground/spec/pipeline_spec.h"
#include "../../framework/ground/spec/suggestion.h"
#include "../command_line.h"
#include "../printable.h"
#include "../progress.h"
#include "commands.h"

namespace sectile {
namespace {

namespace po = boost::program_options;

constexpr const char* kSummary =
    "Looks at the datasets of a spec. For check and stats, only \"data\" and \"task\" of the spec are read: its model "
    "and\n"
    "transforms may be missing, and are not applied.\n\n"
    "  check SPEC  read every sample, and report everything that is wrong (faults) or odd (notes) with files,\n"
    "              labels, objects, ids and classes, and images that come twice, also in two splits;\n"
    "              the exit code is 2 if there are faults\n"
    "  stats SPEC  print how often classes occur, class weights, image sizes, mean and deviation of pixels for\n"
    "              normalize, and numbers and sizes of objects\n"
    "  preview SPEC\n"
    "              write samples with their labels as a network gets them, after the transforms, to look at;\n"
    "              more: sectile data preview --help";
constexpr int kMostWorkers = 256;
constexpr std::size_t kMostListed = 20;  // findings, without --all

int workers_of(const CommandLine& line) {
  const int workers = line.given["workers"].as<int>();
  if (workers >= 1 && workers <= kMostWorkers) return workers;
  throw po::error("--workers is " + std::to_string(workers) + "; expected 1 to " + std::to_string(kMostWorkers));
}

std::string split_of(const CommandLine& line) {
  const auto split = line.given.count("split") ? line.given["split"].as<std::string>() : "";
  if (split.empty() || split == "train" || split == "val" || split == "test") return split;
  throw po::error("unknown split \"" + split + "\"" + suggestion(split, {"train", "val", "test"}));
}

void print_check(const DataCheck& check, const CommandLine& line) {
  const bool all = line.given.count("all") > 0;
  if (line.given.count("json")) {
    std::cout << check_json(check) << "\n";
  } else {
    std::cout << printable(check_text(check, all ? std::string::npos : kMostListed));
    if (!all && check.found.size() > kMostListed && !line.common.quiet) std::cout << "--all lists all of them\n";
  }
  if (check.faults() == 0) return;
  const bool one = check.faults() == 1;
  throw DataError(line.operands[1], "its data has " + std::to_string(check.faults()) + (one ? " fault" : " faults"));
}

void print_stats(const std::vector<SplitStats>& splits, const CommandLine& line) {
  if (line.given.count("json"))
    std::cout << stats_json(splits) << "\n";
  else
    std::cout << printable(stats_text(splits));
  for (const auto& split : splits)
    if (split.images == 0)
      throw DataError(line.operands[1], "no sample of " + split.name + " can be used; see sectile data check");
}

}  // namespace

void data(int count, char** words) {
  po::options_description own("Options of data");
  own.add_options()("split", po::value<std::string>()->value_name("NAME"), "only this split: train, val or test")(
      "workers", po::value<int>()->default_value(2)->value_name("N"),
      "threads that read samples; does not change results")("json", "print JSON")("all", "check: list all findings");
  const auto line = parse({words, words + count}, "data check|stats|preview SPEC [--split NAME] [--json] [--all]",
                          kSummary, own, 2, 2);
  const auto& action = line.operands[0];
  if (action == "preview") throw po::error("preview comes before its options: sectile data preview SPEC [OPTION]...");
  if (action != "check" && action != "stats")
    throw po::error("\"sectile data\" has no action \"" + action + "\"" +
                    suggestion(action, {"check", "stats", "preview"}));
  if (action == "stats" && line.given.count("all")) throw po::error("data stats takes no --all");
  const int workers = workers_of(line);
  const auto only = split_of(line);
  cv::setNumThreads(0);  // threads are the workers
  const auto text = open_spec(line.operands[1], line.common.changes);
  const auto index = open_plugins(line.common, text.get());
  tell_plugins(line.common, index);
  const auto spec = read_data_spec(index, *text);
  tell_notes(line.common, *text);
  const auto splits = open_splits(spec, only);
  // In a pipe or a file, progress would be among the results.
  Progress progress(line.common.quiet || line.given.count("json") > 0 || isatty(STDOUT_FILENO) == 0);
  const auto show = [&](const std::string& split, std::size_t done, std::size_t total) {
    progress.show(split + "  " + std::to_string(done) + "/" + std::to_string(total));
  };
  const auto tell = [&] {
    progress.clear();
    if (line.common.quiet) return;
    const auto print = [](const std::vector<std::string>& notes) {
      for (const auto& note : notes) std::cerr << "note: " << printable(note) << "\n";
    };
    for (const auto& split : splits) {
      if (action == "check") break;  // they are findings
      print(split.notes);
      print(split.left_out);
    }
    print(take_file_notes());
  };
  if (action == "check") {
    const auto check = check_data(splits, workers, show);
    tell();
    print_check(check, line);
  } else {
    const auto stats = data_stats(splits, workers, show);
    tell();
    print_stats(stats, line);
  }
}

}  // namespace sectile
