#include "prediction_formats.h"

#include <algorithm>
#include <map>
#include <set>

#include <boost/program_options.hpp>
#include <opencv2/core.hpp>

#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>

#include "../../framework/ground/images/image_file.h"
#include "../../framework/ground/json_line.h"

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

[[noreturn]] void refuse(const std::string& format, const std::string& reason) {
  throw DataError("the classes of this network",
                  "cannot be written as " + format + ": " + reason +
                      "; networks can that were trained with a dataset of this format and its classes");
}

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
      refuse("cityscapes", "class \"" + one.name + "\" has the number " + std::to_string(one.category_id) +
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
    refuse("ade20k", "there are " + std::to_string(labels.classes.size()) +
                         " classes, and they are not SceneParse150's, of the numbers 1 to 150 in files");
  return std::make_unique<NumberPngs>(labels);
}

// Numbers of classes in files; below 0: none, as of the background of objects.
std::vector<std::int64_t> category_ids(const LabelMap& labels, const std::string& format) {
  std::vector<std::int64_t> ids;
  std::set<std::int64_t> taken;
  for (const auto& one : labels.classes) {
    if (one.category_id < 0 && one.name != "background")
      refuse(format, "class \"" + one.name + "\" has no number in files, as classes that were merged have none");
    if (one.category_id >= 0 && !taken.insert(one.category_id).second)
      refuse(format, "class \"" + one.name + "\" has the number " + std::to_string(one.category_id) +
                         " in files, as another class has");
    ids.push_back(one.category_id);
  }
  return ids;
}

// The image_id of each image, which two must not share.
class ImageIds {
 public:
  void add(std::int64_t id, const fs::path& name) {
    const std::string what =
        "; predict the samples of a COCO dataset, each once, which knows their image_ids, or give files such names";
    if (id < 0)
      throw DataError(name.filename().string(),
                      "has no image_id: its name does not end with a number of up to 18 "
                      "digits, as those of COCO do" +
                          what);
    if (const auto [other, is_new] = names_.emplace(id, name); !is_new)
      throw DataError(name.filename().string(), "has the image_id " + std::to_string(id) + ", as " +
                                                    other->second.filename().string() + " has" + what);
  }

 private:
  std::map<std::int64_t, fs::path> names_;
};

// A JSON file of many lines, which is written when all of them are there: who stops the program finds no part of it.
class JsonList {
 public:
  JsonList(fs::path file, std::string before) : file_(std::move(file)), text_(std::move(before)) {}
  void add(const JsonLine& line) {
    text_ += (is_first_ ? "" : ",\n") + line.text();
    is_first_ = false;
  }
  void finish(const std::string& after) {
    text_ += after;
    ReplacedFile out(file_);
    out.write(text_.data(), text_.size());
    out.commit();
  }

 private:
  fs::path file_;
  std::string text_;
  bool is_first_ = true;
};

JsonLine rle_line(const Rle& rle) {
  return JsonLine()
      .add("size", std::vector<double>{static_cast<double>(rle.size.height), static_cast<double>(rle.size.width)})
      .add("counts", to_coco(rle));
}

std::vector<double> box_numbers(const cv::Rect2d& box) { return {box.x, box.y, box.width, box.height}; }

// results.json: instances, or of a network for semantic segmentation one mask per class, as COCO's stuff task wants.
class CocoResultsFile final : public PredictionFormat {
 public:
  CocoResultsFile(const Network& network, const fs::path& folder)
      : ids_(category_ids(*network.context.labels, "coco")),
        of_instances_(network.spec.task != Task::semantic),
        whole_(folder / "results.json"),
        list_(whole_, "[") {}
  std::vector<std::string> endings() const override { return {}; }
  fs::path whole() const override { return whole_; }
  void ask(PredictOptions& options) const override {
    options.instances = of_instances_;
    options.labels = !of_instances_;
  }

  void expect(std::int64_t image_id, const fs::path& name) override { image_ids_.add(image_id, name); }

  void write(const PredictedImage& image, const fs::path&, std::int64_t image_id) override {
    if (!of_instances_) return write_classes(image, image_id);
    for (const auto& instance : image.instances) {
      if (ids_.at(static_cast<std::size_t>(instance.category)) < 0) continue;
      JsonLine line = entry(image_id, instance.category, instance.score);
      line.add("bbox", box_numbers(instance.box));
      if (!instance.mask.empty()) line.add("segmentation", rle_line(instance.mask.rle()));
      list_.add(line);
    }
  }
  void finish() override { list_.finish("]\n"); }

