#include "image_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>

#include <sectile/error.h>

namespace sectile {

namespace fs = std::filesystem;

// Without O_NONBLOCK, opening a named pipe waits until somebody writes to it.
ImageFile::ImageFile(const fs::path& path)
    : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) throw DataError(path, std::string("cannot be opened: ") + std::strerror(errno));
  struct stat status {};
  std::string problem;
  if (fstat(descriptor_, &status) != 0)
    problem = std::string("cannot be read: ") + std::strerror(errno);
  else if (S_ISDIR(status.st_mode))
    problem = "is a folder, not an image";
  else if (!S_ISREG(status.st_mode))
    problem = "is not a regular file";
  else if (status.st_size == 0)
    problem = "the file is empty";
  size_ = static_cast<std::uint64_t>(status.st_size);
  if (problem.empty()) return;
  close(descriptor_);
  throw DataError(path, problem);
}

ImageFile::~ImageFile() { close(descriptor_); }

std::size_t ImageFile::read(std::uint64_t at, void* to, std::size_t count) const noexcept {
  std::size_t done = 0;
  while (done < count && at + done < size_) {
    const auto got = pread(descriptor_, static_cast<char*>(to) + done, count - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

FileBytes ImageFile::bytes() const {
  FileBytes bytes;
  bytes.size = static_cast<std::size_t>(size_);
  bytes.data.reset(new std::uint8_t[bytes.size]);
  errno = 0;
  if (read(0, bytes.data.get(), bytes.size) != bytes.size)
    throw DataError(path_,
                    errno ? std::string("cannot be read: ") + std::strerror(errno) : "was truncated while it was read");
  return bytes;
}

namespace {

// What a symbolic link names is replaced or made, and the link stays.
fs::path followed(fs::path path) {
  constexpr int kMostLinks = 40;  // as in Linux
  std::error_code unknown;
  for (int i = 0; i < kMostLinks && fs::is_symlink(path, unknown); ++i)
    path = path.parent_path() / fs::read_symlink(path, unknown);  // which may be absolute
  return path;
}

}  // namespace

ReplacedFile::ReplacedFile(const fs::path& path) : path_(followed(path)), beside_(path_) {
  static std::atomic<unsigned> counter{0};
  std::error_code unknown;
  if (fs::is_directory(path_, unknown)) fail(EISDIR);
  if (fs::is_symlink(path_, unknown)) fail(ELOOP);
  const auto name = path_.filename().string();
  // On a shared disk, a process of another machine or container may have the same number.
  constexpr int kMostTries = 100;
  for (int i = 0; i < kMostTries && !stream_; ++i) {
    const auto suffix = ".tmp" + std::to_string(getpid()) + "-" + std::to_string(counter++);
    beside_ = path_;
    if (name.size() <= NAME_MAX)  // a longer one is refused when the temporary file is opened
      beside_.replace_filename(name.substr(0, NAME_MAX - suffix.size()));
    beside_ += suffix;
    stream_ = std::fopen(beside_.c_str(), "w+bx");
    if (!stream_ && errno != EEXIST) break;
  }
  if (!stream_) fail(errno);
  struct stat before {};
  if (stat(path_.c_str(), &before) == 0 && fchmod(fileno(stream_), before.st_mode & 07777) != 0) {
    const int problem = errno;
    std::fclose(stream_);
    std::remove(beside_.c_str());
    fail(problem);
  }
}

ReplacedFile::~ReplacedFile() {
  if (!stream_) return;
  std::fclose(stream_);
  std::remove(beside_.c_str());
}

void ReplacedFile::write(const void* bytes, std::size_t count) noexcept {
  if (count > 0 && std::fwrite(bytes, 1, count, stream_) != count && problem_ == 0) problem_ = errno ? errno : EIO;
}

void ReplacedFile::commit(bool to_disk) {
  int problem = problem_;
  if (problem == 0 && (std::ferror(stream_) || std::fflush(stream_) != 0)) problem = errno ? errno : EIO;
  if (to_disk && problem == 0 && fsync(fileno(stream_)) != 0) problem = errno;
  if (std::fclose(stream_) != 0 && problem == 0) problem = errno;
  stream_ = nullptr;
  if (problem == 0 && std::rename(beside_.c_str(), path_.c_str()) != 0) problem = errno;
  if (problem == 0) return;
  std::remove(beside_.c_str());
  fail(problem);
}

void ReplacedFile::fail(int problem) const {
  std::error_code unknown;
  throw DataError(path_, std::string("cannot be written: ") + std::strerror(problem) +
                             (fs::is_regular_file(path_, unknown) ? "; what it held before is untouched" : ""));
}

}  // namespace sectile
