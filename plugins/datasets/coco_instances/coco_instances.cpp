// COCO's format of objects (Lin et al., ECCV 2014; https://cocodataset.org/#format-data): a JSON file of images,
// categories and annotations with boxes and masks, which most tools for annotation write.
#include <algorithm>
#include <cmath>
#include <set>

#include <sectile/data/coco_file.h>
#include <sectile/data/image_io.h>
#include <sectile/data/image_size.h>
#include <sectile/data/label_files.h>
#include <sectile/data/rle.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <opencv2/core.hpp>

#include "choice.h"
#include "files.h"
#include "labels.h"

namespace {

namespace fs = std::filesystem;
using coco_instances::Overlap;
using sectile::CocoAnnotation;
using sectile::CocoImage;
using sectile::DataError;
using sectile::size_text;
using sectile::Task;

struct CocoInstancesOptions {
  std::optional<fs::path> root, annotations, images;
  std::string split = "train2017";
  std::vector<std::string> categories;
  bool keep_empty = true;
  bool keep_degenerate = false;
  bool background = true;
  Overlap overlap = Overlap::ignore;
  sectile::OrientationOption orientation;

  void declare(sectile::Options& options) {
    options
        .add("root", &root,
             "The folder of the dataset: a split has annotations/instances_SPLIT.json and images in images/SPLIT or "
             "SPLIT, or SPLIT/_annotations.coco.json beside its images. Required unless \"annotations\" and \"images\" "
             "are given.")
        .not_empty();
    options.add("split", &split, "train2017, val2017, or what else files and folders below \"root\" are named after.")
        .not_empty();
    options
        .add(
            "annotations", &annotations,
            "The JSON file, if it is not where \"root\" and \"split\" say. One without a list \"annotations\", such as "
            "COCO's image_info files of test images, can be predicted only.")
        .not_empty();
    options
        .add("images", &images,
             "Folder that names of images in the JSON file are relative to, if it is not where \"root\" and \"split\" "
             "say.")
        .not_empty();
    options.add("categories", &categories,
                "Names of the categories to use, in the order of class numbers; objects of others are left out. "
                "Default: all, by ascending id, as in detectron2.");
    options.add("keep_empty", &keep_empty,
                "Keep images without objects. false: leave them out, as is usual in training for detection; evaluation "
                "needs them, because what is predicted there is wrong.");
    options.add("keep_degenerate", &keep_degenerate,
                "Keep objects whose box has no width or height in float32 within the image. Detectors cannot be "
                "trained with them; pycocotools counts them as objects that are never found.");
    options.add("background", &background,
                "If the task is semantic: pixels of no object are of the class \"background\", which is added as class "
                "0 unless a category has that name. false: they are ignored.");
    options
        .add("overlap", &overlap,
             "If the task is semantic: the class of a pixel of several objects. ignore: it does not count, as in "
             "torchvision's reference, also for objects of one class; smallest: that of the object with the fewest "
             "pixels; last: that of the last one in the file. Pixels of crowds, and of boxes without a mask, never "
             "count unless an object covers them by smallest or last.")
        .one_of({"ignore", "smallest", "last"});
    orientation.declare(options);
  }
};

// "segmentation": [] is written for none.
bool has_mask(const CocoAnnotation& annotation) {
  const auto& mask = annotation.mask;
  if (mask.form != sectile::CocoMask::Form::polygons) return mask.form != sectile::CocoMask::Form::none;
  return mask.json.find_first_not_of("[] \t\r\n") != std::string_view::npos;
}

class CocoInstances final : public sectile::Dataset,
                            public sectile::Notes,
                            public sectile::LeftOut,
                            public sectile::LabelFiles {
 public:
  CocoInstances(const CocoInstancesOptions& options, const sectile::BuildContext& context)
      : is_semantic_(context.task == Task::semantic),
        keep_degenerate_(options.keep_degenerate || is_semantic_),  // labels are made of masks, whatever boxes say
        overlap_(options.overlap),
        reading_(options.orientation.reading()),
        files_(coco_instances::find_files({options.root, options.split, options.annotations, options.images})),
        file_(files_.annotations),
        choice_(coco_instances::choose(
            file_, {options.categories, is_semantic_ && options.background, options.keep_empty, keep_degenerate_})) {
    if (is_semantic_ && options.background) outside_ = static_cast<std::int16_t>(*labels().find("background"));
    demand_some_images();
  }

  std::vector<std::string> notes() const override { return choice_.notes; }
  std::vector<std::string> left_out() const override { return choice_.left_out; }
  std::size_t size() const override { return choice_.images.size(); }
  const sectile::LabelMap& labels() const override { return choice_.labels; }
  std::string id_of(std::size_t index) const override { return choice_.names.at(index); }

  // Images too whose sizes are read: labels of polygons are as large.
  std::optional<std::vector<fs::path>> label_files() const override {
    std::vector<fs::path> files{files_.annotations};
    for (std::size_t i = 0; i < size(); ++i)
      if (image_at(i).size.empty() || is_large(image_at(i).size)) files.push_back(path_of(image_at(i)));
    return files;
  }
  std::int64_t image_id_of(std::size_t index) const override { return image_at(index).id; }

  sectile::Extent extent_of(std::size_t index) const override {
    const auto size = size_at(index);
    return {1, size.height, size.width};
  }

  std::vector<int> classes_of(std::size_t index) const override {
    const auto all = annotations_of(index);
    // Labels depend on which pixels are covered, and boxes of masks on whether there are any.
    if (is_semantic_ || !std::all_of(all.begin(), all.end(), [](const auto* one) { return one->has_box; }))
      return Dataset::classes_of(index);
    std::set<int> classes;
    for (const auto* annotation : all) classes.insert(number_of(*annotation));
    return {classes.begin(), classes.end()};
  }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const auto& image = image_at(index);
    demand_no_fault(index, true);
    sectile::Sample sample;
    sample.id = id_of(index);
    if (wanted.image) {
      sample.image = sectile::read_image(path_of(image), reading_);
      demand_size(image, sample.image.size());
    }
    if (!file_.has_annotations() || (is_semantic_ ? !wanted.labels : !wanted.objects)) return sample;
    const auto size = sample.image.empty() ? size_at(index) : sample.image.size();
    // Labels of a size that is wrong may not fit into memory; other ones are found where image and labels meet.
    if (is_semantic_ && !wanted.image && is_large(size))
      demand_size(image, sectile::read_size(path_of(image), reading_));
    if (is_semantic_)
      sample.labels = read_labels(index, size);
    else
      sample.instances = read_instances(index, size);
    return sample;
  }

