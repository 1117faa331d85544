#include "safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "../spec/json_text.h"

namespace sectile {
namespace {

constexpr std::size_t kMostDimensions = 16, kAlignment = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;  // as in the reference implementation
constexpr std::uint64_t kLeastTensors = 60'000, kBytesPerTensor = 1000;
constexpr std::size_t kMostObjects = 100;  // in one entry: the parser looks through all before it at the end of each

[[noreturn]] void refuse(const std::string& why) { throw std::runtime_error(why); }

using Sorted = nlohmann::json;  // finds one of many keys in little time

[[noreturn]] void refuse_json(const std::string& what, const nlohmann::json::exception& error) {
  const std::string text = error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 4: …"
  refuse("has " + what + " that is not valid JSON: " + text.substr(std::min(text.find("] ") + 2, text.size())));
}

// Strict: no key twice. Each entry of the object is used and forgotten, so that any number of them takes little memory.
class Entries {
 public:
  using Use = std::function<void(const std::string& name, const Sorted& value)>;
  Entries(std::string_view text, std::string what, std::uint64_t file_size, Use use)
      : what_(std::move(what)),
        use_(std::move(use)),
        most_values_(kLeastValues + text.size() / kBytesPerValue),
        most_entries_(most_tensors(file_size)) {
    try {
      const auto json = Sorted::parse(
          text, [this](int depth, Sorted::parse_event_t event, Sorted& value) { return see(depth, event, value); });
      if (!json.is_object()) refuse("has " + what_ + " that is not a JSON object");
    } catch (const Sorted::exception& error) {
      refuse_json(what_, error);
    }
  }

 private:
  static constexpr std::size_t kLeastValues = 120'000, kBytesPerValue = 400;

  bool see(int depth, Sorted::parse_event_t event, const Sorted& value) {
    using Event = Sorted::parse_event_t;
    if (event == Event::key) {
      see_key(static_cast<std::size_t>(depth), value.get<std::string>());
      return true;
    }
    if (event != Event::object_end && event != Event::array_end && ++values_ > most_values_)
      refuse("has " + what_ + " with more than " + std::to_string(most_values_) + " values in one entry");
    if (event == Event::object_start || event == Event::array_start) {
      if (depth == 0 && event == Event::array_start) refuse("has " + what_ + " that is not a JSON object");
      if (depth >= kDeepestJson) refuse("has " + what_ + " nested more than " + std::to_string(kDeepestJson) + " deep");
      if (depth > 1 && event == Event::object_start && ++objects_ > kMostObjects)
        refuse("has " + what_ + " with more than " + std::to_string(kMostObjects) + " objects in one entry");
      keys_.resize(static_cast<std::size_t>(depth) + 2);
      keys_.back().clear();
      return true;
    }
    if (depth != 1 || !name_) return true;
    use_(*std::exchange(name_, std::nullopt), value);
    values_ = objects_ = 0;
    return false;
  }
  void see_key(std::size_t depth, const std::string& key) {
    if (!keys_.at(depth).insert(key).second) refuse("has " + what_ + " with two entries " + sectile::quoted(Json(key)));
    if (depth == 1) name_ = key;
    if (keys_[1].size() > most_entries_)
      refuse("has " + what_ + " of more than " + std::to_string(most_entries_) +
             " entries, which a file of its size does not need");
  }

