#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include <sectile/data/coco_panoptic_file.h>
#include <sectile/data/image_io.h>
#include <sectile/error.h>

#include "json_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostId = 0xffffff;

// One object of a list of the file: its place for messages.
struct Place {
  const fs::path& file;
  std::string text;  // "annotations[17]"

  [[noreturn]] void fail(const std::string& message) const { throw DataError(file.string() + ": " + text, message); }
};

// Of a member's text, which is empty if there is none. `fail` throws, or keeps the first message.
template <class Fail>
std::int64_t integer(const char* key, std::string_view text, const Fail& fail) {
  if (const auto number = integer_of(text)) return *number;
  fail(is_not(key, text, "a whole number"));
  return 0;
}
template <class Fail>
bool flag(const char* key, std::string_view text, const Fail& fail) {
  if (const auto value = flag_of(text)) return *value;
  fail(is_not(key, text, "0 or 1"));
  return false;
}

// The text of each member that `names` has, in their order; empty: there is none.
template <std::size_t N>
std::array<std::string_view, N> members(JsonObject object, const std::array<std::string_view, N>& names) {
  std::array<std::string_view, N> texts{};
  std::string buffer;
  for (auto field : object) {
    const auto key = key_of(field.key().value(), buffer);
    const auto found = std::find_if(names.begin(), names.end(), [&](std::string_view name) { return key == name; });
    if (found != names.end()) texts[static_cast<std::size_t>(found - names.begin())] = raw(field.value());
  }
  return texts;
}

PanopticCategory category(const Place& place, JsonObject object) {
  const auto fail = [&](const std::string& message) { place.fail(message); };
  PanopticCategory made;
  std::string_view id, thing, color;
  std::string buffer, fault;
  for (auto field : object) {
    const auto key = key_of(field.key().value(), buffer);
    if (key == "name")
      fault = read_string("name", field.value(), made.name);
    else if (key == "id")
      id = raw(field.value());
    else if (key == "isthing")
      thing = raw(field.value());
    else if (key == "color")
      color = raw(field.value());
  }
  made.id = integer("id", id, fail);
  made.thing = flag("isthing", thing, fail);
  if (!fault.empty()) place.fail(fault);
  if (made.name.empty()) place.fail("has no name");
  if (color.empty()) return made;
  std::vector<double> channels;
  const auto is_byte = [](double value) { return value >= 0 && value <= 255 && value == int(value); };
  if (!read_numbers(color, channels) || channels.size() != 3 || !std::all_of(channels.begin(), channels.end(), is_byte))
    place.fail(is_not("color", color, "[red, green, blue] of 0 to 255"));
  const auto byte = [&](std::size_t channel) { return static_cast<std::uint8_t>(channels[channel]); };
  made.color = std::array{byte(0), byte(1), byte(2)};
  return made;
}

PanopticImage image(const Place& place, JsonObject object) {
  const auto fail = [&](const std::string& message) { place.fail(message); };
  PanopticImage made;
  std::string_view id, width, height;
  std::string buffer;
  for (auto field : object) {
    const auto key = key_of(field.key().value(), buffer);
    if (key == "file_name")
      made.image_fault = read_string("file_name", field.value(), made.file_name);
    else if (key == "id")
      id = raw(field.value());
    else if (key == "width")
      width = raw(field.value());
    else if (key == "height")
      height = raw(field.value());
  }
  made.id = integer("id", id, fail);
  auto of_size = read_stated_size(width, height, made.size);
  if (made.image_fault.empty()) made.image_fault = std::move(of_size);
  return made;
}

// An annotation as in the file: images and categories may follow later.
struct Annotation {
  std::int64_t image = 0;
  std::string place{};
  std::string mask{};
  std::vector<PanopticSegment> segments{};
  std::vector<std::int64_t> categories{};  // of the segments
  std::string fault{};
};