 private:
  const CocoImage& image_at(std::size_t index) const {
    return file_.images()[static_cast<std::size_t>(choice_.images.at(index))];
  }
  static bool is_large(const cv::Size& size) { return double(size.width) * size.height > 1 << 26; }
  fs::path path_of(const CocoImage& image) const { return files_.images / image.file_name; }
  cv::Size size_at(std::size_t index) const {
    const auto& image = image_at(index);
    demand_no_fault(index, true);
    return image.size.empty() ? sectile::read_size(path_of(image), reading_) : image.size;
  }
  int number_of(const CocoAnnotation& annotation) const {
    return choice_.numbers[static_cast<std::size_t>(annotation.category)];
  }

  // One that is missing is a bad sample; if the first ones are, the folder is wrong.
  void demand_some_images() const {
    constexpr std::size_t kTried = 10;
    const auto count = std::min(kTried, size());
    for (std::size_t i = 0; i < count; ++i) {
      std::error_code unknown;
      if (fs::exists(path_of(image_at(i)), unknown)) return;
    }
    throw sectile::OptionError("images", files_.images.string() + " has none of the first " + std::to_string(count) +
                                             " images that " + files_.annotations.string() + " names, such as " +
                                             image_at(0).file_name);
  }

  void demand_size(const CocoImage& image, const cv::Size& found) const {
    if (image.size.empty() || found == image.size) return;
    throw DataError(path_of(image).string(), "is " + size_text(found) + " pixels, and " + files_.annotations.string() +
                                                 " says that image " + std::to_string(image.id) + " is " +
                                                 size_text(image.size) + " (width x height)" +
                                                 sectile::orientation_advice(path_of(image), reading_, image.size));
  }

