#include <sectile/data/coco_file.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>

#include <sectile/error.h>

#include "json_file.h"

namespace sectile {
namespace {

using Positions = std::unordered_map<std::int64_t, int>;
constexpr auto kNoId = CocoAnnotation::kNoId;

// Where in the file a value belongs, for messages.
struct Place {
  const char* list;
  std::size_t index;
  std::string text() const { return std::string(list) + "[" + std::to_string(index) + "]"; }
};

[[noreturn]] void fail(const JsonFile& json, const Place& place, const std::string& message) {
  throw DataError(json.file().string() + ": " + place.text(), message);
}

std::string is_not(const char* key, std::string_view found, const char* expected) {
  return std::string("has the ") + key + " " + shortened(found) + "; " + expected + " is expected";
}

std::int64_t integer(const JsonFile& json, const Place& place, const char* key, std::string_view text) {
  if (const auto number = integer_of(text)) return *number;
  fail(json, place, text.empty() ? std::string("has no ") + key : is_not(key, text, "a whole number"));
}

int length(const JsonFile& json, const Place& place, const char* key, std::string_view text) {
  constexpr std::int64_t kLongest = 1 << 30;
  const auto number = integer(json, place, key, text);
  if (number < 0 || number > kLongest) fail(json, place, is_not(key, text, "a number of pixels"));
  return static_cast<int>(number);
}

CocoImage image(const JsonFile& json, const Place& place, JsonObject object) {
  CocoImage made;
  std::string_view id, width, height;
  std::string buffer;
  for (auto field : object) {
    const auto key = key_of(field.key().value(), buffer);
    if (key == "id")
      id = raw(field.value());
    else if (key == "file_name")
      made.file_name = std::string_view(field.value().get_string());
    else if (key == "width")
      width = raw(field.value());
    else if (key == "height")
      height = raw(field.value());
  }
  made.id = integer(json, place, "id", id);
  if (made.file_name.find('\0') != std::string::npos) fail(json, place, "has a file_name with a zero byte in it");
  if (!width.empty() && !height.empty() && width != "null" && height != "null")
    made.size = {length(json, place, "width", width), length(json, place, "height", height)};
  return made;
}

CocoCategory category(const JsonFile& json, const Place& place, JsonObject object) {
  CocoCategory made;
  std::string_view id;
  std::string buffer;
  for (auto field : object) {
    const auto key = key_of(field.key().value(), buffer);
    if (key == "id")
      id = raw(field.value());
    else if (key == "name")
      made.name = std::string_view(field.value().get_string());
    else if (key == "supercategory" && field.value().type() == simdjson::ondemand::json_type::string)
      made.supercategory = std::string_view(field.value().get_string());
  }
  made.id = integer(json, place, "id", id);
  return made;
}

// Throws DataError for the mask of one annotation.
CocoMask mask(JsonValue value) {
  CocoMask made;
  simdjson::ondemand::json_type type;
  const bool has_type = !value.type().get(type);  // NaN has none
  if (has_type && type == simdjson::ondemand::json_type::array) {
    made.json = raw(value);
    // "segmentation": [] is written for none.
    const bool is_empty = made.json.find_first_not_of("[] \t\r\n") == std::string_view::npos;
    made.form = is_empty ? CocoMask::Form::none : CocoMask::Form::polygons;
    return made;
  }
  if (!has_type || type != simdjson::ondemand::json_type::object) {
    const auto text = raw(value);
    if (text == "null") return made;
    throw DataError("segmentation", "is " + shortened(text) + "; polygons or run lengths are expected");
  }
  std::array<double, 2> size;
  std::string_view size_text;
  std::string buffer;
  for (auto field : value.get_object()) {
    const auto key = key_of(field.key().value(), buffer);
    if (key == "size") {
      size_text = raw(field.value());
    } else if (key == "counts") {
      const auto text = raw(field.value());
      const bool is_text = text.size() >= 2 && text.front() == '"';
      made.form = is_text ? CocoMask::Form::text : CocoMask::Form::counts;
      made.json = is_text ? text.substr(1, text.size() - 2) : text;
    }
  }
  constexpr double kLongest = 1 << 30;
  const auto is_length = [](double number) { return number >= 0 && number <= kLongest && number == int(number); };
  if (!read_numbers(size_text, size) || !is_length(size[0]) || !is_length(size[1]))
    throw DataError("segmentation", "has the size " + shortened(size_text) + "; [height, width] is expected");
  if (made.form == CocoMask::Form::none) throw DataError("segmentation", "has a size and no counts");
  made.size = {int(size[1]), int(size[0])};
  return made;
}

// Annotations or results, before ids are looked up. Few have faults.
struct Entries {
  std::vector<CocoAnnotation> all{};
  std::vector<std::int64_t> image_ids{}, category_ids{};  // of each
  std::map<std::size_t, std::string> faults{};            // why one cannot be used, by its index
};

struct Texts {
  std::string_view id, image_id, category_id, box, area, crowd, score;
};

// Returns what is wrong, or nothing.
std::string read_values(CocoAnnotation& made, std::int64_t& category_id, const Texts& texts) {
  std::string why;
  const auto fault = [&](const char* key, std::string_view found, const char* expected) {
    if (why.empty()) why = found.empty() ? std::string("has no ") + key : is_not(key, found, expected);
  };
  if (const auto id = integer_of(texts.category_id))
    category_id = *id;
  else
    fault("category_id", texts.category_id, "a whole number");
  if (!texts.id.empty()) {
    if (const auto id = integer_of(texts.id))
      made.id = *id;
    else
      fault("id", texts.id, "a whole number");
  }
  if (!texts.box.empty() && texts.box != "null" && texts.box != "[]") {
    std::array<double, 4> box;
    if (read_numbers(texts.box, box)) {
      made.box = {box[0], box[1], box[2], box[3]};
      made.has_box = true;
    } else {
      fault("bbox", texts.box, "[x, y, width, height] in finite numbers");
    }
  }
  const auto number = [&](const char* key, std::string_view text, double& value) {
    if (text.empty() || text == "null") return;
    if (const auto found = number_of(text))
      value = *found;
    else
      fault(key, text, "a finite number");
  };
  number("area", texts.area, made.area);
  number("score", texts.score, made.score);
  if (texts.crowd.empty() || texts.crowd == "null") return why;
  if (const auto flag = flag_of(texts.crowd))
    made.crowd = *flag;
  else
    fault("iscrowd", texts.crowd, "0 or 1");
  return why;
}

void read_entry(const JsonFile& json, const Place& place, JsonObject object, Entries& entries) {
  auto& made = entries.all.emplace_back();
  Texts texts;
  std::string fault;
  std::string buffer;
  for (auto field : object) {
    const auto key = key_of(field.key().value(), buffer);
    if (key == "segmentation") try {
        made.mask = mask(field.value());
      } catch (const DataError& error) {
        fault = error.what();
      }
    else if (key == "bbox")
      texts.box = raw(field.value());
    else if (key == "image_id")
      texts.image_id = raw(field.value());
    else if (key == "category_id")
      texts.category_id = raw(field.value());
    else if (key == "score")
      texts.score = raw(field.value());
    else if (key == "id")
      texts.id = raw(field.value());
    else if (key == "area")
      texts.area = raw(field.value());
    else if (key == "iscrowd")
      texts.crowd = raw(field.value());
  }
  entries.image_ids.push_back(integer(json, place, "image_id", texts.image_id));
  auto of_values = read_values(made, entries.category_ids.emplace_back(), texts);
  if (fault.empty()) fault = std::move(of_values);
  if (!fault.empty()) entries.faults.emplace(place.index, std::move(fault));
}

void read_entries(const JsonFile& json, const char* name, JsonValue value, Entries& entries) {
  for (auto item : value.get_array()) read_entry(json, {name, entries.all.size()}, item.get_object(), entries);
}

template <class Make, class Made>
void read_list(const JsonFile& json, const char* name, JsonValue value, const Make& make, std::vector<Made>& all) {
  for (auto item : value.get_array()) {
    const Place place{name, all.size()};
    all.push_back(make(json, place, item.get_object()));
  }
}

template <class Items>
Positions positions(const JsonFile& json, const char* name, const Items& items) {
  Positions found;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (const auto [at, is_new] = found.emplace(items[i].id, static_cast<int>(i)); !is_new)
      fail(json, {name, i},
           "has the id " + std::to_string(items[i].id) + " of " + Place{name, std::size_t(at->second)}.text() +
               "; give each its own");
  return found;
}

int position(const Positions& positions, std::int64_t id) {
  const auto at = positions.find(id);
  return at == positions.end() ? -1 : at->second;
}

// Annotations of each image are neighbours, in the order of the file.
struct ByImage {
  std::vector<CocoAnnotation> annotations;
  std::vector<std::size_t> first;  // of each image, and the end

