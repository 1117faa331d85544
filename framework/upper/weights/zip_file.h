// A zip archive as torch.save writes it: stored records, which are read where they lie. LibTorch's reader would
// decompress records of any size before they can be looked at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace sectile {

class ZipFile {
 public:
  // Throws std::runtime_error if it is not a zip archive, is damaged, or has overlapping records.
  explicit ZipFile(const std::filesystem::path& file);

  std::uint64_t size() const { return size_; }  // of the whole file, and at least of all its records together
  // By its name without the archive's own folder: "data.pkl" for "archive/data.pkl".
  bool has(const std::string& name) const { return records_.count(name) != 0; }
  std::uint64_t size_of(const std::string& name) const { return has(name) ? records_.at(name).size : 0; }
  void read(const std::string& name, void* into);  // size_of(name) bytes; also throws if they are compressed
  std::string read(const std::string& name);

 private:
  struct Record {
    std::uint64_t header, size;  // offset of its local header, and its number of bytes
    bool stored;                 // not compressed
  };
  struct Directory {
    std::uint64_t offset, size;
  };
  std::string bytes(std::uint64_t offset, std::uint64_t count);
  Directory find_directory();
  void add_record(const std::string& directory, std::size_t at);

  std::ifstream in_;
  std::uint64_t size_;
  std::map<std::string, Record> records_;
};

}  // namespace sectile
