// U-Net's weights of pixels (Ronneberger et al. 2015, arXiv:1505.04597, formula 2), as a further target: the weight of
// the pixel's class, and between objects w0 * exp(-(d1 + d2)^2 / (2 sigma^2)), where d1 and d2 are the distances to the
// nearest and the second nearest object. As in public implementations, pixels of objects have the weight of their
// class.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
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

enum class ClassBalance { none, inverse };

struct BorderWeightsOptions {
  std::string name = "border_weights";
  double w0 = 10;
  double sigma = 5;
  sectile::ObjectSource objects = sectile::ObjectSource::automatic;
  std::vector<std::string> include;
  std::vector<double> class_weights;
  ClassBalance class_balance = ClassBalance::none;

  void declare(sectile::Options& options) {
    options
        .add("name", &name,
             "Name of the target, which cross_entropy selects with \"pixel_weights\". Warps interpolate it, but "
             "distances "
             "do not change with the scale: add it after transforms that change the size of what is seen. A sample "
             "without labels and objects gets none.")
        .not_empty();
    options.add("w0", &w0, "Weight that is added where two objects touch.").at_least(0).at_most(1e6);
    options.add("sigma", &sigma, "How fast it falls with the distance of two objects, in pixels.")
        .at_least(0.01)
        .at_most(1000);
    options
        .add("objects", &objects,
             "instances: annotated objects with a mask, or segments. components: connected components of each class's "
             "labels. auto: instances where a sample has some, else components.")
        .one_of({"auto", "instances", "components"});
    options.add(
        "include", &include,
        "Names of the classes whose objects count. Empty: the things, or if the data tells of none, all classes "
        "but the first.");
    options
        .add("class_weights", &class_weights,
             "Weight of the pixels of each class, one value per class of the dataset, in class order. Empty: all 1.")
        .at_least(0);
    options
        .add(
            "class_balance", &class_balance,
            "Weights of classes from the labels of the training data, instead of class_weights. inverse: 1 / (share of "
            "the labelled pixels * number of classes that occur), so that the mean over the pixels is 1; a class that "
            "never occurs has weight 0. none: all 1.")
        .one_of({"none", "inverse"});
  }
  void check(sectile::Problems& problems) const {
    if (class_balance != ClassBalance::none && !class_weights.empty())
      problems.add("class_balance",
                   "computes the weights of classes, and \"class_weights\" gives them: remove one of both");
  }
};

std::vector<double> inverse_frequencies(const sectile::BuildContext& context) {
  if (!context.count_pixels)
    throw sectile::OptionError("class_balance",
                               "needs training data in which classes are counted, and there is none here: give the "
                               "weights in \"class_weights\" instead");
  const auto counts = context.count_pixels();
  double pixels = 0, occurring = 0;
  for (const auto count : counts) pixels += static_cast<double>(count), occurring += count > 0;
  if (occurring == 0)
    throw sectile::OptionError("class_balance",
                               "finds no labelled pixel in the training data; check its labels, or remove it");
  std::vector<double> weights;
  for (const auto count : counts) weights.push_back(count > 0 ? pixels / (static_cast<double>(count) * occurring) : 0);
  return weights;
}

class BorderWeights final : public sectile::Transform, public sectile::HasEffects {
 public:
  BorderWeights(const BorderWeightsOptions& options, const sectile::BuildContext& context) : options_(options) {
    const auto classes = static_cast<std::size_t>(context.classes());
    classes_ = options.include.empty() ? sectile::classes_of_objects(*context.labels)
                                       : sectile::class_numbers(options.include, "include", context);
    const bool balances = options.class_balance != ClassBalance::none;
    if (context.labels->overlapping && (balances || !options.class_weights.empty()))
      throw sectile::OptionError(balances ? "class_balance" : "class_weights",
                                 "weighs pixels by their class, and the classes overlap, so that a pixel may have "
                                 "several: remove it, and give the loss its own");
    if (!options.class_weights.empty() && options.class_weights.size() != classes)
      throw sectile::OptionError("class_weights", std::string("has ")
                                                      .append(std::to_string(options.class_weights.size()))
                                                      .append(options.class_weights.size() == 1 ? " value" : " values")
                                                      .append(", and the dataset has ")
                                                      .append(std::to_string(classes))
                                                      .append(" classes: give one value per class, or remove it"));
    weights_ = balances ? inverse_frequencies(context) : options.class_weights;
    weights_.resize(classes, 1);
  }