  std::span<const CocoAnnotation> of(int image) const {
    const auto at = static_cast<std::size_t>(image);
    return {annotations.data() + first.at(at), annotations.data() + first.at(at + 1)};
  }
};

// Those of no image are left out.
ByImage by_image(std::vector<CocoAnnotation> all, std::size_t images) {
  ByImage made;
  made.first.assign(images + 1, 0);
  std::erase_if(all, [](const auto& one) { return one.image < 0; });
  for (const auto& one : all) ++made.first[static_cast<std::size_t>(one.image) + 1];
  std::partial_sum(made.first.begin(), made.first.end(), made.first.begin());
  const auto before = [](const auto& a, const auto& b) { return a.image < b.image; };
  if (!std::is_sorted(all.begin(), all.end(), before)) std::stable_sort(all.begin(), all.end(), before);
  made.annotations = std::move(all);
  return made;
}

}  // namespace

struct CocoFile::Content {
  JsonFile json;
  std::vector<CocoImage> images{};
  std::vector<CocoCategory> categories{};
  Positions image_positions{}, category_positions{};
  ByImage annotations{};
  std::vector<CocoFault> faults{};
  std::vector<std::int64_t> unlisted{};

  explicit Content(const std::filesystem::path& file) : json(file) {
    Entries entries;
    std::set<std::string, std::less<>> lists;
    json.parse([&](simdjson::ondemand::document& document) {
      std::string buffer;
      for (auto field : document.get_object()) {
        const std::string key(key_of(field.key().value(), buffer));
        if (key != "images" && key != "categories" && key != "annotations") continue;
        if (!lists.insert(key).second)
          throw DataError(file.string(), "has the list \"" + key + "\" twice; remove one, or join them");
        if (key == "images")
          read_list(json, "images", field.value(), image, images);
        else if (key == "categories")
          read_list(json, "categories", field.value(), category, categories);
        else
          read_entries(json, "annotations", field.value(), entries);
      }
    });
    for (const char* name : {"images", "annotations", "categories"})
      if (!lists.contains(name))
        throw DataError(file.string(), std::string("has no list \"") + name +
                                           "\"; a file of COCO's instances has images, annotations and categories");
    image_positions = positions(json, "images", images);
    category_positions = positions(json, "categories", categories);
    look_up(entries);
    annotations = by_image(std::move(entries.all), images.size());
  }

