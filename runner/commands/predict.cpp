#include <algorithm>
#include <iostream>
#include <optional>

#include <sectile/data/image_io.h>

#include "../../framework/upper/inference/predictor.h"
#include "../image_inputs.h"
#include "../progress.h"
#include "../results/prediction_formats.h"
#include "../trained.h"
#include "upper_commands.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kSummary =
    "Segments images of any size with a trained model. CHECKPOINT contains its spec; of a SPEC, the run in its output\n"
    "folder is used, or its weights; WEIGHTS is the name of published weights (sectile weights list), or a folder\n"
    "of Hugging Face's transformers.\n\n"
    "INPUT: image files (PNG, JPEG, TIFF, WebP, BMP, PNM), folders of them, or quoted patterns such as\n"
    "\"photos/*.jpg\". For each image NAME.* it writes NAME.png, a palette PNG of class numbers, and "
    "NAME_overlay.png,\n"
    "an overlay of the predicted classes on the image. Of a network that predicts objects, results.json has those of\n"
    "all images, in COCO's format, and overlays show them. In a TIFF with several pages, each page is an image:\n"
    "NAME_p0001.png for the first, and so on. With --split, the images are the samples of a dataset of the spec, and\n"
    "NAME is a sample's id, with its folders.";

po::options_description options() {
  po::options_description own("Options of predict");
  own.add_options()("split", po::value<std::string>()->value_name("NAME"),
                    "predict the samples of this dataset of the spec (train, val or test) instead of image files; "
                    "their labels are not read. Ids that differ only in the suffix of an image file are an error")(
      "output,o", po::value<std::string>()->default_value("predictions")->value_name("DIR"), "output folder")(
      "list", po::value<std::string>()->value_name("FILE"),
      "text file with more inputs, one per line, relative to the file; empty lines and lines starting with # are "
      "ignored")("recursive", "search folders recursively, and keep their structure in the output folder")(
      "scores",
      "also write NAME_scores.tif: class probabilities at the size of the image, 32-bit float, one channel per class")(
      "raw",
      "also write NAME_logits.tif: raw scores, before softmax or sigmoid, in the format of --scores; NaN where the "
      "transforms cut off pixels. Not with --ensemble, --flip or --scales")(
      "format", po::value<std::string>()->value_name("FORMAT"),
      "what is written. png: NAME.png, of networks for semantic segmentation; cityscapes, ade20k: PNGs of the numbers "
      "that these benchmarks want; coco: results.json, COCO's results, of networks that predict objects; "
      "coco_panoptic: PNGs of segment ids and panoptic.json. Default: png, coco or coco_panoptic, by the network's "
      "task")("min-score", po::value<double>()->value_name("SCORE"),
              "of networks that predict objects: leave out those with a score below this, 0 to 1. Default: none but "
              "what the network leaves out itself; overlays show those of 0.5 or more")(
      "max-objects", po::value<int>()->value_name("N"),
      "of networks that predict objects: keep the N of each image with the best scores")(
      "no-overlay", "do not write NAME_overlay.png")("overwrite",
                                                     "replace files that exist already, but never an input")(
      "skip-bad", "skip images that cannot be read and list them at the end, instead of stopping at the first");
  add_network_options(own);
  return own;
}

float least_score(const CommandLine& line) {
  const auto score = line.given["min-score"].as<double>();
  if (!(score >= 0 && score <= 1)) throw po::error("--min-score: is not a score from 0 to 1");
  return static_cast<float>(score);
}

std::size_t most_objects(const CommandLine& line) {
  const auto count = line.given["max-objects"].as<int>();
  if (count < 1)
    throw po::error("--max-objects: " + std::to_string(count) + " is not a number of objects: use 1 or more");
  return static_cast<std::size_t>(count);
}

struct PredictRequest {
  InputRequest inputs;
  std::optional<std::string> format;
  float overlay_score = 0.5;         // least one of objects that overlays show
  std::optional<std::string> split;  // instead of inputs
  PredictOptions options;
  bool overlay = true;
  bool overwrite = false;

