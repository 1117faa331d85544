// Four samples around one point (Bochkovskiy et al. 2020, YOLOv4, arXiv:2004.10934), with the options of
// albumentations' Mosaic for a grid of 2 x 2, and its view: of target_size, into a plane of four cells. As in
// mmdetection's Mosaic and YOLO's, each image has the corner that points to the other three where the cells meet.
// albumentations does so for images of the cell's proportions alone: it cuts or pads others elsewhere.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/mixing.h>
#include <sectile/transforms/nested.h>

namespace {

using sectile::Extent;
using sectile::Interpolation;
using sectile::Sample;
using sectile::Warp;

constexpr int kMostSide = 1 << 14;

enum class FitMode { cover, contain, none };

struct MosaicOptions {
  std::array<int, 2> target_size = {512, 512};
  std::array<int, 2> cell_shape = {512, 512};
  std::array<double, 2> center_range = {0.3, 0.7};
  FitMode fit_mode = FitMode::cover;
  Interpolation interpolation = Interpolation::linear;
  std::vector<double> fill = {0};
  std::string label_fill;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options.add("target_size", &target_size, "Size of the result: [height, width] in pixels.")
        .at_least(1)
        .at_most(kMostSide);
    options
        .add("cell_shape", &cell_shape,
             "Size of one of the four cells, that images are resized for: [height, width] in pixels, at least half of "
             "target_size.")
        .at_least(1)
        .at_most(kMostSide);
    options
        .add("center_range", &center_range,
             "[min, max] position of the result in the plane of the four cells, drawn for rows and columns: from 0, at "
             "their top left, to 1, at their bottom right. With 0.5, the four images meet in the middle.")
        .at_least(0)
        .at_most(1);
    options
        .add("fit_mode", &fit_mode,
             "How images are resized, with their proportions kept: to cover a cell, to be contained in it, or none: "
             "images keep their size. Then, and with contain, there may be gaps.")
        .one_of({"cover", "contain", "none"});
    options
        .add("interpolation", &interpolation,
             "Interpolation of images: nearest, linear, cubic, or area: the mean over the area that a pixel covers "
             "where an image shrinks. Labels always use nearest.")
        .one_of({"nearest", "linear", "cubic", "area"});
    options.add("fill", &fill, "Pixel value of gaps: one number for all channels, or a list with one per channel.")
        .at_least(-1e9)
        .at_most(1e9)
        .also_single()
        .not_empty();
    options.add("label_fill", &label_fill, "Class of gaps. Default: ignored.");
    options
        .add("probability", &probability,
             "Probability of applying the transform. Otherwise the sample keeps its size, too: crop afterwards.")
        .at_least(0)
        .at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (center_range[0] > center_range[1]) problems.add("center_range", "the minimum is greater than the maximum");
    for (std::size_t i = 0; i < 2; ++i)
      if (2 * cell_shape[i] < target_size[i])
        problems.add("cell_shape", std::string(i == 0 ? "the height" : "the width") + " is less than half of that of " +
                                       "\"target_size\", which two cells have to fill: make it larger");
  }
};

// Where one image is in the result.
struct Tile {
  cv::Rect area;  // its part of the result
  bool right = false, bottom = false;
};

class Mosaic final : public sectile::Transform, public sectile::HasEffects {
 public:
  Mosaic(const MosaicOptions& options, const sectile::BuildContext& context) : options_(options) {
    if (!options.label_fill.empty())
      label_fill_ = static_cast<std::int16_t>(context.class_number(options.label_fill, "label_fill"));
  }

  void apply(Sample& sample, sectile::Draw& draw) const override {
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    if (sample.image.dims == 3)
      throw sectile::DataError(sample.id, "is a volume; mosaic expects images: remove it, or use cutmix");
    if (!draw.random.chance(options_.probability)) return;
    sectile::demand_image(sample);
    const int x = meeting_point(1, draw.random), y = meeting_point(0, draw.random);
    const auto tiles = visible_tiles({x, y});
    // As in albumentations, the sample itself has the largest part.
    const auto own = static_cast<std::size_t>(
        std::max_element(tiles.begin(), tiles.end(),
                         [](const Tile& a, const Tile& b) { return a.area.area() < b.area.area(); }) -
        tiles.begin());
    std::vector<Sample> parts(tiles.size());
    for (std::size_t i = 0; i < tiles.size(); ++i) {
      if (i == own) continue;
      parts[i] = draw.another();
      sectile::demand_image(parts[i]);
      sectile::demand_alike(sample, parts[i], "mosaic");
    }
    parts[own] = sample;
    for (std::size_t i = 0; i < tiles.size(); ++i) sectile::apply(placed(parts[i], tiles[i], {x, y}), parts[i]);
    std::vector<cv::Mat*> labels;
    for (auto& part : parts) labels.push_back(&part.labels);
    sectile::give_one_form(labels, sample.id);
    sample = joined(parts, tiles, own);
  }

