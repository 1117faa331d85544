#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <sectile/data/image_io.h>
#include <sectile/error.h>
#include <sectile/transforms/nested.h>

#include "../../framework/ground/checking/open_dataset.h"
#include "../../framework/ground/component_call.h"
#include "../../framework/ground/file_notes.h"
#include "../../framework/ground/images/image_file.h"
#include "../../framework/ground/overlays/sample_view.h"
#include "../../framework/ground/spec/dataset_identity.h"
#include "../../framework/ground/spec/suggestion.h"
#include "../../framework/upper/loading/class_counter.h"
#include "../../framework/upper/network/network.h"
#include "../command_line.h"
#include "../printable.h"
#include "upper_commands.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kSummary =
    "Writes samples as a network gets them, to look at: after the transforms of their split, those of \"train\" for\n"
    "train and those of \"val\" for the others, but before \"normalize\". Beside each image is the same with its "
    "labels,\n"
    "or its objects, drawn over it, then its targets in grayscale, at most 16 channels of each; ignored pixels have\n"
    "no color, and of overlapping classes the one with the largest share is drawn, the first of equal ones. Images\n"
    "that are not of 8 bits are scaled from their smallest value to their largest, and of other than one or three\n"
    "channels, the first is shown. Only \"data\", \"task\", \"transforms\" and \"train\" of the spec are read: its "
    "model may\n"
    "be missing.\n\n"
    "The folder must be new, empty or of an earlier preview.\n"
    "The files are train_0000.png and so on, by the number of the sample in its dataset; with --times,\n"
    "train_0000_1.png for the first time, and so on. Random numbers are those of a run's epochs with the spec's seed,\n"
    "in which each sample comes once.";

struct PreviewRequest {
  std::string split;
  fs::path output;
  std::size_t first = 0, count = 0, times = 0;
  bool overwrite = false;

  explicit PreviewRequest(const CommandLine& line) {
    split = line.given["split"].as<std::string>();
    if (split != "train" && split != "val" && split != "test")
      throw po::error("unknown split \"" + split + "\"" + suggestion(split, {"train", "val", "test"}));
    output = line.given["output"].as<std::string>();
    const auto number = [&](const char* name, int least) {
      const int given = line.given[name].as<int>();
      if (given < least)
        throw po::error(std::string("--").append(name) + " is " + std::to_string(given) + "; expected " +
                        std::to_string(least) + " or more");
      return static_cast<std::size_t>(given);
    };
    first = number("first", 0), count = number("count", 1), times = number("times", 1);
    overwrite = line.given.count("overwrite") > 0;
  }

  fs::path file(std::size_t sample, std::size_t time) const {
    auto digits = std::to_string(sample);
    if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
    return output /
           (split + "_" + digits + (times > 1 ? std::string("_").append(std::to_string(time + 1)) : "") + ".png");
  }
};

// What may be previewed instead.
std::string others(const PipelineSpec::Data& data) {
  std::string there;
  for (const auto& [name, recipe] : {std::pair{"train", &data.train}, {"val", &data.val}, {"test", &data.test}})
    if (*recipe) there += std::string(there.empty() ? "" : ", ").append(name);
  return there.empty() ? "; add it: nothing else is in it either"
                       : std::string("; choose one that is there with --split NAME: ").append(there);
}

SampleSource source_of(const SampleSpec& spec, const std::string& split, LabelMap& classes) {
  const auto& recipe = split == "train" ? spec.data.train : split == "val" ? spec.data.val : spec.data.test;
  if (!recipe) throw SpecError("/data", "has no \"" + split + "\"" + others(spec.data));
  SampleSource source;
  BuildContext context;
  context.task = spec.task;
  source.data = open_dataset(recipe, context, "/data/" + split, source.notes,
                             {.image = true, .labels = false, .objects = false});  // they need no classes
  classes = source.data->labels();
  context.labels = std::make_shared<LabelMap>(classes);
  context.data = source.data;
  if (split == "train")  // for transforms that weigh classes by how often they occur
    context.count_pixels = ClassCounter(source.data, spec.data.on_bad_sample == PipelineSpec::BadSample::skip,
                                        CountCache::of_user(identity_of(spec.task, recipe)));
  source.transforms = build_all(split == "train" ? spec.transforms.train : spec.transforms.val, context);
  source.seed = static_cast<std::uint64_t>(spec.train.seed);
  source.fuse = spec.transforms.fuse;
  source.skip_bad = spec.data.on_bad_sample == PipelineSpec::BadSample::skip;
  return source;
}

