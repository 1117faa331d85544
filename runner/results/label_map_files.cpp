#include "label_map_files.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include <sectile/data/folders.h>
#include <sectile/data/image_io.h>
#include <sectile/data/image_size.h>
#include <sectile/error.h>
#include <sectile/sample.h>

#include "../../framework/ground/images/image_format.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::int16_t kNobody = -2;
constexpr std::size_t kValues = 65536;

using Files = std::map<std::string, std::string>;

struct FolderOfMaps {
  Files maps{};                                 // by name
  std::map<std::string, std::size_t> others{};  // how many files, by suffix

  // "2 of \".gif\", 1 of \".npy\""
  std::string counted_others() const {
    std::string all;
    for (const auto& [suffix, count] : others)
      all += (all.empty() ? "" : ", ") + std::to_string(count) +
             (suffix.empty() ? " without suffix" : " of \"" + suffix + "\"");
    return all;
  }
};

bool is_image_name(const fs::path& file) {
  const auto& known = image_suffixes();
  return std::find(known.begin(), known.end(), lower_suffix(file)) != known.end();
}

// A link to nowhere or a pipe with the name of an image is not passed over: an image would be missing in both folders.
void refuse_special_files(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!is_image_name(entry.path()) || entry.path().filename().string().starts_with('.')) continue;
    std::error_code unknown;
    const auto type = entry.status(unknown).type();
    if (type != fs::file_type::regular && type != fs::file_type::directory)
      throw DataError(entry.path().string(), type == fs::file_type::not_found || unknown
                                                 ? "is a link to a file that does not exist"
                                                 : "is not a regular file; expected a label map");
  }
}

void add_maps(const fs::path& folder, const std::string& prefix, int depth, FolderOfMaps& found) {
  constexpr int kDeepest = 32;  // links may lead in circles
  if (depth > kDeepest) throw DataError(folder.string(), "is too deep; expected at most 32 folders inside each other");
  refuse_special_files(folder);
  for (auto& [stem, file] : files_by_stem(folder, image_suffixes())) found.maps.emplace(prefix + stem, file.string());
  for (const auto& name : files_in(folder))
    if (!is_image_name(name)) ++found.others[lower_suffix(name)];
  for (const auto& name : folders_in(folder)) add_maps(folder / name, prefix + name + "/", depth + 1, found);
}

FolderOfMaps maps_in(const fs::path& folder) {
  FolderOfMaps found;
  add_maps(folder, "", 0, found);
  if (found.maps.empty())
    throw DataError(folder.string(), "has no image; expected a folder of label maps" +
                                         (found.others.empty() ? std::string("; there is not a file at all")
                                                               : "; there are files of formats that are not read: " +
                                                                     found.counted_others()));
  return found;
}

// "3 files of it: a, b, c"
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(kMost, names.size()); ++i) text += (i ? ", " : "") + names[i];
  return names.size() > kMost ? text + " and " + std::to_string(names.size() - kMost) + " more" : text;
}

bool is_beside(const std::string& name, const Files& maps) {
  for (const std::string end : {"_overlay", "_scores", "_logits"})
    if (name.ends_with(end) && maps.count(name.substr(0, name.size() - end.size()))) return true;
  return false;
}

// "0 to 10, 255"
std::string ranges(const std::set<int>& values) {
  std::string all;
  for (auto at = values.begin(); at != values.end();) {
    const int first = *at;
    int last = first;
    while (++at != values.end() && *at == last + 1) ++last;
    all += (all.empty() ? "" : ", ") + std::to_string(first);
    if (last != first) all += (last == first + 1 ? ", " : " to ") + std::to_string(last);
  }
  return all.empty() ? "none" : all;
}

template <class Value>
void translate(const cv::Mat& from, const std::vector<std::int16_t>& by_value, cv::Mat& to) {
  for (int y = 0; y < from.rows; ++y) {
    const auto* values = from.ptr<Value>(y);
    auto* numbers = to.ptr<std::int16_t>(y);
    for (int x = 0; x < from.cols; ++x) {
      const auto value = static_cast<std::int64_t>(values[x]);
      numbers[x] = value >= 0 && value < static_cast<std::int64_t>(kValues) ? by_value[static_cast<std::size_t>(value)]
                                                                            : kNobody;
    }
  }
}

bool is_jpeg(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return in.get() == 0xff && in.get() == 0xd8;
}

cv::Mat values_of(const fs::path& file) {
  if (is_jpeg(file))
    throw DataError(file.string(),
                    "is a JPEG, whose compression changes values; expected a lossless label map, such as a PNG");
  if (const auto pages = read_info(file).pages; pages > 1)
    throw DataError(file.string(), "has " + std::to_string(pages) + " pages; expected one label map in each file");
  const auto pixels = read_raw_image(file).pixels;
  if (pixels.channels() != 1)
    throw DataError(file.string(), "has " + std::to_string(pixels.channels()) +
                                       " channels; expected a label map: a grayscale or palette image of the values "
                                       "of classes");
  if (pixels.depth() > CV_32S)
    throw DataError(file.string(), "has floating-point pixels; expected a label map of whole numbers");
  return pixels;
}

}  // namespace

