// Files of torch.save (zip format) that torch.load(weights_only=True) can read. Nothing in such a file is ever
// executed: unknown classes are only stored by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sectile {

// A Python value, of the types used in checkpoints.
struct PythonValue;
using PythonList = std::vector<PythonValue>;
using PythonDict = std::vector<std::pair<PythonValue, PythonValue>>;  // in the order of the file

// Copies share their text: a file may mention a long one any number of times.
using PythonText = std::shared_ptr<const std::string>;

struct PythonObject {  // an instance of an unknown class
  PythonText name;
};

struct PythonValue {
  std::variant<std::monostate, bool, std::int64_t, double, PythonText, at::Tensor, std::shared_ptr<PythonList>,
               std::shared_ptr<PythonDict>, PythonObject>
      held;

  PythonValue() = default;
  PythonValue(bool value) : held(value) {}
  PythonValue(int value) : held(std::int64_t{value}) {}
  PythonValue(std::int64_t value) : held(value) {}
  PythonValue(double value) : held(value) {}
  PythonValue(const char* value) : PythonValue(std::string(value)) {}
  PythonValue(std::string value) : held(std::make_shared<const std::string>(std::move(value))) {}
  PythonValue(at::Tensor value) : held(std::move(value)) {}
  PythonValue(PythonList value) : held(std::make_shared<PythonList>(std::move(value))) {}
  PythonValue(PythonDict value) : held(std::make_shared<PythonDict>(std::move(value))) {}

  template <class T>
  const T* as() const {
    if constexpr (std::is_same_v<T, std::string>) {
      const auto* text = std::get_if<PythonText>(&held);
      return text ? text->get() : nullptr;
    } else {
      return std::get_if<T>(&held);
    }
  }
  const PythonDict* dict() const;                         // null if it is not a dict
  const PythonList* list() const;                         // of a list or tuple
  const PythonValue* find(const std::string& key) const;  // in a dict; null if missing
};

// Throws DataError naming the file and the location in it. Tensors are on the CPU and own their memory; tensors that
// shared storage in Python also share it here. Takes at most about twice the file's size and 100 MB, whatever it holds.
PythonValue read_torch_file(const std::filesystem::path& file);

// Throws DataError for a file that is not a zip archive, naming its format, and how to convert it.
void refuse_other_formats(const std::filesystem::path& file);

// Writes a temporary file and renames it, so that an interrupted save does not damage the previous file. Throws
// DataError.
void write_torch_file(const std::filesystem::path& file, const PythonValue& value);

}  // namespace sectile
