#include <algorithm>
#include <iostream>
#include <map>

#include "../framework/upper/inference/predictor.h"
#include "progress.h"
#include "trained.h"
#include "upper_commands.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// Files as they are, folders as the pictures in them.
std::vector<fs::path> pictures(const std::vector<std::string>& inputs) {
  std::vector<fs::path> files;
  for (const auto& input : inputs) {
    if (!fs::exists(input)) throw DataError(input, "is not there");
    if (!fs::is_directory(input)) {
      files.emplace_back(input);
      continue;
    }
    const auto before = files.size();
    for (const auto& entry : fs::directory_iterator(input))
      if (entry.path().extension() == ".png" || entry.path().extension() == ".PNG") files.push_back(entry.path());
    if (files.size() == before) throw DataError(input, "holds no pictures (*.png)");
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  return files;
}

void refuse_clashes(const std::vector<fs::path>& files, const fs::path& folder) {
  std::map<fs::path, fs::path> writers;
  for (const auto& file : files) {
    const auto [other, is_new] = writers.emplace(file.stem(), file);
    if (!is_new)
      throw DataError(file, "and " + other->second.string() + " would both be written to " +
                                (folder / file.stem()).string() + ".png; predict them into different folders");
    std::error_code different;
    if (fs::equivalent(folder / (file.stem().string() + ".png"), file, different))
      throw DataError(file, "would be overwritten by its own prediction; choose another folder with --output DIR");
  }
}

}  // namespace

void predict(int count, char** words) {
  po::options_description own("Options of predict");
  own.add_options()("output,o", po::value<std::string>()->default_value("predictions")->value_name("DIR"),
                    "folder that the masks are written to")("no-overlay", "write masks only")(
      "device", po::value<std::string>()->default_value("cpu"), "cpu, cuda or cuda:N");
  const auto line = parse({words, words + count}, "predict CHECKPOINT INPUT... [-o DIR]",
                          "Segments pictures of any size with a trained model. INPUT: PNG files, or folders of them. "
                          "For each picture NAME.png it\n"
                          "writes NAME.png, a palette PNG of class numbers, and NAME_overlay.png, the picture through "
                          "its classes' colours.",
                          own, 2, -1);
  const auto files = pictures({line.operands.begin() + 1, line.operands.end()});
  const fs::path folder = line.given["output"].as<std::string>();
  const auto pipeline = open_trained(line.operands[0], line, line.given["device"].as<std::string>());
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed)
    throw DataError(folder, "cannot be made: " + failed.message() + "; choose another folder with --output DIR");
  refuse_clashes(files, folder);
  Progress progress(line.common.quiet);
  std::size_t done = 0;
  predict(pipeline, files, [&](const PredictedPicture& picture) {
    const auto stem = picture.file.stem().string();
    write_labels(folder / (stem + ".png"), picture.labels, *pipeline.context.labels);
    if (!line.given.count("no-overlay"))
      write_overlay(folder / (stem + "_overlay.png"), picture, *pipeline.context.labels);
    progress.show("predicted " + std::to_string(++done) + "/" + std::to_string(files.size()));
  });
  progress.clear();
  if (!line.common.quiet)
    std::cout << done << (done == 1 ? " picture" : " pictures") << " predicted into " << folder.string() << "\n";
}

}  // namespace sectile
