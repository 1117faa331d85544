// Images that are generated on demand: a dataset for first runs, tests and documentation, without a download.
// The class depends only on the shape. Colors, textures and light have the same distributions for all classes and for
// the background, so that a model has to learn outlines.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/dataset.h>
#include <sectile/random.h>

namespace {

using sectile::Random;

constexpr int kBackgroundId = 1;  // segment ids; shapes follow
constexpr int kPlaces = 30;       // attempts to place a shape, before it is omitted
constexpr int kColors = 40;       // attempts to find a distinct color

struct SyntheticOptions {
  int count = 200;
  int seed = 1;
  int offset = 0;
  std::array<int, 2> size = {128, 128};
  std::array<int, 2> shapes = {2, 5};
  std::array<double, 2> radius = {0.10, 0.17};
  double occlusion = 0.3;
  double texture = 20;
  double light = 0.25;
  double noise = 8;

  void declare(sectile::Options& options) {
    options.add("count", &count, "Number of images.").at_least(1);
    options.add("seed", &seed, "Random seed. Use different seeds for training and evaluation.").at_least(0);
    options.add("offset", &offset, "Index of the first image, to take different parts of the images of one seed.")
        .at_least(0);
    options.add("size", &size, "[height, width] in pixels.").at_least(16);
    options.add("shapes", &shapes, "[min, max] number of shapes per image.").at_least(0).at_most(100);
    options
        .add("radius", &radius,
             "[min, max] radius of a circle, as a fraction of the shorter side; other shapes have the same area.")
        .at_least(0.01)
        .at_most(0.5);
    options.add("occlusion", &occlusion, "Maximum fraction of a shape that later shapes may cover.")
        .at_least(0)
        .at_most(1);
    options.add("texture", &texture, "Contrast of surface textures (stripes, checks, dots, waves), out of 255.")
        .at_least(0)
        .at_most(127);
    options.add("light", &light, "Brightness change across the image due to lighting, as a fraction.")
        .at_least(0)
        .at_most(0.9);
    options.add("noise", &noise, "Standard deviation of the pixel noise, out of 255.").at_least(0).at_most(127);
  }
  void check(sectile::Problems& problems) const {
    if (shapes[0] > shapes[1]) problems.add("shapes", "the minimum is greater than the maximum");
    if (radius[0] > radius[1]) problems.add("radius", "the minimum is greater than the maximum");
  }
};

enum Kind { circle, square, triangle, star, kKinds };

// Corners around the origin. All kinds have the area of a circle of radius 1, so that size does not depend on the
// class.
std::vector<cv::Point2d> outline(Kind kind) {
  constexpr double pi = std::numbers::pi;
  const int corners = kind == circle ? 96 : kind == square ? 4 : kind == triangle ? 3 : 10;
  constexpr double kInner = 0.45;  // radius of a star's inner corners, relative to the outer ones
  std::vector<cv::Point2d> points;
  double area = 0;
  for (int i = 0; i < corners; ++i) {
    const double reach = kind == star && i % 2 ? kInner : 1;
    points.emplace_back(reach * std::sin(2 * pi * i / corners), -reach * std::cos(2 * pi * i / corners));
  }
  for (std::size_t i = 0; i < points.size(); ++i) area += points[i].cross(points[(i + 1) % points.size()]) / 2;
  for (auto& point : points) point *= std::sqrt(pi / area);
  return points;
}

enum class Pattern { plain, stripes, checks, dots, waves, kPatterns };

struct Surface {
  cv::Vec3f color{};
  cv::Vec3f change{};  // added where the pattern is 1
  Pattern pattern = Pattern::plain;
  double period = 8, cosine = 1, sine = 0, shift = 0;

