// Cityscapes (Cordts et al. 2016; https://www.cityscapes-dataset.com): street scenes by city, with label ids, train ids
// and instance ids as PNG. Ids, names and colors are those of https://github.com/mcordts/cityscapesScripts, segments
// those of its createPanopticImgs.py.
#include <algorithm>

#include <sectile/data/image_io.h>
#include <sectile/data/image_size.h>
#include <sectile/data/label_files.h>
#include <sectile/data/regions.h>
#include <sectile/dataset.h>
#include <opencv2/core.hpp>

#include "cityscapes_tree.h"

namespace {

namespace fs = std::filesystem;
using cityscapes::Codes;
using cityscapes::Encoding;
using cityscapes::Entry;
using cityscapes::Labels;
using sectile::DataError;
using sectile::kIgnore;

enum class Annotations { fine, coarse };

struct CityscapesOptions {
  fs::path root;
  std::string split = "train";
  Labels labels = Labels::train_ids;
  Annotations annotations = Annotations::fine;
  std::vector<std::string> cities;
  std::optional<bool> instances;
  sectile::OrientationOption orientation;

  void declare(sectile::Options& options) {
    options.add("root", &root, "The folder that contains leftImg8bit, and gtFine or gtCoarse.").required().not_empty();
    options
        .add("split", &split,
             "Folder in leftImg8bit: train, val, test (unlabeled where it has no labels, or the official ones without "
             "any object), train_extra (annotations: coarse), or your own.")
        .not_empty();
    options
        .add("labels", &labels,
             "Classes: train_ids = the 19 of the benchmark, everything else is ignored; all = the 34 label ids 0 to "
             "33. Read from files of labelIds, or, where those are missing, of labelTrainIds or instanceIds.")
        .one_of({"train_ids", "all"});
    options
        .add("annotations", &annotations,
             "fine = folder gtFine; coarse = folder gtCoarse, which also has train_extra, and leaves more unlabeled.")
        .one_of({"fine", "coarse"});
    options.add("cities", &cities, "Use only these cities, folders of the split. Default: all.");
    options.add("instances", &instances,
                "Read objects and panoptic segments from files of instanceIds; groups become crowds. Default: if the "
                "task is instance or panoptic.");
    orientation.declare(options);
  }
};

// 16U. Files of few small numbers have 8 bits, also of instance ids.
cv::Mat read_numbers(const fs::path& file) {
  const cv::Mat numbers = sectile::read_raw_image(file).pixels;
  if (numbers.type() != CV_8UC1 && numbers.type() != CV_16UC1)
    throw DataError(file.string(), "has " + std::to_string(numbers.channels()) + " channels of " +
                                       std::to_string(8 * numbers.elemSize1()) +
                                       " bits; expected one of 8 or 16 bits, which holds ids");
  cv::Mat wide;
  numbers.convertTo(wide, CV_16U);
  return wide;
}

[[noreturn]] void refuse_value(const fs::path& file, const cv::Point& at, int value, const Codes& codes) {
  throw DataError(file.string(), "pixel (" + std::to_string(at.x) + ", " + std::to_string(at.y) + ") has value " +
                                     std::to_string(value) + "; " + codes.known_values());
}

cv::Mat labels_of(const cv::Mat& numbers, const Codes& codes, const fs::path& file) {
  cv::Mat labels(numbers.size(), CV_16S);
  for (int y = 0; y < labels.rows; ++y) {
    const auto* from = numbers.ptr<std::uint16_t>(y);
    auto* to = labels.ptr<std::int16_t>(y);
    for (int x = 0; x < labels.cols; ++x) {
      const auto& code = codes.of(from[x]);
      if (!code.known) refuse_value(file, {x, y}, from[x], codes);
      to[x] = code.number;
    }
  }
  return labels;
}

// The official labels of the test images have nothing but what is outside of the images' content.
bool is_dummy(const cv::Mat& label_ids) {
  constexpr int kOutOfRoi = 3;
  return cv::countNonZero(label_ids > kOutOfRoi) == 0;
}

// Train ids are also numbers of label ids, of other classes. The official label ids have no 255, and few images have
// nothing above 18, such as vegetation (21), sky (23), persons (24) or cars (26); with both it is no coincidence.
void refuse_train_ids(const cv::Mat& label_ids, const fs::path& file) {
  constexpr int kLastTrainId = 18, kVoid = 255;
  const int voids = cv::countNonZero(label_ids == kVoid);
  if (voids > 0 && cv::countNonZero(label_ids > kLastTrainId) == voids)
    throw DataError(
        file.string(),
        "has the value 255 and none from 19 to 33, as files of train ids have; label ids are expected. Train "
        "ids belong in a file that ends with _labelTrainIds.png");
}

void add_objects(sectile::Sample& sample, const cv::Mat& numbers, const Codes& codes, const sectile::LabelMap& labels) {
  sample.segment_ids = cv::Mat(numbers.size(), CV_32S);
  for (int y = 0; y < numbers.rows; ++y)
    std::transform(numbers.ptr<std::uint16_t>(y), numbers.ptr<std::uint16_t>(y) + numbers.cols,
                   sample.segment_ids.ptr<std::int32_t>(y), [&](int value) { return codes.of(value).segment; });
  for (auto& region : sectile::regions_of(sample.segment_ids)) {
    if (region.number == 0) continue;
    const auto& code = codes.of(region.number);
    sample.segments.push_back({region.number, code.number, code.crowd});
    if (!labels.classes[static_cast<std::size_t>(code.number)].thing) continue;
    sectile::Instance instance;
    instance.id = region.number;
    instance.category = code.number;
    instance.crowd = code.crowd;
    instance.box = region.box;
    instance.area = static_cast<double>(region.area);
    instance.mask = sectile::Mask(std::move(region.mask));
    sample.instances.push_back(std::move(instance));
  }
}

class Cityscapes final : public sectile::Dataset, public sectile::LabelFiles {
 public:
  Cityscapes(const CityscapesOptions& options, const sectile::BuildContext& context)
      : labels_(cityscapes::label_map(options.labels)),
        codes_{Codes(options.labels, Encoding::label_ids), Codes(options.labels, Encoding::train_ids),
               Codes(options.labels, Encoding::instance_ids)},
        may_be_dummy_(options.split == "test"),
        reading_(options.orientation.reading()),
        entries_(cityscapes::find_entries(
            {options.root, options.split, options.annotations == Annotations::fine ? "gtFine" : "gtCoarse",
             options.cities, options.labels, options.instances.value_or(context.task != sectile::Task::semantic)})) {}

