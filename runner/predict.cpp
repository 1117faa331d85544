#include <iostream>

#include <sectile/data/image_io.h>

#include "../framework/upper/inference/predictor.h"
#include "picture_inputs.h"
#include "progress.h"
#include "trained.h"
#include "upper_commands.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kSummary =
    "Segments pictures of any size with a trained model. INPUT: picture files (PNG, JPEG, TIFF, WebP, BMP, PNM),\n"
    "folders of them, or quoted patterns such as \"photos/*.jpg\". For each picture NAME.* it writes NAME.png, a "
    "palette\n"
    "PNG of class numbers, and NAME_overlay.png, the picture through its classes' colours. Of a TIFF with several "
    "pages\n"
    "each page is a picture: NAME_p0001.png for the first, and so on.";

po::options_description options() {
  po::options_description own("Options of predict");
  own.add_options()("output,o", po::value<std::string>()->default_value("predictions")->value_name("DIR"),
                    "folder that the masks are written to")(
      "list", po::value<std::string>()->value_name("FILE"),
      "a text file of further inputs, one per line, relative to the file; empty lines and those that begin with # do "
      "not count")("recursive", "search folders in folders too, and keep them below the output folder")(
      "scores",
      "write NAME_scores.tif too: 32-bit floating point, a channel per class, 0 to 1, in the size of the picture")(
      "no-overlay", "write no NAME_overlay.png")(
      "skip-bad", "leave out pictures that cannot be read, and say at the end which, instead of stopping at the first")(
      "device", po::value<std::string>()->default_value("cpu"), "cpu, cuda or cuda:N");
  return own;
}

struct Wishes {
  InputRequest request;
  PredictOptions options;
  bool overlay = true;

  explicit Wishes(const CommandLine& line) {
    request.inputs.assign(line.operands.begin() + 1, line.operands.end());
    if (line.given.count("list")) request.list = line.given["list"].as<std::string>();
    if (request.inputs.empty() && request.list.empty())
      throw po::error("no picture is named: give files, folders or patterns, or a list with --list FILE");
    request.recursive = line.given.count("recursive") > 0;
    request.output = line.given["output"].as<std::string>();
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

void write(const PredictedPicture& picture, const fs::path& name, const Wishes& wishes, const LabelMap& classes) {
  make_folder(name.parent_path());
  write_labels(name.string() + ".png", picture.labels, classes);
  if (wishes.overlay) write_overlay(name.string() + "_overlay.png", picture, classes);
  if (wishes.options.scores) write_tiff(name.string() + "_scores.tif", picture.scores);
}

}  // namespace

void predict(int count, char** words) {
  const auto line = parse({words, words + count}, "predict CHECKPOINT INPUT... [-o DIR]", kSummary, options(), 1, -1);
  const Wishes wishes(line);
  const auto& folder = wishes.request.output;
  const auto pictures = find_pictures(wishes.request);
  const auto pipeline = open_trained(line.operands[0], line, line.given["device"].as<std::string>());
  if (wishes.options.scores && pipeline.context.classes() > CV_CN_MAX)
    throw po::error("--scores: a TIFF holds up to " + std::to_string(CV_CN_MAX) + " channels, and there are " +
                    std::to_string(pipeline.context.classes()) + " classes");
  refuse_clashes(pictures, wishes.endings(), folder);
  make_folder(folder);
  std::vector<PictureSource> sources;
  for (const auto& picture : pictures) sources.push_back(picture.source);
  Progress progress(line.common.quiet);
  std::size_t done = 0;
  const auto bad = predict(pipeline, sources, wishes.options, [&](const PredictedPicture& picture) {
    write(picture, folder / pictures[picture.index].name, wishes, *pipeline.context.labels);
    progress.show("predicted " + std::to_string(++done) + "/" + std::to_string(pictures.size()));
  });
  progress.clear();
  if (done == 0) throw DataError("the pictures", "cannot be read, not one; the first: " + bad.front());
  if (!line.common.quiet)
    std::cout << done << (done == 1 ? " picture" : " pictures") << " predicted into " << folder.string() << std::endl;
  if (bad.empty()) return;
  std::cerr << bad.size() << " of " << pictures.size() << " pictures could not be read, and were skipped:\n";
  for (const auto& reason : bad) std::cerr << "  " << reason << "\n";
}

}  // namespace sectile
