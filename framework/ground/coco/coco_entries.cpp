#include "coco_entries.h"

#include <array>
#include <numeric>

#include <sectile/error.h>

namespace sectile {

void fail(const std::filesystem::path& file, const EntryPlace& place, const std::string& message) {
  throw DataError(file.string() + ": " + place.text(), message);
}

std::int64_t integer(const std::filesystem::path& file, const EntryPlace& place, const char* key,
                     std::string_view text) {
  if (const auto number = integer_of(text)) return *number;
  fail(file, place, is_not(key, text, "a whole number"));
}

namespace {

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

struct Texts {
  std::string_view id, image_id, category_id, box, area, crowd, score;
};

// Returns what is wrong, or nothing.
std::string read_values(CocoAnnotation& made, std::int64_t& category_id, const Texts& texts) {
  std::string why;
  const auto fault = [&](const char* key, std::string_view found, const char* expected) {
    if (why.empty()) why = is_not(key, found, expected);
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

void read_entry(const std::filesystem::path& file, const EntryPlace& place, JsonObject object, Entries& entries) {
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
  entries.image_ids.push_back(integer(file, place, "image_id", texts.image_id));
  auto of_values = read_values(made, entries.category_ids.emplace_back(), texts);
  if (fault.empty()) fault = std::move(of_values);
  if (!fault.empty()) entries.faults.emplace(place.index, std::move(fault));
}

}  // namespace

void read_entries(const std::filesystem::path& file, const char* name, JsonValue value, Entries& entries) {
  read_objects(file, name, value,
               [&](const EntryPlace& place, JsonObject object) { read_entry(file, place, object, entries); });
}

ByImage by_image(std::span<std::vector<CocoAnnotation>> parts, std::size_t images) {
  ByImage made;
  made.first.assign(images + 1, 0);
  for (const auto& part : parts)
    for (const auto& one : part)
      if (one.image >= 0) ++made.first[static_cast<std::size_t>(one.image) + 1];
  std::partial_sum(made.first.begin(), made.first.end(), made.first.begin());
  made.annotations.resize(made.first.back());
  auto next = made.first;
  for (auto& part : parts) {
    for (const auto& one : part)
      if (one.image >= 0) made.annotations[next[static_cast<std::size_t>(one.image)]++] = one;
    std::vector<CocoAnnotation>().swap(part);
  }
  return made;
}

}  // namespace sectile
