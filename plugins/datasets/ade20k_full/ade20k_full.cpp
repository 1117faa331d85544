// The full ADE20K (Zhou et al. 2017; https://groups.csail.mit.edu/vision/datasets/ADE20K/) in its releases of 2016/17
// and 2020/21: thousands of classes and single objects in one color mask, NAME_seg.png.
#include <algorithm>
#include <set>

#include <sectile/data/colors.h>
#include <sectile/data/folders.h>
#include <sectile/data/image_io.h>
#include <sectile/data/image_size.h>
#include <sectile/data/label_files.h>
#include <sectile/data/options_file.h>
#include <sectile/data/regions.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <opencv2/core.hpp>

#include "class_index.h"
#include "full_tree.h"

namespace {

namespace fs = std::filesystem;
using ade20k_full::Entry;
using ade20k_full::kNumbers;
using sectile::DataError;
using sectile::kIgnore;
using sectile::OptionError;

struct FullClass {
  std::string name;
  std::vector<int> number;
  std::optional<std::array<int, 3>> color;
  bool thing = true;

  void declare(sectile::Options& options) {
    options.add("name", &name, "Class name.").required().not_empty();
    options
        .add("number", &number,
             "Number in masks: red / 10 * 256 + green, \"name_ndx\" in the JSON of 2020. With several, they become one "
             "class.")
        .required()
        .not_empty()
        .also_single()
        .at_least(1)
        .at_most(kNumbers - 1);
    options.add("color", &color, "[red, green, blue], 0 to 255, in written images. Default: chosen automatically.")
        .at_least(0)
        .at_most(255);
    options.add("thing", &thing, "Objects of the class are told apart. false: the class is stuff, such as sky.");
  }
};

struct FullClasses {
  std::vector<FullClass> classes;

  void declare(sectile::Options& options) {
    options.add("classes", &classes,
                "Classes in the order of their numbers, each {\"name\", \"number\", \"color\", \"thing\"}; everything "
                "else is ignored. Default: all that the texts beside the masks name (NAME.json, NAME_atr.txt), in "
                "every split, ordered by number. Reading those takes minutes for the whole data: list the classes for "
                "repeated use.");
  }
  void check(sectile::Problems& problems) const {
    std::set<std::string> names;
    std::set<int> numbers;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const auto at = "classes/" + std::to_string(i);
      if (!names.insert(classes[i].name).second)
        problems.add(at + "/name", "\"" + classes[i].name + "\" is the name of an earlier class");
      for (const int number : classes[i].number)
        if (!numbers.insert(number).second)
          problems.add(at + "/number", std::to_string(number) + " is the number of an earlier class");
    }
  }
};

struct Ade20kFullOptions {
  fs::path root;
  std::string split = "training";
  FullClasses table;
  fs::path classes_file;
  std::optional<bool> instances;
  sectile::OrientationOption orientation;

  void declare(sectile::Options& options) {
    options
        .add("root", &root,
             "The folder that contains training and validation, or ADE20K_2016_07_26 or ADE20K_2021_17_01 above it.")
        .required()
        .not_empty();
    options
        .add("split", &split,
             "Folder in it: training (or train), validation (or val), or your own. Images are found below it, beside "
             "their masks NAME_seg.png; masks of parts are not read.")
        .not_empty();
    table.declare(options);
    options.add("classes_file", &classes_file,
                "JSON file with \"classes\", instead of that option, to share between specs.");
    options.add("instances", &instances,
                "Read objects and panoptic segments, from the masks' blue. Default: if the task is instance or "
                "panoptic.");
    orientation.declare(options);
  }
  void check(sectile::Problems& problems) const {
    table.check(problems);
    if (!table.classes.empty() && !classes_file.empty())
      problems.add("classes_file", "cannot be combined with classes");
  }
};

class Ade20kFull final : public sectile::Dataset, public sectile::Notes, public sectile::LabelFiles {
 public:
  Ade20kFull(const Ade20kFullOptions& options, const sectile::BuildContext& context)
      : objects_(options.instances.value_or(context.task != sectile::Task::semantic)),
        reading_(options.orientation.reading()),
        classes_(kNumbers, kIgnore) {
    auto table = options.table.classes;
    if (!options.classes_file.empty()) {
      table = sectile::read_options<FullClasses>(options.classes_file).classes;
      if (table.empty()) throw DataError(options.classes_file.string(), "has no \"classes\"");
      class_files_.push_back(options.classes_file);
    }
    const auto root = ade20k_full::find_root(options.root);
    const auto splits = sectile::folders_in(root);
    const auto split = official(options.split);
    if (!std::count(splits.begin(), splits.end(), split))
      throw OptionError("split", (root / split).string() + " is not a folder; there are: " + sectile::joined(splits));
    std::vector<fs::path> left_out;
    entries_ = ade20k_full::find_entries(root / split, left_out);
    if (entries_.empty()) throw DataError((root / split).string(), "has no image with a mask NAME_seg.png");
    if (!left_out.empty())
      notes_.push_back((root / split).string() + ": " + std::to_string(left_out.size()) +
                       " images have no mask NAME_seg.png and are left out; the first is " + left_out.front().string());
    set_classes(table.empty() ? named_by_all(root, splits) : table);
  }

