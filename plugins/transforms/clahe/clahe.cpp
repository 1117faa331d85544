// Contrast limited adaptive histogram equalization (Zuiderveld 1994) of random strength, as albumentations' CLAHE
// (2.0.8), which calls OpenCV's. 8-bit images get its pixels. OpenCV counts 16-bit images in 65536 levels, of which the
// tiles of usual images have too few pixels for any limit to matter: here they, and float images, are counted in 256
// levels too, and keep their steps between these.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

constexpr int kColors = 3;
constexpr int kLevels = 256;
constexpr int kTopLevel = kLevels - 1;
constexpr int kMostTiles = 256;          // along one side
constexpr double kWhiteLightness = 100;  // of L*a*b* in floating point

struct ClaheOptions {
  std::array<double, 2> clip_limit = {1, 4};
  std::array<int, 2> tile_grid_size = {8, 8};
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("clip_limit", &clip_limit,
             "[min, max] limit of the contrast: the most pixels that a level of a tile counts, as a multiple of the "
             "mean of "
             "the 256 levels. 1 hardly changes contrast, 256 does not limit it.")
        .at_least(1)
        .at_most(kLevels);
    options
        .add("tile_grid_size", &tile_grid_size,
             "[columns, rows] of the tiles, each of which has a histogram. Between their centers, their results are "
             "interpolated. Volumes are equalized slice by slice.")
        .at_least(1)
        .at_most(kMostTiles);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (clip_limit[0] > clip_limit[1]) problems.add("clip_limit", "the minimum is greater than the maximum");
  }
};

// Below, levels are gray values from 0 to 255: of one channel, no volume.

using Table = std::array<float, kLevels>;

// What OpenCV does to the histogram of a tile, without rounding the result. tile: 8U.
Table table_of(const cv::Mat& tile, double clip_limit) {
  const int pixels = static_cast<int>(tile.total());
  std::array<int, kLevels> counts{};
  for (int y = 0; y < tile.rows; ++y)
    for (int x = 0; x < tile.cols; ++x) ++counts[tile.at<std::uint8_t>(y, x)];
  const int limit = std::max(static_cast<int>(clip_limit * pixels / kLevels), 1);
  int clipped = 0;
  for (int& count : counts) {
    clipped += std::max(count - limit, 0);
    count = std::min(count, limit);
  }
  for (int& count : counts) count += clipped / kLevels;
  int rest = clipped % kLevels;  // one each, at equal distances
  const int step = rest == 0 ? kLevels : std::max(kLevels / rest, 1);
  for (int level = 0; level < kLevels && rest > 0; level += step, --rest) ++counts[static_cast<std::size_t>(level)];
  Table table;
  int sum = 0;
  for (std::size_t level = 0; level < table.size(); ++level) {
    sum += counts[level];
    table[level] = static_cast<float>(sum) * static_cast<float>(kTopLevel) / static_cast<float>(pixels);
  }
  return table;
}

// OpenCV extends an image whose width or height is no multiple of the tiles, to the next one along both axes: along an
// axis that is a multiple, by a whole pixel per tile.
cv::Size tile_size(cv::Size image, cv::Size grid) {
  const bool fits = image.width % grid.width == 0 && image.height % grid.height == 0;
  const int more = fits ? 0 : 1;
  return {image.width / grid.width + more, image.height / grid.height + more};
}

// One table per tile, in rows.
std::vector<Table> tables_of(const cv::Mat& levels, cv::Size grid, cv::Size tile, double clip_limit) {
  cv::Mat bytes, extended;
  levels.convertTo(bytes, CV_8U);
  cv::copyMakeBorder(bytes, extended, 0, tile.height * grid.height - bytes.rows, 0,
                     tile.width * grid.width - bytes.cols, cv::BORDER_REFLECT_101);
  std::vector<Table> tables;
  for (int y = 0; y < grid.height; ++y)
    for (int x = 0; x < grid.width; ++x)
      tables.push_back(table_of(extended(cv::Rect(cv::Point(x * tile.width, y * tile.height), tile)), clip_limit));
  return tables;
}

// The tiles whose centers a pixel lies between, and how much the second counts.
struct Between {
  std::size_t first = 0, second = 0;
  float share = 0;
};