  std::size_t size() const override { return entries_.size(); }
  const sectile::LabelMap& labels() const override { return labels_; }
  std::optional<std::vector<fs::path>> label_files() const override {
    return sectile::files_of_entries(entries_, &Entry::labels);
  }
  std::string id_of(std::size_t index) const override { return entries_.at(index).name; }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const auto& entry = entries_.at(index);
    sectile::Sample sample;
    sample.id = entry.name;
    if (wanted.image) sample.image = sectile::read_image(entry.image, reading_);
    const bool objects = wanted.objects && !entry.objects.empty();
    if (entry.labels.empty() || (!wanted.labels && !objects)) return sample;

    const cv::Mat numbers = read_numbers(entry.labels);
    if (wanted.image)
      sectile::demand_size_of_image(entry.labels, numbers.size(), entry.image, sample.image.size(), reading_);
    if (may_be_dummy_ && entry.encoding != Encoding::train_ids && is_dummy(numbers)) return sample;
    if (entry.encoding == Encoding::label_ids) refuse_train_ids(numbers, entry.labels);
    sample.labels = labels_of(numbers, codes_of(entry.encoding), entry.labels);
    if (objects) read_objects(sample, entry);
    return sample;
  }

  sectile::Extent extent_of(std::size_t index) const override {
    const cv::Size size = sectile::read_size(entries_.at(index).image, reading_);
    return {1, size.height, size.width};
  }

 private:
  const Codes& codes_of(Encoding encoding) const { return codes_[static_cast<std::size_t>(encoding)]; }

  void read_objects(sectile::Sample& sample, const Entry& entry) const {
    const auto& codes = codes_of(Encoding::instance_ids);
    const cv::Mat numbers = read_numbers(entry.objects);
    sectile::demand_same_size(entry.objects, numbers.size(), entry.labels, sample.labels.size());
    const cv::Mat of_objects = labels_of(numbers, codes, entry.objects);  // refuses unknown values
    refuse_contradiction(sample.labels, of_objects, entry);
    add_objects(sample, numbers, codes, labels_);
  }

  // Both files say the class of each pixel.
  void refuse_contradiction(const cv::Mat& labels, const cv::Mat& of_objects, const Entry& entry) const {
    const cv::Mat differs = labels != of_objects;
    const int count = cv::countNonZero(differs);
    if (count == 0) return;
    std::vector<cv::Point> places;
    cv::findNonZero(differs, places);
    const auto name = [&](const cv::Mat& map) {
      const auto number = map.at<std::int16_t>(places.front());
      return number == sectile::kIgnore ? std::string("of no class")
                                        : labels_.classes[static_cast<std::size_t>(number)].name;
    };
    throw DataError(entry.objects.string(),
                    "contradicts " + entry.labels.filename().string() + " at " + std::to_string(count) +
                        (count == 1 ? " pixel: (" : " pixels; the first, (") + std::to_string(places.front().x) + ", " +
                        std::to_string(places.front().y) + "), is " + name(of_objects) + " in it, and " + name(labels) +
                        " there");
  }

  sectile::LabelMap labels_;
  std::array<Codes, 3> codes_;  // by Encoding
  bool may_be_dummy_;
  sectile::ReadOptions reading_;
  std::vector<Entry> entries_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<Cityscapes, CityscapesOptions>(
                            "cityscapes", "Cityscapes: its classes, splits and cities, objects and segments."))
