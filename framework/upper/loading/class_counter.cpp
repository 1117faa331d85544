#include "class_counter.h"

#include <sys/stat.h>

#include <chrono>
#include <optional>
#include <sstream>
#include <utility>

#include <sectile/data/label_files.h>

#include "../../ground/component_call.h"
#include "../../ground/data/label_counts.h"
#include "../../ground/file_notes.h"
#include "../../ground/weights/cache_folder.h"
#include "../../ground/weights/cache_record.h"
#include "../../ground/weights/sha256.h"
#include "sample_check.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using Frequencies = std::vector<ClassFrequency>;

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

// What samples of a dataset are asked for; those that fail are left out, with the reasons.
struct Asked {
  std::shared_ptr<const Dataset> data;
  bool skip_bad;
  std::vector<std::string> left_out{};

  template <class F>
  void sample(F ask) {
    if (auto reason = reason_to_skip(skip_bad, ask); !reason.empty()) left_out.push_back(std::move(reason));
  }
};

Frequencies count(Asked& asked) {
  const auto& data = asked.data;
  Frequencies sums(data->labels().classes.size());
  const auto classes = static_cast<int>(sums.size());
  for (std::size_t i = 0; i < data->size(); ++i)
    asked.sample([&] {
      const auto sample = call<DataError>(place_of(data), "sample " + std::to_string(i), [&] {
        return data->read(i, {.image = false, .labels = true, .objects = false});
      });
      check_labels(sample, classes);
      const auto counts = count_labels(sample.labels, classes);
      for (std::size_t c = 0; c < sums.size(); ++c) add(sums[c], counts.pixels[c], counts.counted[c]);
    });
  return sums;
}

ClassesOfSamples list(Asked& asked) {
  const auto& data = asked.data;
  const auto most = static_cast<int>(data->labels().classes.size());
  ClassesOfSamples samples(data->size());
  for (std::size_t i = 0; i < samples.size(); ++i)
    asked.sample([&] {
      const auto sample = "sample " + std::to_string(i);
      auto classes = call<DataError>(place_of(data), sample, [&] { return data->classes_of(i); });
      for (const int number : classes)
        if (number < 0 || number >= most)
          throw DataError(sample, "has the class number " + std::to_string(number) + ", and there are " +
                                      std::to_string(most) + " classes: expected 0 to " + std::to_string(most - 1));
      samples[i] = std::move(classes);
    });
  return samples;
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

// What was found, as a text after the two lines of format and state; each kind knows how to read its own.
template <class Found>
struct KeptKind {
  const char* format;
  const char* identity;  // added to that of the dataset
  std::string (*text)(const Found& found);
  // Nothing if it is not such a text.
  std::optional<Found> (*parse)(std::istream& text, const Dataset& data);
};

std::string text_of_counts(const Frequencies& counts) {
  std::string text;
  for (const auto& one : counts) {
    for (const auto number : {one.pixels, one.counted, one.counted_with}) text += std::to_string(number) + " ";
    text += std::to_string(one.images) + "\n";
  }
  return text;
}

std::optional<Frequencies> parsed_counts(std::istream& text, const Dataset& data) {
  Frequencies counts(data.labels().classes.size());
  for (auto& one : counts)
    if (!(text >> one.pixels >> one.counted >> one.counted_with >> one.images)) return std::nullopt;
  return counts;
}

// A line per sample: how many classes it has, and these.
std::string text_of_classes(const ClassesOfSamples& samples) {
  std::string text;
  for (const auto& classes : samples) {
    text += std::to_string(classes.size());
    for (const int number : classes) text.append(" ").append(std::to_string(number));
    text += "\n";
  }
  return text;
}

std::optional<ClassesOfSamples> parsed_classes(std::istream& text, const Dataset& data) {
  const auto most = data.labels().classes.size();
  ClassesOfSamples samples(data.size());
  for (auto& classes : samples) {
    std::size_t count = 0;
    if (!(text >> count) || count > most) return std::nullopt;
    classes.resize(count);
    for (auto& number : classes)
      if (!(text >> number)) return std::nullopt;
  }
  return samples;
}

constexpr KeptKind<Frequencies> kCounts{"sectile class counts 1", "", text_of_counts, parsed_counts};
constexpr KeptKind<ClassesOfSamples> kClasses{"sectile classes of samples 1", "\nclasses of samples", text_of_classes,
                                              parsed_classes};

template <class Found>
std::string text_of(const KeptKind<Found>& kept, const std::string& files, const Found& found) {
  const auto text = std::string(kept.format).append("\n").append(files).append("\n").append(kept.text(found));
  return text + hash_of(text) + "\n";
}

// What text_of wrote, for these files and this dataset; nothing if it is anything else.
template <class Found>
std::optional<Found> found_in(const std::string& text, const KeptKind<Found>& kept, const std::string& files,
                              const Dataset& data) {
  std::istringstream lines(text);
  std::string format, state;
  std::getline(lines, format), std::getline(lines, state);
  if (format != kept.format || state != files) return std::nullopt;
  auto found = kept.parse(lines, data);
  if (!found || text_of(kept, files, *found) != text) return std::nullopt;
  return found;
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
  std::optional<Frequencies> counts{};
  std::optional<ClassesOfSamples> classes{};

  // find: what takes long. Each kind has a file of its own.
  template <class Found>
  Found found_or_kept(const KeptKind<Found>& kept, Found (*find)(Asked& asked)) const {
    const auto files = cache.folder.empty() ? std::nullopt : state_of_files(*data);
    const auto identity = cache.identity + (skip_bad ? "\nskip" : "\nstop") + kept.identity;
    const auto file = cache.folder / (hash_of(identity) + ".txt");
    if (files)
      if (auto known = found_in(known_text(file), kept, *files, *data)) return *known;
    const auto start = std::chrono::steady_clock::now();
    Asked asked{data, skip_bad};
    auto found = find(asked);
    for (const auto& reason : asked.left_out) note_file("/data/train", "a sample counts for no class: " + reason);
    if (!asked.left_out.empty()) return found;  // so that the next run tells it again
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (!files || took.count() < cache.least_seconds || state_of_files(*data) != files) return found;
    std::error_code unknown;
    fs::create_directories(cache.folder, unknown);
    if (!unknown) write_text(file, text_of(kept, *files, found));
    return found;
  }
};

ClassCounter::ClassCounter(std::shared_ptr<const Dataset> data, bool skip_bad, CountCache cache)
    : state_(std::make_shared<State>(State{std::move(data), skip_bad, std::move(cache)})) {}

const Frequencies& ClassCounter::frequencies() const {
  if (!state_->counts) state_->counts = state_->found_or_kept(kCounts, count);
  return *state_->counts;
}

std::vector<std::int64_t> ClassCounter::operator()() const {
  std::vector<std::int64_t> pixels;
  for (const auto& one : frequencies()) pixels.push_back(one.pixels);
  return pixels;
}

const ClassesOfSamples& ClassCounter::classes_of_samples() const {
  if (!state_->classes) state_->classes = state_->found_or_kept(kClasses, list);
  return *state_->classes;
}

}  // namespace sectile
