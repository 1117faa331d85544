// Files of torch.save, of any version, and TorchScript archives. Nothing in such a file is ever executed: unknown
// classes and functions are only stored by name.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "python_value.h"

namespace sectile {

struct TorchFile {
  PythonValue content;
  // Classes and functions that Python would have called, and that are not of torch, numpy or a plain type.
  std::set<std::string> not_called;
  bool script = false;  // a TorchScript archive, whose modules are objects with attributes
};

// Throws DataError naming the file and the location in it. Tensors are on the CPU, and those of a file of today's
// torch.save lie in the file, which is mapped; tensors that shared storage in Python also share it here. Takes at most
// about twice the file's size and 100 MB, whatever it holds.
TorchFile read_torch_file(const std::filesystem::path& file);

// Writes a temporary file and renames it, so that an interrupted save does not damage the previous file. Throws
// DataError.
void write_torch_file(const std::filesystem::path& file, const PythonValue& value);

}  // namespace sectile