  std::string place_of(const CocoAnnotation& annotation) const {
    return files_.annotations.string() + ": annotation " + std::to_string(annotation.id) + " of " +
           file_.images()[static_cast<std::size_t>(annotation.image)].file_name;
  }

  // of_image: only of the image itself, not of its annotations.
  void demand_no_fault(std::size_t index, bool of_image) const {
    const auto found = choice_.faults.find(choice_.images.at(index));
    if (found == choice_.faults.end() || (of_image && !found->second.of_image)) return;
    const auto& fault = found->second;
    throw DataError(files_.annotations.string() + ": " + fault.place +
                        (fault.of_image ? std::string() : " of " + image_at(index).file_name),
                    fault.message);
  }

  // Those of the chosen categories. Throws DataError for an image with an annotation that cannot be used.
  std::vector<const CocoAnnotation*> annotations_of(std::size_t index) const {
    demand_no_fault(index, false);
    std::vector<const CocoAnnotation*> all;
    for (const auto& annotation : file_.of_image(choice_.images.at(index))) {
      if (number_of(annotation) < 0) continue;
      if (!annotation.has_box && !has_mask(annotation))
        throw DataError(place_of(annotation), "has neither bbox nor segmentation");
      if (keep_degenerate_ || !annotation.has_box ||
          !coco_instances::is_degenerate(annotation.box, image_at(index).size))
        all.push_back(&annotation);
    }
    return all;
  }

  sectile::Mask mask_of(const CocoAnnotation& annotation, const cv::Size& size) const {
    if (!has_mask(annotation)) return {};
    try {
      return sectile::mask_of(annotation.mask, size);
    } catch (const DataError& error) {
      std::string reason = error.what();
      constexpr std::string_view kMask = "mask: ";
      if (reason.starts_with(kMask)) reason.replace(0, kMask.size(), "the mask ");
      throw DataError(place_of(annotation), reason);
    }
  }

  std::vector<sectile::Instance> read_instances(std::size_t index, const cv::Size& size) const {
    std::vector<sectile::Instance> instances;
    for (const auto* annotation : annotations_of(index)) {
      sectile::Instance made;
      made.id = annotation->id;
      made.category = number_of(*annotation);
      made.crowd = annotation->crowd;
      made.mask = mask_of(*annotation, size);
      made.box = annotation->has_box ? cv::Rect2f(annotation->box) : made.mask.box();
      if (!std::isnan(annotation->area)) made.area = annotation->area;
      if (annotation->has_box || !made.box.empty() || keep_degenerate_) instances.push_back(std::move(made));
    }
    return instances;
  }

  cv::Mat read_labels(std::size_t index, const cv::Size& size) const {
    std::vector<coco_instances::Layer> layers;
    for (const auto* annotation : annotations_of(index)) {
      const auto mask = mask_of(*annotation, size);
      const bool counts = !annotation->crowd && !mask.empty();
      layers.push_back({mask.empty() ? sectile::rle_of(annotation->box, size) : mask.rle(),
                        counts ? static_cast<std::int16_t>(number_of(*annotation)) : sectile::kIgnore});
    }
    return coco_instances::labels_of(std::move(layers), size, outside_, overlap_);
  }

  bool is_semantic_, keep_degenerate_;
  Overlap overlap_;
  sectile::ReadOptions reading_;
  std::int16_t outside_ = sectile::kIgnore;  // the class of pixels of no object
  coco_instances::Files files_;
  sectile::CocoFile file_;
  coco_instances::Choice choice_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::dataset<CocoInstances, CocoInstancesOptions>(
                   "coco_instances",
                   "COCO's format of objects: boxes and masks in a JSON file, or labels that are made of them."))