void add_segment(JsonObject object, std::set<std::int64_t>& ids, Annotation& annotation) {
  const auto where = "segments_info[" + std::to_string(annotation.segments.size()) + "] ";
  const auto fail = [&](const std::string& message) {
    if (annotation.fault.empty()) annotation.fault = where + message;
  };
  const auto [id, category_id, crowd, area] = members<4>(object, {"id", "category_id", "iscrowd", "area"});
  const auto number = integer("id", id, fail);
  if (annotation.fault.empty() && (number < 1 || number > kMostId))
    fail(is_not("id", id, "1 to " + std::to_string(kMostId) + " (0 is void)"));
  if (!ids.insert(number).second) fail("has the id " + std::to_string(number) + " of another segment");
  PanopticSegment made;
  made.id = static_cast<std::int32_t>(std::clamp<std::int64_t>(number, 0, kMostId));
  made.crowd = !crowd.empty() && flag("iscrowd", crowd, fail);
  if (!area.empty() && area != "null") {
    made.area = number_of(area);
    if (!made.area) fail(is_not("area", area, "a finite number"));
  }
  annotation.segments.push_back(made);
  annotation.categories.push_back(integer("category_id", category_id, fail));
}

void add_segments(JsonValue value, std::set<std::int64_t>& ids, Annotation& annotation) {
  if (!is_array(value)) {
    annotation.fault = is_not("segments_info", raw(value), "a list");
    return;
  }
  std::size_t count = 0;
  for (JsonValue segment : value.get_array()) {
    const auto index = count++;
    if (is_object(segment))
      add_segment(segment.get_object(), ids, annotation);
    else if (annotation.fault.empty())
      annotation.fault = "segments_info[" + std::to_string(index) + "] " + kIsNoObject;
  }
}

Annotation annotation(const Place& place, JsonObject object) {
  Annotation made;
  made.place = place.text;
  std::string_view image_id;
  bool has_segments = false;
  std::set<std::int64_t> ids;
  std::string buffer, of_mask;
  for (auto field : object) {
    const auto key = key_of(field.key().value(), buffer);
    if (key == "image_id") {
      image_id = raw(field.value());
    } else if (key == "file_name") {
      of_mask = read_string("file_name", field.value(), made.mask);
    } else if (key == "segments_info") {
      has_segments = true;
      add_segments(field.value(), ids, made);
    }
  }
  made.image = integer("image_id", image_id, [&](const std::string& message) { place.fail(message); });
  if (made.mask.empty()) made.fault = of_mask.empty() ? "has no file_name, which is that of its PNG" : of_mask;
  if (!has_segments) made.fault = "has no segments_info; a file of COCO's panoptic format is expected";
  return made;
}

// Positions by id, of categories or images. Throws DataError for two of one id.
template <class Entry>
std::unordered_map<std::int64_t, std::size_t> positions(const std::vector<Entry>& entries, const fs::path& file,
                                                        const char* what) {
  std::unordered_map<std::int64_t, std::size_t> found;
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (!found.emplace(entries[i].id, i).second)
      throw DataError(file.string(), std::string("has two ").append(what) + " of the id " +
                                         std::to_string(entries[i].id) + "; give each its own");
  return found;
}

// unlisted: takes the ids of images that are not listed, or null, and they are an error.
void add_annotations(std::vector<Annotation>& annotations, const fs::path& file, PanopticFile& made,
                     std::vector<std::int64_t>* unlisted = nullptr) {
  const auto categories = positions(made.categories, file, "categories");
  const auto images = positions(made.images, file, "images");
  std::map<fs::path, std::string> places;  // of the annotations, by the PNGs that they name
  for (auto& one : annotations) {
    const auto found = images.find(one.image);
    if (found == images.end() && unlisted) {
      unlisted->push_back(one.image);
      continue;
    }
    if (found == images.end())
      Place{file, one.place}.fail("is of the image " + std::to_string(one.image) +
                                  ", which is not listed in \"images\"");
    auto& its = made.images[found->second];
    if (!its.place.empty()) {
      its.fault = "is of an image that " + one.place + " is of too";
      continue;
    }
    if (one.fault.empty())
      if (const auto [earlier, is_new] = places.emplace(fs::path(one.mask).lexically_normal(), one.place); !is_new)
        one.fault = "has the file_name \"" + one.mask + "\", and so has " + earlier->second +
                    "; expected a PNG of its own for each image";
    its.place = std::move(one.place);
    its.mask = std::move(one.mask);
    its.fault = std::move(one.fault);
    its.segments = std::move(one.segments);
    for (std::size_t i = 0; i < its.segments.size() && its.fault.empty(); ++i) {
      const auto category = categories.find(one.categories[i]);
      if (category == categories.end())
        its.fault = "segment " + std::to_string(its.segments[i].id) + " has the category_id " +
                    std::to_string(one.categories[i]) + ", which is not listed in \"categories\"";
      else
        its.segments[i].category = static_cast<int>(category->second);
    }
  }
}

