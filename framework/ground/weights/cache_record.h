// What is remembered of a cached file of weights, and small files beside it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace sectile {

struct FileFacts {
  std::optional<std::uint64_t> size;  // bytes
  std::string sha256;                 // digits; possibly only the first
};

struct CacheRecord {
  std::string url;
  FileFacts facts;
  std::int64_t modified = 0;  // nanoseconds since 1970, when the contents were last checked
};

// Empty if there is none, or not a whole one. Throws DataError for a folder or a pipe.
std::optional<CacheRecord> read_record(const std::filesystem::path& file);

// A cache that cannot be written keeps no record.
void write_record(const std::filesystem::path& file, const CacheRecord& record);

// When the file was last modified, in nanoseconds since 1970; empty if there is no such file.
std::optional<std::int64_t> time_of(const std::filesystem::path& file);

// Throws DataError: a folder or a pipe stands where a file of the cache belongs.
[[noreturn]] void in_the_way(const std::filesystem::path& file);

// Empty if the file cannot be read. Throws DataError for a folder or a pipe.
std::string read_text(const std::filesystem::path& file);
// A cache that cannot be written keeps no text.
void write_text(const std::filesystem::path& file, const std::string& text);

}  // namespace sectile
