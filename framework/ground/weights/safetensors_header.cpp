#include "safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <tuple>

#include <sectile/error.h>

#include "../spec/json_text.h"

namespace sectile {
namespace {

constexpr std::size_t kMostDimensions = 16, kAlignment = 8;

[[noreturn]] void refuse(const std::string& why) { throw std::runtime_error(why); }

Json parsed(std::string_view text, const char* what) {
  std::vector<Problem> problems;
  try {
    auto json = parse_json(std::string(text), what, problems);
    if (!json.is_object()) refuse(std::string("has ") + what + " that is not a JSON object");
    if (!problems.empty()) refuse(std::string("has ") + what + " with two entries " + problems.front().pointer);
    return json;
  } catch (const SpecError& error) {
    const std::string text_of = error.what();
    refuse("is not valid: " + text_of.substr(0, text_of.find('\n')));
  }
}

std::uint64_t number(const Json& value, const std::string& name) {
  if (!value.is_number_unsigned()) refuse("has a header with the number " + quoted(value) + " for " + name);
  return value.get<std::uint64_t>();
}

SafetensorsHeader::Tensor tensor_of(const std::string& name, const Json& json, std::uint64_t begin) {
  const auto has = [&](const char* key, Json::value_t type) {
    return json.is_object() && json.contains(key) && json[key].type() == type;
  };
  if (!has("dtype", Json::value_t::string) || !has("shape", Json::value_t::array) ||
      !has("data_offsets", Json::value_t::array) || json["data_offsets"].size() != 2)
    refuse("has a header without \"dtype\", \"shape\" or \"data_offsets\" for " + name);
  SafetensorsHeader::Tensor tensor{name, json["dtype"].get<std::string>(), {}};
  const auto width = bytes_of_dtype(tensor.dtype);
  if (width == 0) refuse("has the unknown type " + quoted(json["dtype"]) + " for " + name);
  if (json["shape"].size() > kMostDimensions)
    refuse("has more than " + std::to_string(kMostDimensions) + " dimensions for " + name);
  std::uint64_t size = width;
  for (const auto& item : json["shape"]) {
    const auto length = number(item, name);
    if (__builtin_mul_overflow(size, length, &size) || length > INT64_MAX)
      refuse("has a shape that is too large for " + name);
    tensor.shape.push_back(static_cast<std::int64_t>(length));
  }
  const auto from = number(json["data_offsets"][0], name), to = number(json["data_offsets"][1], name);
  if (to < from || to - from != size)
    refuse("has " + std::to_string(size) + " bytes of values for " + name + " by its shape and type, and the bytes " +
           std::to_string(from) + " to " + std::to_string(to) + " by its offsets");
  if (__builtin_add_overflow(begin, from, &tensor.offset)) refuse("has offsets beyond its end for " + name);
  tensor.bytes = size;
  return tensor;
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
  const auto begin = sizeof length + length;
  SafetensorsHeader header;
  const auto content = parsed(file.substr(sizeof length, length), "a header");
  for (const auto& [name, json] : content.items()) {
    if (name != "__metadata__") {
      header.tensors.push_back(tensor_of(name, json, begin));
      continue;
    }
    for (const auto& [key, value] : json.items())
      if (value.is_string()) header.metadata.emplace(key, value.get<std::string>());
  }
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

std::string write_safetensors_header(const std::vector<SafetensorsHeader::Tensor>& tensors,
                                     const std::map<std::string, std::string>& metadata) {
  Json json = Json::object();
  if (!metadata.empty()) json["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (const auto& tensor : tensors) {
    json[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {at, at + tensor.bytes}}};
    at += tensor.bytes;
  }
  auto text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text;
}

std::map<std::string, std::string> read_weight_map(const std::string& index) {
  const auto json = parsed(index, "an index");
  if (!json.contains("weight_map") || !json["weight_map"].is_object())
    refuse("is a JSON file without \"weight_map\", and not an index of weights");
  std::map<std::string, std::string> files;
  for (const auto& [name, value] : json["weight_map"].items()) {
    if (!value.is_string()) refuse("names no file for " + name);
    const auto file = value.get<std::string>();
    if (file.empty() || file.find('/') != std::string::npos || file.find('\0') != std::string::npos || file == "." ||
        file == "..")
      refuse("names the file " + quoted(value) + " for " + name + ", which is not in the folder of the index");
    files.emplace(name, file);
  }
  if (files.empty()) refuse("is an index of no weights");
  return files;
}

}  // namespace sectile
