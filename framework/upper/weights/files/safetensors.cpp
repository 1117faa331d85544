#include "safetensors.h"

#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

#include <ATen/Functions.h>

#include <sectile/error.h>

#include "../../../ground/images/image_file.h"
#include "../../../ground/weights/safetensors_header.h"
#include "file_format.h"
#include "mapped_file.h"
#include "weights_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, at::ScalarType>& types() {
  static const std::map<std::string, at::ScalarType> all{{"F64", at::kDouble},
                                                         {"F32", at::kFloat},
                                                         {"F16", at::kHalf},
                                                         {"BF16", at::kBFloat16},
                                                         {"I64", at::kLong},
                                                         {"I32", at::kInt},
                                                         {"I16", at::kShort},
                                                         {"I8", at::kChar},
                                                         {"U8", at::kByte},
                                                         {"U16", at::kUInt16},
                                                         {"U32", at::kUInt32},
                                                         {"U64", at::kUInt64},
                                                         {"BOOL", at::kBool},
                                                         {"F8_E4M3", at::kFloat8_e4m3fn},
                                                         {"F8_E5M2", at::kFloat8_e5m2}};
  return all;
}

std::string dtype_of(const at::Tensor& tensor, const fs::path& file, const std::string& name) {
  for (const auto& [dtype, type] : types())
    if (type == tensor.scalar_type()) return dtype;
  throw DataError(file, name + ": safetensors has no type " + c10::toString(tensor.scalar_type()));
}

void require_name(const fs::path& file, const std::string& name) {
  if (name == "__metadata__") throw DataError(file, "cannot hold a tensor of the name __metadata__; rename it");
  if (!is_utf8(name)) throw DataError(file, "cannot hold the name " + name + ", which is not UTF-8; rename it");
}

[[noreturn]] void refuse(const fs::path& file, const std::exception& error) {
  const std::string text = error.what();
  throw DataError(file, text.substr(0, text.find('\n')));
}

// The files of an index, with the names of their tensors.
std::map<fs::path, std::vector<std::string>> parts_of(const fs::path& index) {
  try {
    const MappedFile mapped(index);
    std::map<fs::path, std::vector<std::string>> parts;
    for (const auto& [name, part] : read_weight_map(std::string(mapped.bytes())))
      parts[index.parent_path() / part].push_back(name);
    return parts;
  } catch (const std::exception& error) {
    refuse(index, error);
  }
}

}  // namespace

Safetensors read_safetensors(const fs::path& file) {
  try {
    const MappedFile mapped(file);
    auto header = read_safetensors_header(mapped.bytes());
    Safetensors read;
    for (const auto& [name, dtype, shape, offset, bytes] : header.tensors) {
      if (!types().count(dtype)) {
        read.left_out.push_back(name + " (of type " + dtype + ")");
        continue;
      }
      const auto count = static_cast<std::int64_t>(bytes / bytes_of_dtype(dtype));
      read.tensors.emplace(name, mapped.values(count ? offset : 0, count, types().at(dtype)).view(shape));
    }
    for (const auto& [name, kept] : header.metadata)
      if (const auto twin = read.tensors.find(kept); twin != read.tensors.end() && name != "format")
        if (read.tensors.emplace(name, twin->second).second) read.aliases.insert(name);
    return read;
  } catch (const DataError&) {
    throw;
  } catch (const std::exception& error) {
    refuse(file, error);
  }
}

std::set<fs::path> indexed_files(const fs::path& index) {
  std::set<fs::path> files;
  for (const auto& item : parts_of(index)) files.insert(item.first);
  return files;
}

Safetensors read_indexed(const fs::path& index) {
  Safetensors read;
  for (const auto& [path, names] : parts_of(index)) {
    std::error_code unknown;
    if (!fs::is_regular_file(path, unknown))
      throw DataError(index,
                      "names " + path.filename().string() + " for " + names.front() + ", which is missing beside it");
    if (format_of(path) == WeightsFormat::index) throw DataError(path, "is an index itself, and not a file of weights");
    auto content = read_weights(path);
    std::set<std::string> unread;
    for (const auto& text : content.left_out) unread.insert(text.substr(0, text.rfind(" (")));  // "s (of type F4)"
    std::move(content.left_out.begin(), content.left_out.end(), std::back_inserter(read.left_out));
    for (const auto& name : names) {
      auto found = content.state.extract(name);
      if (found)
        read.tensors.insert(std::move(found));
      else if (!unread.count(name))
        throw DataError(path, "has no tensor " + name + ", which " + index.string() + " says it has");
    }
  }
  return read;
}

void write_safetensors(const fs::path& file, const std::map<std::string, at::Tensor>& tensors) {
  std::vector<SafetensorsHeader::Tensor> header;
  for (const auto& [name, tensor] : tensors) {
    require_name(file, name);
    header.push_back({.name = name,
                      .dtype = dtype_of(tensor, file, name),
                      .shape = tensor.sizes().vec(),
                      .offset = 0,
                      .bytes = static_cast<std::uint64_t>(tensor.numel()) * tensor.element_size()});
  }
  const auto beginning = write_safetensors_header(header, {{"format", "pt"}});
  auto size = beginning.size();
  for (const auto& tensor : header) size += tensor.bytes;
  if (header.size() > most_tensors(size))
    throw DataError(file, "would have " + std::to_string(header.size()) +
                              " tensors, more than are read from a safetensors file of its size; write a .pth file");
  ReplacedFile out(file);
  out.write(beginning.data(), beginning.size());
  for (const auto& item : tensors) {
    const auto values = item.second.detach().cpu().resolve_neg().contiguous();
    if (values.numel() > 0) out.write(values.const_data_ptr(), values.nbytes());
  }
  out.commit(/*to_disk=*/true);
}

}  // namespace sectile
