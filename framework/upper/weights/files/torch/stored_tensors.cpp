#include "stored_tensors.h"

#include <map>
#include <stdexcept>

#include <ATen/Functions.h>

namespace sectile {
namespace {

constexpr std::size_t kMostDimensions = 16;
constexpr double kMostExpanded = 1 << 24;  // values of an expanded tensor, which may be copied

[[noreturn]] void malformed() { throw std::runtime_error("is damaged: its pickle is not well formed"); }

}  // namespace

at::ScalarType scalar_type_of(const std::string& name) {
  static const std::map<std::string, at::ScalarType> types{{"torch.FloatStorage", at::kFloat},
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
  // torch.cuda.FloatStorage, as old versions wrote it, has the same values.
  const auto cuda = std::string("torch.cuda.");
  const auto found = types.find(name.starts_with(cuda) ? "torch." + name.substr(cuda.size()) : name);
  if (found == types.end()) throw std::runtime_error("has a tensor of the unknown type " + name);
  return found->second;
}

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
  return {scalar_type_of(type->name), *key, *count};
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
