#include "legacy_file.h"

#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include <ATen/Functions.h>

#include "pickle_reader.h"
#include "stored_tensors.h"

namespace sectile {
namespace {

using namespace std::string_literals;

// The number 0x1950a86a20f9469cfc6c as a pickle, after its protocol and, from protocol 4 on, the length of a frame.
const std::string kMagic = "\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19."s, kFrame = "\x95\x0d\0\0\0\0\0\0\0"s;

std::size_t size_of_magic(std::string_view bytes) {
  constexpr char kFirst = 2, kLast = 5;  // protocols
  if (bytes.size() < 2 || bytes[0] != '\x80' || bytes[1] < kFirst || bytes[1] > kLast) return 0;
  const auto at = bytes.substr(2).starts_with(kFrame) ? 2 + kFrame.size() : 2;
  return bytes.substr(at).starts_with(kMagic) ? at + kMagic.size() : 0;
}

[[noreturn]] void malformed() { throw std::runtime_error("is damaged: its pickle is not well formed"); }

// Reads the pickles one after the other.
class Legacy {
 public:
  explicit Legacy(const MappedFile& file) : file_(file), at_(size_of_magic(file.bytes())) {}

  TorchFile read() {
    const auto plain = [](const PythonValue&) -> PythonValue { malformed(); };
    const auto protocol = next(plain).value;
    if (!protocol.as<std::int64_t>() || *protocol.as<std::int64_t>() != 1001)
      throw std::runtime_error("is of an unknown version of torch.save");
    const auto system = next(plain).value;
    if (const auto* little = system.find("little_endian"); little && little->as<bool>() && !*little->as<bool>())
      throw std::runtime_error("was saved by a machine with another byte order");
    // The object's storages come after it, and where they begin is known only when it was read once.
    const auto object = at_;
    next([this](const PythonValue& id) { return announced(id); });
    const auto keys = next(plain).value;
    find_storages(keys);
    at_ = object;
    auto read = next([this](const PythonValue& id) { return storage(id); });
    return {std::move(read.value), std::move(read.not_called)};
  }

 private:
  struct Storage {
    at::ScalarType type;
    std::int64_t count = 0;
    std::string unread{};
    std::int64_t width = 1;
    std::uint64_t at = 0;  // of its values in the file
    at::Tensor values{};
    std::map<std::pair<std::int64_t, std::int64_t>, at::Tensor> views{};  // by offset and size
  };

  Unpickled next(const Persistent& persistent) {
    auto read = read_pickle(file_.bytes().substr(at_), file_.size(), persistent);
    at_ += read.size;
    return read;
  }

  // The class of a module, which old versions saved with its source: ("module", class, file, source).
  static const PythonValue* module_class(const PythonValue& id) {
    const auto* parts = id.list();
    const auto* what = parts && parts->size() > 1 ? (*parts)[0].as<std::string>() : nullptr;
    return what && *what == "module" ? &(*parts)[1] : nullptr;
  }

  PythonValue announced(const PythonValue& id) {
    if (const auto* made = module_class(id)) return *made;
    const auto [type, key, count, unread, width] = storage_id(id);
    const Storage storage{.type = type, .count = count, .unread = unread, .width = width};
    const auto& known = storages_.try_emplace(key, storage).first->second;
    count_storages();
    if (known.type != type || known.count != count) throw std::runtime_error("has a storage of two types or sizes");
    return {};
  }

  void find_storages(const PythonValue& keys) {
    if (!keys.list() || keys.list()->size() != storages_.size()) malformed();
    for (const auto& key : *keys.list()) {
      const auto found = key.as<std::string>() ? storages_.find(*key.as<std::string>()) : storages_.end();
      if (found == storages_.end() || found->second.values.defined()) malformed();
      auto& storage = found->second;
      std::int64_t stored = 0;
      std::memcpy(&stored, file_.bytes(at_, sizeof stored).data(), sizeof stored);
      if (stored != storage.count / storage.width)
        throw std::runtime_error("states " + std::to_string(storage.count / storage.width) +
                                 " values for a storage of " + std::to_string(stored));
      storage.at = at_ + sizeof stored;
      storage.values = file_.values(storage.at, storage.count, storage.type);
      at_ = storage.at + static_cast<std::uint64_t>(storage.values.nbytes());
    }
  }

  PythonValue storage(const PythonValue& id) {
    if (const auto* made = module_class(id)) return *made;
    auto& all = storages_.at(storage_id(id).key);
    if (!all.unread.empty()) return all.unread;
    const auto& parts = *id.list();
    if (parts.size() < 6 || !parts[5].list()) return all.values;
    const auto& view = *parts[5].list();  // (key, offset, size) of a part, which versions before 0.4 saved as a storage
    const auto* offset = view.size() == 3 ? view[1].as<std::int64_t>() : nullptr;
    const auto* size = offset ? view[2].as<std::int64_t>() : nullptr;
    if (!size || *offset < 0 || *size < 0 || *size > all.count || *offset > all.count - *size) malformed();
    auto& part = all.views[{*offset, *size}];
    if (part.defined()) return part;
    const auto width = c10::elementSize(all.type);
    viewed_ += static_cast<std::uint64_t>(*size) * width;
    ++parts_;
    count_storages();
    if (viewed_ > file_.size()) throw std::runtime_error("has storages that share their values more than once");
    return part = file_.values(all.at + static_cast<std::uint64_t>(*offset) * width, *size, all.type);
  }

  void count_storages() const {
    if (storages_.size() + parts_ > most_storages(file_.size()))
      throw std::runtime_error("has more storages than a file of its size needs");
  }

  const MappedFile& file_;
  std::uint64_t at_;
  std::map<std::string, Storage> storages_;
  std::uint64_t parts_ = 0, viewed_ = 0;  // and their bytes
};

}  // namespace

bool is_legacy(std::string_view bytes) { return size_of_magic(bytes) > 0; }

TorchFile read_legacy(const MappedFile& file) { return Legacy(file).read(); }

}  // namespace sectile
