#include "catalogue.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>

#include <sectile/error.h>

#include "../plugins/library.h"
#include "../spec/json_text.h"
#include "../spec/suggestion.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHashDigits = 64, kFewestDigits = 8;

// Reads members of one object, and names the place where one is missing or of another type.
class Reader {
 public:
  Reader(const Json& json, std::string place) : json_(json), place_(std::move(place)) {
    if (!json.is_object()) fail("", "is not an object");
  }
  const Reader& only(const std::vector<std::string>& known) const {
    for (const auto& item : json_.items())
      if (std::find(known.begin(), known.end(), item.key()) == known.end())
        fail(item.key(), "is not a known key" + suggestion(item.key(), known));
    return *this;
  }
  template <class T>
  T get(const std::string& key) const {
    if (!json_.contains(key)) fail(key, "is missing");
    try {
      const auto value = json_[key].get<T>();
      if (Json(value) == json_[key]) return value;  // true for 1, and 1 for 1.5, are converted without an exception
    } catch (const Json::exception&) {
    }
    fail(key, "is " + quoted(json_[key]) + ", which has another type than expected");
  }
  template <class T>
  T get(const std::string& key, T otherwise) const {
    return json_.contains(key) ? get<T>(key) : otherwise;
  }
  [[noreturn]] void fail(const std::string& key, const std::string& problem) const {
    throw SpecError(place_ + (key.empty() ? "" : "/" + escape(key)), problem);
  }

 private:
  const Json& json_;
  std::string place_;
};

Preprocessing preprocessing_of(const Json& json, const std::string& place) {
  const auto reader =
      Reader(json, place).only({"resize", "longest_edge", "antialias", "crop", "interpolation", "mean", "std"});
  using Numbers = std::vector<double>;
  return {reader.get<std::vector<int>>("resize", {}),
          reader.get<int>("longest_edge", 0),
          reader.get<bool>("antialias", true),
          reader.get<std::vector<int>>("crop", {}),
          reader.get<std::string>("interpolation", ""),
          reader.get<Numbers>("mean", {}),
          reader.get<Numbers>("std", {})};
}

// Names become folders of the cache.
bool names_a_folder(const std::string& name) {
  const auto usual = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/'; };
  if (name.empty() || !std::all_of(name.begin(), name.end(), usual)) return false;
  const fs::path path = name;
  return path.is_relative() && std::none_of(path.begin(), path.end(), [](const fs::path& part) {
           return part.empty() || part.string().starts_with('.');
         });
}

void check(const CatalogueEntry& entry, const Reader& reader) {
  if (!names_a_folder(entry.name)) reader.fail("name", "may have letters, digits, and any of \"-_./\" within");
  if (entry.name.find('/') == std::string::npos)
    reader.fail("name", "is " + quoted(Json(entry.name)) + "; expected \"publisher/name\"");
  const auto file = entry.url.substr(entry.url.rfind('/') + 1);
  if (!entry.url.starts_with("https://") && !entry.url.starts_with("http://"))
    reader.fail("url", "is " + quoted(Json(entry.url)) + "; expected https://…, or http://… where that is safe");
  if (!names_a_folder(file))
    reader.fail("url", "is " + quoted(Json(entry.url)) + "; expected one that ends in the name of a file");
  if (entry.task != "semantic" && entry.task != "instance" && entry.task != "panoptic")
    reader.fail("task", "is " + quoted(Json(entry.task)) + "; expected \"semantic\", \"instance\" or \"panoptic\"");
  const auto is_digit = [](unsigned char c) { return std::isdigit(c) || (c >= 'a' && c <= 'f'); };
  const auto digits = entry.sha256.size();
  if (!std::all_of(entry.sha256.begin(), entry.sha256.end(), is_digit) || (digits > 0 && digits < kFewestDigits) ||
      digits > kHashDigits)
    reader.fail("sha256", "is " + quoted(Json(entry.sha256)) + "; expected 8 to 64 lower-case hexadecimal digits");
}

// The component, and those among its options: these have their kind's name.
void read_component(CatalogueEntry& entry, const Json& json, const std::string& place) {
  const auto reader = Reader(json, place).only({"kind", "type", "options"});
  entry.kind = reader.get<std::string>("kind");
  entry.type = reader.get<std::string>("type");
  entry.components.emplace_back(entry.kind, entry.type);
  const auto options = reader.get<Json>("options", Json::object());
  entry.options = options.dump();
  for (const auto& [key, value] : options.items())
    if (value.is_object())
      entry.components.emplace_back(key, Reader(value, place + "/options/" + key).get<std::string>("type"));
}

// A list of names, or of names and their numbers in files.
void read_classes(CatalogueEntry& entry, const Reader& table) {
  const auto lists = table.get<Json>("classes");
  const Reader reader(lists, "/classes");
  const auto list = reader.get<Json>(entry.classes);
  if (!list.is_object()) {
    entry.class_names = reader.get<std::vector<std::string>>(entry.classes);
    return;
  }
  const auto both = Reader(list, "/classes/" + entry.classes).only({"names", "ids"});
  entry.class_names = both.get<std::vector<std::string>>("names");
  entry.class_ids = both.get<std::vector<int>>("ids");
  if (entry.class_ids.size() != entry.class_names.size())
    both.fail("ids", "are " + std::to_string(entry.class_ids.size()) + ", and there are " +
                         std::to_string(entry.class_names.size()) + " names");
}