  void apply(sectile::Sample& sample, sectile::Draw&) const override {
    const auto objects = sectile::object_map(sample, options_.objects, classes_);
    if (sample.labels.empty() && objects.numbers.empty()) return;
    const auto& image = sample.image;
    cv::Mat map(image.dims, image.size.p, CV_32F);
    map = cv::Scalar(1);
    if (!sample.labels.empty()) set_class_weights(sample, map);
    if (options_.w0 > 0 && objects.boxes.size() > 1) add_borders(objects, map);
    if (!sample.targets.emplace(options_.name, map).second)
      throw sectile::DataError(sample.id, std::string("has a target \"")
                                              .append(options_.name)
                                              .append("\" already: give \"border_weights\" another name"));
  }

  sectile::Effects effects() const override {
    sectile::Effects own;
    own.targets = {{.name = options_.name}};
    return own;
  }

 private:
  // Ignored pixels: 0. Of soft labels, the mean weight by the classes' shares.
  void set_class_weights(const sectile::Sample& sample, cv::Mat& map) const {
    const cv::Mat labels = sample.labels.isContinuous() ? sample.labels : sample.labels.clone();
    auto* to = map.ptr<float>();
    if (labels.type() == CV_16SC1) {
      const auto* label = labels.ptr<std::int16_t>();
      for (std::size_t i = 0; i < map.total(); ++i) to[i] = label[i] < 0 ? 0 : static_cast<float>(weight_of(label[i]));
      return;
    }
    const auto channels = static_cast<std::size_t>(labels.channels());
    const auto* share = labels.ptr<float>();
    for (std::size_t i = 0; i < map.total(); ++i, share += channels) {
      double sum = 0, total = 0;
      for (std::size_t c = 0; c < channels; ++c) {
        sum += std::max(share[c], 0.f) * weight_of(static_cast<int>(c));
        total += std::max(share[c], 0.f);
      }
      const bool ignored = std::all_of(share, share + channels, [](float value) { return value < 0; });
      to[i] = ignored ? 0 : total > 0 ? static_cast<float>(sum / total) : 1;
    }
  }

  double weight_of(int number) const {
    return static_cast<std::size_t>(number) < weights_.size() ? weights_[static_cast<std::size_t>(number)] : 1;
  }

  // Distances from each object only as far as they matter: beyond, what is added would be lost in a float's last digit.
  void add_borders(const sectile::ObjectMap& objects, cv::Mat& map) const {
    constexpr double kNothing = 1e-8, kFarthest = 1e6;
    const double reach = options_.sigma * std::sqrt(2 * std::log(std::max(1.0, options_.w0 / kNothing)));
    const int margin = static_cast<int>(std::min(std::ceil(reach), kFarthest));
    cv::Mat nearest(map.dims, map.size.p, CV_32F);
    nearest = cv::Scalar(std::numeric_limits<float>::infinity());
    cv::Mat second = nearest.clone();
    for (std::size_t i = 0; i < objects.boxes.size(); ++i) {
      const cv::Mat object = objects.around(objects.numbers, i, margin) == static_cast<double>(i + 1);
      auto first_part = objects.around(nearest, i, margin), second_part = objects.around(second, i, margin);
      update(sectile::distance_transform(object), first_part, second_part);
    }
    const double scale = -1 / (2 * options_.sigma * options_.sigma);
    auto* to = map.ptr<float>();
    const auto* number = objects.numbers.ptr<std::int32_t>();
    const auto *d1 = nearest.ptr<float>(), *d2 = second.ptr<float>();
    for (std::size_t i = 0; i < map.total(); ++i) {
      if (number[i] != 0 || std::isinf(d2[i])) continue;
      const double both = static_cast<double>(d1[i]) + d2[i];
      to[i] += static_cast<float>(options_.w0 * std::exp(scale * both * both));
    }
  }

  // Keeps the two smallest distances. distances: 64F, contiguous; the others are parts of larger maps.
  static void update(const cv::Mat& distances, cv::Mat& nearest, cv::Mat& second) {
    const auto size = sectile::extent(distances);
    const auto* distance = distances.ptr<double>();
    const bool volume = nearest.dims == 3;
    for (int z = 0; z < size.depth; ++z)
      for (int y = 0; y < size.height; ++y) {
        auto* first_row = volume ? nearest.ptr<float>(z, y) : nearest.ptr<float>(y);
        auto* second_row = volume ? second.ptr<float>(z, y) : second.ptr<float>(y);
        for (int x = 0; x < size.width; ++x, ++distance) {
          const auto now = static_cast<float>(*distance);
          second_row[x] = std::min(second_row[x], std::max(first_row[x], now));
          first_row[x] = std::min(first_row[x], now);
        }
      }
  }

  BorderWeightsOptions options_;
  std::vector<std::int64_t> classes_;  // whose objects count
  std::vector<double> weights_;        // one per class
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<BorderWeights, BorderWeightsOptions>(
                            "border_weights", "Adds a map of U-Net's weights, high between objects that are close."))
