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

int length(const std::filesystem::path& file, const Place& place, const char* key, std::string_view text) {
  constexpr std::int64_t kLongest = 1 << 30;
  const auto number = integer(file, place, key, text);
  if (number < 0 || number > kLongest) fail(file, place, is_not(key, text, "a number of pixels"));
  return static_cast<int>(number);
}

CocoImage image(const std::filesystem::path& file, const Place& place, JsonObject object) {
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
  made.id = integer(file, place, "id", id);
  if (made.file_name.find('\0') != std::string::npos) fail(file, place, "has a file_name with a zero byte in it");
  if (!width.empty() && !height.empty() && width != "null" && height != "null")
    made.size = {length(file, place, "width", width), length(file, place, "height", height)};
  return made;
}

CocoCategory category(const std::filesystem::path& file, const Place& place, JsonObject object) {
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
  made.id = integer(file, place, "id", id);
  return made;
}

template <class Make, class Made>
void read_list(const std::filesystem::path& file, const char* name, JsonValue value, const Make& make,
               std::vector<Made>& all) {
  for (auto item : value.get_array()) {
    const Place place{name, all.size()};
    all.push_back(make(file, place, item.get_object()));
  }
}

template <class Items>
Positions positions(const std::filesystem::path& file, const char* name, const Items& items) {
  Positions found;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (const auto [at, is_new] = found.emplace(items[i].id, static_cast<int>(i)); !is_new)
      fail(file, {name, i},
           "has the id " + std::to_string(items[i].id) + " of " + Place{name, std::size_t(at->second)}.text() +
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
          read_list(file, "images", field.value(), image, images);
        else if (key == "categories")
          read_list(file, "categories", field.value(), category, categories);
        else
          read_entries(file, "annotations", field.value(), entries);
      }
    });
    for (const char* name : {"images", "annotations", "categories"})
      if (!lists.contains(name))
        throw DataError(file.string(), std::string("has no list \"") + name +
                                           "\"; a file of COCO's instances has images, annotations and categories");
    image_positions = positions(file, "images", images);
    category_positions = positions(file, "categories", categories);
    look_up(entries);
    annotations = by_image({&entries.all, 1}, images.size());
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

}  // namespace sectile
