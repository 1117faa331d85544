#include "cache_record.h"

#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include <sectile/error.h>

#include "../images/image_file.h"
#include "../spec/json_text.h"

namespace sectile {

namespace fs = std::filesystem;

std::optional<CacheRecord> read_record(const std::filesystem::path& file) {
  try {
    std::vector<Problem> problems;
    const auto json = parse_json(read_text(file), file, problems);
    return CacheRecord{json.at("url").get<std::string>(),
                       {json.at("size").get<std::uint64_t>(), json.at("sha256").get<std::string>()},
                       json.at("modified").get<std::int64_t>()};
  } catch (const SpecError&) {
    return std::nullopt;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void write_record(const std::filesystem::path& file, const CacheRecord& record) {
  const Json json{{"url", record.url},
                  {"size", *record.facts.size},
                  {"sha256", record.facts.sha256},
                  {"modified", record.modified}};
  write_text(file, json_text(json) + "\n");
}

std::optional<std::int64_t> time_of(const std::filesystem::path& file) {
  struct stat found {};
  if (stat(file.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  constexpr std::int64_t kSecond = 1'000'000'000;
  return found.st_mtim.tv_sec * kSecond + found.st_mtim.tv_nsec;
}

void in_the_way(const fs::path& file) {
  std::error_code unknown;
  throw DataError(file, std::string("is ") + (fs::is_directory(file, unknown) ? "a folder" : "not a regular file") +
                            ", where a file of the cache belongs; move it elsewhere");
}

std::string read_text(const std::filesystem::path& file) {
  std::error_code unknown;
  if (fs::exists(file, unknown) && !fs::is_regular_file(file, unknown)) in_the_way(file);
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_text(const std::filesystem::path& file, const std::string& text) {
  try {
    ReplacedFile out(file);
    out.write(text.data(), text.size());
    out.commit();
  } catch (const DataError&) {
    // Without it, contents are hashed again, and a cut download starts anew.
  }
}

}  // namespace sectile
