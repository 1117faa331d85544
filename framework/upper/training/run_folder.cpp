#include "run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include <sectile/error.h>

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFixed[] = {"last.pth", "best.pth", "log.jsonl", "spec.json"};

std::string save_name(std::int64_t step) {
  char name[40];
  std::snprintf(name, sizeof name, "step-%06lld.pth", static_cast<long long>(step));
  return name;
}

// The step of "step-000100.pth"; none for any other name.
std::optional<std::int64_t> step_of(const std::string& name) {
  constexpr std::string_view kBegin = "step-";
  if (!name.starts_with(kBegin)) return std::nullopt;
  std::int64_t step = 0;
  std::from_chars(name.data() + kBegin.size(), name.data() + name.size(), step);
  return name == save_name(step) ? std::optional(step) : std::nullopt;
}

bool is_of_run(const std::string& name) {
  return std::find(std::begin(kFixed), std::end(kFixed), name) != std::end(kFixed) || step_of(name);
}

// "last.pth.tmp123-0", as ReplacedFile names them.
bool is_unfinished(const std::string& name) {
  const auto is_number = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  };
  const auto at = name.rfind(".tmp"), dash = name.rfind('-');
  return at != std::string::npos && dash != std::string::npos && dash > at && is_of_run(name.substr(0, at)) &&
         is_number(name.substr(at + 4, dash - at - 4)) && is_number(name.substr(dash + 1));
}

template <class Wanted>
std::vector<fs::path> files_in(const fs::path& folder, const Wanted& wanted) {
  std::vector<fs::path> files;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(folder, unreadable))
    if (!entry.is_directory(unreadable) && wanted(entry.path().filename().string())) files.push_back(entry.path());
  return files;
}

void remove_all_of(const std::vector<fs::path>& files) {
  std::error_code ignored;
  for (const auto& file : files) fs::remove(file, ignored);
}

void move_file(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::rename(from, to, failed);
  if (failed) throw DataError(from, "cannot be moved to " + to.string() + ": " + failed.message());
}

[[noreturn]] void refuse(const fs::path& folder, const std::string& reason) {
  throw DataError(folder, reason + "; choose another folder");
}