  const std::string what_;
  const Use use_;
  const std::size_t most_values_, most_entries_;
  std::size_t values_ = 0, objects_ = 0;     // of the entry
  std::vector<std::set<std::string>> keys_;  // by depth
  std::optional<std::string> name_;          // of the entry, until it was used
};

std::uint64_t number(const Sorted& value, const std::string& name) {
  if (!value.is_number_unsigned()) refuse("has a header with the number " + sectile::quoted(value) + " for " + name);
  return value.get<std::uint64_t>();
}

SafetensorsHeader::Tensor tensor_of(const std::string& name, const Sorted& json, std::uint64_t begin) {
  const auto has = [&](const char* key, Sorted::value_t type) {
    return json.is_object() && json.contains(key) && json[key].type() == type;
  };
  if (!has("dtype", Sorted::value_t::string) || !has("shape", Sorted::value_t::array) ||
      !has("data_offsets", Sorted::value_t::array) || json["data_offsets"].size() != 2)
    refuse("has a header without \"dtype\", \"shape\" or \"data_offsets\" for " + name);
  SafetensorsHeader::Tensor tensor{name, json["dtype"].get<std::string>(), {}};
  const auto width = bytes_of_dtype(tensor.dtype);
  if (json["shape"].size() > kMostDimensions)
    refuse("has more than " + std::to_string(kMostDimensions) + " dimensions for " + name);
  std::uint64_t size = std::max<std::uint64_t>(width, 1);
  for (const auto& item : json["shape"]) {
    const auto length = number(item, name);
    if (__builtin_mul_overflow(size, length, &size) || length > INT64_MAX)
      refuse("has a shape that is too large for " + name);
    tensor.shape.push_back(static_cast<std::int64_t>(length));
  }
  const auto from = number(json["data_offsets"][0], name), to = number(json["data_offsets"][1], name);
  if (width == 0 && to >= from) size = to - from;  // of a type that is not read
  if (to < from || to - from != size)
    refuse("has " + std::to_string(size) + " bytes of values for " + name + " by its shape and type, and the bytes " +
           std::to_string(from) + " to " + std::to_string(to) + " by its offsets");
  if (__builtin_add_overflow(begin, from, &tensor.offset)) refuse("has offsets beyond its end for " + name);
  tensor.bytes = size;
  return tensor;
}

// Of an index: in its own folder.
std::string file_name(const std::string& name, const Sorted& value) {
  if (!value.is_string()) refuse("names no file for " + name);
  const auto file = value.get<std::string>();
  if (file.empty() || file.find('/') != std::string::npos || file.find('\0') != std::string::npos || file == "." ||
      file == "..")
    refuse("names the file " + sectile::quoted(value) + " for " + name + ", which is not in the folder of the index");
  return file;
}

}  // namespace

std::uint64_t bytes_of_dtype(const std::string& dtype) {
  static const std::map<std::string, std::uint64_t> widths{
      {"F64", 8}, {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4},  {"U32", 4},     {"F16", 2},    {"BF16", 2},
      {"I16", 2}, {"U16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  const auto found = widths.find(dtype);
  return found == widths.end() ? 0 : found->second;
}

SafetensorsHeader read_safetensors_header(std::string_view file) {
  std::uint64_t length = 0;
  if (file.size() < sizeof length) refuse("is cut short: it has no header");
  std::memcpy(&length, file.data(), sizeof length);
  if (length > file.size() - sizeof length) refuse("is cut short: its header has " + std::to_string(length) + " bytes");
  if (length > kLongestHeader) refuse("has a header of more than " + std::to_string(kLongestHeader) + " bytes");
  const auto begin = sizeof length + length;
  SafetensorsHeader header;
  const auto header_text = file.substr(sizeof length, length);
  const Entries entries(header_text, "a header", file.size(), [&](const auto& name, const Sorted& json) {
    if (name != "__metadata__") {
      header.tensors.push_back(tensor_of(name, json, begin));
      return;
    }
    for (const auto& [key, value] : json.items())
      if (value.is_string()) header.metadata.emplace(key, value.template get<std::string>());
  });
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const auto& a, const auto& b) { return std::tie(a.offset, a.bytes) < std::tie(b.offset, b.bytes); });
  std::uint64_t at = begin;
  for (const auto& tensor : header.tensors) {
    if (tensor.offset != at) refuse("has tensors that share bytes, or bytes of none, before " + tensor.name);
    at += tensor.bytes;  // its end, which is the offset that follows
    if (at > file.size()) refuse("is cut short: the values of " + tensor.name + " reach beyond its end");
  }
  if (at != file.size()) refuse("has " + std::to_string(file.size() - at) + " bytes after its last tensor");
  return header;
}

std::size_t most_tensors(std::uint64_t file_size) { return kLeastTensors + file_size / kBytesPerTensor; }

bool is_utf8(const std::string& text) {
  try {
    Sorted(text).dump();
    return true;
  } catch (const Sorted::type_error&) {
    return false;
  }
}

std::string write_safetensors_header(const std::vector<SafetensorsHeader::Tensor>& tensors,
                                     const std::map<std::string, std::string>& metadata) {
  Sorted json = Sorted::object();
  if (!metadata.empty()) json["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (const auto& tensor : tensors) {
    json[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {at, at + tensor.bytes}}};
    at += tensor.bytes;
  }
  auto text = json.dump(-1, ' ', false, Sorted::error_handler_t::strict);
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text;
}

std::map<std::string, std::string> read_weight_map(const std::string& index) {
  bool is_index = false;
  std::map<std::string, std::string> files;
  const Entries entries(index, "an index", index.size(), [&](const auto& entry, const Sorted& json) {
    if (entry != "weight_map" || !json.is_object()) return;
    is_index = true;
    for (const auto& [name, value] : json.items()) files.emplace(name, file_name(name, value));
  });
  if (!is_index) refuse("is a JSON file without \"weight_map\", and not an index of weights");
  if (files.empty()) refuse("is an index of no weights");
  return files;
}

}  // namespace sectile