std::vector<LabelMapPair> label_map_pairs(const fs::path& truth, const fs::path& predictions,
                                          std::vector<std::string>& problems, std::vector<std::string>& notes) {
  const auto of_truth = maps_in(truth), of_predictions = maps_in(predictions);
  for (const auto& [folder, content] : {std::pair(&truth, &of_truth), std::pair(&predictions, &of_predictions)})
    if (!content->others.empty())
      notes.push_back(folder->string() +
                      ": files of formats that are not read are passed over: " + content->counted_others());
  const auto &truths = of_truth.maps, &found = of_predictions.maps;
  std::vector<LabelMapPair> pairs;
  std::vector<std::string> missing, extra;
  for (const auto& [name, file] : truths)
    if (const auto at = found.find(name); at != found.end())
      pairs.push_back({name, file, at->second});
    else
      missing.push_back(name);
  for (const auto& [name, file] : found)
    if (!truths.count(name) && !is_beside(name, truths)) extra.push_back(name);
  const auto files = [](std::size_t count) { return std::to_string(count) + (count == 1 ? " image" : " images"); };
  if (!missing.empty())
    problems.push_back(predictions.string() + ": has no prediction for " + files(missing.size()) + " of " +
                       truth.string() + ": " + listed(missing) + "; names must be the same, without suffix");
  if (!extra.empty())
    problems.push_back(predictions.string() + ": has " + files(extra.size()) + " that " + truth.string() +
                       " does not have: " + listed(extra));
  return pairs;
}

LabelValues::LabelValues(const ClassTable& table, const std::vector<int>& ignore) : by_value_(kValues, kNobody) {
  std::set<int> values;
  for (std::size_t c = 0; c < table.classes.size(); ++c) {
    values.insert(table.value_of(c));
    by_value_[static_cast<std::size_t>(table.value_of(c))] = static_cast<std::int16_t>(c);
  }
  for (const int value : ignore) by_value_[static_cast<std::size_t>(value)] = kIgnore;
  known_ = "the classes have " + ranges(values) + ", ignored are " + ranges({ignore.begin(), ignore.end()});
}

cv::Mat LabelValues::numbers(const fs::path& file) const {
  const auto values = values_of(file);
  cv::Mat numbers(values.size(), CV_16S);
  switch (values.depth()) {
    case CV_8U:
      translate<std::uint8_t>(values, by_value_, numbers);
      break;
    case CV_16U:
      translate<std::uint16_t>(values, by_value_, numbers);
      break;
    case CV_16S:
      translate<std::int16_t>(values, by_value_, numbers);
      break;
    case CV_8S:
      translate<std::int8_t>(values, by_value_, numbers);
      break;
    default:
      translate<std::int32_t>(values, by_value_, numbers);
  }
  return numbers;
}

// Reads the file again for its values: only where something is wrong.
void LabelValues::refuse_unknown(const fs::path& file, const cv::Mat& numbers, bool is_truth) const {
  cv::Mat values;
  values_of(file).convertTo(values, CV_32S);
  std::set<int> unknown;
  std::int64_t pixels = 0;
  for (int y = 0; y < numbers.rows; ++y)
    for (int x = 0; x < numbers.cols; ++x)
      if (numbers.at<std::int16_t>(y, x) == kNobody) {
        ++pixels;
        if (unknown.size() < 20) unknown.insert(values.at<std::int32_t>(y, x));
      }
  throw DataError(file.string(), "has " + std::to_string(pixels) +
                                     (is_truth ? " pixels of values that no class has: "
                                               : " pixels that count of values that no class has: ") +
                                     ranges(unknown) + "; " + known_);
}

LabelValues::Maps LabelValues::read(const LabelMapPair& pair) const {
  Maps maps{numbers(pair.truth), numbers(pair.prediction)};
  for (const auto& file : {pair.truth, pair.prediction})
    if (stated_orientation(file) != 1) maps.turned.push_back(file);
  if (maps.truth.size() != maps.prediction.size())
    demand_same_size(pair.prediction, maps.prediction.size(), pair.truth, maps.truth.size());
  bool truth_is_known = true, prediction_is_known = true;
  for (int y = 0; y < maps.truth.rows; ++y) {
    const auto* truth = maps.truth.ptr<std::int16_t>(y);
    auto* prediction = maps.prediction.ptr<std::int16_t>(y);
    for (int x = 0; x < maps.truth.cols; ++x) {
      truth_is_known &= truth[x] != kNobody;
      if (truth[x] == kIgnore) prediction[x] = prediction[x] < 0 ? kIgnore : prediction[x];
      // A prediction of no class where one counts is as wrong as an unknown value: metrics count classes alone.
      else if (prediction[x] < 0)
        prediction[x] = kNobody, prediction_is_known = false;
    }
  }
  if (!truth_is_known) refuse_unknown(pair.truth, maps.truth, true);
  if (!prediction_is_known) refuse_unknown(pair.prediction, maps.prediction, false);
  return maps;
}

}  // namespace sectile