template <class Make, class Made>
void read_list(const fs::path& file, const std::string& name, JsonValue value, const Make& make,
               std::vector<Made>& all) {
  if (!is_array(value)) throw DataError(file.string(), is_no_list(name));
  for (JsonValue item : value.get_array()) {
    const Place place{file, name + "[" + std::to_string(all.size()) + "]"};
    if (!is_object(item)) place.fail(kIsNoObject);
    all.push_back(make(place, item.get_object()));
  }
}

}  // namespace

PanopticFile read_coco_panoptic(const fs::path& file) {
  const JsonFile json(file);
  PanopticFile made;
  std::vector<Annotation> annotations;
  std::set<std::string> found;
  json.parse([&](simdjson::ondemand::document& document) {
    for (auto field : root_object(file, document)) {
      const std::string name(std::string_view(field.unescaped_key()));
      if (name != "categories" && name != "images" && name != "annotations") continue;
      if (!found.insert(name).second) throw DataError(file.string(), "has the list \"" + name + "\" twice");
      if (name == "categories")
        read_list(file, name, field.value(), category, made.categories);
      else if (name == "images")
        read_list(file, name, field.value(), image, made.images);
      else
        read_list(file, name, field.value(), annotation, annotations);
    }
  });
  for (const char* name : {"images", "annotations", "categories"})
    if (!found.count(name))
      throw DataError(file.string(), std::string("has no list \"").append(name) +
                                         "\"; a file of COCO's panoptic format has images, annotations and categories");
  std::sort(made.categories.begin(), made.categories.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  add_annotations(annotations, file, made);
  return made;
}

PanopticResults read_coco_panoptic_results(const fs::path& file, const PanopticFile& truth) {
  const JsonFile json(file);
  std::vector<Annotation> annotations;
  bool found = false;
  json.parse([&](simdjson::ondemand::document& document) {
    for (auto field : root_object(file, document)) {
      if (std::string_view(field.unescaped_key()) != "annotations") continue;
      if (found) throw DataError(file.string(), "has the list \"annotations\" twice");
      found = true;
      read_list(file, "annotations", field.value(), annotation, annotations);
    }
  });
  if (!found)
    throw DataError(file.string(),
                    "has no list \"annotations\"; predictions of COCO's panoptic format are {\"annotations\": "
                    "[{\"image_id\", \"file_name\", \"segments_info\"}, ...]}");
  PanopticFile made;
  made.categories = truth.categories;
  for (const auto& image : truth.images) made.images.emplace_back().id = image.id;
  PanopticResults results;
  add_annotations(annotations, file, made, &results.unlisted);
  results.images = std::move(made.images);
  return results;
}

cv::Mat read_panoptic_png(const fs::path& file) {
  const cv::Mat image = read_image(file);
  if (image.type() != CV_8UC3)
    throw DataError(file.string(), "has " + std::to_string(image.channels()) + " channels of " +
                                       std::to_string(8 * image.elemSize1()) +
                                       " bits; a panoptic PNG is RGB of 8 bits, where red + 256 green + 65536 blue is "
                                       "the id of a segment");
  cv::Mat ids(image.size(), CV_32S);
  for (int y = 0; y < image.rows; ++y) {
    const auto* rgb = image.ptr<std::uint8_t>(y);
    auto* id = ids.ptr<std::int32_t>(y);
    for (int x = 0; x < image.cols; ++x, rgb += 3) id[x] = rgb[0] | rgb[1] << 8 | rgb[2] << 16;
  }
  return ids;
}

}  // namespace sectile
