// Images and masks in folders, matched by name: the layout of most datasets.
#include <algorithm>

#include <sectile/data/image_io.h>
#include <sectile/data/image_size.h>
#include <sectile/data/label_files.h>
#include <sectile/data/options_file.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "files.h"
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
using sectile::size_text;

struct ImageFolderOptions {
  PairOptions pairs;
  ClassTable table;
  fs::path classes_file;
  Encoding encoding = Encoding::automatic;
  Unknown unknown = Unknown::error;
  std::optional<int> channels;
  sectile::OrientationOption orientation;

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
    options.add(
        "channels", &channels,
        "Number of channels. 1 (grayscale) and 3 (RGB) are converted into each other; with 2 and 4, a channel "
        "that the file declares as alpha is kept, such as near infrared in many 4-band TIFFs. Default: keep the "
        "file's channels without alpha; all images must have the same number.");
    orientation.declare(options);
  }
  void check(sectile::Problems& problems) const {
    pairs.check(problems);
    table.check(problems);
    const bool inside = !table.classes.empty() || !table.ignore.empty() || !table.ignore_colors.empty();
    if (inside && !classes_file.empty())
      problems.add("classes_file", "cannot be combined with classes, ignore or ignore_colors");
    if (pairs.masks && table.classes.empty() && classes_file.empty())
      problems.add("classes", "is missing: masks need \"classes\" or \"classes_file\" to be read");
    if (channels && !pairs.band_suffixes.empty())
      problems.add("channels", "cannot be combined with band_suffixes: the transform select_channels selects channels");
    if (channels && (*channels < 1 || *channels > 4))
      problems.add("channels", std::to_string(*channels) + " is not from 1 to 4");
  }
};

class ImageFolder final : public sectile::Dataset, public sectile::Notes, public sectile::LabelFiles {
 public:
  explicit ImageFolder(const ImageFolderOptions& options)
      : codes_(options.classes_file.empty() ? options.table : sectile::read_options<ClassTable>(options.classes_file),
               options.encoding, options.unknown),
        classes_file_(options.classes_file),
        channels_(options.channels),
        apply_exif_orientation_(options.orientation.apply_exif_orientation),
        entries_(find_entries(options.pairs, notes_)) {
    if (!options.classes_file.empty() && labels().classes.empty())
      throw DataError(options.classes_file.string(), "has no \"classes\"");
    if (!entries_.front().mask.empty() && labels().classes.empty())
      throw sectile::OptionError("classes", "is missing: " + options.pairs.list.string() +
                                                " names masks, which need \"classes\" or \"classes_file\" to be read");
    note_alpha(entries_.front());
    if (const auto& mask = entries_.front().mask; image_folder::is_jpeg(mask))
      notes_.push_back(mask.string() +
                       ": is a JPEG, which changes values where it compresses, so that pixels near borders may get "
                       "another class; save masks as PNG");
  }

  std::vector<std::string> notes() const override { return notes_; }

