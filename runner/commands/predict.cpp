#include <iostream>

#include <sectile/data/image_io.h>

#include "../../framework/upper/inference/predictor.h"
#include "../image_inputs.h"
#include "../progress.h"
#include "../trained.h"
#include "upper_commands.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kSummary =
    "Segments images of any size with a trained model. INPUT: image files (PNG, JPEG, TIFF, WebP, BMP, PNM),\n"
    "folders of them, or quoted patterns such as \"photos/*.jpg\". For each image NAME.* it writes NAME.png, a\n"
    "palette PNG of class numbers, and NAME_overlay.png, an overlay of the predicted classes on the image. In a TIFF\n"
    "with several pages, each page is an image: NAME_p0001.png for the first, and so on.";

po::options_description options() {
  po::options_description own("Options of predict");
  own.add_options()("output,o", po::value<std::string>()->default_value("predictions")->value_name("DIR"),
                    "output folder")(
      "list", po::value<std::string>()->value_name("FILE"),
      "text file with more inputs, one per line, relative to the file; empty lines and lines starting with # are "
      "ignored")("recursive", "search folders recursively, and keep their structure in the output folder")(
      "scores",
      "also write NAME_scores.tif: class probabilities at the size of the image, 32-bit float, one channel per class")(
      "no-overlay", "do not write NAME_overlay.png")("overwrite",
                                                     "replace files that exist already, but never an input")(
      "skip-bad", "skip images that cannot be read and list them at the end, instead of stopping at the first");
  add_network_options(own);
  return own;
}

struct PredictRequest {
  InputRequest inputs;
  PredictOptions options;
  bool overlay = true;

  explicit PredictRequest(const CommandLine& line) {
    inputs.inputs.assign(line.operands.begin() + 1, line.operands.end());
    if (line.given.count("list")) inputs.list = line.given["list"].as<std::string>();
    if (inputs.inputs.empty() && inputs.list.empty())
      throw po::error("no input: give image files, folders or patterns, or a list with --list FILE");
    inputs.recursive = line.given.count("recursive") > 0;
    inputs.output = line.given["output"].as<std::string>();
    options.scores = line.given.count("scores") > 0;
    options.skip_bad = line.given.count("skip-bad") > 0;
    overlay = line.given.count("no-overlay") == 0;
  }
  std::vector<std::string> endings() const {
    std::vector<std::string> all = {".png"};
    if (overlay) all.push_back("_overlay.png");
    if (options.scores) all.push_back("_scores.tif");
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
    std::cerr << "note: of " << count << " skipped images, earlier predictions are still there, such as " << first
              << "\n";
}

void write(const PredictedImage& image, const fs::path& name, const PredictRequest& request, const LabelMap& classes) {
  make_folder(name.parent_path());
  write_labels(name.string() + ".png", image.labels, classes);
  if (request.overlay) write_overlay(name.string() + "_overlay.png", image, classes);
  if (request.options.scores) write_tiff(name.string() + "_scores.tif", image.scores);
}

}  // namespace

void predict(int count, char** words) {
  const auto line = parse({words, words + count}, "predict CHECKPOINT INPUT... [-o DIR]", kSummary, options(), 1, -1);
  const PredictRequest request(line);
  const auto& folder = request.inputs.output;
  std::vector<std::string> notes;
  const auto images = find_images(request.inputs, notes);
  if (!line.common.quiet)
    for (const auto& note : notes) std::cerr << "note: " << note << "\n";
  const auto trained = open_trained(line.operands[0], line);
  if (request.options.scores && static_cast<int>(trained.labels().classes.size()) > CV_CN_MAX)
    throw po::error("--scores: a TIFF holds up to " + std::to_string(CV_CN_MAX) + " channels, and there are " +
                    std::to_string(static_cast<int>(trained.labels().classes.size())) + " classes");
  std::vector<fs::path> other_inputs{line.operands[0]};
  if (!request.inputs.list.empty()) other_inputs.push_back(request.inputs.list);
  if (line.given.count("ensemble"))
    for (const auto& more : line.given["ensemble"].as<std::vector<std::string>>()) other_inputs.emplace_back(more);
  refuse_clashes(images, other_inputs, request.endings(), folder, line.given.count("overwrite") > 0);
  make_folder(folder);
  std::vector<ImageSource> sources;
  for (const auto& image : images) sources.push_back(image.source);
  Progress progress(line.common.quiet);
  std::vector<bool> written(images.size());
  std::size_t done = 0, cut_off = 0;
  const auto bad = predict(*trained.ensemble, sources, request.options, [&](const PredictedImage& image) {
    cut_off += image.cut_off;
    write(image, folder / images[image.index].name, request, trained.labels());
    written[image.index] = true;
    progress.tell_file_notes();
    progress.show("predicted " + std::to_string(++done) + "/" + std::to_string(images.size()));
  });
  progress.clear();
  if (done == 0) throw DataError("the images", "none of them can be read; the first error: " + bad.front());
  if (!line.common.quiet)
    std::cout << done << (done == 1 ? " image" : " images") << " predicted into " << folder.string() << std::endl;
  if (cut_off > 0)
    std::cerr << "note: the transforms (/transforms/val) cut off pixels of " << cut_off << " of " << done
              << " images, which have no class\n";
  if (bad.empty()) return;
  std::cerr << bad.size() << " of " << images.size() << " images could not be read, and were skipped:\n";
  for (const auto& reason : bad) std::cerr << "  " << reason << "\n";
  tell_earlier_predictions(images, written, folder);
}

}  // namespace sectile
