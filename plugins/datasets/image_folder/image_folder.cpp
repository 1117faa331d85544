// Images and masks in folders, matched by name: the layout of most datasets.
#include <algorithm>

#include <sectile/data/image_io.h>
#include <sectile/data/options_file.h>
#include <sectile/dataset.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "label_codes.h"
#include "pages.h"
#include "pairs.h"

namespace {

namespace fs = std::filesystem;
using image_folder::ClassTable;
using image_folder::Encoding;
using image_folder::Entry;
using image_folder::LabelCodes;
using image_folder::PairOptions;
using image_folder::place_of;
using image_folder::Unknown;
using sectile::DataError;

struct ImageFolderOptions {
  PairOptions pairs;
  ClassTable table;
  fs::path classes_file;
  Encoding encoding = Encoding::automatic;
  Unknown unknown = Unknown::error;
  std::optional<int> channels;

  void declare(sectile::Options& options) {
    pairs.declare(options);
    table.declare(options);
    options.add("classes_file", &classes_file,
                "JSON file with \"classes\", \"ignore\" and \"ignore_colors\", instead of these options, to share "
                "between specs.");
    options
        .add("encoding", &encoding,
             "Mask encoding: value = pixel values are class numbers (grayscale or palette index); color = pixels have "
             "the class's color; auto = color for RGB masks, value for all others.")
        .one_of({"auto", "value", "color"});
    options
        .add("unknown", &unknown, "What to do with mask pixels that match no class: report an error, or ignore them.")
        .one_of({"error", "ignore"});
    options.add("channels", &channels,
                "Convert images to 1 (grayscale) or 3 (RGB) channels. Default: keep the file's channels without alpha; "
                "all images must have the same number.");
  }
  void check(sectile::Problems& problems) const {
    pairs.check(problems);
    table.check(problems);
    const bool inside = !table.classes.empty() || !table.ignore.empty() || !table.ignore_colors.empty();
    if (inside && !classes_file.empty())
      problems.add("classes_file", "cannot be combined with classes, ignore or ignore_colors");
    if (pairs.masks && table.classes.empty() && classes_file.empty())
      problems.add("classes", "is missing: masks need \"classes\" or \"classes_file\" to be read");
    if (channels && *channels != 1 && *channels != 3)
      problems.add("channels", std::to_string(*channels) + " is neither 1 nor 3");
  }
};

class ImageFolder final : public sectile::Dataset {
 public:
  explicit ImageFolder(const ImageFolderOptions& options)
      : codes_(options.classes_file.empty() ? options.table : sectile::read_options<ClassTable>(options.classes_file),
               options.encoding, options.unknown),
        channels_(options.channels),
        entries_(find_entries(options.pairs)) {
    if (!entries_.front().mask.empty() && labels().classes.empty())
      throw sectile::OptionError("classes", "is missing: " + options.pairs.list.string() +
                                                " names masks, which need \"classes\" or \"classes_file\" to be read");
  }

  std::size_t size() const override { return entries_.size(); }
  const sectile::LabelMap& labels() const override { return codes_.labels(); }
  std::string id_of(std::size_t index) const override { return entries_.at(index).name; }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const Entry& entry = entries_.at(index);
    sectile::Sample sample;
    sample.id = entry.name;
    if (wanted.image)
      sample.image = convert(sectile::read_image(entry.image, entry.page), place_of(entry, entry.image));
    if (entry.mask.empty() || !wanted.labels) return sample;
    sample.labels = codes_.read(entry.mask, entry.page, place_of(entry, entry.mask));
    if (wanted.image && sample.labels.size() != sample.image.size()) {
      const auto size = [](const cv::Mat& map) { return std::to_string(map.cols) + " x " + std::to_string(map.rows); };
      throw DataError(place_of(entry, entry.mask), "is " + size(sample.labels) + " pixels, and its image " +
                                                       entry.image.string() + " is " + size(sample.image) +
                                                       " (width x height)");
    }
    return sample;
  }

  sectile::Extent extent_of(std::size_t index) const override {
    const Entry& entry = entries_.at(index);
    const cv::Size size = sectile::read_size(entry.image, entry.page);
    return {1, size.height, size.width};
  }

 private:
  cv::Mat convert(const cv::Mat& image, const std::string& place) const {
    if (!channels_ || *channels_ == image.channels()) return image;
    if ((image.channels() != 1 && image.channels() != 3) || image.depth() == CV_16S)
      throw DataError(place, "has " + std::to_string(image.channels()) + " channels of " +
                                 cv::depthToString(image.depth()) +
                                 ", which cannot become grey or RGB: leave out \"channels\"");
    cv::Mat converted;
    cv::cvtColor(image, converted, image.channels() == 1 ? cv::COLOR_GRAY2RGB : cv::COLOR_RGB2GRAY);
    return converted;
  }

  LabelCodes codes_;
  std::optional<int> channels_;
  std::vector<Entry> entries_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<ImageFolder, ImageFolderOptions>(
                            "image_folder", "Images and masks in folders, paired by name, by patterns or by a list."))