  sectile::Effects effects() const override {
    sectile::Effects own;
    if (options_.probability > 0) own.mixing = {""};
    return own;
  }

 private:
  // Where the cells meet, in the result. axis: 0 of rows, 1 of columns.
  int meeting_point(std::size_t axis, sectile::Random& random) const {
    const int room = 2 * options_.cell_shape[axis] - options_.target_size[axis];
    const double share = random.uniform(options_.center_range[0], options_.center_range[1]);
    return options_.cell_shape[axis] - std::min(static_cast<int>((room + 1) * share), room);
  }

  std::vector<Tile> visible_tiles(cv::Point meeting) const {
    const int height = options_.target_size[0], width = options_.target_size[1];
    const int x = std::clamp(meeting.x, 0, width), y = std::clamp(meeting.y, 0, height);
    std::vector<Tile> tiles{{{0, 0, x, y}, false, false},
                            {{x, 0, width - x, y}, true, false},
                            {{0, y, x, height - y}, false, true},
                            {{x, y, width - x, height - y}, true, true}};
    std::erase_if(tiles, [](const Tile& tile) { return tile.area.empty(); });
    return tiles;
  }

  Extent resized(const Extent& from) const {
    if (options_.fit_mode == FitMode::none) return from;
    const double by_height = static_cast<double>(options_.cell_shape[0]) / from.height,
                 by_width = static_cast<double>(options_.cell_shape[1]) / from.width;
    const bool covers = options_.fit_mode == FitMode::cover;
    const double scale = covers ? std::max(by_height, by_width) : std::min(by_height, by_width);
    const auto side = [scale](int length) { return std::max(1, cvRound(length * scale)); };
    return {1, side(from.height), side(from.width)};
  }

  // From a sample to the whole result, in which it never leaves its cell.
  Warp placed(const Sample& sample, const Tile& tile, cv::Point meeting) const {
    const Extent from = sectile::extent(sample.image), to = resized(from);
    const Extent all{1, options_.target_size[0], options_.target_size[1]};
    // Multiplied rather than fused: an image's own edge is the only one.
    Warp warp = Warp::resize(from, to);
    warp.to_input = warp.to_input * Warp::crop(tile.right ? -meeting.x : to.width - meeting.x,
                                               tile.bottom ? -meeting.y : to.height - meeting.y, 0, all)
                                        .to_input;
    warp.size = all;
    warp.image_fill = options_.fill;
    warp.label_fill = label_fill_;
    warp.interpolation = options_.interpolation;
    return warp;
  }

  // parts: each of the size of the result.
  static Sample joined(std::vector<Sample>& parts, const std::vector<Tile>& tiles, std::size_t own) {
    Sample all;  // objects and segments of the parts, in order
    for (auto& part : parts) {
      sectile::make_ids_unique(all, part);
      append(part.instances, all.instances);
      append(part.segments, all.segments);
    }
    Sample result = parts[own];
    result.geometry.invertible = false;
    for (auto* map : {&result.image, &result.labels, &result.segment_ids}) *map = map->clone();
    for (auto& [name, map] : result.targets) map = map.clone();
    std::set<int> tags;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      tags.insert(parts[i].tags.begin(), parts[i].tags.end());
      if (i != own) put(parts[i], tiles[i].area, result);
    }
    result.instances = std::move(all.instances);
    result.segments = std::move(all.segments);
    result.tags.assign(tags.begin(), tags.end());
    sectile::remove_invisible_segments(result);
    return result;
  }

  static void put(const Sample& part, const cv::Rect& area, Sample& result) {
    put(part.image, area, 0, result.image);
    put(part.labels, area, sectile::kIgnore, result.labels);
    put(part.segment_ids, area, 0, result.segment_ids);
    for (const auto& [name, map] : part.targets) put(map, area, missing(map), result.targets[name]);
    for (auto& [name, map] : result.targets)
      if (part.targets.count(name) == 0) put({}, area, missing(map), map);
  }

  // unknown: the value where a map does not exist.
  static void put(const cv::Mat& part, const cv::Rect& area, double unknown, cv::Mat& result) {
    if (part.empty() && result.empty()) return;
    if (result.empty()) result = cv::Mat(part.size(), part.type()), result.setTo(unknown);
    cv::Mat to = result(area);
    if (part.empty())
      to.setTo(unknown);
    else
      part(area).copyTo(to);
  }
  static double missing(const cv::Mat& target) { return target.depth() == CV_32F ? 0 : sectile::kIgnore; }

  template <class T>
  static void append(std::vector<T>& from, std::vector<T>& to) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  }

  MosaicOptions options_;
  std::int16_t label_fill_ = sectile::kIgnore;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Mosaic, MosaicOptions>(
                            "mosaic", "Puts four samples around one point, and shows the part around it."))
