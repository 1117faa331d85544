// A zip archive as torch.save writes it: stored records, which are read where they lie. LibTorch's reader would
// decompress records of any size before they can be looked at.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "../mapped_file.h"

namespace sectile {

class ZipFile {
 public:
  // Throws std::runtime_error if it is not a zip archive, is damaged, or has overlapping records.
  explicit ZipFile(const MappedFile& file);

  const MappedFile& file() const { return file_; }  // at least as large as all its records together
  // By its name without the archive's own folder: "data.pkl" for "archive/data.pkl".
  bool has(const std::string& name) const { return records_.count(name) != 0; }
  std::uint64_t size_of(const std::string& name) const { return has(name) ? records_.at(name).size : 0; }
  // Where a record's bytes begin in the file. Throws if it is compressed.
  std::uint64_t offset_of(const std::string& name) const;
  std::string_view read(const std::string& name) const;

 private:
  struct Record {
    std::uint64_t header, size;  // offset of its local header, and its number of bytes
    bool stored;                 // not compressed
  };
  struct Directory {
    std::uint64_t offset, size;
  };
  std::string_view bytes(std::uint64_t offset, std::uint64_t count) const;
  Directory find_directory() const;
  void add_record(std::string_view directory, std::size_t at);

  MappedFile file_;
  std::string folder_;  // the archive's own
  std::map<std::string, Record> records_;
};

}  // namespace sectile
