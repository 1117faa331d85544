// docs/augmentation.md and specs/: what is said of transforms and samplers is complete.
#include <filesystem>
#include <set>
#include <string>

#include "support/scratch.h"
#include "support/test.h"

namespace fs = std::filesystem;
using namespace sectile;

namespace {

const fs::path kSource = SECTILE_SOURCE_DIR;

std::set<std::string> plugins_of(const char* kind) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(kSource / "plugins" / kind))
    if (entry.is_directory()) names.insert(entry.path().filename().string());
  return names;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the page of augmentation shows every transform, and has its images") {
  const auto page = test::contents(kSource / "docs/augmentation.md");
  for (const auto& name : plugins_of("transforms")) {
    INFO(name << ": add it to docs/augmentation.py, and run that");
    CHECK(contains(page, "**`" + name + "`**"));
  }
  const std::string start = "](images/augmentation/";
  std::set<std::string> shown;
  for (auto at = page.find(start); at != std::string::npos; at = page.find(start, at + 1))
    shown.insert(page.substr(at + start.size(), page.find(')', at) - at - start.size()));
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(kSource / "docs/images/augmentation"))
    files.insert(entry.path().filename().string());
  for (const auto& file : shown) CHECK_MESSAGE(files.count(file), "docs/images/augmentation/" << file << " is missing");
  for (const auto& file : files)
    CHECK_MESSAGE(shown.count(file), "docs/images/augmentation/" << file << " is not shown");
}

TEST_CASE("every transform and every sampler is used by a spec") {
  std::string specs;
  for (const auto& entry : fs::directory_iterator(kSource / "specs"))
    if (entry.path().extension() == ".json") specs += test::contents(entry.path());
  for (const char* kind : {"transforms", "samplers"})
    for (const auto& name : plugins_of(kind)) {
      INFO(std::string(kind) << "/" << name << " is in no spec of specs/");
      CHECK(contains(specs, "\"type\": \"" + name + "\""));
    }
}