  void look_up(Entries& entries) {
    std::unordered_map<std::int64_t, std::size_t> by_id;
    by_id.reserve(entries.all.size());
    for (std::size_t i = 0; i < entries.all.size(); ++i) {
      auto& annotation = entries.all[i];
      annotation.image = position(image_positions, entries.image_ids[i]);
      annotation.category = position(category_positions, entries.category_ids[i]);
      if (annotation.image < 0) {
        unlisted.push_back(entries.image_ids[i]);
        continue;
      }
      const auto fault = [&](const std::string& why) { entries.faults.emplace(i, why); };  // unless it has one
      if (annotation.category < 0)
        fault("has the category_id " + std::to_string(entries.category_ids[i]) +
              ", which is not listed in \"categories\"");
      if (annotation.id != kNoId)
        if (const auto [at, is_new] = by_id.emplace(annotation.id, i); !is_new)
          fault("has the id " + std::to_string(annotation.id) + " of " + Place{"annotations", at->second}.text() +
                "; give each its own");
      const auto found = entries.faults.find(i);
      if (found == entries.faults.end()) continue;
      auto place = Place{"annotations", i}.text();
      if (annotation.id != kNoId) place.append(" (id ").append(std::to_string(annotation.id)).append(")");
      faults.push_back({annotation.image, std::move(place), std::move(found->second)});
      annotation.category = -1;
    }
    std::stable_sort(faults.begin(), faults.end(), [](const auto& a, const auto& b) { return a.image < b.image; });
    std::sort(unlisted.begin(), unlisted.end());
    unlisted.erase(std::unique(unlisted.begin(), unlisted.end()), unlisted.end());
  }
};

CocoFile::CocoFile(const std::filesystem::path& file) : content_(std::make_unique<Content>(file)) {}
CocoFile::~CocoFile() = default;
CocoFile::CocoFile(CocoFile&&) noexcept = default;
CocoFile& CocoFile::operator=(CocoFile&&) noexcept = default;

const std::filesystem::path& CocoFile::file() const { return content_->json.file(); }
const std::vector<CocoImage>& CocoFile::images() const { return content_->images; }
const std::vector<CocoCategory>& CocoFile::categories() const { return content_->categories; }
std::span<const CocoAnnotation> CocoFile::annotations() const { return content_->annotations.annotations; }
std::span<const CocoAnnotation> CocoFile::of_image(int image) const { return content_->annotations.of(image); }
int CocoFile::image_of(std::int64_t id) const { return position(content_->image_positions, id); }
int CocoFile::category_of(std::int64_t id) const { return position(content_->category_positions, id); }
const std::vector<CocoFault>& CocoFile::faults() const { return content_->faults; }
const std::vector<std::int64_t>& CocoFile::unlisted_images() const { return content_->unlisted; }

struct CocoResults::Content {
  JsonFile json;
  ByImage results{};
  std::vector<std::pair<std::int64_t, std::size_t>> unlisted{};

