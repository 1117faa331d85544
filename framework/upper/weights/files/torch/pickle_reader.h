// A restricted unpickler: a stack machine that supports tensors, containers and plain values, and keeps only the name
// of any other class or function, with its arguments and attributes. The format: Python's pickletools.py.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "python_value.h"

namespace sectile {

using Persistent = std::function<PythonValue(const PythonValue& id)>;  // what a persistent id stands for: a storage

struct Unpickled {
  PythonValue value;
  std::size_t size;                  // of the pickle, in bytes
  std::set<std::string> not_called;  // classes and functions that Python would have called
};

// The pickle at the beginning of the bytes. Throws std::runtime_error; bounds depth and memory, the latter by the size
// of the file that the bytes are from.
Unpickled read_pickle(std::string_view bytes, std::uint64_t file_size, const Persistent& persistent);

}  // namespace sectile
