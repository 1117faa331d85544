#include "coco_predictions.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <set>

#include <opencv2/core.hpp>

#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>

#include "../../framework/ground/images/image_file.h"
#include "../../framework/ground/json_line.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

// Numbers of classes in files; below 0: none, as of the background of objects.
std::vector<std::int64_t> category_ids(const LabelMap& labels, const std::string& format) {
  std::vector<std::int64_t> ids;
  std::set<std::int64_t> taken;
  for (const auto& one : labels.classes) {
    if (one.category_id < 0 && one.name != "background")
      refuse_classes(format,
                     "class \"" + one.name + "\" has no number in files, as classes that were merged have none");
    if (one.category_id >= 0 && !taken.insert(one.category_id).second)
      refuse_classes(format, "class \"" + one.name + "\" has the number " + std::to_string(one.category_id) +
                                 " in files, as another class has");
    ids.push_back(one.category_id);
  }
  return ids;
}

// Where no benchmark's numbers are expected and a class has none, or another's: 1, 2, …
struct ClassNumbers {
  std::vector<std::int64_t> ids;
  bool are_places = false;

  ClassNumbers(const LabelMap& labels, Numbers numbers) {
    try {
      ids = category_ids(labels, "coco");
    } catch (const DataError&) {
      if (numbers == Numbers::of_coco) throw;
      are_places = true;
      for (const auto& one : labels.classes)
        ids.push_back(one.name == "background" ? -1 : static_cast<std::int64_t>(ids.size()) + 1);
    }
  }
};