  Content(const std::filesystem::path& file, const CocoFile& truth) : json(file) {
    Entries entries;
    json.parse([&](simdjson::ondemand::document& document) { read_entries(json, "", document.get_value(), entries); });
    std::map<std::int64_t, std::size_t> unknown;
    if (!entries.faults.empty()) fail(json, {"", entries.faults.begin()->first}, entries.faults.begin()->second);
    for (std::size_t i = 0; i < entries.all.size(); ++i) {
      auto& result = entries.all[i];
      if (std::isnan(result.score)) fail(json, {"", i}, "has no score");
      result.image = truth.image_of(entries.image_ids[i]);
      if (result.image < 0)
        fail(json, {"", i},
             "is of the image " + std::to_string(entries.image_ids[i]) + ", which is not listed in " +
                 truth.file().string());
      result.category = truth.category_of(entries.category_ids[i]);
      if (result.category >= 0) continue;
      ++unknown[entries.category_ids[i]];
      result.image = -1;
    }
    unlisted.assign(unknown.begin(), unknown.end());
    results = by_image(std::move(entries.all), truth.images().size());
  }
};

CocoResults::CocoResults(const std::filesystem::path& file, const CocoFile& truth)
    : content_(std::make_unique<Content>(file, truth)) {}
CocoResults::~CocoResults() = default;
CocoResults::CocoResults(CocoResults&&) noexcept = default;
CocoResults& CocoResults::operator=(CocoResults&&) noexcept = default;

const std::filesystem::path& CocoResults::file() const { return content_->json.file(); }
std::span<const CocoAnnotation> CocoResults::all() const { return content_->results.annotations; }
std::span<const CocoAnnotation> CocoResults::of_image(int image) const { return content_->results.of(image); }
const std::vector<std::pair<std::int64_t, std::size_t>>& CocoResults::unlisted_categories() const {
  return content_->unlisted;
}

}  // namespace sectile
