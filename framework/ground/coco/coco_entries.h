// The entries of COCO's lists of objects: annotations, and results of detectors.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <sectile/data/coco_file.h>
#include <sectile/error.h>

#include "json_file.h"

namespace sectile {

// Where in the file a value belongs, for messages.
struct EntryPlace {
  const char* list;
  std::size_t index;
  std::string text() const { return std::string(list) + "[" + std::to_string(index) + "]"; }
};

[[noreturn]] void fail(const std::filesystem::path& file, const EntryPlace& place, const std::string& message);
std::int64_t integer(const std::filesystem::path& file, const EntryPlace& place, const char* key,
                     std::string_view text);

// Calls use(place, object) for each object of the list `name`, which is "" for a file that is one. What is there
// instead is not shown: where a text has no end, nothing says how long it is.
template <class Use>
void read_objects(const std::filesystem::path& file, const char* name, JsonValue value, const Use& use) {
  if (!is_array(value)) throw DataError(file.string(), is_no_list(name));
  std::size_t count = 0;
  for (JsonValue item : value.get_array()) {
    const EntryPlace place{name, count++};
    if (!is_object(item)) fail(file, place, kIsNoObject);
    use(place, item.get_object());
  }
}

// Before ids are looked up. Few have faults.
struct Entries {
  std::vector<CocoAnnotation> all{};
  std::vector<std::int64_t> image_ids{}, category_ids{};  // of each
  std::map<std::size_t, std::string> faults{};            // why one cannot be used, by its index
};

// Appends those of the list `value`.
void read_entries(const std::filesystem::path& file, const char* name, JsonValue value, Entries& entries);

// Annotations of each image are neighbours, in the order of the file.
struct ByImage {
  std::vector<CocoAnnotation> annotations{};
  std::vector<std::size_t> first{};  // of each image, and the end

  std::span<const CocoAnnotation> of(int image) const {
    const auto at = static_cast<std::size_t>(image);
    return {annotations.data() + first.at(at), annotations.data() + first.at(at + 1)};
  }
};

// Of consecutive parts of a list, which are emptied. Those of no image are left out.
ByImage by_image(std::span<std::vector<CocoAnnotation>> parts, std::size_t images);

}  // namespace sectile
