// COCO's panoptic format (Kirillov et al., CVPR 2019; https://cocodataset.org/#panoptic-2018): a PNG per image, whose
// colors are ids of segments, and a JSON file that describes them. Labels of classes and objects are made of it as by
// the converters of https://github.com/cocodataset/panopticapi (panoptic2semantic_segmentation.py and
// panoptic2detection_coco_format.py, with things only): crowds are like other segments in labels.
#include <algorithm>
#include <set>

#include <sectile/data/coco_panoptic_file.h>
#include <sectile/data/colors.h>
#include <sectile/data/image_io.h>
#include <sectile/data/image_size.h>
#include <sectile/data/label_files.h>
#include <sectile/data/sample_names.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <opencv2/core.hpp>

#include "files.h"
#include "segments.h"

namespace {

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::PanopticImage;
using sectile::size_text;
using sectile::Task;

struct CocoPanopticOptions {
  std::optional<fs::path> root, annotations, masks, images;
  std::string split = "train2017";
  sectile::OrientationOption orientation;

  void declare(sectile::Options& options) {
    options
        .add("root", &root,
             "The folder of the dataset: a split has annotations/panoptic_SPLIT.json, PNGs in a folder of that name "
             "without .json, and images in images/SPLIT or SPLIT. Required unless \"annotations\" and \"images\" are "
             "given.")
        .not_empty();
    options.add("split", &split, "train2017, val2017, or what else files and folders below \"root\" are named after.")
        .not_empty();
    options.add("annotations", &annotations, "The JSON file, if it is not where \"root\" and \"split\" say.")
        .not_empty();
    options
        .add("masks", &masks,
             "Folder of the panoptic PNGs. Default: beside the JSON file, with its name without .json; or "
             "panoptic_SPLIT in \"root\".")
        .not_empty();
    options.add("images", &images, "Folder of the images, if it is not where \"root\" and \"split\" say.").not_empty();
    orientation.declare(options);
  }
};

// "3, 4 and 12 more"
template <class Ids>
std::string listed(const Ids& ids) {
  constexpr std::size_t kMost = 5;
  std::string all;
  std::size_t count = 0;
  for (const auto id : ids)
    if (++count <= kMost) all += (all.empty() ? "" : ", ") + std::to_string(id);
  return count <= kMost ? all : all + " and " + std::to_string(count - kMost) + " more";
}

class CocoPanoptic final : public sectile::Dataset, public sectile::Notes, public sectile::LabelFiles {
 public:
  CocoPanoptic(const CocoPanopticOptions& options, const sectile::BuildContext& context)
      : files_(coco_panoptic::find_files(
            {options.root, options.split, options.annotations, options.masks, options.images})),
        task_(context.task),
        reading_(options.orientation.reading()) {
    auto file = sectile::read_coco_panoptic(files_.annotations);
    if (file.categories.empty()) throw DataError(files_.annotations.string(), "has no category in \"categories\"");
    if (file.images.empty()) throw DataError(files_.annotations.string(), "has no image in \"images\"");
    add_classes(file.categories);
    add_images(file.images);
    demand_some(files_.images, "images", &PanopticImage::file_name);
    demand_some(files_.masks, "masks", &PanopticImage::mask);
  }

  std::vector<std::string> notes() const override { return notes_; }
  std::size_t size() const override { return images_.size(); }
  const sectile::LabelMap& labels() const override { return labels_; }
  std::string id_of(std::size_t index) const override { return names_.at(index); }
  std::int64_t image_id_of(std::size_t index) const override { return images_.at(index).id; }
  std::optional<std::vector<fs::path>> label_files() const override {
    std::vector<fs::path> files{files_.annotations};
    for (const auto& image : images_)
      if (!image.mask.empty()) files.push_back(files_.masks / image.mask);
    return files;
  }

  sectile::Extent extent_of(std::size_t index) const override {
    const auto& image = usable(index);
    const auto size = image.size.empty() ? sectile::read_size(files_.images / image.file_name, reading_) : image.size;
    return {1, size.height, size.width};
  }

