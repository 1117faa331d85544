// How torch describes its tensors in a pickle: flat storages, and views of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "python_value.h"

namespace sectile {

// Storages of a file of this size, and parts of them, of which each takes some hundred bytes.
constexpr std::uint64_t most_storages(std::uint64_t file_size) { return 100'000 + file_size / 1000; }

// Of "torch.FloatStorage", "torch.float32" and "torch.storage.UntypedStorage", whose values are bytes. Throws
// std::runtime_error, as all below.
at::ScalarType scalar_type_of(const std::string& name);
bool is_read(const std::string& name);  // or scalar_type_of throws

std::vector<std::int64_t> sizes_of(const PythonValue& value);  // of a list of numbers from 0

// The persistent id of a storage: ("storage", type, key, location, number of values).
struct StorageId {
  at::ScalarType type;
  std::string key;
  std::int64_t count;
  std::string unread{};    // why it is not read: "a complex tensor"; then its values are bytes
  std::int64_t width = 1;  // of a value that is not read, in bytes
};
StorageId storage_id(const PythonValue& id);

// arguments: (storage, offset, sizes, strides, …). A view inside the storage. An expanded one, with more values than
// the storage, has limited numbers of them.
at::Tensor tensor_of(const PythonList& arguments);

}  // namespace sectile
