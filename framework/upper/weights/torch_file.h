// Files that Python's torch.save writes (zip format), and that torch.load(weights_only=True) reads. Nothing in such a
// file is ever executed: names of unknown classes stay inert values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sectile {

// One of Python's values, as far as checkpoints need them.
struct PythonValue;
using PythonList = std::vector<PythonValue>;
using PythonDict = std::vector<std::pair<PythonValue, PythonValue>>;  // in the file's order

struct PythonObject {  // an instance of a class that is not looked into
  std::string name;
};

struct PythonValue {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, at::Tensor, std::shared_ptr<PythonList>,
               std::shared_ptr<PythonDict>, PythonObject>
      held;

  PythonValue() = default;
  PythonValue(bool value) : held(value) {}
  PythonValue(int value) : held(std::int64_t{value}) {}
  PythonValue(std::int64_t value) : held(value) {}
  PythonValue(double value) : held(value) {}
  PythonValue(const char* value) : held(std::string(value)) {}
  PythonValue(std::string value) : held(std::move(value)) {}
  PythonValue(at::Tensor value) : held(std::move(value)) {}
  PythonValue(PythonList value) : held(std::make_shared<PythonList>(std::move(value))) {}
  PythonValue(PythonDict value) : held(std::make_shared<PythonDict>(std::move(value))) {}

  template <class T>
  const T* as() const {
    return std::get_if<T>(&held);
  }
  const PythonDict* dict() const;                         // null when it is no dict
  const PythonList* list() const;                         // of a list or tuple
  const PythonValue* find(const std::string& key) const;  // in a dict; null when it is not there
};

// Throws DataError naming the file and the place in it. Tensors are on the CPU and own their memory; those that shared
// a storage in Python share it here.
PythonValue read_torch_file(const std::filesystem::path& file);

// Written beside and renamed, so that an interrupted save leaves the earlier file whole. Throws DataError.
void write_torch_file(const std::filesystem::path& file, const PythonValue& value);

}  // namespace sectile
