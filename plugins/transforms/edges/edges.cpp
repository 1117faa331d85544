// A map of the boundaries between classes, as a further target: the rule of mmsegmentation's GenerateEdge, which is
// that of CE2P (Ruan et al. 2019, arXiv:1809.05996). A pixel is an edge if the one above it, at its right or diagonally
// below it is of another class; edges are then widened by a square. In volumes, a pixel is also one if any of those
// next to it in the slice behind is of another class.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/data/class_selection.h>
#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/nested.h>

namespace {

constexpr std::int16_t kOther = -2;  // in place of all classes that do not count: not kIgnore
constexpr float kInside = 0.5f;      // from here on a pixel belongs to an overlapping class

struct EdgesOptions {
  std::string name = "edges";
  int width = 3;
  std::vector<std::string> include;

  void declare(sectile::Options& options) {
    options
        .add("name", &name,
             "Name of the target, which a loss selects with \"target\". It is a map of class numbers: 1 at edges, 0 "
             "elsewhere, ignored where the labels are. A sample without labels gets none.")
        .not_empty();
    options
        .add(
            "width", &width,
            "Width of the edges in pixels: the side of the square that widens them. With 1, only one of the two pixels "
            "at a boundary is an edge.")
        .at_least(1)
        .at_most(255);
    options.add("include", &include,
                "Names of the classes whose boundaries are edges, also towards other classes; boundaries between other "
                "classes are not. For a map of its own for each class, add the transform once per class, with another "
                "name. Empty: all.");
  }
};

// The pixel whose class differs from that of its neighbour at this step is the edge.
struct Step {
  int z, y, x;
};
constexpr std::array<Step, 4> kWithinSlice{{{0, -1, 0}, {0, 0, 1}, {0, 1, 1}, {0, 1, -1}}};

std::vector<Step> steps_of(int depth) {
  std::vector<Step> steps(kWithinSlice.begin(), kWithinSlice.end());
  if (depth == 1) return steps;
  for (int y = -1; y <= 1; ++y)
    for (int x = -1; x <= 1; ++x) steps.push_back({1, y, x});
  return steps;
}

void mark_row(const std::int16_t* own, const std::int16_t* other, std::uint8_t* edges, int count) {
  for (int i = 0; i < count; ++i) {
    const bool differs = (own[i] != other[i]) & (own[i] != sectile::kIgnore) & (other[i] != sectile::kIgnore);
    edges[i] = static_cast<std::uint8_t>(edges[i] | differs);
  }
}

// classes: 16S, contiguous. edges: 8U of its size, contiguous; set to 1 where classes differ.
void mark(const cv::Mat& classes, cv::Mat& edges) {
  const auto size = sectile::extent(classes);
  const auto* const from = classes.ptr<std::int16_t>();
  auto* const to = edges.ptr<std::uint8_t>();
  const auto at = [&](int z, int y, int x) {
    return (static_cast<std::ptrdiff_t>(z) * size.height + y) * size.width + x;
  };
  for (const auto& step : steps_of(size.depth)) {
    const int left = std::max(0, -step.x), count = size.width - std::abs(step.x);
    for (int z = 0; z + step.z < size.depth; ++z)
      for (int y = std::max(0, -step.y); y + std::max(0, step.y) < size.height; ++y)
        mark_row(from + at(z, y, left), from + at(z + step.z, y + step.y, left + step.x), to + at(z, y, left), count);
  }
}

cv::Mat slice(cv::Mat& volume, int z) { return cv::Mat(volume.size[1], volume.size[2], CV_8U, volume.ptr(z)); }

void widen(cv::Mat& edges, int width) {
  if (width == 1) return;
  const auto square = cv::getStructuringElement(cv::MORPH_RECT, {width, width});
  if (edges.dims == 2) return cv::dilate(edges, edges, square);
  const int depth = edges.size[0];
  for (int z = 0; z < depth; ++z) {
    auto plane = slice(edges, z);
    cv::dilate(plane, plane, square);
  }
  auto narrow = edges.clone();
  for (int z = 0; z < depth; ++z) {
    auto to = slice(edges, z);
    const int first = std::max(0, z - width / 2), last = std::min(depth - 1, z - width / 2 + width - 1);
    for (int other = first; other <= last; ++other) cv::max(to, slice(narrow, other), to);
  }
}

class Edges final : public sectile::Transform, public sectile::HasEffects {
 public:
  Edges(const EdgesOptions& options, const sectile::BuildContext& context) : options_(options) {
    if (options.include.empty()) return;
    counts_.resize(static_cast<std::size_t>(context.classes()));
    for (const auto number : sectile::class_numbers(options.include, "include", context))
      counts_[static_cast<std::size_t>(number)] = true;
  }

  void apply(sectile::Sample& sample, sectile::Draw&) const override {
    if (sample.labels.empty()) return;
    if (sample.targets.count(options_.name))
      throw sectile::DataError(
          sample.id,
          std::string("has a target \"").append(options_.name).append("\" already: give \"edges\" another name"));
    cv::Mat edges(sample.labels.dims, sample.labels.size.p, CV_8U), ignored = edges.clone();
    edges = cv::Scalar(0), ignored = cv::Scalar(255);
    for (const auto& classes : class_maps(sample)) {
      mark(classes, edges);
      cv::bitwise_and(ignored, classes == sectile::kIgnore, ignored);
    }
    widen(edges, options_.width);
    cv::Mat target;
    edges.convertTo(target, CV_16S);
    target.setTo(cv::Scalar(sectile::kIgnore), ignored);
    sample.targets[options_.name] = target;
  }

  sectile::Effects effects() const override {
    sectile::Effects own;
    own.targets = {{.name = options_.name}};
    return own;
  }

 private:
  bool counts(int number) const {
    return counts_.empty() ||
           (static_cast<std::size_t>(number) < counts_.size() && counts_[static_cast<std::size_t>(number)]);
  }

  // One map of numbers, or one of inside and outside for each overlapping class that counts; contiguous.
  std::vector<cv::Mat> class_maps(const sectile::Sample& sample) const {
    const auto& labels = sample.labels;
    if (labels.depth() != CV_32F) {
      cv::Mat numbers = labels.clone();
      auto* value = numbers.ptr<std::int16_t>();
      for (std::size_t i = 0; i < numbers.total(); ++i)
        if (value[i] != sectile::kIgnore && !counts(value[i])) value[i] = kOther;
      return {numbers};
    }
    std::vector<cv::Mat> maps;
    const cv::Mat whole = labels.isContinuous() ? labels : labels.clone();
    const auto channels = static_cast<std::size_t>(labels.channels());
    for (std::size_t c = 0; c < channels; ++c) {
      if (!counts(static_cast<int>(c))) continue;
      cv::Mat map(labels.dims, labels.size.p, CV_16S);
      const auto* from = whole.ptr<float>() + c;
      auto* to = map.ptr<std::int16_t>();
      for (std::size_t i = 0; i < map.total(); ++i) {
        const float share = from[i * channels];
        to[i] = share < 0 ? sectile::kIgnore : static_cast<std::int16_t>(share >= kInside);
      }
      maps.push_back(map);
    }
    return maps;
  }

  EdgesOptions options_;
  std::vector<bool> counts_;  // by class number; empty: all
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Edges, EdgesOptions>("edges", "Adds a map of the boundaries of classes."))
