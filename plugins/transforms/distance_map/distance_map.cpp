// A map of distances to the borders of classes or objects, as a further target. Distances are Euclidean, between the
// centers of a pixel and of the nearest one on the other side, in pixels: those of
// scipy.ndimage.distance_transform_edt. Maps inside objects guide watersheds and centers (Naylor et al. 2018,
// "Segmentation of Nuclei in Histopathology Images by Deep Regression of the Distance Map"); signed ones are level sets
// (Xue et al. 2020, arXiv:1912.03849).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/data/class_selection.h>
#include <sectile/data/distance_transform.h>
#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/nested.h>
#include <sectile/transforms/object_map.h>

namespace {

enum class Of { classes, objects, instances, components };
enum class Side { inside, both, negative_inside };

struct DistanceMapOptions {
  std::string name = "distance_map";
  Of of = Of::classes;
  std::vector<std::string> include;
  Side distance = Side::inside;
  std::optional<double> limit;
  bool normalize = false;

  void declare(sectile::Options& options) {
    options
        .add(
            "name", &name,
            "Name of the target, which a loss selects with \"target\". It holds numbers, which warps interpolate but "
            "do "
            "not scale: add it after transforms that change the size of what is seen. A sample without such annotation "
            "gets none.")
        .not_empty();
    options
        .add("of", &of,
             "Whose borders. classes: of each class in a channel of its own, in the order of include. instances: of "
             "each "
             "annotated object with a mask, or segment, in one channel. components: of each connected component of a "
             "class's labels, in one channel. objects: instances where a sample has some, else components.")
        .one_of({"classes", "objects", "instances", "components"});
    options.add(
        "include", &include,
        "Names of the classes whose borders count, or whose objects. Empty: all classes; the objects of things, "
        "or if the data tells of none, of all classes but the first.");
    options
        .add(
            "distance", &distance,
            "inside: the distance to the nearest pixel outside, 0 outside. unsigned: outside, also the distance to the "
            "nearest pixel inside. signed: the same, negative inside. It is at least 1 next to a border, as it is "
            "taken "
            "between centers of pixels. The edge of the image is no border. Ignored pixels are 0; they are on neither "
            "side of a class, and outside of objects.")
        .one_of({"inside", "unsigned", "signed"});
    options
        .add("limit", &limit,
             "Longest distance in pixels, in place of longer ones and of those to a border that is not in the image. "
             "Default: no limit, and 0 where there is no border.")
        .at_least(1);
    options.add(
        "normalize", &normalize,
        "Divide by the limit, or without one by the longest distance: inside, that of the class in this image, or "
        "of the object; outside, that outside of the class, or of all objects. Values then reach 1.");
  }
};

cv::Mat new_map(const cv::Mat& like, int type) {
  cv::Mat map(like.dims, like.size.p, type);
  map = cv::Scalar(0);
  return map;
}

class DistanceMap final : public sectile::Transform, public sectile::HasEffects {
 public:
  DistanceMap(const DistanceMapOptions& options, const sectile::BuildContext& context) : options_(options) {
    const int count = context.classes();
    if (!options.include.empty())
      classes_ = sectile::class_numbers(options.include, "include", context);
    else if (options.of != Of::classes)
      classes_ = sectile::classes_of_objects(*context.labels);
    else
      for (int c = 0; c < count; ++c) classes_.push_back(c);
    if (options.of == Of::classes && classes_.size() > CV_CN_MAX)
      throw sectile::OptionError("include", "selects " + std::to_string(classes_.size()) +
                                                " classes, each with a channel; expected at most " +
                                                std::to_string(CV_CN_MAX) + ": name those that are needed");
  }

  void apply(sectile::Sample& sample, sectile::Draw&) const override {
    auto map = options_.of == Of::classes ? of_classes(sample) : of_objects(sample);
    if (map.empty()) return;
    if (!sample.targets.emplace(options_.name, map).second)
      throw sectile::DataError(sample.id, std::string("has a target \"")
                                              .append(options_.name)
                                              .append("\" already: give \"distance_map\" another name"));
  }

  sectile::Effects effects() const override {
    sectile::Effects own;
    own.targets = {{.name = options_.name}};
    return own;
  }

 private:
  cv::Mat of_classes(const sectile::Sample& sample) const {
    if (sample.labels.empty()) return {};
    std::vector<cv::Mat> channels;
    for (const auto number : classes_) channels.push_back(of_class(sample, static_cast<int>(number)));
    if (channels.size() == 1) return channels.front();
    cv::Mat merged;
    cv::merge(channels, merged);
    return merged;
  }

