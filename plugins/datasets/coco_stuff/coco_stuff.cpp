// COCO-Stuff (Caesar et al., CVPR 2018; https://github.com/nightrome/cocostuff): pixel maps of all images of COCO, with
// 80 classes of things and 91 of stuff. The value of a pixel is the id of its class less 1, and 255 is unlabeled.
#include <sectile/data/image_io.h>
#include <sectile/data/image_size.h>
#include <sectile/data/label_files.h>
#include <sectile/dataset.h>
#include <opencv2/core.hpp>

#include "classes.h"
#include "files.h"

namespace {

namespace fs = std::filesystem;
using sectile::DataError;

struct CocoStuffOptions {
  std::optional<fs::path> root, images, masks;
  std::string split = "train2017";
  sectile::OrientationOption orientation;

  void declare(sectile::Options& options) {
    options
        .add("root", &root,
             "The folder of the dataset. A split's images are in images/SPLIT or SPLIT, and its pixel maps in "
             "annotations/SPLIT or stuffthingmaps/SPLIT. Required unless \"images\" and \"masks\" are given.")
        .not_empty();
    options
        .add("split", &split,
             "train2017 or val2017, or any other name of a folder of images and a folder of pixel maps. Splits that "
             "begin with test or unlabeled may be without pixel maps, for prediction.")
        .not_empty();
    options.add("images", &images, "Folder of images, if it is not where \"root\" and \"split\" say.").not_empty();
    options
        .add(
            "masks", &masks,
            "Folder of pixel maps, if it is not where \"root\" and \"split\" say: one PNG per image, of the same name. "
            "Values are ids less 1 (0 to 181) or 255; maps converted to 0 to 170 are read by image_folder.")
        .not_empty();
    orientation.declare(options);
  }
};

cv::Mat read_labels(const fs::path& mask) {
  static const auto numbers = coco_stuff::numbers_of_values();
  const cv::Mat values = sectile::read_raw_image(mask).pixels;
  if (values.type() != CV_8UC1)
    throw DataError(mask.string(), "has " + std::to_string(values.channels()) + " channels of " +
                                       std::to_string(8 * values.elemSize1()) +
                                       " bits; a pixel map of COCO-Stuff is a grey or palette PNG of 8 bits");
  cv::Mat labels(values.size(), CV_16S);
  for (int y = 0; y < values.rows; ++y)
    for (int x = 0; x < values.cols; ++x) {
      const auto value = values.at<std::uint8_t>(y, x);
      const auto number = numbers[value];
      if (number == coco_stuff::kUnknown)
        throw DataError(mask.string(),
                        "pixel (" + std::to_string(x) + ", " + std::to_string(y) + ") has value " +
                            std::to_string(value) +
                            "; COCO-Stuff has 0 to 181 (the id of a class less 1), and 255 for unlabeled");
      labels.at<std::int16_t>(y, x) = number == coco_stuff::kUnused ? sectile::kIgnore : number;
    }
  return labels;
}

class CocoStuff final : public sectile::Dataset, public sectile::LabelFiles {
 public:
  explicit CocoStuff(const CocoStuffOptions& options)
      : entries_(coco_stuff::find_entries({options.root.value_or(""), options.split, options.images, options.masks})),
        labels_(coco_stuff::label_map()),
        reading_(options.orientation.reading()) {}

  std::size_t size() const override { return entries_.size(); }
  const sectile::LabelMap& labels() const override { return labels_; }
  std::optional<std::vector<fs::path>> label_files() const override {
    return sectile::files_of_entries(entries_, &coco_stuff::Entry::mask);
  }
  std::string id_of(std::size_t index) const override { return entries_.at(index).name; }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const auto& entry = entries_.at(index);
    sectile::Sample sample;
    sample.id = entry.name;
    if (wanted.image) sample.image = sectile::read_image(entry.image, reading_);
    if (!wanted.labels || entry.mask.empty()) return sample;
    sample.labels = read_labels(entry.mask);
    if (wanted.image)
      sectile::demand_size_of_image(entry.mask, sample.labels.size(), entry.image, sample.image.size(), reading_);
    return sample;
  }

  sectile::Extent extent_of(std::size_t index) const override {
    const cv::Size size = sectile::read_size(entries_.at(index).image, reading_);
    return {1, size.height, size.width};
  }

 private:
  std::vector<coco_stuff::Entry> entries_;
  sectile::LabelMap labels_;
  sectile::ReadOptions reading_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<CocoStuff, CocoStuffOptions>(
                            "coco_stuff",
                            "COCO-Stuff: pixel maps of 80 classes of things and 91 of stuff. Labels only, no objects."))