  explicit PredictRequest(const CommandLine& line) {
    inputs.inputs.assign(line.operands.begin() + 1, line.operands.end());
    if (line.given.count("list")) inputs.list = line.given["list"].as<std::string>();
    inputs.recursive = line.given.count("recursive") > 0;
    const bool none = inputs.inputs.empty() && inputs.list.empty();
    if (line.given.count("split")) {
      split = line.given["split"].as<std::string>();
      if (line.given.count("overwrite"))
        throw po::error(
            "--split: cannot be combined with --overwrite, which could replace files of the dataset; choose another "
            "folder with --output DIR, or remove the earlier predictions");
      if (!none || inputs.recursive)
        throw po::error(
            "--split: cannot be combined with inputs, --list or --recursive: the images are the samples of "
            "the spec's dataset");
    } else if (none) {
      throw po::error(
          "no input: give image files, folders or patterns, a list with --list FILE, or a dataset of the spec with "
          "--split NAME");
    }
    inputs.output = line.given["output"].as<std::string>();
    options.scores = line.given.count("scores") > 0;
    options.logits = line.given.count("raw") > 0;
    options.skip_bad = line.given.count("skip-bad") > 0;
    overlay = line.given.count("no-overlay") == 0;
    overwrite = line.given.count("overwrite") > 0;
    if (line.given.count("format")) format = line.given["format"].as<std::string>();
    if (line.given.count("min-score")) options.least_score = overlay_score = least_score(line);
    if (line.given.count("max-objects")) options.most_objects = most_objects(line);
    if (options.logits)
      refuse_joined(line, "--raw", "probabilities of several predictions are joined, which have no logits");
  }
  std::vector<std::string> endings(const PredictionFormat& written) const {
    auto all = written.endings();
    if (overlay) all.push_back("_overlay.png");
    if (options.scores) all.push_back("_scores.tif");
    if (options.logits) all.push_back("_logits.tif");
    return all;
  }
};

void make_folder(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed)
    throw DataError(folder.string(),
                    "cannot be made: " + failed.message() + "; choose another folder with --output DIR");
}

void tell_skipped(const std::vector<std::string>& reasons, std::size_t total) {
  std::cerr << reasons.size() << " of " << total << " images could not be read, and "
            << (reasons.size() == 1 ? "was" : "were") << " skipped:\n";
  for (const auto& reason : reasons) std::cerr << "  " << reason << "\n";
}

// Images that were skipped may have predictions from before.
void tell_earlier_predictions(const std::vector<ImageInput>& images, const std::vector<bool>& written,
                              const fs::path& folder) {
  std::string first;
  std::size_t count = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto file = (folder / images[i].name).string() + ".png";
    if (written[i] || !fs::exists(file)) continue;
    if (count++ == 0) first = file;
  }
  if (count > 0)
    std::cerr << "note: of " << count << (count == 1 ? " skipped image" : " skipped images")
              << ", earlier predictions are still there, such as " << first << "\n";
}

// What is written only if asked for, and was not now, but before.
void tell_of_other_predictions(const std::vector<ImageInput>& images, const std::vector<bool>& written,
                               const PredictRequest& request, const PredictionFormat& format) {
  const auto now = request.endings(format);
  for (const char* ending : {"_overlay.png", "_scores.tif", "_logits.tif"}) {
    if (std::find(now.begin(), now.end(), ending) != now.end()) continue;
    for (std::size_t i = 0; i < images.size(); ++i)
      if (const auto file = (request.inputs.output / images[i].name).string() + ending;
          written[i] && fs::exists(file)) {
        std::cerr << "note: earlier files *" << ending << " are still there, such as " << file
                  << ", and show an earlier prediction\n";
        break;
      }
  }
}

std::int64_t image_id_of(const ImageSource& source) {
  return source.data ? source.data->data->image_id_of(source.index) : number_in_name(source.file.string());
}

void write(const PredictedImage& image, const ImageInput& input, const PredictRequest& request,
           PredictionFormat& format, const LabelMap& classes) {
  const auto name = request.inputs.output / input.name;
  make_folder(name.parent_path());
  format.write(image, name, image_id_of(input.source));
  if (request.overlay) write_overlay(name.string() + "_overlay.png", image, classes, request.overlay_score);
  if (request.options.scores) write_tiff(name.string() + "_scores.tif", image.scores);
  if (request.options.logits) write_tiff(name.string() + "_logits.tif", image.logits);
}

void refuse_too_many_channels(const PredictOptions& options, std::size_t classes) {
  if ((options.scores || options.logits) && classes > CV_CN_MAX)
    throw po::error((options.scores ? "--scores" : "--raw") + std::string(": a TIFF holds up to ") +
                    std::to_string(CV_CN_MAX) + " channels, and there are " + std::to_string(classes) + " classes");
}

void tell(const std::vector<std::string>& notes, const CommandLine& line) {
  if (line.common.quiet) return;
  for (const auto& note : notes) std::cerr << "note: " << note << "\n";
}

// Null if images are from files.
std::shared_ptr<const SampleSource> open_split(const Network& network, const PredictRequest& request,
                                               const CommandLine& line) {
  if (!request.split) return nullptr;
  constexpr Parts kImageOnly{.image = true, .labels = false, .objects = false};
  const auto data = std::make_shared<SampleSource>(network.source(*request.split, kImageOnly));
  tell(data->notes, line);
  return data;
}

