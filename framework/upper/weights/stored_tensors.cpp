#include "stored_tensors.h"

#include <cstdint>
#include <stdexcept>
#include <vector>

#include <ATen/Functions.h>

namespace sectile {
namespace {

constexpr std::size_t kMostDimensions = 16;

at::ScalarType storage_type(const std::string& name) {
  static const std::map<std::string, at::ScalarType> types{
      {"torch.FloatStorage", at::kFloat},       {"torch.DoubleStorage", at::kDouble}, {"torch.HalfStorage", at::kHalf},
      {"torch.BFloat16Storage", at::kBFloat16}, {"torch.LongStorage", at::kLong},     {"torch.IntStorage", at::kInt},
      {"torch.ShortStorage", at::kShort},       {"torch.CharStorage", at::kChar},     {"torch.ByteStorage", at::kByte},
      {"torch.BoolStorage", at::kBool}};
  const auto found = types.find(name);
  if (found == types.end()) throw std::runtime_error("has a tensor of the unknown type " + name);
  return found->second;
}

[[noreturn]] void malformed() { throw std::runtime_error("is damaged: its pickle is not well formed"); }

std::vector<std::int64_t> integers(const PythonValue& value) {
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

}  // namespace

at::Tensor StoredTensors::storage(const PythonValue& identity) {
  const auto* parts = identity.list();
  if (!parts || parts->size() < 5) malformed();
  const auto* type = (*parts)[1].as<PythonObject>();
  const auto* key = (*parts)[2].as<std::string>();
  const auto* count = (*parts)[4].as<std::int64_t>();
  if (!type || !key || !count) malformed();
  const auto scalar = storage_type(*type->name);
  const auto found = storages_.find(*key);
  if (found != storages_.end()) {
    if (found->second.scalar_type() != scalar) throw std::runtime_error("has a storage of two types");
    return found->second;
  }
  const auto record = "data/" + *key;
  const auto size = zip_.size_of(record);
  if (*count < 0 || size / c10::elementSize(scalar) != static_cast<std::size_t>(*count) ||
      size % c10::elementSize(scalar))
    throw std::runtime_error("states " + std::to_string(*count) + " values for the record " + record + ", which has " +
                             std::to_string(size) + " bytes");
  auto values = at::empty({*count}, at::dtype(scalar));
  if (size > 0) zip_.read(record, values.mutable_data_ptr());
  return storages_.emplace(*key, std::move(values)).first->second;
}

at::Tensor StoredTensors::tensor(const PythonList& arguments) {
  if (arguments.size() < 4) malformed();
  const auto* all = arguments[0].as<at::Tensor>();
  const auto* offset = arguments[1].as<std::int64_t>();
  if (!all || !offset || *offset < 0) malformed();
  const auto sizes = integers(arguments[2]), strides = integers(arguments[3]);
  if (sizes.size() != strides.size()) malformed();
  __int128 last = *offset;
  double values = 1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    values *= static_cast<double>(sizes[i]);
    last += static_cast<__int128>(sizes[i] - 1) * strides[i];
  }
  if (values == 0) return at::empty(sizes, all->options());
  if (last >= all->numel()) throw std::runtime_error("has a tensor that reaches beyond its storage");
  // Copied, it would take any amount of memory.
  if (values > static_cast<double>(all->numel()))
    throw std::runtime_error("has an expanded tensor, with more values than its storage; save it after .contiguous()");
  return all->as_strided(sizes, strides, *offset);
}

}  // namespace sectile
