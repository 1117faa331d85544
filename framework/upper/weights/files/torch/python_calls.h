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

// Nothing for a function that is not known. Throws std::runtime_error for arguments that no such file has.
std::optional<PythonValue> call_known(const std::string& function, const PythonList& arguments,
                                      const CountValues& count);

// The tensor that an object is once it has its state, if it is an array of numpy.
std::optional<PythonValue> array_of(const PythonObject& object, const PythonValue& state, const CountValues& count);

}  // namespace sectile
