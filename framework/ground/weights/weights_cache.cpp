#include "weights_cache.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <sectile/error.h>

#include "../../download/download.h"
#include "../file_notes.h"
#include "../plugins/library.h"
#include "cache_folder.h"
#include "cache_record.h"
#include "sha256.h"
#include "weights_contents.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHashDigits = 64;
constexpr int kMostAttempts = 5;  // that each got further, of one download
constexpr const char* kMirror = "SECTILE_WEIGHTS_MIRROR";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_offline() {
  const auto value = environment("SECTILE_OFFLINE");
  return !value.empty() && value != "0";
}

fs::path cache_folder() {
  if (const auto user = user_cache_folder(); !user.empty()) return user / "weights";
  throw DataError("the cache of weights", "has no folder, since HOME is not set; name one in SECTILE_CACHE");
}

fs::path beside(const fs::path& file, const char* suffix) { return file.string() + suffix; }
fs::path part_of(const fs::path& file) { return beside(file, ".part"); }

// The URL, on the mirror if there is one.
std::string address_of(const CatalogueEntry& entry) {
  auto mirror = environment(kMirror);
  if (mirror.empty()) return entry.url;
  if (!mirror.starts_with("https://") && !mirror.starts_with("http://"))
    throw DataError(kMirror, "is \"" + mirror + "\"; expected https://…, or http://… where that is safe");
  while (mirror.ends_with('/')) mirror.pop_back();
  const auto host = entry.url.find("://") + std::strlen("://");
  return mirror + entry.url.substr(std::min(entry.url.find('/', host), entry.url.size()));
}

DownloadFunction& downloader() {
  static DownloadFunction* const function = [] {
    const auto library = own_folder() / "sectile/libsectile_download.so";
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* symbol = handle ? dlsym(handle, kDownloadFunction) : nullptr;
    if (!symbol)
      throw PluginError(library, std::string("cannot be loaded: ") + dlerror() +
                                     "; it belongs to this program: install both together, and libcurl");
    return reinterpret_cast<DownloadFunction*>(symbol);
  }();
  return *function;
}

[[noreturn]] void cannot_write(const fs::path& file, int reason) {
  if (reason == EISDIR) in_the_way(file);
  throw DataError(file, std::string("cannot be written: ") + std::strerror(reason) +
                            "; make room, or name another folder in SECTILE_CACHE");
}

class Descriptor {
 public:
  explicit Descriptor(const fs::path& file) : number_(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (number_ < 0) cannot_write(file, errno);
  }
  ~Descriptor() { close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return number_; }

 private:
  int number_;
};

// What the file is and was expected to be, where they differ; empty if they do not.
std::string difference(const FileFacts& found, const FileFacts& expected) {
  if (expected.size && *found.size != *expected.size)
    return "has " + std::to_string(*found.size) + " bytes, expected " + std::to_string(*expected.size);
  if (!found.sha256.starts_with(expected.sha256))
    return "has the SHA-256 " + found.sha256 + ", expected " + expected.sha256 +
           (expected.sha256.size() < kHashDigits ? "…" : "");
  return "";
}

// How the file at `path` differs from what was published of the entry, or was found in it at first; empty if it does
// not. Where no whole hash was published, anything may come in its place once: it must at least be weights.
std::string problem_with(const CatalogueEntry& entry, const fs::path& path, const FileFacts& found,
                         const FileFacts& expected) {
  if (const auto differs = difference(found, expected); !differs.empty()) return differs + " of " + entry.name;
  return entry.sha256.size() == kHashDigits ? "" : contents_problem(path);
}

struct Wanted {
  FileFacts facts;           // published, or of the first download where they were not
  bool from_record = false;  // whether they say more than what was published
  std::optional<CacheRecord> record;
};

Wanted wanted(const CatalogueEntry& entry, const fs::path& file) {
  Wanted wanted{{entry.size, entry.sha256}, false, read_record(beside(file, ".json"))};
  if (!wanted.record || wanted.record->url != entry.url) return wanted;
  const auto& known = wanted.record->facts;
  if (!known.sha256.starts_with(entry.sha256)) return wanted;
  wanted.from_record = known.sha256 != entry.sha256;
  wanted.facts = {entry.size ? entry.size : known.size, known.sha256};
  return wanted;
}

enum class State { missing, usable, changed };

// Whether the cached file can be used; if it was changed, `problem` says how. A file that someone put there is taken
// where a download of it would be.
State look(const CatalogueEntry& entry, const fs::path& file, bool check_contents, std::string& problem) {
  const auto modified = time_of(file);
  std::error_code unknown;
  if (!modified && fs::exists(file, unknown)) in_the_way(file);
  if (!modified) return State::missing;
  const auto want = wanted(entry, file);
  const bool recorded = want.record.has_value();
  if (recorded && want.record->url != entry.url && entry.sha256.empty()) return State::missing;  // of an older table
  const auto size = fs::file_size(file);
  if (!check_contents && recorded && want.record->modified == modified && want.record->facts.size == size &&
      difference(want.record->facts, want.facts).empty())
    return State::usable;
  const FileFacts found{size, sha256_of(file)};
  problem = problem_with(entry, file, found, want.facts);
  if (!problem.empty()) return State::changed;
  write_record(beside(file, ".json"), {entry.url, found, *modified});
  return State::usable;
}