  // -1 … 1
  float at(int x, int y) const {
    const double u = (x * cosine + y * sine) / period + shift, v = (y * cosine - x * sine) / period + shift;
    const auto half = [](double t) { return t - std::floor(t) < 0.5; };
    switch (pattern) {
      case Pattern::stripes:
        return half(u) ? 1.f : -1.f;
      case Pattern::checks:
        return half(u) == half(v) ? 1.f : -1.f;
      case Pattern::dots: {
        const double a = u - std::floor(u) - 0.5, b = v - std::floor(v) - 0.5;
        return a * a + b * b < 0.12 ? 1.f : -0.6f;
      }
      case Pattern::waves:
        return static_cast<float>(std::sin(2 * std::numbers::pi * u) * std::cos(std::numbers::pi * v));
      default:
        return 0;
    }
  }
};

cv::Vec3f draw_color(Random& random) {
  cv::Vec3f color;
  for (int c = 0; c < 3; ++c) color[c] = static_cast<float>(random.uniform(30, 225));
  return color;
}

// A color that clearly differs from all others; the last one tried if none does.
Surface draw_surface(Random& random, const std::vector<Surface>& others, double texture) {
  constexpr double kClear = 80;
  Surface surface;
  for (int i = 0; i < kColors; ++i) {
    surface.color = draw_color(random);
    const auto clear = [&](const Surface& other) { return cv::norm(surface.color - other.color) >= kClear; };
    if (std::all_of(others.begin(), others.end(), clear)) break;
  }
  const double strength = texture * random.uniform(0.4, 1);
  for (int c = 0; c < 3; ++c) surface.change[c] = static_cast<float>(strength * random.uniform(0.3, 1));
  surface.pattern = static_cast<Pattern>(random.below(static_cast<std::int64_t>(Pattern::kPatterns)));
  surface.period = random.uniform(6, 16);
  const double angle = random.uniform(0, std::numbers::pi);
  surface.cosine = std::cos(angle), surface.sine = std::sin(angle), surface.shift = random.uniform();
  return surface;
}

struct Shape {
  Kind kind = circle;
  int area = 0;  // before it is covered by others
};

// The layout, before painting: shape i has segment id kBackgroundId + 1 + i.
struct Scene {
  cv::Mat ids{};  // 32S
  std::vector<Shape> shapes{};
};

class Synthetic final : public sectile::Dataset {
 public:
  explicit Synthetic(const SyntheticOptions& options) : options_(options) {
    static constexpr const char* kNames[] = {"background", "circle", "square", "triangle", "star"};
    static constexpr std::array<std::uint8_t, 3> kColorsOfClasses[] = {
        {40, 44, 52}, {66, 133, 244}, {234, 84, 70}, {251, 188, 5}, {52, 168, 83}};
    for (int i = 0; i <= kKinds; ++i) {
      sectile::LabelClass made;
      made.name = kNames[i];
      made.color = kColorsOfClasses[i];
      made.thing = i > 0;
      made.category_id = i;
      labels_.classes.push_back(made);
    }
    for (int i = 0; i < kKinds; ++i) outlines_.push_back(outline(static_cast<Kind>(i)));
  }

  std::size_t size() const override { return static_cast<std::size_t>(options_.count); }
  const sectile::LabelMap& labels() const override { return labels_; }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    sectile::Sample sample;
    sample.id = id_of(index);
    if (!wanted.image && !wanted.labels && !wanted.objects) return sample;
    Random random = key(index);
    const Scene scene = arrange(random);
    if (wanted.image) sample.image = paint(scene, random);
    if (wanted.labels || wanted.objects) annotate(scene, sample);
    return sample;
  }

  sectile::Extent extent_of(std::size_t) const override { return {1, options_.size[0], options_.size[1]}; }

  std::string id_of(std::size_t index) const override {
    return std::to_string(options_.seed) + "-" + std::to_string(static_cast<std::size_t>(options_.offset) + index);
  }

  std::vector<int> classes_of(std::size_t index) const override {
    Random random = key(index);
    sectile::Sample sample;
    annotate(arrange(random), sample);
    std::vector<bool> seen(labels_.classes.size());
    for (const auto& segment : sample.segments) seen[static_cast<std::size_t>(segment.category)] = true;
    std::vector<int> classes;
    for (std::size_t i = 0; i < seen.size(); ++i)
      if (seen[i]) classes.push_back(static_cast<int>(i));
    return classes;
  }

 private:
  Random key(std::size_t index) const {
    return Random{static_cast<std::uint64_t>(options_.seed), static_cast<std::uint64_t>(options_.offset) + index};
  }

  Scene arrange(Random& random) const {
    Scene scene{cv::Mat(options_.size[0], options_.size[1], CV_32S, cv::Scalar(kBackgroundId))};
    const auto wanted = options_.shapes[0] + random.below(options_.shapes[1] - options_.shapes[0] + 1);
    for (std::int64_t i = 0; i < wanted; ++i) {
      const auto kind = static_cast<Kind>(random.below(kKinds));
      for (int place = 0; place < kPlaces; ++place)
        if (put(scene, kind, random)) break;
    }
    return scene;
  }

