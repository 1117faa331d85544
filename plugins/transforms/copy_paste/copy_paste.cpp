// Simple copy-paste (Ghiasi et al., CVPR 2021, arXiv:2012.07177): a random subset of another sample's objects, at their
// places, over this one; as in torchvision's reference script, with its blending, and mmdetection's CopyPaste. Where a
// sample has labels alone, regions of classes are pasted, as in ClassMix (Olsson et al., WACV 2021, arXiv:2007.07936).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/data/class_selection.h>
#include <sectile/transform.h>
#include <sectile/transforms/mixing.h>
#include <sectile/transforms/nested.h>
#include <sectile/transforms/pixel_values.h>

namespace {

using sectile::Sample;

struct CopyPasteOptions {
  int max_num_pasted = 100;
  std::vector<std::string> classes;
  bool blending = false;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("max_num_pasted", &max_num_pasted,
             "Maximum number of objects to paste. From 1 up to it, or all that there are, every number is equally "
             "likely.")
        .at_least(1);
    options.add("classes", &classes,
                "Names of the classes that are pasted. Default: of objects with masks, all; where a sample has "
                "segments or labels instead, things, or all if no class is a thing. A class in labels is pasted as one "
                "object.");
    options.add("blending", &blending,
                "Softens the edges of pasted objects in the image by a Gaussian of 5 x 5 pixels with a standard "
                "deviation of 2. Masks and labels keep their edges.");
    options
        .add("probability", &probability,
             "Probability of applying the transform. The other sample is resized to this one's size: scale and crop "
             "both before, as in the paper, to keep its proportions.")
        .at_least(0)
        .at_most(1);
  }
};

// One thing to paste, by its number in one of three annotations of a sample.
struct Object {
  enum class In { instances, segments, labels } in;
  std::size_t number;  // an index, or a class
};

cv::Mat pixels_of(const Object& object, const Sample& sample) {  // 8U, 0 or not
  switch (object.in) {
    case Object::In::instances:
      return sample.instances[object.number].mask.bitmap();
    case Object::In::segments:
      return sample.segment_ids == sample.segments[object.number].id;
    default:
      break;
  }
  const int category = static_cast<int>(object.number);
  if (sample.labels.depth() != CV_32F) return sample.labels == category;
  cv::Mat share;
  cv::extractChannel(sample.labels, share, category);
  return share > 0.5;
}

// Whether each class has a pixel.
std::vector<bool> classes_in(const cv::Mat& labels, std::size_t classes) {
  std::vector<bool> found(classes, false);
  const cv::Mat all = labels.isContinuous() ? labels : labels.clone();
  const std::size_t count = all.total() * static_cast<std::size_t>(all.channels());
  if (all.depth() == CV_32F) {
    for (std::size_t i = 0; i < count; ++i)
      if (all.ptr<float>()[i] > 0.5f) found[i % static_cast<std::size_t>(all.channels()) % classes] = true;
  } else {
    for (std::size_t i = 0; i < count; ++i)
      if (const int number = all.ptr<std::int16_t>()[i]; number >= 0 && static_cast<std::size_t>(number) < classes)
        found[static_cast<std::size_t>(number)] = true;
  }
  return found;
}

// share: of `above`, 32F, from 0 to 1.
template <class T>
cv::Mat blended(const cv::Mat& below, const cv::Mat& above, const cv::Mat& share) {
  cv::Mat made = below.clone();
  const cv::Mat other = above.isContinuous() ? above : above.clone();
  const auto channels = static_cast<std::size_t>(made.channels());
  auto* to = made.ptr<T>();
  const auto* from = other.ptr<T>();
  const auto* part = share.ptr<float>();
  for (std::size_t i = 0; i < made.total(); ++i, to += channels, from += channels)
    for (std::size_t c = 0; c < channels && part[i] > 0; ++c)
      to[c] = cv::saturate_cast<T>(static_cast<float>(to[c]) +
                                   part[i] * (static_cast<float>(from[c]) - static_cast<float>(to[c])));
  return made;
}

// pasted: 8U, 1 where the image above is pasted.
cv::Mat with_soft_edges(const cv::Mat& below, const cv::Mat& above, const cv::Mat& pasted) {
  cv::Mat sharp;
  pasted.convertTo(sharp, CV_32F);
  const cv::Mat share = sectile::in_groups(
      sharp, [](const cv::Mat& from, cv::Mat& to) { cv::GaussianBlur(from, to, cv::Size(5, 5), 2); });
  switch (below.depth()) {
    case CV_8U:
      return blended<std::uint8_t>(below, above, share);
    case CV_16U:
      return blended<std::uint16_t>(below, above, share);
    case CV_16S:
      return blended<std::int16_t>(below, above, share);
    default:
      return blended<float>(below, above, share);
  }
}

