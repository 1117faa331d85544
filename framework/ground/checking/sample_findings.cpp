#include "sample_findings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <opencv2/core.hpp>

#include "../component_call.h"
#include "../data/label_counts.h"
#include "../data/rows.h"

namespace sectile {
namespace {

constexpr float kSlack = 1;  // pixels that a box or polygon may reach out of the image: files round

std::string size_text(const Extent& size) {
  return (size.depth > 1 ? std::to_string(size.depth) + " x " : "") + std::to_string(size.height) + " x " +
         std::to_string(size.width);
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

// Findings of a sample: the first message of each kind, and how often it came.
class Findings {
 public:
  void add(Finding finding, const std::string& message) {
    auto& [count, first] = found_[finding];
    if (count++ == 0) first = message;
  }
  bool has(Finding finding) const { return found_.count(finding) > 0; }
  std::vector<SampleFinding> all() const {
    std::vector<SampleFinding> findings;
    for (const auto& [finding, told] : found_)
      findings.push_back(
          {finding, told.second +
                        (told.first > 1 ? "; " + std::to_string(told.first - 1) + " more of this in the sample" : "")});
    return findings;
  }

 private:
  std::map<Finding, std::pair<std::int64_t, std::string>> found_;
};

// The part of polygons near their rings, so that a small object of a large image needs a small bitmap.
Mask cropped(const Polygons& polygons) {
  double left = polygons.size.width, top = polygons.size.height, right = 0, bottom = 0;
  for (const auto& ring : polygons.rings)
    for (const auto& point : ring) {
      left = std::min<double>(left, point.x), right = std::max<double>(right, point.x);
      top = std::min<double>(top, point.y), bottom = std::max<double>(bottom, point.y);
    }
  const cv::Point first(static_cast<int>(std::max(0., std::floor(left))),
                        static_cast<int>(std::max(0., std::floor(top))));
  const cv::Point last(static_cast<int>(std::min<double>(polygons.size.width, std::ceil(right))),
                       static_cast<int>(std::min<double>(polygons.size.height, std::ceil(bottom))));
  auto part = polygons;
  part.size = {std::max(0, last.x - first.x), std::max(0, last.y - first.y)};
  for (auto& ring : part.rings)
    for (auto& point : ring) point -= cv::Point2d(first);
  return Mask(std::move(part));
}

std::int64_t pixels_of(const Mask& mask) {
  const auto* polygons = std::get_if<Polygons>(&mask.form());
  return polygons ? cropped(*polygons).area() : mask.area();
}

std::string text_of(const cv::Rect2f& box) {
  return "(x " + number(box.x) + ", y " + number(box.y) + ", width " + number(box.width) + ", height " +
         number(box.height) + ")";
}

// Class, whether it is a crowd, and the pixels of the mask: equal for equal objects.
using Contents = std::pair<int, std::vector<std::uint64_t>>;
Contents contents_of(const Instance& instance) {
  std::vector<std::uint64_t> values{instance.crowd};
  if (std::holds_alternative<cv::Mat>(instance.mask.form())) {
    const auto hash = hash_of(instance.mask.bitmap());
    values.insert(values.end(), {hash.low, hash.high});
  } else if (!instance.mask.empty()) {
    const auto rle = instance.mask.rle();
    values.insert(values.end(), rle.counts.begin(), rle.counts.end());
  }
  return {instance.category, std::move(values)};
}

class SampleCheck {
 public:
  SampleCheck(const Sample& sample, const LabelMap& labels, CheckedSample& checked, Findings& findings)
      : sample_(sample), labels_(labels), checked_(checked), findings_(findings) {}

  void run() {
    check_image();
    for (const auto& map : {sample_.image, sample_.labels, sample_.segment_ids})
      if (!map.empty() && size_.width == 0) size_ = extent(map);
    same_size(sample_.labels, "labels");
    same_size(sample_.segment_ids, "segment ids");
    for (const auto& [name, map] : sample_.targets) same_size(map, "target \"" + name + "\"");
    check_labels();
    check_objects();
    check_segments();
    for (const int tag : sample_.tags) is_class(tag, "a tag");
    checked_.dense = !sample_.labels.empty() || !sample_.segment_ids.empty();
    checked_.annotated =
        checked_.dense || !sample_.instances.empty() || !sample_.segments.empty() || !sample_.tags.empty();
    checked_.classes.assign(present_.begin(), present_.end());
  }

 private:
  void check_image() {
    const auto& image = sample_.image;
    if (image.empty()) return;
    checked_.image = ImageType{image.channels(), image.depth(), image.dims};
    checked_.hash = hash_of(image);
    checked_.constant = is_constant(image);
    if (checked_.constant) findings_.add(Finding::constant_image, "all pixels are equal");
    if (image.depth() == CV_32F && !cv::checkRange(image))
      findings_.add(Finding::not_finite, "has pixels that are not finite (NaN or Inf)");
  }

  bool same_size(const Extent& found, const std::string& what) {
    if (size_.width == 0 || found == size_) return true;
    findings_.add(Finding::size_differs,
                  what + " are " + size_text(found) + ", and the image is " + size_text(size_) + " (height x width)");
    return false;
  }
  bool same_size(const cv::Mat& map, const std::string& what) { return map.empty() || same_size(extent(map), what); }

  bool is_class(int category, const std::string& what) {
    const auto classes = static_cast<int>(labels_.classes.size());
    if (category >= 0 && category < classes) return present_.insert(category), true;
    findings_.add(Finding::unknown_class, what + " is of the class number " + std::to_string(category) +
                                              ", and there are " + std::to_string(classes) + " classes, from 0");
    return false;
  }

  std::string place(std::int64_t pixel, const cv::Mat& map) const {
    const auto width = std::int64_t{map.size[map.dims - 1]};
    return "pixel (" + std::to_string(pixel % width) + ", " + std::to_string(pixel / width) + ")";
  }

  void check_labels() {
    if (sample_.labels.empty()) return;
    LabelCounts counts;
    try {
      counts = count_labels(sample_.labels, static_cast<int>(labels_.classes.size()));
    } catch (const DataError& error) {
      return findings_.add(Finding::wrong_type, error.what());
    }
    for (std::size_t i = 0; i < counts.pixels.size(); ++i)
      if (counts.pixels[i] > 0) present_.insert(static_cast<int>(i));
    if (counts.wrong > 0)
      findings_.add(Finding::unknown_class,
                    place(counts.where, sample_.labels) + " of the labels has the value " + number(counts.first_wrong) +
                        (sample_.labels.depth() == CV_16S
                             ? ", and there are " + std::to_string(labels_.classes.size()) + " classes, from 0"
                             : ", and labels per class have 0 to 1, or -1 (ignored)") +
                        "; " + std::to_string(counts.wrong) + " such values");
    if (counts.ignored == counts.values) findings_.add(Finding::all_ignored, "all pixels of the labels are ignored");
  }

  std::string name_of_object(const Instance& instance, std::size_t position) const {
    auto text = "object " + std::to_string(position);
    if (instance.id != 0) text += " (id " + std::to_string(instance.id) + ")";
    return text;
  }

  void check_objects() {
    std::set<std::int64_t> ids;
    for (std::size_t i = 0; i < sample_.instances.size(); ++i) {
      const auto& instance = sample_.instances[i];
      const auto name = name_of_object(instance, i);
      is_class(instance.category, name);
      check_box(instance.box, name);
      const bool has_pixels = !instance.mask.empty() && check_mask(instance.mask, name);
      if (has_pixels) check_mask_in_box(instance, name);
      if (instance.area) check_area(*instance.area, name);
      if (has_pixels || instance.mask.empty()) check_repeated(i, name);
      if (instance.id != 0 && !ids.insert(instance.id).second)
        findings_.add(Finding::object_id_twice, name + ": an earlier object has the same id");
    }
  }

  void check_box(const cv::Rect2f& box, const std::string& name) {
    const auto text = name + " has the box " + text_of(box);
    const double right = double{box.x} + double{box.width}, bottom = double{box.y} + double{box.height};
    if (!std::isfinite(right) || !std::isfinite(bottom))
      findings_.add(Finding::box_not_finite, text);
    else if (box.width <= 0 || box.height <= 0)
      findings_.add(Finding::box_empty, text);
    else if (size_.width > 0 &&
             (box.x < -kSlack || box.y < -kSlack || right > size_.width + kSlack || bottom > size_.height + kSlack))
      findings_.add(Finding::box_outside, text + ", and the image is " + size_text(size_) + " (height x width)");
  }

  void check_area(double area, const std::string& name) {
    const auto pixels = double(size_.depth) * size_.height * size_.width;
    const auto most = size_.depth * (size_.height + 2 * double{kSlack}) * (size_.width + 2 * double{kSlack});
    if (!std::isfinite(area) || area < 0)
      findings_.add(Finding::area_invalid, name + " has the stated area " + number(area));
    else if (size_.width > 0 && area > most)
      findings_.add(Finding::area_invalid, name + " has the stated area " + number(area) + ", and the image has " +
                                               number(pixels) + " pixels");
  }

  // Boxes may be larger than masks: of objects that are partly hidden.
  void check_mask_in_box(const Instance& instance, const std::string& name) {
    const auto extent = instance.mask.box();
    if (extent.empty() || instance.box.empty()) return;
    const cv::Rect2f box(instance.box.x - kSlack, instance.box.y - kSlack, instance.box.width + 2 * kSlack,
                         instance.box.height + 2 * kSlack);
    if ((extent & box).area() < extent.area() / 2)
      findings_.add(Finding::mask_not_in_box,
                    name + " has the box " + text_of(instance.box) + ", and its mask has " + text_of(extent));
  }

  void check_repeated(std::size_t position, const std::string& name) {
    const auto& box = sample_.instances[position].box;
    if (!std::isfinite(box.x + box.y + box.width + box.height)) return;
    auto& [first, known] = by_box_.try_emplace({box.x, box.y, box.width, box.height}).first->second;
    if (!first) {
      first = position;  // masks are looked at where boxes are equal
      return;
    }
    if (known.empty()) known.emplace(contents_of(sample_.instances[*first]), *first);
    if (const auto [other, is_new] = known.emplace(contents_of(sample_.instances[position]), position); !is_new)
      findings_.add(Finding::object_twice,
                    name + " equals " + name_of_object(sample_.instances[other->second], other->second));
  }

  // Whether its pixels can be counted.
  bool check_mask(const Mask& mask, const std::string& name) {
    if (const auto* rle = std::get_if<Rle>(&mask.form())) {
      if (!same_size(Extent{1, rle->size.height, rle->size.width}, name + ": run lengths")) return false;
      const auto pixels = std::int64_t{rle->size.width} * rle->size.height;
      std::int64_t covered = 0;
      for (const auto count : rle->counts) covered += count;
      if (rle->size.width < 0 || rle->size.height < 0 || (covered != pixels && covered != 0))
        return findings_.add(Finding::mask_invalid, name + ": its run lengths cover " + std::to_string(covered) +
                                                        " pixels, and the image has " + std::to_string(pixels)),
               false;
    } else if (const auto* polygons = std::get_if<Polygons>(&mask.form())) {
      if (!same_size(Extent{1, polygons->size.height, polygons->size.width}, name + ": polygons")) return false;
      for (const auto& ring : polygons->rings)
        for (const auto& point : ring) {
          const auto corner = " has the corner (" + number(point.x) + ", " + number(point.y) + ")";
          if (!std::isfinite(point.x) || !std::isfinite(point.y))
            return findings_.add(Finding::mask_invalid, name + corner), false;
          if (point.x < -kSlack || point.y < -kSlack || point.x > polygons->size.width + kSlack ||
              point.y > polygons->size.height + kSlack) {
            findings_.add(Finding::mask_outside, name + corner);
            break;
          }
        }
    } else if (!same_size(std::get<cv::Mat>(mask.form()), name + ": its mask's pixels")) {
      return false;
    }
    const auto area = pixels_of(mask);
    if (area == 0) findings_.add(Finding::mask_empty, name + ": its mask covers no pixel");
    if (area == 1) findings_.add(Finding::one_pixel, name + ": its mask is a single pixel");
    return true;
  }

  void check_segments() {
    const auto& map = sample_.segment_ids;
    if (!map.empty() && map.type() != CV_32SC1)
      return findings_.add(Finding::wrong_type,
                           "segment ids are of " + cv::typeToString(map.type()) + ": expected CV_32SC1");
    std::map<std::int32_t, std::int64_t> pixels;
    each_row<std::int32_t>(map, [&](const std::int32_t* row, std::size_t count) {
      for (std::size_t x = 0, run = 0; x < count; x += run) {
        for (run = 1; x + run < count && row[x + run] == row[x];) ++run;
        pixels[row[x]] += static_cast<std::int64_t>(run);
      }
    });
    pixels.erase(0);  // void
    std::set<std::int32_t> listed;
    for (const auto& segment : sample_.segments) {
      const auto name = "segment " + std::to_string(segment.id);
      is_class(segment.category, name);
      if (!listed.insert(segment.id).second) {
        findings_.add(Finding::segment_twice, name + " is listed twice");
        continue;
      }
      const auto found = pixels.find(segment.id);
      if (found == pixels.end())
        findings_.add(Finding::segment_absent, name + " is listed, and has no pixel");
      else if (found->second == 1)
        findings_.add(Finding::one_pixel, name + " is a single pixel");
    }
    for (const auto& [id, count] : pixels)
      if (listed.count(id) == 0)
        findings_.add(Finding::segment_unlisted,
                      "segment " + std::to_string(id) + " has " + std::to_string(count) + " pixels, and is not listed");
  }

  const Sample& sample_;
  const LabelMap& labels_;
  CheckedSample& checked_;
  Findings& findings_;
  Extent size_{};
  std::set<int> present_;
  struct SameBox {
    std::optional<std::size_t> first{};
    std::map<Contents, std::size_t> known{};
  };
  std::map<std::array<float, 4>, SameBox> by_box_;  // objects, by their position
};

// Empty if it can be read.
std::string problem_reading(const std::shared_ptr<const Dataset>& data, std::size_t index, Parts wanted,
                            Sample& sample) {
  try {
    sample =
        call<DataError>(place_of(data), "sample " + std::to_string(index), [&] { return data->read(index, wanted); });
    return "";
  } catch (...) {
    return reason_of_exception();
  }
}

// What can be read of a sample that cannot be read as a whole.
Sample read_parts(const std::shared_ptr<const Dataset>& data, std::size_t index, const std::string& problem,
                  CheckedSample& checked, Findings& findings, std::string& untold) {
  Sample sample, labels, objects;
  const auto image = problem_reading(data, index, {.image = true, .labels = false, .objects = false}, sample);
  const auto of_labels = problem_reading(data, index, {.image = false, .labels = true, .objects = false}, labels);
  const auto of_objects = problem_reading(data, index, {.image = false, .labels = false, .objects = true}, objects);
  if (!image.empty()) findings.add(Finding::image_unreadable, image);
  if (!of_labels.empty()) findings.add(Finding::labels_unreadable, of_labels);
  if (!of_objects.empty() && of_objects != of_labels) findings.add(Finding::objects_unreadable, of_objects);
  if (image.empty() && of_labels.empty() && of_objects.empty()) untold = problem;
  checked.readable = of_labels.empty() && of_objects.empty();
  sample.labels = labels.labels;
  sample.tags = labels.tags;
  sample.instances = objects.instances;
  sample.segments = objects.segments;
  sample.segment_ids = objects.segment_ids;
  return sample;
}

std::string id_of(const std::shared_ptr<const Dataset>& data, std::size_t index) {
  try {
    const auto id = data->id_of(index);
    if (!id.empty()) return id;
  } catch (...) {
  }
  return "sample " + std::to_string(index);
}

}  // namespace

CheckedSample check_sample_of(const std::shared_ptr<const Dataset>& data, std::size_t index) {
  CheckedSample checked;
  Findings findings;
  Sample sample;
  std::string untold;
  const auto problem = problem_reading(data, index, {}, sample);
  if (!problem.empty()) sample = read_parts(data, index, problem, checked, findings, untold);
  checked.id = sample.id.empty() ? id_of(data, index) : sample.id;
  if (sample.image.empty() && !findings.has(Finding::image_unreadable)) findings.add(Finding::no_image, "has no image");
  try {
    SampleCheck(sample, data->labels(), checked, findings).run();
  } catch (...) {  // no memory for a mask, for example
    findings.add(Finding::sample_unreadable, reason_of_exception());
  }
  if (!untold.empty() && !findings.has(Finding::size_differs)) findings.add(Finding::sample_unreadable, untold);
  checked.findings = findings.all();
  if (!untold.empty())
    for (auto& [finding, message] : checked.findings)  // the dataset names the files
      if (finding == Finding::size_differs) message = untold;
  return checked;
}

double area_of(const Instance& instance) {
  if (instance.area) return *instance.area;
  if (!instance.mask.empty()) return static_cast<double>(pixels_of(instance.mask));
  return double{instance.box.width} * double{instance.box.height};
}

}  // namespace sectile
