#include "file_notes.h"

#include <mutex>
#include <set>
#include <utility>

namespace sectile {
namespace {

constexpr std::size_t kMost = 20;

struct FileNotes {
  std::mutex mutex;
  std::set<std::string> known;
  std::vector<std::string> untold;
};

FileNotes& file_notes() {
  static FileNotes notes;
  return notes;
}

}  // namespace

void note_file(const std::filesystem::path& file, const std::string& what) {
  auto& notes = file_notes();
  const std::lock_guard lock(notes.mutex);
  if (notes.known.size() > kMost) return;
  const auto text = notes.known.size() < kMost ? file.string() + ": " + what : "further files like these are not noted";
  if (notes.known.insert(text).second) notes.untold.push_back(text);
}

std::vector<std::string> take_file_notes() {
  auto& notes = file_notes();
  const std::lock_guard lock(notes.mutex);
  return std::exchange(notes.untold, {});
}

}  // namespace sectile
