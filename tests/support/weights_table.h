// A catalogue of weights and a cache of a test's own.
#pragma once

#include <cstdlib>
#include <map>
#include <string>

#include "support/scratch.h"

namespace sectile::test {

class WeightsTable {
 public:
  // Also for programs that the test starts.
  WeightsTable() {
    set("SECTILE_CACHE", (folder_ / "cache").string());
    set("no_proxy", "127.0.0.1");
    for (const char* name : {"SECTILE_OFFLINE", "SECTILE_WEIGHTS_MIRROR"}) unsetenv(name);
  }
  ~WeightsTable() {
    for (const char* name :
         {"SECTILE_CACHE", "no_proxy", "SECTILE_WEIGHTS_TABLE", "SECTILE_OFFLINE", "SECTILE_WEIGHTS_MIRROR"})
      unsetenv(name);
  }
  WeightsTable(const WeightsTable&) = delete;
  WeightsTable& operator=(const WeightsTable&) = delete;

  void set(const char* name, const std::string& value) const { setenv(name, value.c_str(), 1); }

  // A new table of one entry, "test/toy", of the model toy. more: further members, such as "\"size\": 3, ".
  void write(const std::string& url, const std::string& more = "") {
    write_all(R"({"weights": [{"name": "test/toy", "component": {"kind": "model", "type": "toy"}, "url": ")" + url +
              "\", " + more + R"("license": "MIT", "source": "https://example.org"}]})");
  }
  void write_all(const std::string& json) {
    set("SECTILE_WEIGHTS_TABLE", folder_.write("table" + std::to_string(++written_) + ".json", json).string());
  }

  const Scratch& folder() const { return folder_; }
  std::filesystem::path cached(const std::string& suffix = "") const {
    return folder_ / ("cache/weights/test/toy/toy.pth" + suffix);
  }

 private:
  Scratch folder_;
  int written_ = 0;
};

}  // namespace sectile::test
