// Files on disk, below all image formats: reading foreign bytes, and writing beside and renaming.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace sectile {

struct FileBytes {
  std::unique_ptr<std::uint8_t[]> data{};
  std::size_t size = 0;
};

// Open for reading. Holds no position, so that a header and several threads may be read from one.
class ImageFile {
 public:
  explicit ImageFile(const std::filesystem::path& path);  // throws DataError
  ~ImageFile();
  ImageFile(const ImageFile&) = delete;
  ImageFile& operator=(const ImageFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  // How many of `count` bytes from `at` on are now in `to`: fewer at the file's end, and when reading fails.
  std::size_t read(std::uint64_t at, void* to, std::size_t count) const noexcept;
  FileBytes bytes() const;  // all; throws DataError

 private:
  std::filesystem::path path_;
  int descriptor_;
  std::uint64_t size_ = 0;
};

// The new content of a file, written beside it: a reader never sees half a file, and a failure leaves what was there.
class ReplacedFile {
 public:
  explicit ReplacedFile(const std::filesystem::path& path);  // throws DataError
  ~ReplacedFile();                                           // without commit(), nothing has happened
  ReplacedFile(const ReplacedFile&) = delete;
  ReplacedFile& operator=(const ReplacedFile&) = delete;

  std::FILE* stream() const { return stream_; }
  void commit();  // throws DataError

 private:
  void fail(int problem) const;

  std::filesystem::path path_, beside_;
  std::FILE* stream_;
};

}  // namespace sectile
