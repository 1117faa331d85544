// The pages of a TIFF, without libtiff.
#include "image_format.h"
#include "tiff.h"

namespace sectile {
namespace {

constexpr std::uint64_t kNewSubfileType = 254, kReducedImage = 1, kTransparencyMask = 4;  // TIFF 6.0, section 8
constexpr std::uint64_t kShort = 3;                                                       // type of a value

}  // namespace

// By hand: libtiff reads whole directories to count them.
std::vector<std::uint64_t> page_offsets(const ImageFile& file, int at_most) {
  std::uint8_t start[16] = {};
  file.read(0, start, sizeof start);
  const bool big_endian = start[0] == 'M', big_tiff = number_at(start + 2, 2, big_endian) == 43;
  const int count_bytes = big_tiff ? 8 : 2, offset_bytes = big_tiff ? 8 : 4;
  const std::uint64_t entry_bytes = big_tiff ? 20 : 12;
  const auto number = [&](std::uint64_t at, int bytes) {
    std::uint8_t found[8];
    if (file.read(at, found, static_cast<std::size_t>(bytes)) != static_cast<std::size_t>(bytes))
      refuse_damaged(file, "the list of its pages points outside the file");
    return number_at(found, bytes, big_endian);
  };
  // Entries are sorted by tag, and this tag is the lowest.
  const auto is_part_of_a_page = [&](std::uint64_t first_entry) {
    if (number(first_entry, 2) != kNewSubfileType) return false;
    const int bytes = number(first_entry + 2, 2) == kShort ? 2 : 4;
    return (number(first_entry + (big_tiff ? 12 : 8), bytes) & (kReducedImage | kTransparencyMask)) != 0;
  };
  std::vector<std::uint64_t> offsets;
  int directories = 0;
  std::uint64_t mark = 0;  // Brent's cycle detection: a page to compare with, updated at every power of two
  for (auto next = number(big_tiff ? 8 : 4, offset_bytes); next != 0 && static_cast<int>(offsets.size()) < at_most;) {
    if (next == mark || directories == kMaxTiffPages) refuse_damaged(file, "the list of its pages does not end");
    if ((directories & (directories + 1)) == 0) mark = next;
    ++directories;
    const std::uint64_t entries = number(next, count_bytes), first_entry = next + static_cast<unsigned>(count_bytes);
    if (entries == 0 || entries > file.size() / entry_bytes) refuse_damaged(file, "a page directory is invalid");
    if (offsets.empty() || !is_part_of_a_page(first_entry)) offsets.push_back(next);
    next = number(first_entry + entries * entry_bytes, offset_bytes);
  }
  if (offsets.empty()) refuse_damaged(file, "it has no pages");
  return offsets;
}

std::uint64_t page_offset(const ImageFile& file, int page) {
  const auto offsets = page_offsets(file, page < kMaxTiffPages ? page + 1 : kMaxTiffPages);
  if (static_cast<std::size_t>(page) >= offsets.size()) refuse_page(file, page, static_cast<int>(offsets.size()));
  return offsets.back();
}

}  // namespace sectile
