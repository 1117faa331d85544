// Pictures in one folder, masks of the same names in another: the layout of most small data sets.
#include <algorithm>
#include <map>
#include <set>

#include <sectile/data/image_io.h>
#include <sectile/data/options_file.h>
#include <sectile/dataset.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "label_codes.h"

namespace {

namespace fs = std::filesystem;
using image_folder::ClassTable;
using image_folder::Encoding;
using image_folder::LabelCodes;
using image_folder::Unknown;
using sectile::DataError;

struct ImageFolderOptions {
  fs::path root;
  std::string images = "images";
  std::optional<std::string> masks;
  std::string image_suffix = ".png";
  std::string mask_suffix = ".png";
  ClassTable table;
  fs::path classes_file;
  Encoding encoding = Encoding::automatic;
  Unknown unknown = Unknown::error;
  std::optional<int> channels;
  int skip = 0;
  std::optional<int> limit;

  void declare(sectile::Options& options) {
    options.add("root", &root, "The folder of the data set.").required().not_empty();
    options.add("images", &images, "The folder of the pictures (PNG) below root; folders in it are searched too.");
    options.add("masks", &masks, "The folder of the masks (PNG) below root. Left out: the pictures are unlabelled.");
    options
        .add("image_suffix", &image_suffix,
             "How a picture's file name ends; what stands before it is the sample's name, and its mask's.")
        .not_empty();
    options
        .add("mask_suffix", &mask_suffix,
             "How a mask's file name ends, such as \"_mask.png\" for the mask cat_mask.png of the picture cat.png.")
        .not_empty();
    table.declare(options);
    options.add("classes_file", &classes_file,
                "A JSON file with \"classes\", \"ignore\" and \"ignore_colors\" instead of these options, for several "
                "specs to share.");
    options
        .add("encoding", &encoding,
             "What a mask's pixels are: value = a number (grey, or the index of a palette); color = the colour of "
             "the class; auto = color in masks with red, green and blue, value in all others.")
        .one_of({"auto", "value", "color"});
    options.add("unknown", &unknown, "What happens at a mask's pixel that belongs to no class: error, or ignore it.")
        .one_of({"error", "ignore"});
    options.add("channels", &channels,
                "1 or 3: pictures are turned into grey or RGB. Left out: as the files are, without alpha, which must "
                "then be alike.");
    options.add("skip", &skip, "So many pictures are left out at the beginning, in the order of names (2 before 10).")
        .at_least(0);
    options.add("limit", &limit, "At most so many pictures are used, after those skipped. Left out: all.").at_least(1);
  }
  void check(sectile::Problems& problems) const {
    table.check(problems);
    const bool inside = !table.classes.empty() || !table.ignore.empty() || !table.ignore_colors.empty();
    if (inside && !classes_file.empty())
      problems.add("classes_file", "stands beside classes, ignore or ignore_colors: say it in one place");
    if (masks && table.classes.empty() && classes_file.empty())
      problems.add("classes", "is missing: masks need \"classes\" or \"classes_file\" to be read");
    if (channels && *channels != 1 && *channels != 3)
      problems.add("channels", std::to_string(*channels) + " is neither 1 nor 3");
  }
};

// Numbers inside names count as numbers: "2" comes before "10".
bool natural_less(const std::string& a, const std::string& b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto number = [&](const std::string& text, std::size_t& at) {
    while (at < text.size() && text[at] == '0') ++at;
    const std::size_t begin = at;
    while (at < text.size() && digit(text[at])) ++at;
    return std::string_view(text).substr(begin, at - begin);
  };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const auto x = number(a, i), y = number(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i, ++j;
    }
  }
  return std::pair(a.size() - i, a) < std::pair(b.size() - j, b);
}

struct Listing {
  std::vector<std::string> names{};      // below the folder, without the suffix, in natural order
  std::map<std::string, int> endings{};  // of the other files, for messages
};

std::string folders_in(const fs::path& folder) {
  std::set<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_directory(error)) found.insert(entry.path().filename().string());
  std::string all;
  for (const auto& name : found) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "no folder" : all;
}

void check_folder(const fs::path& folder, const char* option) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return;
  std::string reason = std::string("is no folder; option \"") + option + "\" names it";
  if (fs::is_directory(folder.parent_path(), error))
    reason += "; in " + folder.parent_path().string() + " there is: " + folders_in(folder.parent_path());
  throw DataError(folder, reason);
}

Listing list(const fs::path& folder, const std::string& suffix, const std::string& other_suffix) {
  Listing listing;
  try {
    for (const auto& entry :
         fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().lexically_relative(folder).generic_string();
      const bool other = other_suffix.size() > suffix.size() && name.ends_with(other_suffix);
      if (name.ends_with(suffix) && name.size() > suffix.size() && !other)
        listing.names.push_back(name.substr(0, name.size() - suffix.size()));
      else
        ++listing.endings[entry.path().extension().string()];
    }
  } catch (const fs::filesystem_error& error) {
    throw DataError(folder, std::string("cannot be listed: ") + error.what());
  }
  std::sort(listing.names.begin(), listing.names.end(), natural_less);
  return listing;
}