CatalogueEntry entry_of(const Json& json, const std::string& place, const Reader& table) {
  const auto reader = Reader(json, place)
                          .only({"name", "component", "url", "size", "approximate_size", "sha256", "license", "source",
                                 "classes", "task", "preprocessing"});
  CatalogueEntry entry;
  entry.name = reader.get<std::string>("name");
  read_component(entry, reader.get<Json>("component"), place + "/component");
  entry.url = reader.get<std::string>("url");
  if (json.contains("size")) {
    if (!json["size"].is_number_unsigned() || json["size"] == 0)
      reader.fail("size", "is " + quoted(json["size"]) + "; expected the file's bytes, 1 or more");
    entry.size = reader.get<std::uint64_t>("size");
  }
  entry.approximate_size = reader.get<std::string>("approximate_size", "");
  entry.sha256 = reader.get<std::string>("sha256", "");
  entry.license = reader.get<std::string>("license");
  entry.source = reader.get<std::string>("source");
  entry.classes = reader.get<std::string>("classes", "");
  if (!entry.classes.empty()) read_classes(entry, table);
  entry.task = reader.get<std::string>("task", "semantic");
  if (const auto name = reader.get<std::string>("preprocessing", ""); !name.empty()) {
    const auto all = table.get<Json>("preprocessing");
    entry.preprocessing = preprocessing_of(Reader(all, "/preprocessing").get<Json>(name), "/preprocessing/" + name);
  }
  check(entry, reader);
  return entry;
}

// Mistakes in the JSON text begin with their line and column, ":3:7: "; others have a pointer, unless they are of all.
[[noreturn]] void refuse_table(const fs::path& file, const SpecError& error) {
  const auto& [pointer, message] = error.problems().front();
  if (!pointer.empty()) throw DataError(file, error.what());
  const auto end = message.starts_with(':') ? message.find(": ") : std::string::npos;
  if (end == std::string::npos) throw DataError(file, message);
  throw DataError(file.string() + message.substr(0, end), message.substr(end + 2));
}

std::vector<CatalogueEntry> read_catalogue(const fs::path& file) {
  std::error_code unknown;
  std::ifstream in(file, std::ios::binary);
  if (!in || fs::is_directory(file, unknown))
    throw DataError(
        file,
        "the catalogue of weights cannot be read; it belongs to this program: install it again, or name another one in "
        "SECTILE_WEIGHTS_TABLE");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    std::vector<Problem> problems;
    const auto json = parse_json(text, "", problems);
    if (!problems.empty()) throw SpecError(problems);
    const auto table = Reader(json, "").only({"classes", "preprocessing", "weights"});
    std::vector<CatalogueEntry> entries;
    std::set<std::string> names;
    for (const auto& item : table.get<std::vector<Json>>("weights")) {
      const auto place = "/weights/" + std::to_string(entries.size());
      entries.push_back(entry_of(item, place, table));
      if (!names.insert(entries.back().name).second)
        throw SpecError(place + "/name", "is \"" + entries.back().name + "\", as that of an earlier entry");
    }
    return entries;
  } catch (const SpecError& error) {
    refuse_table(file, error);
  }
}

fs::path table_file() {
  if (const char* own = std::getenv("SECTILE_WEIGHTS_TABLE"); own && *own) return own;
  return own_folder().parent_path() / "share/sectile/weights.json";
}

bool has_suffix_of_weights(const std::string& text) {
  const auto suffixes = {".pth", ".pt", ".bin", ".ckpt", ".safetensors"};
  return std::any_of(suffixes.begin(), suffixes.end(), [&](const char* suffix) { return text.ends_with(suffix); });
}

bool is_readable_catalogue() {
  try {
    catalogue();
    return true;
  } catch (const DataError&) {
    return false;
  }
}

}  // namespace

const std::vector<CatalogueEntry>& catalogue() {
  static std::mutex mutex;
  static std::map<fs::path, std::vector<CatalogueEntry>> read;  // entries stay where they are: callers keep pointers
  const auto file = table_file();
  const std::lock_guard lock(mutex);
  auto found = read.find(file);
  if (found == read.end()) found = read.emplace(file, read_catalogue(file)).first;
  return found->second;
}

const CatalogueEntry* find_entry(const std::string& name) {
  const auto& entries = catalogue();
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

const CatalogueEntry* entry_in_spec(const fs::path& weights) {
  return weights.is_relative() && !weights.empty() ? find_entry(weights.string()) : nullptr;
}

const CatalogueEntry* published_entry(const std::string& text, const fs::path& as_path) {
  std::error_code unknown;
  if (text.find('/') == std::string::npos || !names_a_folder(text) || fs::exists(as_path, unknown)) return nullptr;
  // A spec may name a file that is gone and that nobody reads, as when a training is resumed: it needs no table.
  if (has_suffix_of_weights(text) && !is_readable_catalogue()) return nullptr;
  if (const auto* entry = find_entry(text)) return entry;
  const auto publisher = text.substr(0, text.find('/') + 1);
  const auto& entries = catalogue();
  if (std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name.starts_with(publisher); }))
    throw DataError(text, "is neither a file nor the name of published weights" + entry_suggestion(text));
  return nullptr;
}

std::string entry_suggestion(const std::string& name) {
  std::vector<std::string> names, short_names;
  for (const auto& entry : catalogue()) {
    names.push_back(entry.name);
    short_names.push_back(entry.name.substr(entry.name.rfind('/') + 1));
  }
  auto near = nearest(name, names);
  if (const auto near_short = nearest(name.substr(name.rfind('/') + 1), short_names); near_short && !near)
    near = names[static_cast<std::size_t>(std::find(short_names.begin(), short_names.end(), *near_short) -
                                          short_names.begin())];
  return near ? ", did you mean \"" + *near + "\"?" : "; \"sectile weights list\" shows the names";
}

}  // namespace sectile
