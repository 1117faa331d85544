#include "prediction_formats.h"

#include <boost/program_options.hpp>
#include <opencv2/core.hpp>

#include <sectile/data/image_io.h>

#include "../../framework/ground/images/image_file.h"
#include "coco_predictions.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

class PalettePngs final : public PredictionFormat {
 public:
  explicit PalettePngs(const LabelMap& labels) : labels_(labels) {}
  void write(const PredictedImage& image, const fs::path& name, std::int64_t) override {
    write_labels(name.string() + ".png", image.labels, labels_);
  }

 private:
  const LabelMap& labels_;
};

// PNGs of 8 bits whose values are the numbers of the dataset, and 0 where there is no class.
class NumberPngs final : public PredictionFormat {
 public:
  explicit NumberPngs(const LabelMap& labels) {
    for (const auto& one : labels.classes) ids_.push_back(static_cast<std::uint8_t>(one.category_id));
  }
  void write(const PredictedImage& image, const fs::path& name, std::int64_t) override {
    cv::Mat pixels(image.labels.size(), CV_8U, cv::Scalar(0));
    for (int y = 0; y < pixels.rows; ++y)
      for (int x = 0; x < pixels.cols; ++x) {
        const int label = image.labels.at<std::int16_t>(y, x);
        if (label >= 0) pixels.at<std::uint8_t>(y, x) = ids_[static_cast<std::size_t>(label)];
      }
    write_png(name.string() + ".png", pixels);
  }

 private:
  std::vector<std::uint8_t> ids_;
};

// Label ids by their names (cityscapesScripts, labels.py).
std::unique_ptr<PredictionFormat> cityscapes_format(const LabelMap& labels) {
  static constexpr const char* kNames[] = {"unlabeled",  "ego vehicle",   "rectification border",
                                           "out of roi", "static",        "dynamic",
                                           "ground",     "road",          "sidewalk",
                                           "parking",    "rail track",    "building",
                                           "wall",       "fence",         "guard rail",
                                           "bridge",     "tunnel",        "pole",
                                           "polegroup",  "traffic light", "traffic sign",
                                           "vegetation", "terrain",       "sky",
                                           "person",     "rider",         "car",
                                           "truck",      "bus",           "caravan",
                                           "trailer",    "train",         "motorcycle",
                                           "bicycle"};
  for (const auto& one : labels.classes) {
    const bool is_id = one.category_id >= 0 && one.category_id < std::int64_t{std::size(kNames)};
    if (!is_id || kNames[one.category_id] != one.name)
      refuse_classes("cityscapes", "class \"" + one.name + "\" has the number " + std::to_string(one.category_id) +
                                       " in files, which is not its label id in Cityscapes");
  }
  return std::make_unique<NumberPngs>(labels);
}

std::unique_ptr<PredictionFormat> ade20k_format(const LabelMap& labels) {
  constexpr std::size_t kClasses = 150;
  bool is_all = labels.classes.size() == kClasses && labels.classes.front().name == "wall";
  for (std::size_t i = 0; is_all && i < kClasses; ++i)
    is_all = labels.classes[i].category_id == static_cast<std::int64_t>(i) + 1;
  if (!is_all)
    refuse_classes("ade20k", "there are " + std::to_string(labels.classes.size()) +
                                 " classes, and they are not SceneParse150's, of the numbers 1 to 150 in files");
  return std::make_unique<NumberPngs>(labels);
}

void demand_labels(const std::string& format, const Network& network) {
  if (network.spec.task != Task::instance) return;
  throw boost::program_options::error(
      "--format: \"" + format + "\" is of networks for semantic segmentation, and the model \"" +
      network.spec.model.type() + "\" predicts objects: leave --format out, or use coco");
}

}  // namespace

void refuse_classes(const std::string& format, const std::string& reason) {
  throw DataError("the classes of this network",
                  "cannot be written as " + format + ": " + reason +
                      "; networks can that were trained with a dataset of this format and its classes");
}

std::unique_ptr<PredictionFormat> prediction_format(const std::optional<std::string>& format, const Network& network,
                                                    const std::filesystem::path& folder) {
  const auto& labels = *network.context.labels;
  if (!format && network.spec.task == Task::instance) return coco_results(network, folder, Numbers::any);
  if (!format && network.spec.task == Task::panoptic) return coco_panoptic(network, folder);
  if (format == "png" || format == "cityscapes" || format == "ade20k") demand_labels(*format, network);
  if (!format || *format == "png") return std::make_unique<PalettePngs>(labels);
  if (*format == "cityscapes") return cityscapes_format(labels);
  if (*format == "ade20k") return ade20k_format(labels);
  if (*format == "coco") return coco_results(network, folder, Numbers::of_coco);
  if (*format == "coco_panoptic") return coco_panoptic(network, folder);
  throw boost::program_options::error("--format: \"" + *format +
                                      "\" is none of png, cityscapes, ade20k, coco, coco_panoptic");
}

}  // namespace sectile
