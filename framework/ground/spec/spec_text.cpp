#include "spec_text.h"

#include "spec_file.h"

namespace sectile {

std::shared_ptr<const SpecFile> open_spec(const std::filesystem::path& file, const std::vector<std::string>& changes) {
  return std::make_shared<const SpecFile>(load_spec(file, changes));
}

std::shared_ptr<const SpecFile> open_resolved(const std::string& text, const std::vector<std::string>& changes) {
  return std::make_shared<const SpecFile>(load_resolved(text, changes));
}

const std::vector<std::filesystem::path>& plugin_path(const SpecFile& spec) { return spec.plugin_path; }

std::vector<Problem> notes(const SpecFile& spec) {
  std::vector<Problem> all;
  for (const auto& pointer : spec.dropped) all.push_back({pointer, "is dropped with the type that it belonged to"});
  all.insert(all.end(), spec.notes->begin(), spec.notes->end());
  return all;
}

}  // namespace sectile