// The image_id of each image, which two must not share.
class ImageIds {
 public:
  void add(std::int64_t id, const fs::path& name) {
    static const std::string what =
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

// The same where any numbers will do: those of COCO if all images have one of their own, else 1, 2, …
class ImageIdsOrPlaces {
 public:
  explicit ImageIdsOrPlaces(Numbers numbers) : numbers_(numbers) {}
  void add(std::int64_t id, const ImageInput& image) {
    images_.push_back(image.source.place());
    try {
      if (!are_places_) ids_.add(id, image.name);
    } catch (const DataError&) {
      if (numbers_ == Numbers::of_coco) throw;
      are_places_ = true;
    }
  }
  bool are_places() const { return are_places_; }
  // index: of the image, in the order in which they were added.
  std::int64_t of(std::size_t index, std::int64_t id) const {
    return are_places_ ? static_cast<std::int64_t>(index) + 1 : id;
  }
  const std::string& file_of(std::size_t index) const { return images_.at(index); }

 private:
  Numbers numbers_;
  ImageIds ids_;
  bool are_places_ = false;
  std::vector<std::string> images_;
};

// A JSON file of many lines, which appears when all of them are there. Until then they are in a file without a name, of
// which nothing is left if the program is stopped.
class JsonList {
 public:
  JsonList(fs::path file, std::string before) : file_(std::move(file)), before_(std::move(before)) {}
  void add(const JsonLine& line) {
    write(before_ + line.text());
    before_ = ",\n";
    is_empty_ = false;
  }
  const fs::path& file() const { return file_; }
  void finish(const std::string& after) {
    write((is_empty_ ? before_ : "") + after);
    if (std::fseek(lines_.get(), 0, SEEK_SET) != 0) fail();
    ReplacedFile out(file_);
    std::vector<char> part(1 << 20);
    while (const auto count = std::fread(part.data(), 1, part.size(), lines_.get())) out.write(part.data(), count);
    if (std::ferror(lines_.get())) fail();
    out.commit();
  }

 private:
  void write(const std::string& text) {
    if (!lines_) open();
    if (std::fwrite(text.data(), 1, text.size(), lines_.get()) != text.size()) fail();
  }
  void open() {
    auto name = (file_.parent_path() / ".sectile-XXXXXX").string();
    const int descriptor = mkstemp(name.data());
    if (descriptor < 0) fail();
    unlink(name.c_str());
    lines_.reset(fdopen(descriptor, "w+b"));
    if (!lines_) fail();
  }
  [[noreturn]] void fail() const {
    throw DataError(file_.string(), std::string("cannot be written: ") + std::strerror(errno));
  }

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  fs::path file_;
  std::string before_;  // the next line
  bool is_empty_ = true;
  std::unique_ptr<std::FILE, Close> lines_;
};

JsonLine rle_line(const Rle& rle) {
  return JsonLine()
      .add("size", std::vector<double>{static_cast<double>(rle.size.height), static_cast<double>(rle.size.width)})
      .add("counts", to_coco(rle));
}

std::vector<double> box_numbers(const cv::Rect2d& box) { return {box.x, box.y, box.width, box.height}; }

class CocoResultsFile final : public PredictionFormat {
 public:
  CocoResultsFile(const Network& network, const fs::path& folder, Numbers numbers)
      : labels_(*network.context.labels),
        classes_(labels_, numbers),
        image_ids_(numbers),
        of_instances_(network.spec.task != Task::semantic),
        results_(folder / "results.json", "["),
        images_(folder / "images.json", "{\"images\": [") {}
  std::vector<std::string> endings() const override { return {}; }
  std::vector<fs::path> wholes() const override {
    if (of_instances_) return {results_.file(), images_.file()};
    return {results_.file()};
  }
  void ask(PredictOptions& options) const override {
    options.instances = of_instances_;
    options.labels = !of_instances_;
  }

  void expect(std::int64_t image_id, const ImageInput& image) override { image_ids_.add(image_id, image); }

  void write(const PredictedImage& image, const fs::path&, std::int64_t image_id) override {
    const auto number = image_ids_.of(image.index, image_id);
    images_.add(JsonLine()
                    .add("id", number)
                    .add("file_name", image_ids_.file_of(image.index))
                    .add("width", std::int64_t{image.image.cols})
                    .add("height", std::int64_t{image.image.rows}));
    if (!of_instances_) return write_classes(image, number);
    for (const auto& instance : image.instances) {
      if (classes_.ids.at(static_cast<std::size_t>(instance.category)) < 0) continue;
      JsonLine line = entry(number, instance.category, instance.score);
      line.add("bbox", box_numbers(instance.box));
      if (!instance.mask.empty()) line.add("segmentation", rle_line(instance.mask.rle()));
      results_.add(line);
    }
  }
  void finish() override {
    results_.finish("]\n");
    if (!of_instances_) return;
    std::string categories;
    for (std::size_t i = 0; i < classes_.ids.size(); ++i)
      if (classes_.ids[i] >= 0)
        categories += (categories.empty() ? "" : ",\n") +
                      JsonLine().add("id", classes_.ids[i]).add("name", labels_.classes[i].name).text();
    images_.finish("],\n\"categories\": [" + categories + "]}\n");
  }
  std::string note() const override {
    const auto numbered = " are numbered from 1 in " + results_.file().filename().string() + ", and " +
                          images_.file().filename().string() + " tells which number is which";
    const char* const images = image_ids_.are_places() ? "names of images are no image_ids of COCO: images" : "";
    const char* const classes = classes_.are_places ? "classes have no numbers in files: classes" : "";
    if (*images && *classes) return std::string(images) + " and classes" + numbered;
    return *images || *classes ? (*images ? images : classes) + numbered : "";
  }

 private:
  JsonLine entry(std::int64_t image, int category, double score) const {
    JsonLine line;
    line.add("image_id", image)
        .add("category_id", classes_.ids.at(static_cast<std::size_t>(category)))
        .add("score", score);
    return line;
  }
  void write_classes(const PredictedImage& image, std::int64_t number) {
    for (std::size_t c = 0; c < classes_.ids.size(); ++c) {
      const cv::Mat mask = image.labels == static_cast<int>(c);
      if (classes_.ids[c] < 0 || cv::countNonZero(mask) == 0) continue;
      const auto rle = rle_of(mask);
      JsonLine line = entry(number, static_cast<int>(c), 1);
      line.add("bbox", box_numbers(box_of(rle))).add("segmentation", rle_line(rle));
      results_.add(line);
    }
  }

  const LabelMap& labels_;
  ClassNumbers classes_;
  ImageIdsOrPlaces image_ids_;
  bool of_instances_;
  JsonList results_, images_;
};

class CocoPanopticFile final : public PredictionFormat {
 public:
  CocoPanopticFile(const Network& network, const fs::path& folder)
      : ids_(category_ids(*network.context.labels, "coco_panoptic")),
        of_segments_(network.spec.task == Task::panoptic),
        folder_(folder),
        list_(folder / "panoptic.json", "{\"annotations\": [") {}
  std::vector<fs::path> wholes() const override { return {list_.file()}; }
  void ask(PredictOptions& options) const override {
    options.segments = of_segments_;
    options.labels = !of_segments_;
  }

  void expect(std::int64_t image_id, const ImageInput& image) override { image_ids_.add(image_id, image.name); }

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
  fs::path folder_;
  JsonList list_;
};

}  // namespace

std::unique_ptr<PredictionFormat> coco_results(const Network& network, const fs::path& folder, Numbers numbers) {
  return std::make_unique<CocoResultsFile>(network, folder, numbers);
}

std::unique_ptr<PredictionFormat> coco_panoptic(const Network& network, const fs::path& folder) {
  return std::make_unique<CocoPanopticFile>(network, folder);
}

}  // namespace sectile