  // Returns false without a change if it would cover too much of other shapes.
  bool put(Scene& scene, Kind kind, Random& random) const {
    constexpr int kFraction = 4;  // fractional bits of fillPoly's positions
    const int height = scene.ids.rows, width = scene.ids.cols;
    const double radius = random.uniform(options_.radius[0], options_.radius[1]) * std::min(height, width);
    const double x = random.uniform(radius, width - radius), y = random.uniform(radius, height - radius);
    const double angle = random.uniform(0, 2 * std::numbers::pi), cosine = std::cos(angle), sine = std::sin(angle);
    std::vector<cv::Point> points;
    for (const auto& point : outlines_[static_cast<std::size_t>(kind)]) {
      const double px = x + radius * (point.x * cosine - point.y * sine) - 0.5;
      const double py = y + radius * (point.x * sine + point.y * cosine) - 0.5;
      points.emplace_back(cvRound(px * (1 << kFraction)), cvRound(py * (1 << kFraction)));
    }
    cv::Mat mask(scene.ids.size(), CV_8U, cv::Scalar(0));
    cv::fillPoly(mask, std::vector<std::vector<cv::Point>>{points}, cv::Scalar(1), cv::LINE_8, kFraction);

    std::vector<int> left(scene.shapes.size() + 2, 0);  // by segment id
    for (int row = 0; row < height; ++row)
      for (int column = 0; column < width; ++column)
        if (!mask.at<std::uint8_t>(row, column)) ++left[static_cast<std::size_t>(scene.ids.at<int>(row, column))];
    for (std::size_t i = 0; i < scene.shapes.size(); ++i)
      if (left[i + kBackgroundId + 1] < (1 - options_.occlusion) * scene.shapes[i].area) return false;
    scene.shapes.push_back({kind, cv::countNonZero(mask)});
    scene.ids.setTo(kBackgroundId + static_cast<int>(scene.shapes.size()), mask);
    return true;
  }

  cv::Mat paint(const Scene& scene, Random& random) const {
    std::vector<Surface> surfaces;
    for (std::size_t i = 0; i <= scene.shapes.size(); ++i)
      surfaces.push_back(draw_surface(random, surfaces, options_.texture));
    const double angle = random.uniform(0, 2 * std::numbers::pi);
    const int height = scene.ids.rows, width = scene.ids.cols;
    const double side = std::cos(angle) * 2 / width * options_.light,
                 down = std::sin(angle) * 2 / height * options_.light;
    cv::Mat image(scene.ids.size(), CV_8UC3);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const Surface& surface = surfaces[static_cast<std::size_t>(scene.ids.at<int>(y, x) - kBackgroundId)];
        const auto light = static_cast<float>(1 + side * (x - width / 2) + down * (y - height / 2));
        const cv::Vec3f color = (surface.color + surface.change * surface.at(x, y)) * light;
        for (int c = 0; c < 3; ++c)
          image.at<cv::Vec3b>(y, x)[c] = cv::saturate_cast<std::uint8_t>(color[c] + noise(random));
      }
    return image;
  }

  // Approximately normal: the sum of four bytes of one draw, with a standard deviation of 147.8.
  float noise(Random& random) const {
    const std::uint64_t bits = random.bits();
    const int sum = static_cast<int>((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24 & 255));
    return static_cast<float>(options_.noise) * static_cast<float>(sum - 510) / 147.8f;
  }

  static void annotate(const Scene& scene, sectile::Sample& sample) {
    sample.segment_ids = scene.ids;
    sample.labels = cv::Mat(scene.ids.size(), CV_16S, cv::Scalar(0));
    if (cv::countNonZero(scene.ids == kBackgroundId) > 0) sample.segments.push_back({kBackgroundId, 0, false});
    for (std::size_t i = 0; i < scene.shapes.size(); ++i) {
      const int id = kBackgroundId + 1 + static_cast<int>(i), category = scene.shapes[i].kind + 1;
      const cv::Mat visible = scene.ids == id;
      if (cv::countNonZero(visible) == 0) continue;
      sample.labels.setTo(category, visible);
      sample.segments.push_back({id, category, false});
      sectile::Instance instance;
      instance.category = category;
      instance.id = id;
      instance.mask = sectile::Mask(cv::Mat(visible / 255));
      instance.box = instance.mask.box();
      sample.instances.push_back(instance);
    }
  }

  SyntheticOptions options_;
  sectile::LabelMap labels_;
  std::vector<std::vector<cv::Point2d>> outlines_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::dataset<Synthetic, SyntheticOptions>(
                   "synthetic", "Drawn circles, squares, triangles and stars, which differ only in their outlines."))