  cv::Mat of_class(const sectile::Sample& sample, int number) const {
    auto inside = new_map(sample.labels, CV_8U), outside = inside.clone();
    split(sample, number, inside, outside);
    auto map = new_map(sample.labels, CV_32F);
    write(map, inside, sectile::distance_transform(outside), true);
    if (options_.distance != Side::inside) write(map, outside, sectile::distance_transform(inside), false);
    return map;
  }

  // Ignored pixels are in neither of both.
  static void split(const sectile::Sample& sample, int number, cv::Mat& inside, cv::Mat& outside) {
    const cv::Mat labels = sample.labels.isContinuous() ? sample.labels : sample.labels.clone();
    auto *in = inside.ptr<std::uint8_t>(), *out = outside.ptr<std::uint8_t>();
    if (labels.type() == CV_16SC1) {
      const auto* value = labels.ptr<std::int16_t>();
      for (std::size_t i = 0; i < labels.total(); ++i) {
        in[i] = value[i] == number;
        out[i] = value[i] != number && value[i] != sectile::kIgnore;
      }
      return;
    }
    if (number >= labels.channels())
      throw sectile::DataError(sample.id, "has labels of " + std::to_string(labels.channels()) +
                                              " classes, and distance_map is about class " + std::to_string(number));
    constexpr float kInside = 0.5f;  // from here on a pixel belongs to an overlapping class
    const auto* value = labels.ptr<float>() + number;
    const auto channels = static_cast<std::size_t>(labels.channels());
    for (std::size_t i = 0; i < labels.total(); ++i) {
      in[i] = value[i * channels] >= kInside;
      out[i] = value[i * channels] < kInside && value[i * channels] >= 0;
    }
  }

  cv::Mat of_objects(const sectile::Sample& sample) const {
    using Source = sectile::ObjectSource;
    const auto source = options_.of == Of::instances    ? Source::instances
                        : options_.of == Of::components ? Source::components
                                                        : Source::automatic;
    const auto objects = sectile::object_map(sample, source, classes_);
    if (objects.numbers.empty()) return {};
    auto map = new_map(objects.numbers, CV_32F);
    for (std::size_t i = 0; i < objects.boxes.size(); ++i) {
      // With one pixel more on each side: the nearest pixel outside is never farther away than that.
      const cv::Mat inside = objects.around(objects.numbers, i, 1) == static_cast<double>(i + 1);
      cv::Mat outside;
      cv::bitwise_not(inside, outside);
      auto part = objects.around(map, i, 1);
      write(part, inside, sectile::distance_transform(outside), true);
    }
    if (options_.distance != Side::inside)
      write(map, objects.numbers == 0, sectile::distance_transform(objects.numbers > 0), false);
    return map;
  }

  // Sets the pixels of `where` (8U, contiguous) to these distances (64F, contiguous), limited and normalized. map: 32F,
  // may be a part of a larger one.
  void write(cv::Mat& map, const cv::Mat& where, const cv::Mat& distances, bool inside) const {
    const auto* on = where.ptr<std::uint8_t>();
    const auto* distance = distances.ptr<double>();
    const double beyond = options_.limit.value_or(0);  // where there is no border
    const auto limited = [&](double value) {
      return std::isinf(value) ? beyond : options_.limit ? std::min(value, *options_.limit) : value;
    };
    double longest = options_.limit.value_or(0);
    if (options_.normalize && !options_.limit)
      for (std::size_t i = 0; i < where.total(); ++i)
        if (on[i]) longest = std::max(longest, limited(distance[i]));
    const double sign = inside && options_.distance == Side::negative_inside ? -1 : 1;
    const double scale = options_.normalize && longest > 0 ? sign / longest : sign;
    const auto size = sectile::extent(map);
    for (int z = 0; z < size.depth; ++z)
      for (int y = 0; y < size.height; ++y) {
        auto* row = map.dims == 3 ? map.ptr<float>(z, y) : map.ptr<float>(y);
        for (int x = 0; x < size.width; ++x, ++on, ++distance)
          if (*on) row[x] = static_cast<float>(scale * limited(*distance));
      }
  }

  DistanceMapOptions options_;
  std::vector<std::int64_t> classes_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<DistanceMap, DistanceMapOptions>(
                            "distance_map", "Adds a map of distances to the borders of classes or objects."))