std::vector<Between> places(int length, int tile, int tiles) {
  std::vector<Between> made;
  for (int i = 0; i < length; ++i) {
    const float at = static_cast<float>(i) / static_cast<float>(tile) - 0.5f;
    const int first = cvFloor(at);
    made.push_back({static_cast<std::size_t>(std::max(first, 0)),
                    static_cast<std::size_t>(std::min(first + 1, tiles - 1)), at - static_cast<float>(first)});
  }
  return made;
}

float mixed(float first, float second, float share) { return first + (second - first) * share; }

// levels: 32F, changed in place.
void equalize_floats(cv::Mat& levels, cv::Size grid, double clip_limit) {
  const cv::Size tile = tile_size(levels.size(), grid);
  const auto tables = tables_of(levels, grid, tile, clip_limit);
  const auto columns = places(levels.cols, tile.width, grid.width),
             rows = places(levels.rows, tile.height, grid.height);
  const auto width = static_cast<std::size_t>(grid.width);
  for (int y = 0; y < levels.rows; ++y) {
    const auto& row = rows[static_cast<std::size_t>(y)];
    auto* values = levels.ptr<float>(y);
    for (const auto& column : columns) {
      const float value = std::clamp(*values, 0.f, float{kTopLevel});
      const auto level =
          static_cast<std::size_t>(value > 0 ? std::min(static_cast<int>(value), kTopLevel - 1) : 0);  // NaN: 0
      const float above = value - static_cast<float>(level);
      const auto at = [&](std::size_t tile_row, std::size_t tile_column) {
        const Table& table = tables[tile_row * width + tile_column];
        return mixed(table[level], table[level + 1], above);
      };
      *values++ = mixed(mixed(at(row.first, column.first), at(row.first, column.second), column.share),
                        mixed(at(row.second, column.first), at(row.second, column.second), column.share), row.share);
    }
  }
}

// One channel of any depth. white: the value of the brightest pixels.
cv::Mat equalized(const cv::Mat& channel, cv::Size grid, double clip_limit, double white) {
  cv::Mat result;
  if (channel.depth() == CV_8U) {
    cv::createCLAHE(clip_limit, grid)->apply(channel, result);
    return result;
  }
  cv::Mat levels;
  channel.convertTo(levels, CV_32F, kTopLevel / white);
  equalize_floats(levels, grid, clip_limit);
  levels.convertTo(result, channel.depth(), white / kTopLevel);
  return result;
}

class Clahe final : public sectile::Transform {
 public:
  explicit Clahe(const ClaheOptions& options)
      : options_(options), grid_(options.tile_grid_size[0], options.tile_grid_size[1]) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    const double white = sectile::largest_value(sample, "clahe");
    if (!draw.random.chance(options_.probability)) return;
    const double limit = draw.random.uniform(options_.clip_limit[0], options_.clip_limit[1]);
    const bool colors = sample.image.channels() == kColors;
    sample.image = sectile::in_groups(sample.image, [&](const cv::Mat& from, cv::Mat to) {
      if (colors)
        change_lightness(from, to, limit, white);
      else
        change_channels(from, to, limit, white);
    });
  }

 private:
  void change_channels(const cv::Mat& from, cv::Mat to, double limit, double white) const {
    cv::Mat channel;
    for (int i = 0; i < from.channels(); ++i) {
      cv::extractChannel(from, channel, i);  // a copy: of a view of a larger image, OpenCV would see the rest
      cv::insertChannel(equalized(channel, grid_, limit, white), to, i);
    }
  }

  void change_lightness(const cv::Mat& from, cv::Mat to, double limit, double white) const {
    const bool bytes = from.depth() == CV_8U;
    cv::Mat scaled, lab;
    std::vector<cv::Mat> planes;
    if (!bytes) from.convertTo(scaled, CV_32F, 1 / white);
    cv::cvtColor(bytes ? from : scaled, lab, cv::COLOR_RGB2Lab);
    cv::split(lab, planes);  // with merge(), faster than taking out a single channel
    planes[0] = equalized(planes[0], grid_, limit, kWhiteLightness);
    cv::merge(planes, lab);
    cv::cvtColor(lab, bytes ? to : scaled, cv::COLOR_Lab2RGB);
    if (!bytes) scaled.convertTo(to, to.depth(), white);
  }

  ClaheOptions options_;
  cv::Size grid_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Clahe, ClaheOptions>(
                            "clahe",
                            "Equalizes local contrast (CLAHE) with a random limit: of the lightness of RGB "
                            "images, else of each channel."))
