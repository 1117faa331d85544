// A file in memory, of which only the pages in use take any: tensors of any size are read where they lie.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include <ATen/core/Tensor.h>

namespace sectile {

class MappedFile {
 public:
  // Throws std::runtime_error if it cannot be read.
  explicit MappedFile(const std::filesystem::path& file);

  std::uint64_t size() const;
  std::string_view bytes() const;
  std::string_view bytes(std::uint64_t offset, std::uint64_t count) const;  // throws std::out_of_range
  // A flat tensor of the values at that offset: in the file itself, which it keeps open, or a copy if the offset is
  // not a multiple of the element size. Writing to it does not change the file. Throws std::out_of_range.
  at::Tensor values(std::uint64_t offset, std::int64_t count, at::ScalarType type) const;

 private:
  struct Mapping;
  struct Range;
  static void release(void* range);
  friend void forget_pages(const at::Tensor& tensor);

  std::shared_ptr<const Mapping> mapping_;
};

// Gives back the memory of a tensor of a mapped file that nobody wrote to; its values are read again when they are
// used. Does nothing for other tensors.
void forget_pages(const at::Tensor& tensor);

}  // namespace sectile
