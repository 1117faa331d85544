// What the functions and classes that files of weights call in Python return: those of torch and numpy that make
// tensors, and Python's plain types. No other is known.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "python_value.h"

namespace sectile {

using CountValues = std::function<void(std::uint64_t)>;  // memory that is taken, in plain values

// The attribute of an object in place of a tensor that is not read, which says why: "a sparse tensor".
inline constexpr const char* kUnread = "<unread>";

struct Made {
  PythonValue value{};
  std::string unread{};  // why a tensor is not read; then there is no value
};

// Nothing for a function that is not known. Throws std::runtime_error for arguments that no such file has.
std::optional<Made> call_known(const std::string& function, const PythonList& arguments, const CountValues& count);

// The tensor that an object is once it has its state, if it is an array of numpy with numbers.
std::optional<Made> array_of(const PythonObject& object, const PythonValue& state, const CountValues& count);

}  // namespace sectile