class CopyPaste final : public sectile::Transform, public sectile::HasEffects {
 public:
  CopyPaste(const CopyPasteOptions& options, const sectile::BuildContext& context) : options_(options) {
    const std::size_t count = context.labels ? context.labels->classes.size() : 0;
    objects_.assign(count, options.classes.empty());
    regions_.assign(count, false);
    for (const auto number : sectile::class_numbers(options.classes, "classes", context))
      objects_[static_cast<std::size_t>(number)] = regions_[static_cast<std::size_t>(number)] = true;
    if (!options.classes.empty()) return;
    for (std::size_t c = 0; c < count; ++c) regions_[c] = context.labels->classes[c].thing;
    if (std::find(regions_.begin(), regions_.end(), true) == regions_.end()) regions_.assign(count, true);
  }

  void apply(Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(options_.probability)) return;
    auto other = sectile::mixing_partner(sample, draw, "copy_paste");
    const auto chosen = choose(objects_of(other), draw.random);
    if (chosen.empty()) return;
    cv::Mat pasted(sample.image.dims, sample.image.size.p, CV_8U, cv::Scalar(0));
    for (const auto& object : chosen) pasted.setTo(1, pixels_of(object, other));
    if (other.labels.empty() && sample.labels.type() == CV_16SC1) other.labels = labels_of(chosen, other);
    const cv::Mat below = sample.image;
    sectile::show(other, pasted, sample);
    if (options_.blending) sample.image = with_soft_edges(below, other.image, pasted);
    for (const auto& object : chosen)
      if (object.in == Object::In::instances) sample.instances.push_back(std::move(other.instances[object.number]));
  }

  sectile::Effects effects() const override {
    sectile::Effects own;
    if (options_.probability > 0) own.mixing = {""};
    return own;
  }

 private:
  std::vector<Object> objects_of(const Sample& sample) const {
    std::vector<Object> found;
    for (std::size_t i = 0; i < sample.instances.size(); ++i) {
      const auto& instance = sample.instances[i];
      if (!instance.mask.empty() && !instance.crowd && is_in(objects_, instance.category))
        found.push_back({Object::In::instances, i});
    }
    if (!sample.instances.empty()) return found;
    for (std::size_t i = 0; i < sample.segments.size(); ++i)
      if (!sample.segments[i].crowd && is_in(regions_, sample.segments[i].category))
        found.push_back({Object::In::segments, i});
    if (!sample.segments.empty() || sample.labels.empty()) return found;
    const auto classes = classes_in(sample.labels, std::max<std::size_t>(1, regions_.size()));
    for (std::size_t c = 0; c < regions_.size(); ++c)
      if (classes[c] && regions_[c]) found.push_back({Object::In::labels, c});
    return found;
  }

  // Without a list of classes, every class is.
  static bool is_in(const std::vector<bool>& classes, int category) {
    return classes.empty() || (category >= 0 && static_cast<std::size_t>(category) < classes.size() &&
                               classes[static_cast<std::size_t>(category)]);
  }

  // In the order of the annotation.
  std::vector<Object> choose(std::vector<Object> objects, sectile::Random& random) const {
    if (objects.empty()) return objects;
    const auto most = std::min<std::int64_t>(options_.max_num_pasted, static_cast<std::int64_t>(objects.size()));
    const auto count = static_cast<std::size_t>(1 + random.below(most));
    random.shuffle(objects);
    objects.erase(objects.begin() + static_cast<std::ptrdiff_t>(count), objects.end());
    std::sort(objects.begin(), objects.end(), [](const Object& a, const Object& b) { return a.number < b.number; });
    return objects;
  }

  // For a sample that has objects alone: the class of each, over what is ignored.
  static cv::Mat labels_of(const std::vector<Object>& objects, const Sample& sample) {
    cv::Mat labels(sample.image.dims, sample.image.size.p, CV_16S, cv::Scalar(sectile::kIgnore));
    for (const auto& object : objects) {
      const bool is_instance = object.in == Object::In::instances;
      const int category =
          is_instance ? sample.instances[object.number].category : sample.segments[object.number].category;
      labels.setTo(category, pixels_of(object, sample));
    }
    return labels;
  }

  CopyPasteOptions options_;
  std::vector<bool> objects_;  // per class, whether instances of it are pasted
  std::vector<bool> regions_;  // the same of segments and of regions in labels
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<CopyPaste, CopyPasteOptions>(
                            "copy_paste", "Puts objects of another sample over this one, with their annotation."))