// What the format needs of the network.
void ask(const PredictionFormat& format, PredictRequest& request, const CommandLine& line) {
  format.ask(request.options);
  request.overlay &= request.options.labels || request.options.instances;
  for (const char* option : {"min-score", "max-objects"})
    if (line.given.count(option) && !request.options.instances)
      throw po::error(
          std::string("--").append(option).append(": of networks that predict objects, and results of them"));
  for (const char* option : {"scores", "raw"})
    if (line.given.count(option) && !request.options.labels)
      throw po::error(std::string("--").append(option).append(
          ": of networks for semantic segmentation: objects have one score each, which is in results.json"));
  if (request.options.instances || request.options.segments)
    refuse_joined(line, request.format ? "--format" : "a network that predicts objects",
                  "several predictions are joined pixel by pixel, without objects");
}

void refuse_existing(const PredictionFormat& format, const PredictRequest& request) {
  for (const auto& whole : format.wholes())
    if (fs::is_directory(whole))
      throw DataError(whole.string(),
                      "is a folder, and would be a file of predictions; choose another folder with "
                      "--output DIR");
    else if (fs::exists(whole) && !request.overwrite)
      throw DataError(whole.string(),
                      request.split
                          ? "exists already; choose another folder with --output DIR, or remove it"
                          : "exists already; replace it with --overwrite, or choose another folder with --output DIR");
}

// What is read besides the images, which no prediction may replace.
std::vector<fs::path> other_inputs(const CommandLine& line, const PredictRequest& request) {
  std::vector<fs::path> files{line.operands[0]};
  if (!request.inputs.list.empty()) files.push_back(request.inputs.list);
  if (line.given.count("ensemble"))
    for (const auto& more : line.given["ensemble"].as<std::vector<std::string>>()) files.emplace_back(more);
  return files;
}

}  // namespace

void predict(int count, char** words) {
  const auto line = parse({words, words + count}, "predict CHECKPOINT|SPEC|WEIGHTS INPUT...|--split NAME [-o DIR]",
                          kSummary, options(), 1, -1);
  PredictRequest request(line);
  const auto& folder = request.inputs.output;
  std::vector<std::string> notes, bad;
  std::vector<ImageInput> images;
  if (!request.split) images = find_images(request.inputs, notes);
  tell(notes, line);
  const auto trained = open_trained(line.operands[0], line, {.split = request.split.value_or(""), .metrics = false});
  refuse_too_many_channels(request.options, trained.labels().classes.size());
  const auto data = open_split(trained.ensemble->first(), request, line);
  if (data) {
    const auto& spec = trained.ensemble->first().spec;
    request.options.skip_bad |= spec.data.on_bad_sample == PipelineSpec::BadSample::skip;
    images = find_samples(data, request.options.skip_bad, bad);
  }
  const auto format = prediction_format(request.format, trained.ensemble->first(), folder);
  ask(*format, request, line);
  for (const auto& image : images) format->expect(image_id_of(image.source), image);
  refuse_existing(*format, request);
  refuse_clashes(images, other_inputs(line, request), request.endings(*format), folder, request.overwrite);
  make_folder(folder);
  std::vector<ImageSource> sources;
  for (const auto& image : images) sources.push_back(image.source);
  const auto total = images.size() + bad.size();
  Progress progress(line.common.quiet);
  std::vector<bool> written(images.size());
  std::size_t done = 0, cut_off = 0;
  const auto skipped = predict(*trained.ensemble, sources, request.options, [&](const PredictedImage& image) {
    cut_off += image.cut_off;
    write(image, images[image.index], request, *format, trained.labels());
    written[image.index] = true;
    progress.tell_file_notes();
    progress.show("predicted " + std::to_string(++done) + "/" + std::to_string(images.size()));
  });
  bad.insert(bad.end(), skipped.begin(), skipped.end());
  progress.clear();
  if (done == 0) throw DataError("the images", "none of them can be read; the first error: " + bad.front());
  format->finish();
  if (const auto note = format->note(); !note.empty()) tell({note}, line);
  if (!line.common.quiet)
    std::cout << done << (done == 1 ? " image" : " images") << " predicted into " << folder.string() << std::endl;
  if (cut_off > 0)
    std::cerr << "note: the transforms (/transforms/val) cut off pixels of " << cut_off << " of " << done
              << " images, which have no class\n";
  if (!line.common.quiet) tell_of_other_predictions(images, written, request, *format);
  if (bad.empty()) return;
  tell_skipped(bad, total);
  tell_earlier_predictions(images, written, folder);
}

}  // namespace sectile
