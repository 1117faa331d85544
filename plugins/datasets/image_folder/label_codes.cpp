#include "label_codes.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <type_traits>

#include <sectile/error.h>
#include <sectile/sample.h>
#include <opencv2/core.hpp>

#include "files.h"

namespace image_folder {
namespace {

using sectile::DataError;
using sectile::kIgnore;

constexpr std::int16_t kNobody = -2;  // no class owns it
constexpr int kLargestValue = 65535;

std::uint32_t code(int red, int green, int blue) {
  return static_cast<std::uint32_t>(red) << 16 | static_cast<std::uint32_t>(green) << 8 |
         static_cast<std::uint32_t>(blue);
}
std::uint32_t code(const Color& color) { return code(color[0], color[1], color[2]); }

std::string text(std::uint32_t color) {
  return std::string("(").append(std::to_string(color >> 16)) + ", " + std::to_string(color >> 8 & 255) + ", " +
         std::to_string(color & 255) + ")";
}
std::string pixel(int x, int y) { return "pixel (" + std::to_string(x) + ", " + std::to_string(y) + ")"; }

// "0 to 10, 255"
std::string ranges(const std::set<int>& values) {
  std::string all;
  for (auto it = values.begin(); it != values.end();) {
    const int first = *it;
    int last = first;
    while (++it != values.end() && *it == last + 1) ++last;
    all += (all.empty() ? "" : ", ") + std::to_string(first);
    if (last != first) all += (last == first + 1 ? ", " : " to ") + std::to_string(last);
  }
  return all.empty() ? "none" : all;
}

// The first three.
bool channels_equal(const cv::Mat& pixels) {
  std::vector<cv::Mat> planes;
  cv::split(pixels, planes);
  return cv::norm(planes[0], planes[1], cv::NORM_INF) == 0 && cv::norm(planes[0], planes[2], cv::NORM_INF) == 0;
}

// What to do about a color that is not a class.
std::string advice_on(const cv::Mat& colors) {
  if (channels_equal(colors))
    return "All three channels are equal: if they hold the class's number, set \"encoding\" to \"value\"";
  return "Give a class that \"color\", or list it in \"ignore_colors\", or set \"unknown\" to \"ignore\"";
}

}  // namespace

LabelCodes::LabelCodes(const ClassTable& table, Encoding encoding, Unknown unknown)
    : labels_(table.labels()), encoding_(encoding), unknown_(unknown), by_value_(kLargestValue + 1, kNobody) {
  std::set<int> values;
  for (std::size_t i = 0; i < table.classes.size(); ++i) {
    const auto& entry = table.classes[i];
    values.insert(table.value_of(i));
    by_value_[static_cast<std::size_t>(table.value_of(i))] = static_cast<std::int16_t>(i);
    colors_given_ = colors_given_ && entry.color.has_value();
    if (!entry.color) continue;
    by_color_[code(*entry.color)] = static_cast<std::int16_t>(i);
    known_colors_ += (known_colors_.empty() ? "" : ", ") + entry.name + " " + text(code(*entry.color));
  }
  for (const int value : table.ignore) by_value_[static_cast<std::size_t>(value)] = kIgnore;
  for (const Color& color : table.ignore_colors) by_color_[code(color)] = kIgnore;
  known_values_ = "the classes have " + ranges(values) + ", ignored are " +
                  ranges(std::set<int>(table.ignore.begin(), table.ignore.end()));
}

template <class Value>
std::int16_t LabelCodes::class_of(Value value) const {
  if constexpr (std::is_unsigned_v<Value>) return by_value_[value];
  const auto number = static_cast<double>(value);
  if (!(number >= 0 && number <= kLargestValue) || number != std::floor(number)) return kNobody;
  return by_value_[static_cast<std::size_t>(number)];
}

template <class Value>
void LabelCodes::by_value(const std::string& place, const cv::Mat& values, const std::string& advice,
                          cv::Mat& labels) const {
  for (int y = 0; y < labels.rows; ++y) {
    const auto* from = values.ptr<Value>(y);
    auto* to = labels.ptr<std::int16_t>(y);
    for (int x = 0; x < labels.cols; ++x) {
      to[x] = class_of(from[x]);
      if (to[x] != kNobody) continue;
      if (unknown_ == Unknown::error) {
        std::ostringstream message;
        message << pixel(x, y) << " has value " << +from[x] << ", which is not a class: " << known_values_ << ". "
                << (advice.empty() ? "Give a class that \"value\", or list it in \"ignore\", or set \"unknown\" to "
                                     "\"ignore\""
                                   : advice);
        throw DataError(place, message.str());
      }
      to[x] = kIgnore;
    }
  }
}

cv::Mat LabelCodes::by_value(const std::string& place, const cv::Mat& values, const std::string& advice) const {
  cv::Mat labels(values.size(), CV_16S);
  switch (values.depth()) {
    case CV_8U:
      by_value<std::uint8_t>(place, values, advice, labels);
      break;
    case CV_16U:
      by_value<std::uint16_t>(place, values, advice, labels);
      break;
    case CV_16S:
      by_value<std::int16_t>(place, values, advice, labels);
      break;
    case CV_32S:
      by_value<std::int32_t>(place, values, advice, labels);
      break;
    default:
      by_value<float>(place, values, advice, labels);
  }
  return labels;
}

cv::Mat LabelCodes::by_color(const std::string& place, const cv::Mat& colors, const std::string& advice) const {
  if (!colors_given_)
    throw DataError(place,
                    "is a color mask, and not every class states its \"color\". State them, or, where all three "
                    "channels hold the class's number, set \"encoding\" to \"value\"");
  if (colors.depth() != CV_8U)
    throw DataError(
        place, std::string("is a color mask of ") + cv::depthToString(colors.depth()) + "; expected 8 bits (CV_8U)");
  cv::Mat labels(colors.size(), CV_16S);
  std::uint32_t last = ~0u;  // neighbours are mostly alike
  std::int16_t label = kNobody;
  for (int y = 0; y < labels.rows; ++y) {
    const auto* from = colors.ptr<cv::Vec3b>(y);
    auto* to = labels.ptr<std::int16_t>(y);
    for (int x = 0; x < labels.cols; ++x) {
      const std::uint32_t here = code(from[x][0], from[x][1], from[x][2]);
      if (here != last) {
        const auto found = by_color_.find(here);
        if (found == by_color_.end() && unknown_ == Unknown::error)
          throw DataError(place, pixel(x, y) + " has color " + text(here) + ", which is not a class: " + known_colors_ +
                                     ". " + (advice.empty() ? advice_on(colors) : advice));
        label = found == by_color_.end() ? kIgnore : found->second;
        last = here;
      }
      to[x] = label;
    }
  }
  return labels;
}

cv::Mat LabelCodes::read(const std::filesystem::path& mask, const sectile::ReadOptions& options,
                         const std::string& place) const {
  const std::string advice =
      is_jpeg(mask) ? "JPEG changes values where it compresses, so that it cannot hold class numbers or colors: save "
                      "masks as PNG"
                    : "";
  if (encoding_ == Encoding::color) {
    const cv::Mat colors = sectile::read_image(mask, options);
    if (colors.channels() != 3)
      throw DataError(place, colors.channels() == 1 ? "is a grey mask, and \"encoding\" asks for colors"
                                                    : "has " + std::to_string(colors.channels()) +
                                                          " channels, and \"encoding\" asks for the 3 of colors");
    return by_color(place, colors, advice);
  }
  const cv::Mat pixels = sectile::read_raw_image(mask, options).pixels;
  if (pixels.channels() > 4)
    throw DataError(place,
                    "has " + std::to_string(pixels.channels()) + " channels; a mask has 1 of numbers or 3 of colors");
  std::vector<cv::Mat> planes;
  cv::split(pixels, planes);
  if (pixels.channels() <= 2) return by_value(place, planes[0], advice);
  if (encoding_ == Encoding::automatic) {
    cv::Mat colors;
    cv::merge(planes.data(), 3, colors);
    return by_color(place, colors, advice);
  }
  if (!channels_equal(pixels))
    throw DataError(place, "has three channels that differ, and \"encoding\" asks for values: is it a color mask?");
  return by_value(place, planes[0], advice);
}

}  // namespace image_folder
