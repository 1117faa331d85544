#include "python_value.h"

namespace sectile {

const PythonDict* PythonValue::dict() const {
  const auto* pointer = as<std::shared_ptr<PythonDict>>();
  return pointer ? pointer->get() : nullptr;
}
const PythonList* PythonValue::list() const {
  const auto* pointer = as<std::shared_ptr<PythonList>>();
  return pointer ? pointer->get() : nullptr;
}
const PythonObject* PythonValue::object() const {
  const auto* pointer = as<std::shared_ptr<PythonObject>>();
  return pointer ? pointer->get() : nullptr;
}
const PythonValue* PythonValue::find(const std::string& key) const {
  const auto* items = object() ? &object()->attributes : dict();
  if (!items) return nullptr;
  const PythonValue* found = nullptr;
  for (const auto& [name, item] : *items)
    if (const auto* text = name.as<std::string>(); text && *text == key)
      found = &item;  // as in Python, the last one wins
  return found;
}

}  // namespace sectile