  std::size_t size() const override { return entries_.size(); }
  const sectile::LabelMap& labels() const override { return labels_; }
  std::string id_of(std::size_t index) const override { return entries_.at(index).name; }
  std::vector<std::string> notes() const override { return notes_; }
  std::optional<std::vector<fs::path>> label_files() const override {
    auto files = sectile::files_of_entries(entries_, &Entry::mask);
    files.insert(files.end(), class_files_.begin(), class_files_.end());
    return files;
  }

  sectile::Sample read(std::size_t index, sectile::Parts wanted) const override {
    const auto& entry = entries_.at(index);
    sectile::Sample sample;
    sample.id = entry.name;
    if (wanted.image) sample.image = sectile::read_image(entry.image, reading_);
    const bool objects = wanted.objects && objects_;
    if (!wanted.labels && !objects) return sample;
    const cv::Mat mask = ade20k_full::read_mask(entry.mask);
    if (wanted.image)
      sectile::demand_size_of_image(entry.mask, mask.size(), entry.image, sample.image.size(), reading_);
    sample.labels = cv::Mat(mask.size(), CV_16S);
    if (objects) sample.segment_ids = cv::Mat(mask.size(), CV_32S);
    for (int y = 0; y < mask.rows; ++y)
      for (int x = 0; x < mask.cols; ++x) {
        const auto& pixel = mask.at<cv::Vec3b>(y, x);
        const auto label = classes_[static_cast<std::size_t>(ade20k_full::number_of(pixel[0], pixel[1]))];
        sample.labels.at<std::int16_t>(y, x) = label;
        if (objects) sample.segment_ids.at<std::int32_t>(y, x) = segment_of(label, pixel[2]);
      }
    if (objects) add_objects(sample);
    return sample;
  }

  sectile::Extent extent_of(std::size_t index) const override {
    const cv::Size size = sectile::read_size(entries_.at(index).image, reading_);
    return {1, size.height, size.width};
  }

 private:
  static constexpr int kPerClass = 256;  // values of blue

  static std::string official(const std::string& split) {
    if (split == "train") return "training";
    return split == "val" ? "validation" : split;
  }

  // The same for training and validation.
  std::vector<FullClass> named_by_all(const fs::path& root, const std::vector<std::string>& splits) {
    std::vector<Entry> entries;
    for (const auto& split : splits) {
      std::vector<fs::path> left_out;
      auto more = ade20k_full::find_entries(root / split, left_out);
      entries.insert(entries.end(), more.begin(), more.end());
    }
    for (const auto& entry : entries) {
      if (entry.names.empty()) continue;
      class_files_.push_back(entry.names);
      if (ade20k_full::needs_mask(entry)) class_files_.push_back(entry.mask);
    }
    std::vector<FullClass> table;
    for (const auto& [number, name] : ade20k_full::find_names(entries)) {
      const auto same = std::find_if(table.begin(), table.end(), [&](const auto& one) { return one.name == name; });
      if (same == table.end())
        table.push_back({.name = name, .number = {number}, .color = {}, .thing = true});
      else
        same->number.push_back(number);
    }
    if (table.empty())
      throw OptionError("classes", "is missing: no text beside the masks (NAME.json, NAME_atr.txt) names a class");
    return table;
  }

  void set_classes(const std::vector<FullClass>& table) {
    for (const auto& one : table) {
      const auto number = labels_.classes.size();
      sectile::LabelClass made;
      made.name = one.name;
      made.category_id = one.number.front();
      made.thing = one.thing;
      made.color = sectile::distinct_color(static_cast<int>(number));
      if (one.color)
        std::transform(one.color->begin(), one.color->end(), made.color.begin(),
                       [](int level) { return static_cast<std::uint8_t>(level); });
      for (const int value : one.number) classes_[static_cast<std::size_t>(value)] = static_cast<std::int16_t>(number);
      labels_.classes.push_back(made);
    }
  }

  // 0: void. Objects are told apart by blue, which starts at 1.
  std::int32_t segment_of(int label, int blue) const {
    if (label == kIgnore) return 0;
    return (label + 1) * kPerClass + (labels_.classes[static_cast<std::size_t>(label)].thing ? blue : 0);
  }

  void add_objects(sectile::Sample& sample) const {
    for (auto& region : sectile::regions_of(sample.segment_ids)) {
      if (region.number == 0) continue;
      const int label = region.number / kPerClass - 1;
      const bool thing = labels_.classes[static_cast<std::size_t>(label)].thing;
      const bool crowd = thing && region.number % kPerClass == 0;
      sample.segments.push_back({region.number, label, crowd});
      if (!thing) continue;
      sectile::Instance instance;
      instance.id = region.number;
      instance.category = label;
      instance.crowd = crowd;
      instance.box = region.box;
      instance.area = static_cast<double>(region.area);
      instance.mask = sectile::Mask(std::move(region.mask));
      sample.instances.push_back(std::move(instance));
    }
  }

  bool objects_;
  sectile::ReadOptions reading_;
  std::vector<Entry> entries_;
  std::vector<fs::path> class_files_;  // say which number is which class
  std::vector<std::string> notes_;
  sectile::LabelMap labels_;
  std::vector<std::int16_t> classes_;  // by number in masks
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::dataset<Ade20kFull, Ade20kFullOptions>(
                   "ade20k_full", "The full ADE20K of 2016/17 or 2020/21: color masks of all classes and objects."))