class ImageFolder final : public sectile::Dataset {
 public:
  explicit ImageFolder(const ImageFolderOptions& options)
      : options_(options),
        codes_(options.classes_file.empty() ? options.table : sectile::read_options<ClassTable>(options.classes_file),
               options.encoding, options.unknown),
        images_((options.root / options.images).lexically_normal()),
        masks_((options.root / options.masks.value_or("")).lexically_normal()) {
    check_folder(options.root, "root");
    check_folder(images_, "images");
    if (options.masks) check_folder(masks_, "masks");
    find_pictures();
    if (options.masks) find_masks();
  }

  std::size_t size() const override { return names_.size(); }
  const sectile::LabelMap& labels() const override { return codes_.labels(); }

  sectile::Sample read(std::size_t index) const override {
    sectile::Sample sample;
    sample.id = names_.at(index);
    sample.image = convert(sectile::read_image(image_file(sample.id)));
    if (!options_.masks) return sample;
    sample.labels = codes_.read(mask_file(sample.id));
    if (sample.labels.size() != sample.image.size()) {
      const auto size = [](const cv::Mat& map) { return std::to_string(map.cols) + " x " + std::to_string(map.rows); };
      throw DataError(mask_file(sample.id), "is " + size(sample.labels) + " pixels, and its picture " +
                                                image_file(sample.id).string() + " is " + size(sample.image) +
                                                " (width x height)");
    }
    return sample;
  }

  std::vector<int> classes_of(std::size_t index) const override {
    if (!options_.masks) return {};
    const cv::Mat labels = codes_.read(mask_file(names_.at(index)));
    std::vector<bool> seen(codes_.labels().classes.size());
    for (auto it = labels.begin<std::int16_t>(); it != labels.end<std::int16_t>(); ++it)
      if (*it >= 0) seen[static_cast<std::size_t>(*it)] = true;
    std::vector<int> classes;
    for (std::size_t i = 0; i < seen.size(); ++i)
      if (seen[i]) classes.push_back(static_cast<int>(i));
    return classes;
  }

 private:
  fs::path image_file(const std::string& name) const { return images_ / (name + options_.image_suffix); }
  fs::path mask_file(const std::string& name) const { return masks_ / (name + options_.mask_suffix); }

  void find_pictures() {
    const bool together = options_.masks && images_ == masks_;
    Listing found = list(images_, options_.image_suffix, together ? options_.mask_suffix : "");
    if (found.names.empty()) {
      std::string others;
      for (const auto& [ending, count] : found.endings)
        others += (others.empty() ? "; there are " : ", ") + std::to_string(count) + " of \"" + ending + "\"";
      throw DataError(images_, "holds no picture: no file name there ends with \"" + options_.image_suffix + "\"" +
                                   (others.empty() ? "; there is no file at all" : others) +
                                   ". See \"image_suffix\"; pictures must be PNG");
    }
    const auto skip = static_cast<std::size_t>(options_.skip);
    if (skip >= found.names.size())
      throw DataError(images_, "holds " + std::to_string(found.names.size()) + " pictures, and \"skip\" leaves out " +
                                   std::to_string(skip));
    const std::size_t left = found.names.size() - skip;
    const std::size_t count = options_.limit ? std::min(left, static_cast<std::size_t>(*options_.limit)) : left;
    const auto begin = found.names.begin() + static_cast<std::ptrdiff_t>(skip);
    names_.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  }

  void find_masks() const {
    constexpr std::size_t kShown = 5;
    std::size_t missing = 0;
    std::string shown;
    for (const auto& name : names_) {
      std::error_code error;
      if (fs::is_regular_file(mask_file(name), error)) continue;
      if (missing++ < kShown) shown += (shown.empty() ? "" : ", ") + name + options_.mask_suffix;
    }
    if (missing == 0) return;
    throw DataError(masks_, "has no mask for " + std::to_string(missing) + " of " + std::to_string(names_.size()) +
                                " pictures in " + images_.string() + ": " + shown +
                                (missing > kShown ? " and " + std::to_string(missing - kShown) + " more" : "") +
                                " not found. See \"mask_suffix\"");
  }

  cv::Mat convert(const cv::Mat& image) const {
    if (!options_.channels || *options_.channels == image.channels()) return image;
    cv::Mat converted;
    cv::cvtColor(image, converted, image.channels() == 1 ? cv::COLOR_GRAY2RGB : cv::COLOR_RGB2GRAY);
    return converted;
  }

  ImageFolderOptions options_;
  LabelCodes codes_;
  fs::path images_;
  fs::path masks_;
  std::vector<std::string> names_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<ImageFolder, ImageFolderOptions>(
                            "image_folder", "PNG pictures in one folder, PNG masks of the same names in another."))
