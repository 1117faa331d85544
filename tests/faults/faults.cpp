// A library to preload: lets the program fail at one of the points where it changes a folder's files.
//
//   FAULTS_FOLDER=DIR    which files
//   FAULTS_POINT=N       the point, from 1; points are counted, with nothing done, if it is 0
//   FAULTS_KIND=KIND     kill (SIGKILL), space (ENOSPC, from this point on for 3 points), permission (EACCES,
//   likewise),
//                        hangup (SIGHUP), pipe (both output streams become a closed pipe)
//   FAULTS_COUNT=FILE    receives the number of points
//   FAULTS_READ=PART:N   opening a file whose path contains PART fails with EIO from the N-th time on, up to
//   FAULTS_READS
//                        times
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

std::atomic<int> points{0}, reads{0};

const char* setting(const char* name) {
  const char* value = getenv(name);
  return value ? value : "";
}

bool is_inside(const char* path) {
  static const std::string folder = setting("FAULTS_FOLDER");
  return !folder.empty() && path && std::string(path).rfind(folder, 0) == 0;
}

bool is_inside(int descriptor) {
  char link[64], path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const auto size = readlink(link, path, sizeof path - 1);
  return size > 0 && is_inside(std::string(path, static_cast<std::size_t>(size)).c_str());
}

void close_output() {
  int ends[2];
  if (pipe(ends) != 0) return;
  close(ends[0]);
  dup2(ends[1], STDOUT_FILENO);
  dup2(ends[1], STDERR_FILENO);
}

// Counts a point. 0, or the error that the call is to end with.
int reached() {
  static const int chosen = atoi(setting("FAULTS_POINT"));
  static const std::string kind = setting("FAULTS_KIND");
  const int now = ++points;
  if (chosen == 0 || now < chosen || now >= chosen + 3) return 0;
  if (kind == "space") return ENOSPC;
  if (kind == "permission") return EACCES;
  if (now > chosen) return 0;
  if (kind == "kill") raise(SIGKILL);
  if (kind == "hangup") raise(SIGHUP);
  if (kind == "pipe") close_output();
  return 0;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool fails_to_open(const char* path) {
  static const std::string rule = setting("FAULTS_READ");
  static const auto colon = rule.rfind(':');
  if (colon == std::string::npos || !path || !strstr(path, rule.substr(0, colon).c_str())) return false;
  const int first = atoi(rule.c_str() + colon + 1), now = ++reads;
  return now >= first && now < first + atoi(setting("FAULTS_READS"));
}

struct Count {
  ~Count() { write_down(); }
  static void write_down() {
    if (const std::string file = setting("FAULTS_COUNT"); !file.empty())
      if (std::FILE* out = next<std::FILE* (*)(const char*, const char*)>("fopen")(file.c_str(), "w")) {
        std::fprintf(out, "%d %d", points.load(), reads.load());
        fclose(out);
      }
  }
};

}  // namespace

#define FAULT_AT(condition, failed)      \
  if (condition)                         \
    if (const int problem = reached()) { \
      errno = problem;                   \
      return failed;                     \
    }

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  if ((flags & O_ACCMODE) == O_RDONLY && fails_to_open(path)) {
    errno = EIO;
    return -1;
  }
  FAULT_AT((flags & O_ACCMODE) != O_RDONLY && is_inside(path), -1)
  return next<int (*)(const char*, int, ...)>("open")(path, flags, mode);
}
int open64(const char* path, int flags, ...) __attribute__((alias("open")));
std::FILE* fopen(const char* path, const char* how) {
  FAULT_AT(strpbrk(how, "wa+") && is_inside(path), nullptr)
  return next<std::FILE* (*)(const char*, const char*)>("fopen")(path, how);
}
std::FILE* fopen64(const char* path, const char* how) __attribute__((alias("fopen")));
size_t fwrite(const void* data, size_t size, size_t count, std::FILE* file) {
  static std::atomic<int> calls{0};
  // A checkpoint is written in hundreds of small parts: only some are points, so that the others are tried as often.
  FAULT_AT(is_inside(fileno(file)) && calls++ % 64 == 63, 0)
  return next<size_t (*)(const void*, size_t, size_t, std::FILE*)>("fwrite")(data, size, count, file);
}
ssize_t write(int descriptor, const void* data, size_t count) {
  FAULT_AT(is_inside(descriptor), -1)
  return next<ssize_t (*)(int, const void*, size_t)>("write")(descriptor, data, count);
}
int fflush(std::FILE* file) {
  FAULT_AT(file && is_inside(fileno(file)), EOF)
  return next<int (*)(std::FILE*)>("fflush")(file);
}
int fsync(int descriptor) {
  FAULT_AT(is_inside(descriptor), -1)
  return next<int (*)(int)>("fsync")(descriptor);
}
int rename(const char* from, const char* to) {
  FAULT_AT(is_inside(to) || is_inside(from), -1)
  return next<int (*)(const char*, const char*)>("rename")(from, to);
}
int link(const char* from, const char* to) {
  FAULT_AT(is_inside(to), -1)
  return next<int (*)(const char*, const char*)>("link")(from, to);
}
int remove(const char* path) {
  FAULT_AT(is_inside(path), -1)
  return next<int (*)(const char*)>("remove")(path);
}
int unlink(const char* path) {
  FAULT_AT(is_inside(path), -1)
  return next<int (*)(const char*)>("unlink")(path);
}
int rmdir(const char* path) {
  FAULT_AT(is_inside(path), -1)
  return next<int (*)(const char*)>("rmdir")(path);
}
int mkdir(const char* path, mode_t mode) {
  FAULT_AT(is_inside(path), -1)
  return next<int (*)(const char*, mode_t)>("mkdir")(path, mode);
}
void _exit(int code) {
  Count::write_down();
  next<void (*)(int)>("_exit")(code);
  __builtin_unreachable();
}
}