  // Every segment that the file lists has pixels: read() demands it.
  std::vector<int> classes_of(std::size_t index) const override {
    const auto& image = annotated(index);
    std::set<int> classes;
    for (const auto& segment : image.segments)
      if (task_ != Task::instance || is_thing(segment)) classes.insert(segment.category);
    return {classes.begin(), classes.end()};
  }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const auto& image = usable(index);
    sectile::Sample sample;
    sample.id = id_of(index);
    if (wanted.image) {
      const auto file = files_.images / image.file_name;
      sample.image = sectile::read_image(file, reading_);
      demand_size(file, sample.image.size(), image, true);
    }
    const bool labels = wanted.labels && task_ != Task::instance, objects = wanted.objects && task_ != Task::semantic;
    if (image.place.empty() || (!labels && !objects)) return sample;
    add_annotation(annotated(index), labels, objects, sample);
    return sample;
  }

 private:
  // One that is missing is a bad sample; if the first ones are, the folder is wrong.
  void demand_some(const fs::path& folder, const char* option, std::string PanopticImage::*name) const {
    constexpr std::size_t kTried = 10;
    const auto count = std::min(kTried, images_.size());
    const auto is_there = [&](const PanopticImage& image) {
      std::error_code unknown;
      return (image.*name).empty() || fs::exists(folder / (image.*name), unknown);
    };
    if (std::any_of(images_.begin(), images_.begin() + static_cast<std::ptrdiff_t>(count), is_there)) return;
    throw sectile::OptionError(option, folder.string() + " has none of the first " + std::to_string(count) +
                                           " files that " + files_.annotations.string() + " names, such as " +
                                           images_.front().*name);
  }

  void add_classes(const std::vector<sectile::PanopticCategory>& categories) {
    constexpr std::size_t kMost = 32767;  // of 16 bits
    if (categories.size() > kMost)
      throw DataError(files_.annotations.string(), "has " + std::to_string(categories.size()) + " categories; up to " +
                                                       std::to_string(kMost) + " are possible");
    std::set<std::string> names;
    for (const auto& category : categories) {
      if (!names.insert(category.name).second)
        throw DataError(files_.annotations.string(), "has two categories named \"" + category.name + "\"");
      const auto color = category.color.value_or(sectile::distinct_color(static_cast<int>(labels_.classes.size())));
      labels_.classes.push_back({category.name, color, category.thing, category.id});
    }
  }

  // Those with an annotation; all of a file that has none, such as that of test images.
  void add_images(std::vector<PanopticImage>& images) {
    const auto first_without =
        std::stable_partition(images.begin(), images.end(), [](const auto& image) { return !image.place.empty(); });
    if (first_without != images.begin() && first_without != images.end()) {
      notes_.push_back(files_.annotations.string() +
                       ": images without annotation are left out: " + std::to_string(images.end() - first_without) +
                       " of " + std::to_string(images.size()) + ", such as " + first_without->file_name);
      images.erase(first_without, images.end());
    }
    sectile::SampleNames names;
    for (auto& image : images) names_.push_back(names.add(image.file_name, image.id, image.image_fault));
    images_ = std::move(images);
  }

  bool is_thing(const sectile::PanopticSegment& segment) const {
    return labels_.classes[static_cast<std::size_t>(segment.category)].thing;
  }
  std::string place_of(const PanopticImage& image) const {
    return files_.annotations.string() + ": " + image.place + " (image " + std::to_string(image.id) + ")";
  }
  const PanopticImage& usable(std::size_t index) const {
    const auto& image = images_.at(index);
    if (image.image_fault.empty()) return image;
    throw DataError(files_.annotations.string() + ": image " + std::to_string(image.id), image.image_fault);
  }
  const PanopticImage& annotated(std::size_t index) const {
    const auto& image = usable(index);
    if (!image.fault.empty()) throw DataError(place_of(image), image.fault);
    return image;
  }

