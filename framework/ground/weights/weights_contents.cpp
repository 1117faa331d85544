#include "weights_contents.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include <sectile/error.h>

#include "../spec/json_text.h"
#include "safetensors_header.h"

namespace sectile {
namespace {

constexpr std::size_t kShown = 20;               // bytes of a beginning, in messages
constexpr std::size_t kEndRecord = 22;           // bytes of the last record of a zip archive, without its comment
constexpr std::size_t kLongestComment = 65'535;  // bytes
constexpr std::size_t kLengthBytes = 8;          // of the header of safetensors, which begins after them
constexpr char kOldest = 2, kNewest = 5;         // protocols of pickle that torch.save takes

// Mapped, since a header may describe more bytes than fit into memory, and none of them are read.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& file) {
    const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat found {};
    if (descriptor < 0 || fstat(descriptor, &found) != 0) problem_ = errno;
    size_ = static_cast<std::size_t>(found.st_size);
    if (problem_ == 0 && size_ > 0) bytes_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes_ == MAP_FAILED) problem_ = errno;
    if (descriptor >= 0) close(descriptor);
    if (problem_ != 0) throw DataError(file, std::string("cannot be read: ") + std::strerror(problem_));
  }
  ~MappedFile() {
    if (bytes_) munmap(bytes_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(bytes_), size_}; }

 private:
  void* bytes_ = nullptr;
  std::size_t size_ = 0;
  int problem_ = 0;
};

}  // namespace

std::string contents_problem(const std::filesystem::path& file) {
  const MappedFile mapped(file);
  const auto bytes = mapped.bytes();
  if (bytes.empty()) return "is empty";
  if (bytes.starts_with("PK\3\4")) {
    const auto tail = bytes.substr(bytes.size() - std::min(bytes.size(), kEndRecord + kLongestComment));
    const auto end = tail.rfind("PK\5\6");
    const bool has_end = end != tail.npos && tail.size() - end >= kEndRecord;
    return has_end ? "" : "is cut short: the end of its zip archive is missing";
  }
  if (bytes.size() > 1 && bytes[0] == '\x80' && bytes[1] >= kOldest && bytes[1] <= kNewest) return "";
  if (bytes.size() <= kLengthBytes || bytes[kLengthBytes] != '{')
    return "begins with " + quoted(Json(std::string(bytes.substr(0, kShown)))) +
           ", which no file of weights does (torch.save, safetensors)";
  try {
    read_safetensors_header(bytes);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

}  // namespace sectile
