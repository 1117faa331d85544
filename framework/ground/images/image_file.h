// File access for all image formats: reading untrusted bytes, and writing to a temporary file that is renamed.
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

// A file open for reading. Has no position, so that several threads can read from it.
class ImageFile {
 public:
  explicit ImageFile(const std::filesystem::path& path);  // throws DataError
  ~ImageFile();
  ImageFile(const ImageFile&) = delete;
  ImageFile& operator=(const ImageFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  // Reads up to `count` bytes from `at` to `to`. Returns their number: fewer at the end of the file, and if reading
  // fails.
  std::size_t read(std::uint64_t at, void* to, std::size_t count) const noexcept;
  FileBytes bytes() const;  // all; throws DataError

 private:
  std::filesystem::path path_;
  int descriptor_;
  std::uint64_t size_ = 0;
};

// Writes a temporary file that replaces the old one: readers never see a partial file, and a failure keeps the old one.
// The new one has the old one's mode, and is where a symbolic link points.
class ReplacedFile {
 public:
  explicit ReplacedFile(const std::filesystem::path& path);  // throws DataError
  ~ReplacedFile();                                           // without commit(), the old file is kept
  ReplacedFile(const ReplacedFile&) = delete;
  ReplacedFile& operator=(const ReplacedFile&) = delete;

  std::FILE* stream() const { return stream_; }
  void write(const void* bytes, std::size_t count) noexcept;  // commit() reports errors
  // to_disk: waits until the disk has it, so that it survives a power failure. Throws DataError.
  void commit(bool to_disk = false);

 private:
  void fail(int problem) const;

  std::filesystem::path path_, beside_;
  std::FILE* stream_ = nullptr;
  int problem_ = 0;  // the first one of write()
};

}  // namespace sectile