bool same_file(int descriptor, const fs::path& file) {
  struct stat opened {
  }, named{};
  return fstat(descriptor, &opened) == 0 && stat(file.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

}  // namespace

// The operating system's lock on a file, which ends with the process, however that ends.
class RunFolder::Lock {
 public:
  Lock(const fs::path& folder, std::vector<std::string>& notes) : file_(folder / ".sectile-train.lock") {
    for (;;) {
      descriptor_ = open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (descriptor_ < 0) refuse(folder, std::string("cannot be written to: ") + std::strerror(errno));
      if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        const int problem = errno;
        if (problem == EWOULDBLOCK) {
          const auto who = text();
          close(descriptor_);
          refuse(folder, "is in use: " + who + " trains in it. Wait for it or stop it");
        }
        notes.push_back(folder.string() + ": this file system has no locks (" + std::strerror(problem) +
                        "), so that a second process that trains in this folder is not detected");
        return;
      }
      if (same_file(descriptor_, file_)) break;
      close(descriptor_);  // removed by its owner in between
    }
    sign();
  }
  ~Lock() {
    std::error_code ignored;
    fs::remove(file_, ignored);  // before it is unlocked: who has it open notices that it is gone
    close(descriptor_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::string text() const {
    char text[256];
    const auto count = pread(descriptor_, text, sizeof text, 0);
    return count > 0 ? std::string(text, static_cast<std::size_t>(count)) : "another process";
  }
  void sign() const {
    char host[128] = {};
    gethostname(host, sizeof host - 1);
    const auto text = "process " + std::to_string(getpid()) + " on " + host;
    if (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, text.data(), text.size(), 0) < 0)
      return;  // only the message of a second process needs it
  }

  const fs::path file_;
  int descriptor_ = -1;
};

RunFolder::RunFolder(const fs::path& folder) : folder_(folder) {
  std::error_code failed;
  made_ = fs::create_directories(folder_, failed);
  if (failed) refuse(folder_, "cannot be made: " + failed.message());
  lock_ = std::make_unique<Lock>(folder_, notes_);
  remove_all_of(files_in(folder_, is_unfinished));
  drop(dropped());
  if (fs::exists(in_transit(), failed)) move_back();
  if (files_in(aside(), is_of_run).empty()) {
    drop(aside());
    return;
  }
  if (fs::exists(last(), failed)) {
    anew_ = true;
    notes_.push_back(note_on_replaced());
    return;
  }
  put_back();
  notes_.push_back(folder_.string() +
                   ": the run that was being replaced is back, because its replacement had saved nothing");
}

RunFolder::RunFolder(RunFolder&&) noexcept = default;

RunFolder::~RunFolder() {
  if (!lock_) return;
  std::error_code ignored;
  try {
    if (anew_ && !fs::exists(last(), ignored))
      put_back();
    else if (unsaved_ && fs::is_empty(log(), ignored)) {
      fs::remove(spec(), ignored);
      if (!fs::exists(spec(), ignored)) fs::remove(log(), ignored);  // a spec.json alone would not be a run's
    }
    if (fs::exists(in_transit(), ignored)) move_back();
  } catch (const DataError&) {  // the rest comes back when the folder is opened again
  }
  lock_.reset();
  if (made_) fs::remove(folder_, ignored);  // if nothing was written to it
}

fs::path RunFolder::save_of(std::int64_t step) const { return folder_ / save_name(step); }

std::vector<fs::path> RunFolder::files() const { return files_in(folder_, is_of_run); }

bool RunFolder::has_run() const {
  const auto all = files();
  return std::any_of(all.begin(), all.end(), [&](const fs::path& file) { return file != spec(); });
}

bool RunFolder::has_saves() const {
  const auto all = files();
  return std::any_of(all.begin(), all.end(), [](const fs::path& file) { return file.extension() == ".pth"; });
}

std::vector<std::int64_t> RunFolder::saved_steps() const {
  std::vector<std::int64_t> steps;
  for (const auto& file : files())
    if (const auto step = step_of(file.filename().string())) steps.push_back(*step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<fs::path> RunFolder::latest_save() const {
  std::error_code unknown;
  if (fs::exists(last(), unknown)) return last();
  const auto steps = saved_steps();
  return steps.empty() ? std::nullopt : std::optional(save_of(steps.back()));
}

// Files in transit are the folder's own, whichever way they were going; those aside are all of the earlier run.
void RunFolder::start_anew() {
  std::error_code unknown;
  if (anew_) {
    fs::remove(last(), unknown);  // first: without it, what is set aside comes back
    remove_all_of(files());
    return;
  }
  if (!has_run()) {
    if (fs::exists(spec(), unknown)) refuse(spec(), "is not of a run, and a run would replace it");
    unsaved_ = true;
    return;
  }
  fs::create_directory(in_transit(), unknown);
  if (unknown) refuse(folder_, "cannot be written to: " + unknown.message());
  for (const auto& file : files()) move_file(file, in_transit() / file.filename());
  move_file(in_transit(), aside());
  anew_ = true;
}

std::string RunFolder::note_on_replaced() const {
  return !anew_ ? ""
                : "the run that this one replaces is kept in " + aside().string() +
                      " until this one is evaluated or saved as planned";
}

void RunFolder::put_back() {
  remove_all_of(files());  // of the replacement, which never had a last.pth
  move_file(aside(), in_transit());
  move_back();
}

void RunFolder::move_back() {
  for (const auto& file : files_in(in_transit(), is_of_run)) move_file(file, folder_ / file.filename());
  std::error_code ignored;
  fs::remove(in_transit(), ignored);
}

void RunFolder::saved(bool as_planned) {
  unsaved_ = false;
  if (as_planned && std::exchange(anew_, false)) drop_replaced();
}

// Renamed first: a part of a run is never put back.
void RunFolder::drop_replaced() {
  move_file(aside(), dropped());
  drop(dropped());
}

void RunFolder::drop(const fs::path& folder) {
  remove_all_of(files_in(folder, is_of_run));
  std::error_code ignored;
  fs::remove(folder, ignored);
}

void RunFolder::keep(int count, std::int64_t step) const {
  const auto steps = saved_steps();
  const auto later = std::upper_bound(steps.begin(), steps.end(), step);
  const auto kept = later - std::min<std::ptrdiff_t>(count, later - steps.begin());
  std::error_code ignored;
  for (auto it = steps.begin(); it != steps.end(); ++it)
    if (it < kept || it >= later) fs::remove(save_of(*it), ignored);
}

}  // namespace sectile
