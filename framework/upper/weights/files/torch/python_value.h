// Values of Python, of the types used in files of weights.
#pragma once

#include <cstdint>
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

struct PythonObject;

struct PythonValue {
  std::variant<std::monostate, bool, std::int64_t, double, PythonText, at::Tensor, std::shared_ptr<PythonList>,
               std::shared_ptr<PythonDict>, std::shared_ptr<PythonObject>>
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
  const PythonList* list() const;                         // of a list, tuple or set
  const PythonObject* object() const;                     // null if it is of one of the types above
  const PythonValue* find(const std::string& key) const;  // in a dict, or among attributes; null if missing
};

// A class or a function, or an instance of a class that is none of the types above. It is never made or called: only
// what the file says about it is kept.
struct PythonObject {
  std::string name;       // "torch.nn.modules.conv.Conv2d"
  bool instance = false;  // or what a function would have returned
  PythonList arguments;
  PythonDict attributes;  // and the items of a class like dict
};

}  // namespace sectile
