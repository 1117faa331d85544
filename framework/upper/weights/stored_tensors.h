// The tensors of a file of torch.save: records with values, and views of them.
#pragma once

#include <map>
#include <string>

#include <ATen/core/Tensor.h>

#include "torch_file.h"
#include "zip_file.h"

namespace sectile {

class StoredTensors {
 public:
  explicit StoredTensors(ZipFile& zip) : zip_(zip) {}

  // identity: ("storage", type, key, location, number of values). The whole record as a flat tensor, read once. Throws
  // std::runtime_error, as below.
  at::Tensor storage(const PythonValue& identity);
  // arguments: (storage, offset, sizes, strides, …). A view, which is inside the storage and has no more values than
  // it.
  static at::Tensor tensor(const PythonList& arguments);

 private:
  ZipFile& zip_;
  std::map<std::string, at::Tensor> storages_;
};

}  // namespace sectile
