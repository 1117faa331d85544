#include <algorithm>
#include <cstring>
#include <fstream>
#include <thread>

#include <sectile/data/folders.h>

#include "../results/report_file.h"
#include "compared_files.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kUsage = "evaluate --truth PATH --predictions PATH [OPTION]...";
constexpr const char* kSummary =
    "Compares predictions with a truth, without a network. What they are is found by looking:\n\n"
    "  two folders of label maps       images of the values of classes, with the same names in both, turned as\n"
    "                                  their EXIF orientation says: metrics such as iou\n"
    "  COCO's panoptic format          two JSON files, each with a folder of PNGs: panoptic quality (PQ), as\n"
    "                                  panopticapi computes it\n"
    "  a detector's results for COCO   --truth has images, categories and annotations; --predictions is a list of\n"
    "                                  objects with image_id, category_id, score, and segmentation or bbox: average\n"
    "                                  precision (AP) and recall (AR), as pycocotools computes them";

constexpr const char* name_of(FileKind kind) {
  return kind == FileKind::results    ? "a detector's results"
         : kind == FileKind::panoptic ? "panoptic segments"
                                      : "label maps";
}

struct OwnOption {
  const char* name;
  FileKind kind;
};
constexpr OwnOption kOwn[] = {{"iou-type", FileKind::results},           {"size", FileKind::results},
                              {"max-detections", FileKind::results},     {"truth-masks", FileKind::panoptic},
                              {"predictions-masks", FileKind::panoptic}, {"classes", FileKind::label_maps},
                              {"ignore", FileKind::label_maps},          {"metric", FileKind::label_maps}};

po::options_description options() {
  using Text = std::string;
  using Texts = std::vector<std::string>;
  po::options_description own("Options of evaluate for files");
  auto add = own.add_options();
  add("truth", po::value<Text>()->value_name("PATH")->required(), "what is right");
  add("predictions", po::value<Text>()->value_name("PATH")->required(), "what was predicted");
  add("per-class", "also list every class");
  add("threads", po::value<int>()->value_name("N"), "threads; does not change results. Default: all processors");
  add("report", po::value<Text>()->value_name("FILE"), "write all results as JSON");
  add("classes", po::value<Text>()->value_name("N|FILE"),
      "label maps: how many classes there are, whose values are 0 to N - 1; at most 32767, and 8192 for metrics of a "
      "confusion matrix, such as iou; or a JSON file of them, as image_folder's "
      "\"classes_file\": {\"classes\": [{\"name\", \"value\"}, ...], \"ignore\": [255]}");
  add("ignore", po::value<std::vector<int>>()->value_name("VALUE"),
      "label maps: value of pixels of the truth that do not count; can be repeated. Default: those of the file of "
      "classes, or else 255");
  add("metric", po::value<Texts>()->value_name("NAME|JSON"),
      "label maps: a metric as in a spec, such as iou or '{\"type\": \"iou\"}'; can be repeated. Default: iou and "
      "pixel_accuracy");
  add("truth-masks", po::value<Text>()->value_name("DIR"),
      "panoptic: folder of the truth's PNGs. Default: its JSON file's name without .json, or else the folder it is in");
  add("predictions-masks", po::value<Text>()->value_name("DIR"), "panoptic: the same for the predictions");
  add("iou-type", po::value<Text>()->value_name("TYPE"),
      "results: segm: overlap of masks; bbox: of boxes; boundary: of masks and their boundaries (Boundary AP). "
      "Default: segm if the results have masks, else bbox");
  add("size", po::value<Texts>()->value_name("NAME=A..B"),
      "results: range of objects' areas in pixels, instead of COCO's small, medium and large; can be repeated");
  add("max-detections", po::value<int>()->value_name("N"),
      "results: how many detections per image and class count, best scores first. Default: 100, as in COCO");
  return own;
}

bool holds(const fs::path& file, const std::string& text) {
  std::ifstream in(file, std::ios::binary);
  std::string part;
  for (std::vector<char> bytes(1 << 20);
       in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())), in.gcount();) {
    part.append(bytes.data(), static_cast<std::size_t>(in.gcount()));
    if (part.find(text) != std::string::npos) return true;
    part.erase(0, part.size() - std::min(part.size(), text.size()));
  }
  return false;
}

// A list of results begins with a bracket.
bool is_list(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  char first = 0;
  while (in.get(first) && (first == ' ' || first == '\n' || first == '\r' || first == '\t')) {
  }
  return first == '[';
}

FileKind kind_of(const fs::path& truth, const fs::path& predictions) {
  for (const auto& path : {truth, predictions})
    if (!fs::exists(path))
      throw DataError(path.string(), "does not exist; expected a folder of label maps or a JSON file");
  const bool folders[] = {is_folder(truth), is_folder(predictions)};
  if (folders[0] && folders[1]) return FileKind::label_maps;
  if (folders[0] != folders[1])
    throw DataError((folders[0] ? predictions : truth).string(),
                    "is not a folder, and " + (folders[0] ? truth : predictions).string() +
                        " is one; expected two folders of label maps, or two JSON files");
  for (const auto& path : {truth, predictions})  // which is read more than once, unlike a pipe
    if (!is_file(path)) throw DataError(path.string(), "is a pipe or a device; expected a JSON file");
  if (is_list(predictions)) return FileKind::results;
  constexpr const char* kOfSegments = "\"segments_info\"";
  return holds(predictions, kOfSegments) || holds(truth, kOfSegments) ? FileKind::panoptic : FileKind::results;
}

}  // namespace

bool names_files(int count, char** words) {
  return std::any_of(words + 2, words + count, [](const char* word) {
    return std::strncmp(word, "--truth", 7) == 0 || std::strncmp(word, "--predictions", 13) == 0;
  });
}

ComparedFiles compared_files(int count, char** words) {
  std::vector<std::string> all(words, words + count);
  if (std::find(all.begin(), all.end(), "--help") != all.end()) all = {all[0], all[1], "--help"};
  ComparedFiles files;
  files.line = parse(all, kUsage, kSummary, options(), 0, 0);
  const auto& given = files.line.given;
  files.report = report_file(files.line);
  files.truth = given["truth"].as<std::string>();
  files.predictions = given["predictions"].as<std::string>();
  files.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  if (given.count("threads")) {
    files.threads = given["threads"].as<int>();
    if (files.threads < 1) throw po::error("--threads: " + std::to_string(files.threads) + " is below 1");
  }
  files.kind = kind_of(files.truth, files.predictions);
  for (const auto& [name, kind] : kOwn)
    if (given.count(name) && kind != files.kind)
      throw po::error(std::string("--")
                          .append(name)
                          .append(": is an option of ")
                          .append(name_of(kind))
                          .append(", and these are ")
                          .append(name_of(files.kind))
                          .append("; see sectile evaluate --truth --help"));
  return files;
}

}  // namespace sectile
