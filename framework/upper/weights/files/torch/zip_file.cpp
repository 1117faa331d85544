// The format: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
#include "zip_file.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace sectile {
namespace {

constexpr std::uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;  // signatures
constexpr std::uint32_t kEntry = 0x02014b50, kLocal = 0x04034b50;
constexpr std::size_t kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20, kEntrySize = 46, kLocalSize = 30;
constexpr std::size_t kLongestComment = 0xffff;
constexpr std::size_t kMostRecords = 300'000;  // each takes 150 bytes of memory
constexpr std::uint32_t kIn64 = 0xffffffff;    // the value is in the entry's 64-bit field
constexpr std::uint16_t kField64 = 1;

[[noreturn]] void damaged() {
  throw std::runtime_error("is cut short or damaged: its zip directory is missing or wrong");
}

template <class T>
T number(std::string_view from, std::size_t at) {
  T value;
  if (at > from.size() || sizeof value > from.size() - at) damaged();
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

// The size and the offset of an entry, of which those that do not fit 32 bits are in a field of their own, in order.
struct Place {
  std::uint64_t unpacked, packed, header;
};
Place place_of(std::string_view entry, std::string_view extra) {
  Place place{number<std::uint32_t>(entry, 24), number<std::uint32_t>(entry, 20), number<std::uint32_t>(entry, 42)};
  for (std::size_t at = 0; at + 4 <= extra.size(); at += 4 + number<std::uint16_t>(extra, at + 2)) {
    if (number<std::uint16_t>(extra, at) != kField64) continue;
    std::size_t next = at + 4;
    for (auto* value : {&place.unpacked, &place.packed, &place.header})
      if (*value == kIn64) *value = number<std::uint64_t>(extra, next), next += sizeof *value;
    break;
  }
  return place;
}

}  // namespace

ZipFile::ZipFile(const MappedFile& file) : file_(file) {
  const auto [offset, size] = find_directory();
  const auto directory = bytes(offset, size);
  for (std::size_t at = 0; at + kEntrySize <= directory.size() && number<std::uint32_t>(directory, at) == kEntry;
       at += kEntrySize + number<std::uint16_t>(directory, at + 28) + number<std::uint16_t>(directory, at + 30) +
             number<std::uint16_t>(directory, at + 32)) {
    add_record(directory, at);
    if (records_.size() > kMostRecords)
      throw std::runtime_error("has more than " + std::to_string(kMostRecords) + " records, which no network needs");
  }
  std::uint64_t sum = 0;
  for (const auto& [name, record] : records_) sum += record.size;  // each at most the file's
  if (sum > file_.size()) throw std::runtime_error("has records that share their bytes, which torch.save never writes");
}

ZipFile::Directory ZipFile::find_directory() const {
  const auto start = file_.size() - std::min<std::uint64_t>(file_.size(), kLongestComment + kEndSize);
  const auto tail = bytes(start, file_.size() - start);
  const auto end = tail.rfind(std::string_view("PK\5\6", 4));
  if (end == std::string_view::npos) damaged();
  if (end >= kLocatorSize && number<std::uint32_t>(tail, end - kLocatorSize) == kLocator64) {
    const auto end64 = bytes(number<std::uint64_t>(tail, end - kLocatorSize + 8), kEnd64Size);
    if (number<std::uint32_t>(end64, 0) != kEnd64) damaged();
    return {number<std::uint64_t>(end64, 48), number<std::uint64_t>(end64, 40)};
  }
  return {number<std::uint32_t>(tail, end + 16), number<std::uint32_t>(tail, end + 12)};
}

void ZipFile::add_record(std::string_view directory, std::size_t at) {
  const auto entry = directory.substr(at, kEntrySize);
  const std::size_t name_size = number<std::uint16_t>(entry, 28), extra_size = number<std::uint16_t>(entry, 30);
  if (name_size + extra_size > directory.size() - at - kEntrySize) damaged();
  const std::string name(directory.substr(at + kEntrySize, name_size));
  const auto [unpacked, packed, header] = place_of(entry, directory.substr(at + kEntrySize + name_size, extra_size));
  const bool stored = number<std::uint16_t>(entry, 10) == 0 && unpacked == packed;
  if (packed > file_.size() || header > file_.size() - packed) damaged();
  const auto folder = name.substr(0, name.find('/') + 1);
  if (records_.empty()) folder_ = folder;
  if (folder != folder_)
    throw std::runtime_error("has records in the folders \"" + folder_ + "\" and \"" + folder +
                             "\", and torch.save writes one folder");
  records_.insert_or_assign(name.substr(name.find('/') + 1), Record{header, packed, stored});
}

std::string_view ZipFile::bytes(std::uint64_t offset, std::uint64_t count) const {
  if (count > file_.size() || offset > file_.size() - count) damaged();
  return file_.bytes(offset, count);
}

std::uint64_t ZipFile::offset_of(const std::string& name) const {
  const auto& record = records_.at(name);
  if (!record.stored)
    throw std::runtime_error(
        "has compressed records, which torch.save never writes; save it again in Python: "
        R"(torch.save(torch.load("old.pth"), "new.pth"))");
  const auto local = bytes(record.header, kLocalSize);
  if (number<std::uint32_t>(local, 0) != kLocal) damaged();
  const auto offset = record.header + kLocalSize + number<std::uint16_t>(local, 26) + number<std::uint16_t>(local, 28);
  if (offset > file_.size() - record.size) damaged();
  return offset;
}

std::string_view ZipFile::read(const std::string& name) const { return bytes(offset_of(name), size_of(name)); }

}  // namespace sectile
