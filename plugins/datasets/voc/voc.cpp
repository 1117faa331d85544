// PASCAL VOC (Everingham et al. 2010; http://host.robots.ox.ac.uk/pascal/VOC/voc2012/): 20 classes of things and the
// background, masks as palette PNG, masks of objects in addition to classes, and 255 for outlines and uncertain pixels.
#include <algorithm>
#include <map>

#include <sectile/data/image_io.h>
#include <sectile/data/image_size.h>
#include <sectile/data/label_files.h>
#include <sectile/dataset.h>
#include <opencv2/core.hpp>

#include "voc_tree.h"

namespace {

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::kIgnore;

constexpr int kVoid = 255;
constexpr const char* kNames[] = {"background", "aeroplane", "bicycle",   "bird",   "boat",        "bottle",
                                  "bus",        "car",       "cat",       "chair",  "cow",         "diningtable",
                                  "dog",        "horse",     "motorbike", "person", "pottedplant", "sheep",
                                  "sofa",       "train",     "tvmonitor"};
constexpr int kClasses = static_cast<int>(std::size(kNames));

struct VocOptions {
  fs::path root;
  std::string split = "train";
  std::optional<std::string> labels;
  std::optional<bool> instances;
  sectile::OrientationOption orientation;

  void declare(sectile::Options& options) {
    options
        .add("root", &root,
             "The folder VOC2012, which contains JPEGImages and ImageSets, or the VOCdevkit folder around it.")
        .required()
        .not_empty();
    options
        .add("split", &split,
             "List in ImageSets/Segmentation, without .txt: train, val, trainval, test (images may have no masks), or "
             "your own, such as trainaug.")
        .not_empty();
    options
        .add("labels", &labels,
             "Folder of class masks, such as SegmentationClassAug. Default: SegmentationClass, or the mask files named "
             "by the list.")
        .not_empty();
    options.add("instances", &instances,
                "Read objects from SegmentationObject. Default: if the task is instance or panoptic.");
    orientation.declare(options);
  }
};

// The bits of a class number, three at a time, are assigned to red, green and blue from the highest bit down: the
// official color map (VOCcolormap.m of the development kit).
std::array<std::uint8_t, 3> color_of(int number) {
  std::array<std::uint8_t, 3> color{};
  for (int bit = 7; number; number >>= 3, --bit)
    for (std::size_t c = 0; c < 3; ++c) color[c] |= static_cast<std::uint8_t>((number >> c & 1) << bit);
  return color;
}

sectile::LabelMap label_map() {
  sectile::LabelMap map;
  for (int i = 0; i < kClasses; ++i) map.classes.push_back({kNames[i], color_of(i), i > 0, i});
  return map;
}

// 8U, the numbers as stored.
cv::Mat read_numbers(const fs::path& mask) {
  const cv::Mat numbers = sectile::read_raw_image(mask).pixels;
  if (numbers.type() == CV_8UC1) return numbers;
  throw DataError(mask.string(), "has " + std::to_string(numbers.channels()) + " channels of " +
                                     std::to_string(8 * numbers.elemSize1()) +
                                     " bits; a mask of VOC is a palette or grey PNG of 8 bits");
}

cv::Mat read_labels(const fs::path& mask) {
  const cv::Mat numbers = read_numbers(mask);
  cv::Mat labels(numbers.size(), CV_16S);
  for (int y = 0; y < labels.rows; ++y)
    for (int x = 0; x < labels.cols; ++x) {
      const int number = numbers.at<std::uint8_t>(y, x);
      if (number >= kClasses && number != kVoid)
        throw DataError(mask.string(), "pixel (" + std::to_string(x) + ", " + std::to_string(y) + ") has value " +
                                           std::to_string(number) + "; VOC has 0 to 20, and 255 for void");
      labels.at<std::int16_t>(y, x) = number == kVoid ? kIgnore : static_cast<std::int16_t>(number);
    }
  return labels;
}

// An object's class is that of most of its pixels: the class masks of augmented sets differ slightly. Objects with only
// void pixels do not count.
std::vector<sectile::Instance> read_instances(const fs::path& mask, const cv::Mat& labels, const fs::path& other) {
  const cv::Mat objects = read_numbers(mask);
  sectile::demand_same_size(mask, objects.size(), other, labels.size());
  std::map<int, std::array<int, kClasses>> pixels;  // per class, by object
  for (int y = 0; y < objects.rows; ++y)
    for (int x = 0; x < objects.cols; ++x) {
      const int object = objects.at<std::uint8_t>(y, x), label = labels.at<std::int16_t>(y, x);
      if (object != 0 && object != kVoid && label != kIgnore) ++pixels[object][static_cast<std::size_t>(label)];
    }
  std::vector<sectile::Instance> instances;
  for (const auto& [object, counts] : pixels) {
    const auto most = std::max_element(counts.begin() + 1, counts.end());
    if (*most == 0)
      throw DataError(mask.string(), "object " + std::to_string(object) + " is background in " + other.string());
    sectile::Instance instance;
    instance.id = object;
    instance.category = static_cast<int>(most - counts.begin());
    instance.mask = sectile::Mask(cv::Mat((objects == object) / 255));
    instance.box = instance.mask.box();
    instance.area = static_cast<double>(instance.mask.area());
    instances.push_back(std::move(instance));
  }
  return instances;
}

class Voc final : public sectile::Dataset, public sectile::LabelFiles {
 public:
  Voc(const VocOptions& options, const sectile::BuildContext& context)
      : entries_(voc::find_entries({options.root, options.split, options.labels,
                                    options.instances.value_or(context.task != sectile::Task::semantic)})),
        labels_(label_map()),
        reading_(options.orientation.reading()) {}

  std::size_t size() const override { return entries_.size(); }
  const sectile::LabelMap& labels() const override { return labels_; }
  std::optional<std::vector<fs::path>> label_files() const override {
    return sectile::files_of_entries(entries_, &voc::Entry::labels);
  }
  std::string id_of(std::size_t index) const override { return entries_.at(index).name; }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const auto& entry = entries_.at(index);
    const bool objects = wanted.objects && !entry.objects.empty();
    sectile::Sample sample;
    sample.id = entry.name;
    if (wanted.image) sample.image = sectile::read_image(entry.image, reading_);
    if (entry.labels.empty() || (!wanted.labels && !objects)) return sample;
    sample.labels = read_labels(entry.labels);  // needed for the objects' classes
    if (wanted.image)
      sectile::demand_size_of_image(entry.labels, sample.labels.size(), entry.image, sample.image.size(), reading_);
    if (objects) sample.instances = read_instances(entry.objects, sample.labels, entry.labels);
    return sample;
  }

  sectile::Extent extent_of(std::size_t index) const override {
    const cv::Size size = sectile::read_size(entries_.at(index).image, reading_);
    return {1, size.height, size.width};
  }

 private:
  std::vector<voc::Entry> entries_;
  sectile::LabelMap labels_;
  sectile::ReadOptions reading_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<Voc, VocOptions>(
                            "voc", "PASCAL VOC: its 21 classes, splits, class masks and masks of single objects."))