 private:
  JsonLine entry(std::int64_t image, int category, double score) const {
    JsonLine line;
    line.add("image_id", image).add("category_id", ids_.at(static_cast<std::size_t>(category))).add("score", score);
    return line;
  }
  void write_classes(const PredictedImage& image, std::int64_t number) {
    for (std::size_t c = 0; c < ids_.size(); ++c) {
      const cv::Mat mask = image.labels == static_cast<int>(c);
      if (ids_[c] < 0 || cv::countNonZero(mask) == 0) continue;
      const auto rle = rle_of(mask);
      JsonLine line = entry(number, static_cast<int>(c), 1);
      line.add("bbox", box_numbers(box_of(rle))).add("segmentation", rle_line(rle));
      list_.add(line);
    }
  }

  std::vector<std::int64_t> ids_;
  ImageIds image_ids_;
  bool of_instances_;
  fs::path whole_;
  JsonList list_;
};

// PNGs of segment ids (red + 256 green + 65536 blue) and panoptic.json. Of a network for semantic segmentation, each
// class is one segment.
class CocoPanopticFile final : public PredictionFormat {
 public:
  CocoPanopticFile(const Network& network, const fs::path& folder)
      : ids_(category_ids(*network.context.labels, "coco_panoptic")),
        of_segments_(network.spec.task == Task::panoptic),
        folder_(folder),
        whole_(folder / "panoptic.json"),
        list_(whole_, "{\"annotations\": [") {}
  fs::path whole() const override { return whole_; }
  void ask(PredictOptions& options) const override {
    options.segments = of_segments_;
    options.labels = !of_segments_;
  }

  void expect(std::int64_t image_id, const fs::path& name) override { image_ids_.add(image_id, name); }

  void write(const PredictedImage& image, const fs::path& name, std::int64_t image_id) override {
    cv::Mat segments = image.segment_ids;
    std::map<std::int32_t, int> category_of;  // by segment
    for (const auto& segment : image.segments) category_of[segment.id] = segment.category;
    if (!of_segments_) {
      image.labels.convertTo(segments, CV_32S, 1, 1);  // class 0 is segment 1, and no class void
      for (std::size_t c = 0; c < ids_.size(); ++c) category_of[static_cast<std::int32_t>(c) + 1] = static_cast<int>(c);
    } else {
      segments = segments.clone();
    }
    std::erase_if(category_of, [&](const auto& segment) {
      const bool is_void = ids_.at(static_cast<std::size_t>(segment.second)) < 0;
      if (is_void) segments.setTo(0, segments == segment.first);
      return is_void;
    });
    write_png(name.string() + ".png", colored(segments, name));
    std::vector<JsonLine> lines;
    for (const auto& [id, category] : category_of)
      if (const cv::Mat mask = segments == id; cv::countNonZero(mask) > 0) {
        const auto rle = rle_of(mask);
        lines.push_back(JsonLine()
                            .add("id", std::int64_t{id})
                            .add("category_id", ids_.at(static_cast<std::size_t>(category)))
                            .add("area", area_of(rle))
                            .add("bbox", box_numbers(box_of(rle)))
                            .add("iscrowd", std::int64_t{0}));
      }
    const auto file = fs::path(name).lexically_relative(folder_).string() + ".png";
    list_.add(JsonLine().add("image_id", image_id).add("file_name", file).add("segments_info", lines));
  }
  void finish() override { list_.finish("]}\n"); }

 private:
  static cv::Mat colored(const cv::Mat& segments, const fs::path& name) {
    cv::Mat pixels(segments.size(), CV_8UC3);
    for (int y = 0; y < pixels.rows; ++y)
      for (int x = 0; x < pixels.cols; ++x) {
        const auto id = segments.at<std::int32_t>(y, x);
        if (id < 0 || id >= 1 << 24)
          throw DataError(name.filename().string(),
                          "has the segment id " + std::to_string(id) + ", and panoptic PNGs hold 0 to 16777215");
        for (int c = 0; c < 3; ++c) pixels.at<cv::Vec3b>(y, x)[c] = static_cast<std::uint8_t>(id >> 8 * c & 255);
      }
    return pixels;
  }

  std::vector<std::int64_t> ids_;
  ImageIds image_ids_;
  bool of_segments_;
  fs::path folder_, whole_;
  JsonList list_;
};

}  // namespace

std::unique_ptr<PredictionFormat> prediction_format(const std::string& format, const Network& network,
                                                    const fs::path& folder) {
  const auto& labels = *network.context.labels;
  if (format == "png") return std::make_unique<PalettePngs>(labels);
  if (format == "cityscapes") return cityscapes_format(labels);
  if (format == "ade20k") return ade20k_format(labels);
  if (format == "coco") return std::make_unique<CocoResultsFile>(network, folder);
  if (format == "coco_panoptic") return std::make_unique<CocoPanopticFile>(network, folder);
  throw boost::program_options::error("--format: \"" + format +
                                      "\" is none of png, cityscapes, ade20k, coco, coco_panoptic");
}

}  // namespace sectile
