#include "mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include <ATen/Functions.h>
#include <c10/core/CPUAllocator.h>

namespace sectile {
namespace {

[[noreturn]] void unreadable() { throw std::runtime_error("cannot be read: " + std::string(std::strerror(errno))); }

// The whole pages between two addresses.
void forget(const char* begin, const char* end) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(end) / page * page;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace

struct MappedFile::Mapping {
  char* begin = nullptr;
  std::uint64_t size = 0;

  explicit Mapping(const std::filesystem::path& file) {
    const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) unreadable();
    struct stat facts;
    const bool known = fstat(descriptor, &facts) == 0;
    size = known ? static_cast<std::uint64_t>(facts.st_size) : 0;
    // Private: what is written to a tensor stays in this process.
    void* address = known && size > 0
                        ? mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0)
                        : nullptr;
    const int error = errno;
    close(descriptor);
    errno = error;
    if (!known || address == MAP_FAILED) unreadable();
    begin = static_cast<char*>(address);
  }
  ~Mapping() {
    if (begin) munmap(begin, size);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
};

// What a storage in the file holds on to.
struct MappedFile::Range {
  std::shared_ptr<const Mapping> mapping;
};

MappedFile::MappedFile(const std::filesystem::path& file) : mapping_(std::make_shared<const Mapping>(file)) {}

std::uint64_t MappedFile::size() const { return mapping_->size; }

std::string_view MappedFile::bytes() const { return {mapping_->begin, mapping_->size}; }

std::string_view MappedFile::bytes(std::uint64_t offset, std::uint64_t count) const {
  if (count > size() || offset > size() - count) throw std::out_of_range("is cut short");
  return bytes().substr(offset, count);
}

void MappedFile::release(void* range) { delete static_cast<Range*>(range); }

at::Tensor MappedFile::values(std::uint64_t offset, std::int64_t count, at::ScalarType type) const {
  const auto width = c10::elementSize(type);
  if (count < 0 || static_cast<std::uint64_t>(count) > size() / width) throw std::out_of_range("is cut short");
  const auto part = bytes(offset, static_cast<std::uint64_t>(count) * width);
  if (part.empty() || reinterpret_cast<std::uintptr_t>(part.data()) % width) {
    auto copy = at::empty({count}, at::dtype(type));
    if (!part.empty()) std::memcpy(copy.mutable_data_ptr(), part.data(), part.size());
    return copy;
  }
  at::DataPtr data(const_cast<char*>(part.data()), new Range{mapping_}, &release, at::kCPU);
  at::Storage storage(at::Storage::use_byte_size_t(), part.size(), std::move(data), /*allocator=*/nullptr,
                      /*resizable=*/false);
  return at::empty({0}, at::dtype(type)).set_(std::move(storage), 0, {count}, {1});
}

void forget_pages(const at::Tensor& tensor) {
  if (!tensor.has_storage() || tensor.device().type() != at::kCPU) return;
  const auto& data = tensor.storage().data_ptr();
  if (data.get_deleter() != &MappedFile::release) return;
  const auto* begin = static_cast<const char*>(data.get());
  // Only the part of a view that is in one piece; the others are small.
  if (tensor.is_non_overlapping_and_dense())
    begin += tensor.storage_offset() * static_cast<std::int64_t>(tensor.element_size());
  const auto count = tensor.is_non_overlapping_and_dense() ? tensor.nbytes() : tensor.storage().nbytes();
  forget(begin, begin + count);
}

}  // namespace sectile
