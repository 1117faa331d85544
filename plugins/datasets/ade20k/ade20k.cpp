// SceneParse150 (Zhou et al. 2017; http://sceneparsing.csail.mit.edu), the benchmark that is made of ADE20K: 150
// classes, masks of one channel with 1 to 150, and 0 for everything else.
#include <sectile/data/folders.h>
#include <sectile/data/image_io.h>
#include <sectile/data/image_size.h>
#include <sectile/data/label_files.h>
#include <sectile/dataset.h>
#include <opencv2/core.hpp>

#include "ade20k_classes.h"

namespace {

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::is_folder;
using sectile::kIgnore;
using sectile::OptionError;

constexpr int kOther = 0;
constexpr int kVoid = 255;  // no class either: masks that someone has edited have it

struct Ade20kOptions {
  fs::path root;
  std::string split = "training";
  sectile::OrientationOption orientation;

  void declare(sectile::Options& options) {
    options
        .add("root", &root,
             "The folder ADEChallengeData2016, which contains images and annotations, or the folder around it. Its "
             "masks "
             "do not tell objects apart: for the tasks instance and panoptic use the dataset ade20k_full.")
        .required()
        .not_empty();
    options
        .add("split", &split,
             "Folder in images: training (or train), validation (or val), testing (unlabeled where it has no masks), "
             "or your own.")
        .not_empty();
    orientation.declare(options);
  }
};

struct Entry {
  std::string name;
  fs::path image;
  fs::path mask;  // empty: unlabelled
};

fs::path find_root(const fs::path& root) {
  for (const char* below : {"", "ADEChallengeData2016"})
    if (is_folder(root / below / "images")) return (root / below).lexically_normal();
  if (is_folder(root / "training") || is_folder(root / "images/ADE") || is_folder(root / "validation"))
    throw OptionError("root", root.string() +
                                  " is not of SceneParse150, whose folders are images and annotations; for "
                                  "the full ADE20K use the dataset ade20k_full");
  throw OptionError("root",
                    root.string() + " has no folder images; name the folder that images and annotations are in");
}

// The name in the data of a split that is named as in other datasets.
std::string official(const std::string& split, const fs::path& images) {
  if (is_folder(images / split)) return split;
  if (split == "train") return "training";
  return split == "val" ? "validation" : split;
}

std::vector<Entry> find_entries(const Ade20kOptions& options) {
  const auto root = find_root(options.root);
  const auto split = official(options.split, root / "images");
  const auto images = root / "images" / split, annotations = root / "annotations" / split;
  if (!is_folder(images))
    throw OptionError("split", images.string() + " is not a folder; the splits there are: " +
                                   sectile::joined(sectile::folders_in(root / "images")));
  const bool labelled = is_folder(annotations);
  if (!labelled && split != "testing" && split != "test")
    throw DataError(annotations.string(),
                    "is not a folder: expected a mask there for each image in " + images.string());
  const auto& suffixes = sectile::image_suffixes();
  const auto masks = sectile::files_by_stem(annotations, suffixes);

  std::vector<Entry> entries;
  std::size_t missing = 0;
  std::string first;
  for (const auto& [name, image] : sectile::files_by_stem(images, suffixes)) {
    const auto mask = masks.find(name);
    if (labelled && mask == masks.end() && missing++ == 0) first = name;
    entries.push_back({name, image, mask == masks.end() ? fs::path() : mask->second});
  }
  if (entries.empty()) throw DataError(images.string(), "has no image");
  if (missing)
    throw DataError(annotations.string(), "has no mask for " + std::to_string(missing) + " of " +
                                              std::to_string(entries.size()) + " images in " + images.string() +
                                              "; the first is " + first + ".png");
  return entries;
}

cv::Mat read_labels(const fs::path& mask) {
  const cv::Mat values = sectile::read_raw_image(mask).pixels;
  if (values.type() != CV_8UC1)
    throw DataError(mask.string(),
                    "has " + std::to_string(values.channels()) + " channels of " +
                        std::to_string(8 * values.elemSize1()) + " bits; a mask of SceneParse150 has one of 8 bits" +
                        (values.channels() == 3 ? ". For color masks of the full ADE20K, use ade20k_full" : ""));
  cv::Mat labels(values.size(), CV_16S);
  for (int y = 0; y < labels.rows; ++y) {
    const auto* from = values.ptr<std::uint8_t>(y);
    auto* to = labels.ptr<std::int16_t>(y);
    for (int x = 0; x < labels.cols; ++x) {
      const int value = from[x];
      if (value > ade20k::kClasses && value != kVoid)
        throw DataError(mask.string(), "pixel (" + std::to_string(x) + ", " + std::to_string(y) + ") has value " +
                                           std::to_string(value) +
                                           "; masks of SceneParse150 have 1 to 150, and 0 or 255 for no class");
      to[x] = value == kOther || value == kVoid ? kIgnore : static_cast<std::int16_t>(value - 1);
    }
  }
  return labels;
}

class Ade20k final : public sectile::Dataset, public sectile::LabelFiles {
 public:
  explicit Ade20k(const Ade20kOptions& options)
      : entries_(find_entries(options)), labels_(ade20k::label_map()), reading_(options.orientation.reading()) {}

  std::size_t size() const override { return entries_.size(); }
  const sectile::LabelMap& labels() const override { return labels_; }
  std::optional<std::vector<fs::path>> label_files() const override {
    return sectile::files_of_entries(entries_, &Entry::mask);
  }
  std::string id_of(std::size_t index) const override { return entries_.at(index).name; }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const auto& entry = entries_.at(index);
    sectile::Sample sample;
    sample.id = entry.name;
    if (wanted.image) sample.image = sectile::read_image(entry.image, reading_);
    if (entry.mask.empty() || !wanted.labels) return sample;
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
  std::vector<Entry> entries_;
  sectile::LabelMap labels_;
  sectile::ReadOptions reading_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::dataset<Ade20k, Ade20kOptions>(
                   "ade20k",
                   "SceneParse150, the benchmark of ADE20K: its 150 classes and splits. Labels only, no objects."))
