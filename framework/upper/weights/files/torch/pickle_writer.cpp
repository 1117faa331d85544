// PythonValue → protocol 2 pickle, with the opcodes that torch.load(weights_only=True) accepts.
#include <algorithm>
#include <cstring>
#include <limits>

#include <ATen/Functions.h>
#include <caffe2/serialize/inline_container.h>

#include <sectile/error.h>

#include "../../../../ground/images/image_file.h"
#include "torch_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

const char* storage_name(at::ScalarType type, const fs::path& file, const std::string& name) {
  switch (type) {
    case at::kFloat:
      return "FloatStorage";
    case at::kDouble:
      return "DoubleStorage";
    case at::kHalf:
      return "HalfStorage";
    case at::kBFloat16:
      return "BFloat16Storage";
    case at::kLong:
      return "LongStorage";
    case at::kInt:
      return "IntStorage";
    case at::kShort:
      return "ShortStorage";
    case at::kChar:
      return "CharStorage";
    case at::kByte:
      return "ByteStorage";
    case at::kBool:
      return "BoolStorage";
    default:
      throw DataError(file, std::string("cannot hold tensors of type ") + c10::toString(type) + ", as " + name +
                                " is; a .safetensors file can, unless they are complex or quantized");
  }
}

class PickleWriter {
 public:
  explicit PickleWriter(const fs::path& file) : file_(file) {}

  std::string bytes = "\x80\x02";
  std::vector<at::Tensor> tensors;  // one storage each, in the order of the keys

  void value(const PythonValue& item) {
    std::visit([this](const auto& held) { write(held); }, item.held);
  }

 private:
  void write(std::monostate) { bytes += 'N'; }
  void write(bool item) { bytes += item ? '\x88' : '\x89'; }
  void write(std::int64_t item) {
    if (item >= std::numeric_limits<std::int32_t>::min() && item <= std::numeric_limits<std::int32_t>::max()) {
      bytes += 'J';
      raw(static_cast<std::int32_t>(item));
    } else {
      bytes += "\x8a\x08";
      raw(item);
    }
  }
  void write(double item) {
    char raw_bytes[sizeof item];
    std::memcpy(raw_bytes, &item, sizeof item);
    std::reverse(raw_bytes, raw_bytes + sizeof item);  // big-endian
    bytes += 'G';
    bytes.append(raw_bytes, sizeof item);
  }
  void write(const PythonText& item) { text(*item); }
  void text(const std::string& item) {
    bytes += 'X';
    raw(static_cast<std::uint32_t>(item.size()));
    bytes += item;
  }
  void write(const std::shared_ptr<PythonList>& items) {
    bytes += "](";
    for (const auto& item : *items) value(item);
    bytes += 'e';
  }
  void write(const std::shared_ptr<PythonDict>& items) {
    global("collections", "OrderedDict");
    bytes += ")R(";
    for (const auto& [key, item] : *items) {
      if (key.as<std::string>()) name_ = *key.as<std::string>();
      value(key), value(item);
    }
    bytes += 'u';
  }
  void write(const std::shared_ptr<PythonObject>& item) {
    throw DataError(file_, "cannot hold an object of class " + item->name);
  }
  void write(const at::Tensor& item) {
    const auto tensor = item.detach().cpu().resolve_neg().contiguous();
    global("torch._utils", "_rebuild_tensor_v2");
    bytes += "((";
    text("storage");
    global("torch", storage_name(tensor.scalar_type(), file_, name_));
    text(std::to_string(tensors.size()));
    text("cpu");
    write(tensor.numel());
    bytes += "tQ";
    write(std::int64_t{0});
    tuple(tensor.sizes());
    tuple(tensor.strides());
    write(false);
    global("collections", "OrderedDict");
    bytes += ")RtR";
    tensors.push_back(tensor);
  }

  template <class T>
  void raw(T number) {
    char raw_bytes[sizeof number];
    std::memcpy(raw_bytes, &number, sizeof number);
    bytes.append(raw_bytes, sizeof number);
  }
  void global(const char* module, const char* name) { bytes += std::string("c") + module + "\n" + name + "\n"; }
  void tuple(at::IntArrayRef numbers) {
    bytes += '(';
    for (const auto number : numbers) write(number);
    bytes += 't';
  }

  const fs::path file_;
  std::string name_;  // of the entry that is written
};

void write_zip(ReplacedFile& out, const PickleWriter& pickle) {
  caffe2::serialize::PyTorchStreamWriter zip([&out](const void* data, std::size_t size) {
    out.write(data, size);
    return size;  // also after an error, which commit() reports: the writer must not throw from its destructor
  });
  zip.writeRecord("data.pkl", pickle.bytes.data(), pickle.bytes.size());
  zip.writeRecord("byteorder", "little", 6);
  for (std::size_t i = 0; i < pickle.tensors.size(); ++i)
    zip.writeRecord("data/" + std::to_string(i), pickle.tensors[i].const_data_ptr(), pickle.tensors[i].nbytes());
  zip.writeEndOfFile();
}

}  // namespace

void write_torch_file(const fs::path& file, const PythonValue& value) {
  PickleWriter pickle(file);
  pickle.value(value);
  pickle.bytes += '.';
  ReplacedFile out(file);
  write_zip(out, pickle);
  out.commit(/*to_disk=*/true);
}

}  // namespace sectile
