#include "class_counter.h"

#include <sys/stat.h>

#include <chrono>
#include <optional>
#include <sstream>
#include <utility>

#include <sectile/data/label_files.h>

#include "../../ground/component_call.h"
#include "../../ground/data/label_counts.h"
#include "../../ground/weights/cache_folder.h"
#include "../../ground/weights/cache_record.h"
#include "../../ground/weights/sha256.h"
#include "sample_check.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using Frequencies = std::vector<ClassFrequency>;

constexpr const char* kFormat = "sectile class counts 1";
constexpr std::int64_t kSecond = 1'000'000'000;
// A file that changed just now may change again without another time, on file systems whose times are of 1 or 2 s.
constexpr std::int64_t kSettled = 2 * kSecond;

std::string hash_of(const std::string& text) {
  Sha256 hash;
  hash.update(text.data(), text.size());
  return hash.hex();
}

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }

void add(ClassFrequency& sum, std::int64_t pixels, std::int64_t counted) {
  sum.pixels += pixels;
  sum.counted += counted;
  if (pixels == 0) return;
  sum.counted_with += counted;
  ++sum.images;
}

Frequencies count(const std::shared_ptr<const Dataset>& data, bool skip_bad) {
  Frequencies sums(data->labels().classes.size());
  const auto classes = static_cast<int>(sums.size());
  for (std::size_t i = 0; i < data->size(); ++i)
    reason_to_skip(skip_bad, [&] {
      const auto sample = call<DataError>(place_of(data), "sample " + std::to_string(i), [&] {
        return data->read(i, {.image = false, .labels = true, .objects = false});
      });
      check_labels(sample, classes);
      const auto counts = count_labels(sample.labels, classes);
      for (std::size_t c = 0; c < sums.size(); ++c) add(sums[c], counts.pixels[c], counts.counted[c]);
    });
  return sums;
}

// Of all samples, names, and of all files of labels: names, sizes and times of change. Nothing if the dataset cannot
// name them, or one changed just now.
std::optional<std::string> state_of_files(const Dataset& data) {
  const auto files = label_files_of(data);
  if (!files) return std::nullopt;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto settled = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() - kSettled;
  std::string all = std::to_string(data.size()) + " samples\n";
  for (std::size_t i = 0; i < data.size(); ++i) all += data.id_of(i) + '\0';  // a view has some of the files' samples
  for (const auto& one : data.labels().classes) all += one.name + '\0';
  for (const auto& file : *files) {
    struct stat found {};
    all += file.string();
    if (stat(file.c_str(), &found) != 0) {
      all += '\0' + std::string("missing\n");
      continue;
    }
    const auto modified = nanoseconds(found.st_mtim);
    if (modified > settled) return std::nullopt;
    // The time of the inode's change sees a file that was replaced by another one of the same size and time.
    for (const std::int64_t fact : {std::int64_t{found.st_size}, modified, nanoseconds(found.st_ctim)})
      all += '\0' + std::to_string(fact);
    all += '\n';
  }
  return hash_of(all);
}

std::string text_of(const std::string& files, const Frequencies& counts) {
  std::string text = std::string(kFormat).append("\n").append(files).append("\n");
  for (const auto& one : counts) {
    for (const auto number : {one.pixels, one.counted, one.counted_with}) text += std::to_string(number) + " ";
    text += std::to_string(one.images) + "\n";
  }
  return text + hash_of(text) + "\n";
}

// What text_of wrote, for these files and so many classes; nothing if it is anything else.
std::optional<Frequencies> counts_in(const std::string& text, const std::string& files, std::size_t classes) {
  std::istringstream lines(text);
  std::string format, state;
  std::getline(lines, format), std::getline(lines, state);
  if (format != kFormat || state != files) return std::nullopt;
  Frequencies counts(classes);
  for (auto& one : counts)
    if (!(lines >> one.pixels >> one.counted >> one.counted_with >> one.images)) return std::nullopt;
  if (text_of(files, counts) != text) return std::nullopt;
  return counts;
}

std::string known_text(const fs::path& file) {
  try {
    return read_text(file);
  } catch (const DataError&) {  // it is a folder, which write_text leaves alone
    return "";
  }
}

}  // namespace

CountCache CountCache::of_user(std::string identity) {
  const auto user = user_cache_folder();
  return {.folder = user.empty() ? user : user / "class_counts", .identity = std::move(identity)};
}

struct ClassCounter::State {
  std::shared_ptr<const Dataset> data;
  bool skip_bad;
  CountCache cache;
  std::optional<Frequencies> counts;

  Frequencies counted_or_kept() const {
    const auto files = cache.folder.empty() ? std::nullopt : state_of_files(*data);
    const auto identity = cache.identity + (skip_bad ? "\nskip" : "\nstop");
    const auto file = cache.folder / (hash_of(identity) + ".txt");
    if (files)
      if (auto kept = counts_in(known_text(file), *files, data->labels().classes.size())) return *kept;
    const auto start = std::chrono::steady_clock::now();
    auto found = count(data, skip_bad);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (!files || took.count() < cache.least_seconds || state_of_files(*data) != files) return found;
    std::error_code unknown;
    fs::create_directories(cache.folder, unknown);
    if (!unknown) write_text(file, text_of(*files, found));
    return found;
  }
};

ClassCounter::ClassCounter(std::shared_ptr<const Dataset> data, bool skip_bad, CountCache cache)
    : state_(std::make_shared<State>(State{std::move(data), skip_bad, std::move(cache), std::nullopt})) {}

const Frequencies& ClassCounter::frequencies() const {
  if (!state_->counts) state_->counts = state_->counted_or_kept();
  return *state_->counts;
}

std::vector<std::int64_t> ClassCounter::operator()() const {
  std::vector<std::int64_t> pixels;
  for (const auto& one : frequencies()) pixels.push_back(one.pixels);
  return pixels;
}

}  // namespace sectile