  void demand_size(const fs::path& file, const cv::Size& found, const PanopticImage& image, bool is_photo) const {
    if (image.size.empty() || found == image.size) return;
    throw DataError(file.string(), "is " + size_text(found) + " pixels, and " + files_.annotations.string() +
                                       " says that image " + std::to_string(image.id) + " is " + size_text(image.size) +
                                       " (width x height)" +
                                       (is_photo ? sectile::orientation_advice(file, reading_, image.size) : ""));
  }

  using Masks = std::map<std::int32_t, sectile::Rle>;
  void demand_same_segments(const PanopticImage& image, const fs::path& png, const Masks& masks) const {
    std::set<std::int32_t> stated, unstated, without_pixels;
    for (const auto& segment : image.segments) {
      stated.insert(segment.id);
      if (!masks.count(segment.id)) without_pixels.insert(segment.id);
    }
    for (const auto& [id, mask] : masks)
      if (id != 0 && !stated.count(id)) unstated.insert(id);
    if (!unstated.empty())
      throw DataError(png.string(), "has segments that segments_info does not list, with the ids " + listed(unstated) +
                                        "; see " + place_of(image) +
                                        ", and whether \"masks\" is the folder of the panoptic PNGs");
    if (!without_pixels.empty())
      throw DataError(png.string(), "has no pixel of the segments " + listed(without_pixels) +
                                        ", which segments_info lists; see " + place_of(image));
  }

  void add_annotation(const PanopticImage& image, bool labels, bool objects, sectile::Sample& sample) const {
    const auto png = files_.masks / image.mask;
    const cv::Mat ids = sectile::read_panoptic_png(png);
    demand_size(png, ids.size(), image, false);
    if (!sample.image.empty())
      sectile::demand_size_of_image(png, ids.size(), files_.images / image.file_name, sample.image.size(), reading_);
    auto masks = coco_panoptic::masks_of(ids);
    demand_same_segments(image, png, masks);
    if (labels) sample.labels = labels_of(image, ids);
    if (!objects) return;
    for (const auto& segment : image.segments) {
      if (is_thing(segment)) sample.instances.push_back(instance_of(segment, std::move(masks.at(segment.id))));
      if (task_ == Task::panoptic) sample.segments.push_back({segment.id, segment.category, segment.crowd});
    }
    if (task_ == Task::panoptic) sample.segment_ids = ids;
  }

  static sectile::Instance instance_of(const sectile::PanopticSegment& segment, sectile::Rle&& pixels) {
    sectile::Instance made;
    made.id = segment.id;
    made.category = segment.category;
    made.mask = sectile::Mask(std::move(pixels));
    made.box = made.mask.box();
    made.crowd = segment.crowd;
    made.area = segment.area.value_or(static_cast<double>(made.mask.area()));
    return made;
  }

  static cv::Mat labels_of(const PanopticImage& image, const cv::Mat& ids) {
    std::map<std::int32_t, std::int16_t> classes{{0, sectile::kIgnore}};
    for (const auto& segment : image.segments) classes[segment.id] = static_cast<std::int16_t>(segment.category);
    cv::Mat labels(ids.size(), CV_16S);
    std::int32_t last = 0;  // adjacent pixels are mostly of one segment
    std::int16_t number = sectile::kIgnore;
    for (int y = 0; y < ids.rows; ++y)
      for (int x = 0; x < ids.cols; ++x) {
        const auto id = ids.at<std::int32_t>(y, x);
        if (id != last) number = classes.at(last = id);
        labels.at<std::int16_t>(y, x) = number;
      }
    return labels;
  }

  coco_panoptic::Files files_;
  Task task_;
  sectile::ReadOptions reading_;
  sectile::LabelMap labels_;
  std::vector<PanopticImage> images_;
  std::vector<std::string> names_;  // of their samples
  std::vector<std::string> notes_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::dataset<CocoPanoptic, CocoPanopticOptions>(
                   "coco_panoptic", "COCO's panoptic format: PNGs of segments and a JSON file, for all three tasks."))