void refuse_files_there(const PreviewRequest& request, std::size_t end) {
  for (std::size_t i = request.first; i < end && !request.overwrite; ++i)
    for (std::size_t time = 0; time < request.times; ++time)
      if (const auto file = request.file(i, time); fs::exists(fs::symlink_status(file)))
        throw DataError(file.string(),
                        "exists already; choose another folder with --output DIR, or replace it with --overwrite");
}

// A folder that is new, empty or of an earlier preview: images must not come among those of a dataset.
void make_output_folder(const fs::path& folder) {
  const auto mark = folder / ".sectile-preview";
  std::error_code unknown, failed;
  if (fs::exists(folder, unknown) && !fs::is_empty(folder, unknown) && !fs::exists(mark, unknown))
    throw DataError(folder.string(),
                    "is not empty, and not the folder of an earlier preview; choose another folder with --output DIR");
  fs::create_directories(folder, failed);
  if (failed)
    throw DataError(folder.string(),
                    "cannot be made: " + failed.message() + "; choose another folder with --output DIR");
  ReplacedFile(mark).commit();
}

}  // namespace

void preview(int count, char** words) {
  po::options_description own("Options of data preview");
  own.add_options()("split", po::value<std::string>()->default_value("train")->value_name("NAME"),
                    "train, val or test")(
      "output,o", po::value<std::string>()->default_value("preview")->value_name("DIR"), "output folder")(
      "first", po::value<int>()->default_value(0)->value_name("N"), "number of the first sample, from 0")(
      "count", po::value<int>()->default_value(8)->value_name("N"), "how many samples, or as many as there are")(
      "times", po::value<int>()->default_value(1)->value_name("N"),
      "how often each sample is transformed, with other random numbers each time")(
      "overwrite", "replace files that exist already; others in the folder, of an earlier preview, stay");
  const auto line = parse({words, words + count}, "data preview SPEC [--split NAME] [-o DIR] [--set PTR=VALUE]...",
                          kSummary, own, 2, 2);
  const PreviewRequest request(line);
  const auto text = open_spec(line.operands[1], line.common.changes);
  const auto index = open_plugins(line.common, text.get());
  tell_plugins(line.common, index);
  const auto spec = read_sample_spec(index, *text);
  tell_notes(line.common, *text);
  LabelMap classes;
  const auto source = source_of(spec, request.split, classes);
  const auto total = source.data->size();
  if (request.first >= total)
    throw po::error("--first is " + std::to_string(request.first) + ", and " + request.split + " has " +
                    std::to_string(total) + " samples; expected 0 to " + std::to_string(total - 1));
  const auto end = std::min(total, request.first + request.count);
  make_output_folder(request.output);
  refuse_files_there(request, end);
  for (std::size_t i = request.first; i < end; ++i)
    for (std::size_t time = 0; time < request.times; ++time) {
      Sample sample;
      const auto reason = reason_to_skip(source.skip_bad, [&] {
        sample = source.prepare({.epoch = time, .index = i, .batch = static_cast<std::int64_t>(time * total + i)});
      });
      if (!reason.empty()) {
        std::cerr << "note: this sample is skipped: " << printable(reason) << "\n";
        continue;
      }
      const auto file = request.file(i, time);
      write_png(file, sample_view(sample, classes, spec.task == Task::instance));
      if (!line.common.quiet) std::cout << file.string() << "  " << printable(sample.id) << "\n";
    }
  if (line.common.quiet) return;
  for (const auto& notes : {source.notes, take_file_notes()})
    for (const auto& note : notes) std::cerr << "note: " << printable(note) << "\n";
}

}  // namespace sectile
