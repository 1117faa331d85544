#include <sectile/data/coco_file.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include <sectile/error.h>

#include "coco_entries.h"
#include "json_file.h"

namespace sectile {
namespace {

using Positions = std::unordered_map<std::int64_t, int>;
constexpr auto kNoId = CocoAnnotation::kNoId;

// fault: set to what is wrong with it alone.
CocoImage image(const std::filesystem::path& file, const EntryPlace& place, JsonObject object, std::string& fault) {
  CocoImage made;
  std::string_view id, width, height;
  std::string buffer;
  for (auto field : object) {
    const auto key = key_of(field.key().value(), buffer);
    if (key == "id")
      id = raw(field.value());
    else if (key == "file_name")
      fault = read_string("file_name", field.value(), made.file_name);
    else if (key == "width")
      width = raw(field.value());
    else if (key == "height")
      height = raw(field.value());
  }
  made.id = integer(file, place, "id", id);
  auto of_size = read_stated_size(width, height, made.size);
  if (fault.empty()) fault = std::move(of_size);
  return made;
}

CocoCategory category(const std::filesystem::path& file, const EntryPlace& place, JsonObject object) {
  CocoCategory made;
  std::string_view id;
  std::string buffer, fault;
  for (auto field : object) {
    const auto key = key_of(field.key().value(), buffer);
    if (key == "id")
      id = raw(field.value());
    else if (key == "name")
      fault = read_string("name", field.value(), made.name);
    else if (key == "supercategory")
      read_string("supercategory", field.value(), made.supercategory);  // which nothing depends on
  }
  if (!fault.empty()) fail(file, place, fault);
  made.id = integer(file, place, "id", id);
  return made;
}

std::string with_id(const EntryPlace& place, std::int64_t id) {
  return place.text() + " (id " + std::to_string(id) + ")";
}

template <class Items>
Positions positions(const std::filesystem::path& file, const char* name, const Items& items) {
  Positions found;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (const auto [at, is_new] = found.emplace(items[i].id, static_cast<int>(i)); !is_new)
      fail(file, {name, i},
           "has the id " + std::to_string(items[i].id) + " of " + EntryPlace{name, std::size_t(at->second)}.text() +
               "; give each its own");
  return found;
}

int position(const Positions& positions, std::int64_t id) {
  const auto at = positions.find(id);
  return at == positions.end() ? -1 : at->second;
}

}  // namespace

struct CocoFile::Content {
  JsonFile json;
  std::vector<CocoImage> images{};
  std::vector<CocoCategory> categories{};
  Positions image_positions{}, category_positions{};
  bool has_annotations = false;
  ByImage annotations{};
  std::vector<CocoFault> faults{};
  std::vector<std::int64_t> unlisted{};

  explicit Content(const std::filesystem::path& file) : json(file) {
    Entries entries;
    std::set<std::string, std::less<>> lists;
    json.parse([&](simdjson::ondemand::document& document) {
      std::string buffer;
      for (auto field : root_object(file, document)) {
        const std::string key(key_of(field.key().value(), buffer));
        if (key != "images" && key != "categories" && key != "annotations") continue;
        if (!lists.insert(key).second)
          throw DataError(file.string(), "has the list \"" + key + "\" twice; remove one, or join them");
        if (key == "images")
          read_images(file, field.value());
        else if (key == "categories")
          read_objects(file, "categories", field.value(), [&](const EntryPlace& place, JsonObject object) {
            categories.push_back(category(file, place, object));
          });
        else
          read_entries(file, "annotations", field.value(), entries);
      }
    });
    for (const char* name : {"images", "categories"})
      if (!lists.contains(name))
        throw DataError(file.string(), std::string("has no list \"") + name +
                                           "\"; a file of COCO's instances has images, annotations and categories");
    has_annotations = lists.contains("annotations");
    image_positions = positions(file, "images", images);
    category_positions = positions(file, "categories", categories);
    look_up(entries);
    annotations = by_image({&entries.all, 1}, images.size());
  }

  void read_images(const std::filesystem::path& file, JsonValue value) {
    read_objects(file, "images", value, [&](const EntryPlace& place, JsonObject object) {
      std::string fault;
      images.push_back(image(file, place, object, fault));
      if (!fault.empty())
        faults.push_back({static_cast<int>(place.index), with_id(place, images.back().id), std::move(fault), true});
    });
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
          fault("has the id " + std::to_string(annotation.id) + " of " + EntryPlace{"annotations", at->second}.text() +
                "; give each its own");
      const auto found = entries.faults.find(i);
      if (found == entries.faults.end()) continue;
      const EntryPlace place{"annotations", i};
      faults.push_back({annotation.image, annotation.id == kNoId ? place.text() : with_id(place, annotation.id),
                        std::move(found->second)});
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
bool CocoFile::has_annotations() const { return content_->has_annotations; }
std::span<const CocoAnnotation> CocoFile::annotations() const { return content_->annotations.annotations; }
std::span<const CocoAnnotation> CocoFile::of_image(int image) const { return content_->annotations.of(image); }
int CocoFile::image_of(std::int64_t id) const { return position(content_->image_positions, id); }
int CocoFile::category_of(std::int64_t id) const { return position(content_->category_positions, id); }
const std::vector<CocoFault>& CocoFile::faults() const { return content_->faults; }
const std::vector<std::int64_t>& CocoFile::unlisted_images() const { return content_->unlisted; }

}  // namespace sectile