// Fills the part of the target from where it ends, in several attempts as long as each gets further than those before.
void transfer(const CatalogueEntry& entry, const fs::path& target, const DownloadOptions& options, bool anew) {
  const auto url = address_of(entry);
  const auto part = part_of(target);
  const Descriptor file(part);
  const auto tag = beside(part, ".etag");
  // Without a published hash, only the server's ETag says that bytes of before belong to the file that it has.
  const auto resumes = [&](const std::string& etag) { return !etag.empty() || !entry.sha256.empty(); };
  std::function<void(std::uint64_t, std::uint64_t)> progress;
  if (options.progress)
    progress = [&](std::uint64_t done, std::uint64_t total) { options.progress(entry, done, total); };
  std::uint64_t furthest = 0;
  for (int attempt = 1;; ++attempt) {
    Download download{.url = url,
                      .file = file,
                      .etag = read_text(tag),
                      .most = entry.size.value_or(0),
                      .stall_seconds = options.stall_seconds,
                      .progress = progress,
                      .began = [&](const std::string& etag) { write_text(tag, etag); }};
    if (!anew && resumes(download.etag)) download.have = fs::file_size(part);
    furthest = std::max(furthest, download.have);
    downloader()(download);
    if (download.write_error != 0) cannot_write(part, download.write_error);
    if (download.problem.empty()) break;
    const auto came = fs::file_size(part);
    anew = download.no_such_range && download.have > 0;
    const bool got_further = download.cut && came > std::exchange(furthest, std::max(furthest, came));
    if (attempt < kMostAttempts && (anew || got_further)) continue;
    auto problem = "cannot be downloaded: " + download.problem;
    if (!environment(kMirror).empty()) problem += std::string(" (") + kMirror + " names this host)";
    if (download.cut && came > 0 && resumes(download.etag))
      problem += "; the " + std::to_string(came) + " bytes that came are kept, and the next attempt resumes there";
    throw DataError(url, problem + "; a file that is put at " + target.string() + " is used, too");
  }
  if (fsync(file) != 0) cannot_write(part, errno);
}

void remove_part(const fs::path& part) {
  std::error_code unknown;
  fs::remove(part, unknown);
  fs::remove(beside(part, ".etag"), unknown);
}

void download(const CatalogueEntry& entry, const fs::path& file, const DownloadOptions& options) {
  const auto part = part_of(file);
  std::error_code unknown;
  bool resumed = fs::exists(part, unknown) && fs::file_size(part, unknown) > 0;
  const auto want = wanted(entry, file);
  FileFacts found;
  std::string problem;
  for (bool anew = false;; anew = true) {
    transfer(entry, file, options, anew);
    found = {fs::file_size(part), sha256_of(part)};
    problem = problem_with(entry, part, found, want.facts);
    if (problem.empty() || !std::exchange(resumed, false)) break;  // the part may be of an older file: once more, anew
  }
  if (!problem.empty()) {
    remove_part(part);
    throw DataError(address_of(entry),
                    "the file that came " + problem +
                        (want.from_record ? ", as at its first download; if its publisher has replaced it, remove " +
                                                beside(file, ".json").string() + " to accept the new one"
                                          : "; it was not kept"));
  }
  fs::rename(part, file, unknown);
  if (unknown) cannot_write(file, unknown.value());
  remove_part(part);
  write_record(beside(file, ".json"), {entry.url, found, time_of(file).value_or(0)});
}

struct AtEnd {
  const std::function<void()>& call;
  ~AtEnd() {
    if (call) call();
  }
};

DownloadOptions& download_options() {
  static DownloadOptions options;
  return options;
}

}  // namespace

fs::path cached_file(const CatalogueEntry& entry) {
  return cache_folder() / entry.name / entry.url.substr(entry.url.rfind('/') + 1);
}

fs::path weights_file(const CatalogueEntry& entry, const DownloadOptions& options) {
  std::error_code unknown;
  const auto file = cached_file(entry);
  std::string problem;
  auto state = look(entry, file, options.check_contents, problem);
  if (state == State::usable) return file;
  if (is_offline())
    throw DataError(file, (state == State::missing ? "is not in the cache" : problem) +
                              ", and SECTILE_OFFLINE is set; " + (state == State::missing ? "" : "remove it, and ") +
                              "download " + entry.name +
                              " with \"sectile weights get\" where there is a network, or put the file there");
  fs::create_directories(file.parent_path(), unknown);
  if (unknown)
    throw DataError(file.parent_path(),
                    "cannot be created: " + unknown.message() + "; name another folder in SECTILE_CACHE");
  const Descriptor lock(beside(file, ".lock"));  // never removed: another process may wait for it
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK && options.waits) options.waits(entry);
    while (flock(lock, LOCK_EX) != 0)
      if (errno != EINTR) throw DataError(file, std::string("cannot be locked: ") + std::strerror(errno));
  }
  state = look(entry, file, options.check_contents, problem);  // another process may have downloaded it meanwhile
  if (state == State::usable) return file;
  if (state == State::changed) note_file(file, problem + "; it is downloaded again");
  const AtEnd end{options.ended};
  download(entry, file, options);
  return file;
}

fs::path weights_file(const CatalogueEntry& entry) { return weights_file(entry, download_options()); }

fs::path weights_file(const std::string& name_or_path, const DownloadOptions& options) {
  std::error_code unknown;
  if (fs::exists(name_or_path, unknown)) return name_or_path;
  const auto* entry = find_entry(name_or_path);
  if (!entry)
    throw DataError(name_or_path,
                    "is neither a file nor the name of published weights" + entry_suggestion(name_or_path));
  return weights_file(*entry, options);
}

fs::path weights_file(const std::string& name_or_path) { return weights_file(name_or_path, download_options()); }

void set_download_options(DownloadOptions options) { download_options() = std::move(options); }

}  // namespace sectile