  std::size_t size() const override { return entries_.size(); }
  const sectile::LabelMap& labels() const override { return codes_.labels(); }
  std::optional<std::vector<fs::path>> label_files() const override {
    auto files = sectile::files_of_entries(entries_, &Entry::mask);
    if (!classes_file_.empty()) files.push_back(classes_file_);
    return files;
  }
  std::string id_of(std::size_t index) const override { return entries_.at(index).name; }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const Entry& entry = entries_.at(index);
    sectile::Sample sample;
    sample.id = entry.name;
    if (wanted.image)
      sample.image =
          with_bands(entry, convert(sectile::read_image(entry.image, reading(entry)), place_of(entry, entry.image)));
    if (entry.mask.empty() || !wanted.labels) return sample;
    auto of_mask = reading(entry);
    of_mask.keep_alpha = false;
    sample.labels = codes_.read(entry.mask, of_mask, place_of(entry, entry.mask));
    if (wanted.image && sample.labels.size() != sample.image.size())
      refuse_size(entry, sample.labels.size(), sample.image.size());
    return sample;
  }

  sectile::Extent extent_of(std::size_t index) const override {
    const Entry& entry = entries_.at(index);
    const cv::Size size = sectile::read_size(entry.image, reading(entry));
    return {1, size.height, size.width};
  }

 private:
  sectile::ReadOptions reading(const Entry& entry) const {
    return {.page = entry.page,
            .apply_exif_orientation = apply_exif_orientation_,
            .keep_alpha = channels_ == 2 || channels_ == 4 || !entry.bands.empty()};
  }

  cv::Mat with_bands(const Entry& entry, const cv::Mat& image) const {
    if (entry.bands.empty()) return image;
    std::vector<cv::Mat> files{image};
    int channels = image.channels();
    for (const auto& band : entry.bands) {
      if (const int pages = sectile::read_info(band).pages; entry.pages > 0 && pages != entry.pages)
        throw DataError(place_of(entry, band), "has " + std::to_string(pages) + " pages, and " + entry.image.string() +
                                                   " has " + std::to_string(entry.pages) +
                                                   ": each page is another image, and bands must be alike");
      files.push_back(sectile::read_image(band, reading(entry)));
      channels += files.back().channels();
      const auto& read = files.back();
      if (read.size() != image.size() || read.depth() != image.depth())
        throw DataError(place_of(entry, band), "is " + size_text(read.size()) + " pixels (width x height) of " +
                                                   cv::depthToString(read.depth()) + ", and " + entry.image.string() +
                                                   " is " + size_text(image.size()) + " of " +
                                                   cv::depthToString(image.depth()) + ": bands must be alike");
    }
    if (channels > CV_CN_MAX)
      throw DataError(place_of(entry, entry.image), "has " + std::to_string(channels) +
                                                        " channels with its bands, and up to " +
                                                        std::to_string(CV_CN_MAX) + " are read");
    cv::Mat joined;
    cv::merge(files, joined);
    return joined;
  }

  // Whether all images are like the first one is not known before they are read.
  void note_alpha(const Entry& first) {
    if (!first.bands.empty()) return;  // all channels are read
    try {
      const auto info = sectile::read_info(first.image, reading(first));
      if (info.alpha && !channels_)
        notes_.push_back(first.image.string() + ": channel " + std::to_string(info.channels) +
                         " is declared as alpha and left out, here and in images like it; to keep it, set "
                         "\"channels\" to " +
                         std::to_string(info.channels));
    } catch (const DataError&) {  // a damaged image is a bad sample, and reading it will say why
    }
  }

  [[noreturn]] void refuse_size(const Entry& entry, const cv::Size& mask, const cv::Size& image) const {
    throw DataError(place_of(entry, entry.mask), "is " + size_text(mask) + " pixels, and its image " +
                                                     entry.image.string() + " is " + size_text(image) +
                                                     " (width x height)" +
                                                     sectile::orientation_advice(entry.image, reading(entry), mask));
  }

  cv::Mat convert(const cv::Mat& image, const std::string& place) const {
    if (!channels_ || *channels_ == image.channels()) return image;
    const auto is_color_or_grey = [](int channels) { return channels == 1 || channels == 3; };
    if (!is_color_or_grey(image.channels()) || !is_color_or_grey(*channels_) || image.depth() == CV_16S)
      throw DataError(place, "has " + std::to_string(image.channels()) + " channels of " +
                                 cv::depthToString(image.depth()) + ", which cannot become " +
                                 (is_color_or_grey(*channels_) ? "grey or RGB" : std::to_string(*channels_)) +
                                 ": leave out \"channels\"");
    cv::Mat converted;
    cv::cvtColor(image, converted, image.channels() == 1 ? cv::COLOR_GRAY2RGB : cv::COLOR_RGB2GRAY);
    return converted;
  }

  std::vector<std::string> notes_;  // for the user
  LabelCodes codes_;
  fs::path classes_file_;
  std::optional<int> channels_;
  bool apply_exif_orientation_;
  std::vector<Entry> entries_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<ImageFolder, ImageFolderOptions>(
                            "image_folder", "Images and masks in folders, paired by name, by patterns or by a list."))
