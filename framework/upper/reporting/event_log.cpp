#include "event_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#include <sectile/error.h>

#include "../../ground/images/image_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

// Every line of EventLog has it near the beginning.
std::int64_t step_of(const std::string& line) {
  const std::string key = "\"step\": ";
  const auto at = line.find(key);
  return at == std::string::npos ? 0 : std::atoll(line.c_str() + at + key.size());
}

bool is_evaluation(const std::string& line) { return line.starts_with("{\"event\": \"evaluation\""); }

[[noreturn]] void cannot_be_written(const fs::path& file, int problem) {
  throw DataError(file, std::string("cannot be written: ") + std::strerror(problem));
}

}  // namespace

EventLog::EventLog(const fs::path& file)
    : file_(file), descriptor_(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) cannot_be_written(file, errno);
}
EventLog::EventLog(const fs::path& file, const Kept& kept) : file_(file) {
  ReplacedFile out(file);
  std::ifstream before(kept.from);
  for (std::string line; std::getline(before, line) && !before.eof();) {  // an incomplete line is from a crash
    const auto step = step_of(line);
    if (step > kept.last_step || (step == kept.last_step && !kept.last_evaluation && is_evaluation(line))) continue;
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), out.stream());
  }
  out.commit();
  descriptor_ = open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) cannot_be_written(file, errno);
}
EventLog::~EventLog() { close(descriptor_); }

void EventLog::write(const JsonLine& line) {
  unwritten_ += line.text() + "\n";
  flush();
}

void EventLog::flush() {
  const auto end = lseek(descriptor_, 0, SEEK_END);
  for (std::size_t done = 0; done < unwritten_.size();) {
    const auto count = ::write(descriptor_, unwritten_.data() + done, unwritten_.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
      continue;
    }
    if (errno == EINTR) continue;
    const int problem = errno;
    if (ftruncate(descriptor_, end) != 0) unwritten_.clear();  // a part of it stays: reading discards it
    cannot_be_written(file_, problem);
  }
  unwritten_.clear();
}

}  // namespace sectile
