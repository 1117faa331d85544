#include "torch_file.h"

#include <exception>
#include <map>
#include <stdexcept>

#include <sectile/error.h>

#include "../file_format.h"
#include "../mapped_file.h"
#include "legacy_file.h"
#include "pickle_reader.h"
#include "stored_tensors.h"
#include "zip_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

// The records with the values of tensors, each read once, so that tensors that share a storage still do.
class Records {
 public:
  explicit Records(const ZipFile& zip) : zip_(zip) {}

  PythonValue storage(const PythonValue& identity) {
    const auto [type, key, count, unread, width] = storage_id(identity);
    if (!unread.empty()) return unread;
    const auto found = storages_.find(key);
    if (found != storages_.end()) {
      if (found->second.scalar_type() != type) throw std::runtime_error("has a storage of two types");
      return found->second;
    }
    if (storages_.size() == most_storages(zip_.file().size()))
      throw std::runtime_error("has more storages than a file of its size needs");
    const auto record = "data/" + key;
    if (!zip_.has(record))
      throw std::runtime_error("is damaged: the record " + record + " with values of a tensor is missing");
    const auto size = zip_.size_of(record);
    if (size / c10::elementSize(type) != static_cast<std::uint64_t>(count) || size % c10::elementSize(type))
      throw std::runtime_error("states " + std::to_string(count) + " values for the record " + record + ", which has " +
                               std::to_string(size) + " bytes");
    return storages_.emplace(key, zip_.file().values(size ? zip_.offset_of(record) : 0, count, type)).first->second;
  }

 private:
  const ZipFile& zip_;
  std::map<std::string, at::Tensor> storages_;
};

TorchFile read_zip(const MappedFile& file) {
  const ZipFile zip(file);
  if (!zip.has("data.pkl")) throw std::runtime_error("is a zip archive, and not one of torch.save: it has no data.pkl");
  if (zip.has("byteorder") && zip.size_of("byteorder") < 8 && zip.read("byteorder") != "little")
    throw std::runtime_error("was saved by a machine with another byte order");
  Records records(zip);
  auto read = read_pickle(zip.read("data.pkl"), file.size(),
                          [&](const PythonValue& identity) { return records.storage(identity); });
  return {std::move(read.value), std::move(read.not_called), zip.has("constants.pkl")};
}

}  // namespace

TorchFile read_torch_file(const fs::path& file) {
  const auto format = format_of(file);
  if (format == WeightsFormat::safetensors) throw DataError(file, "is a safetensors file, and not one of torch.save");
  if (format == WeightsFormat::index) throw DataError(file, "is a JSON file, and not one of torch.save");
  try {
    const MappedFile mapped(file);
    return format == WeightsFormat::legacy ? read_legacy(mapped) : read_zip(mapped);
  } catch (const std::exception& error) {  // LibTorch's exceptions have a backtrace from the second line
    const std::string text = error.what();
    throw DataError(file, text.substr(0, text.find('\n')));
  }
}

}  // namespace sectile
