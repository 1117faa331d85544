#include "stored_tensors.h"

#include <map>
#include <stdexcept>

#include <ATen/Functions.h>

namespace sectile {
namespace {

constexpr std::size_t kMostDimensions = 16;
constexpr double kMostExpanded = 1 << 24;  // values of an expanded tensor, which may be copied

[[noreturn]] void malformed() { throw std::runtime_error("is damaged: its pickle is not well formed"); }

const std::map<std::string, at::ScalarType>& types() {
  static const std::map<std::string, at::ScalarType> all{{"torch.FloatStorage", at::kFloat},
                                                         {"torch.DoubleStorage", at::kDouble},
                                                         {"torch.HalfStorage", at::kHalf},
                                                         {"torch.BFloat16Storage", at::kBFloat16},
                                                         {"torch.LongStorage", at::kLong},
                                                         {"torch.IntStorage", at::kInt},
                                                         {"torch.ShortStorage", at::kShort},
                                                         {"torch.CharStorage", at::kChar},
                                                         {"torch.ByteStorage", at::kByte},
                                                         {"torch.BoolStorage", at::kBool},
                                                         {"torch.storage.UntypedStorage", at::kByte},
                                                         {"torch.UntypedStorage", at::kByte},
                                                         {"torch.float32", at::kFloat},
                                                         {"torch.float64", at::kDouble},
                                                         {"torch.float16", at::kHalf},
                                                         {"torch.bfloat16", at::kBFloat16},
                                                         {"torch.int64", at::kLong},
                                                         {"torch.int32", at::kInt},
                                                         {"torch.int16", at::kShort},
                                                         {"torch.int8", at::kChar},
                                                         {"torch.uint8", at::kByte},
                                                         {"torch.bool", at::kBool},
                                                         {"torch.uint16", at::kUInt16},
                                                         {"torch.uint32", at::kUInt32},
                                                         {"torch.uint64", at::kUInt64},
                                                         {"torch.float8_e4m3fn", at::kFloat8_e4m3fn},
                                                         {"torch.float8_e5m2", at::kFloat8_e5m2}};
  return all;
}

// torch.cuda.FloatStorage, as old versions wrote it, has the same values.
std::string on_cpu(const std::string& name) {
  const std::string cuda = "torch.cuda.";
  return name.starts_with(cuda) ? "torch." + name.substr(cuda.size()) : name;
}

// Storages that are not read, and the bytes of their values.
struct Unread {
  std::string what;
  std::int64_t width;
};
const std::map<std::string, Unread>& unread_storages() {
  static const std::map<std::string, Unread> all{
      {"torch.ComplexFloatStorage", {"a complex tensor", 8}}, {"torch.ComplexDoubleStorage", {"a complex tensor", 16}},
      {"torch.QInt8Storage", {"a quantized tensor", 1}},      {"torch.QUInt8Storage", {"a quantized tensor", 1}},
      {"torch.QInt32Storage", {"a quantized tensor", 4}},     {"torch.QUInt4x2Storage", {"a quantized tensor", 1}},
      {"torch.QUInt2x4Storage", {"a quantized tensor", 1}}};
  return all;
}

}  // namespace

at::ScalarType scalar_type_of(const std::string& name) {
  const auto found = types().find(on_cpu(name));
  if (found == types().end()) throw std::runtime_error("has a tensor of the unknown type " + name);
  return found->second;
}

bool is_read(const std::string& name) { return types().count(on_cpu(name)); }

std::vector<std::int64_t> sizes_of(const PythonValue& value) {
  const auto* items = value.list();
  if (!items) malformed();
  if (items->size() > kMostDimensions)
    throw std::runtime_error("has a tensor of " + std::to_string(items->size()) + " dimensions; at most " +
                             std::to_string(kMostDimensions) + " are read");
  std::vector<std::int64_t> result;
  for (const auto& item : *items) {
    const auto* integer = item.as<std::int64_t>();
    if (!integer || *integer < 0) malformed();
    result.push_back(*integer);
  }
  return result;
}

StorageId storage_id(const PythonValue& id) {
  const auto* parts = id.list();
  if (!parts || parts->size() < 5) malformed();
  const auto* type = (*parts)[1].object();
  const auto* key = (*parts)[2].as<std::string>();
  const auto* count = (*parts)[4].as<std::int64_t>();
  if (!type || !key || !count || *count < 0) malformed();
  const auto unread = unread_storages().find(on_cpu(type->name));
  if (unread == unread_storages().end()) return {scalar_type_of(type->name), *key, *count};
  const auto& [what, width] = unread->second;
  if (*count > INT64_MAX / width) malformed();
  return {at::kByte, *key, *count * width, what, width};
}

at::Tensor tensor_of(const PythonList& arguments) {
  if (arguments.size() < 4) malformed();
  const auto* all = arguments[0].as<at::Tensor>();
  const auto* offset = arguments[1].as<std::int64_t>();
  if (!all || !offset || *offset < 0) malformed();
  const auto sizes = sizes_of(arguments[2]), strides = sizes_of(arguments[3]);
  if (sizes.size() != strides.size()) malformed();
  __int128 last = *offset;
  double values = 1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    values *= static_cast<double>(sizes[i]);
    last += static_cast<__int128>(sizes[i] - 1) * strides[i];
  }
  if (values == 0) return at::empty(sizes, all->options());
  if (last >= all->numel()) throw std::runtime_error("has a tensor that reaches beyond its storage");
  if (values > static_cast<double>(all->numel()) && values > kMostExpanded)
    throw std::runtime_error("has an expanded tensor, with more values than its storage; save it after .contiguous()");
  return all->as_strided(sizes, strides, *offset);
}

}  // namespace sectile
