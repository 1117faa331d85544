#include "spec_text.h"

#include "spec_file.h"

namespace sectile {

std::shared_ptr<const SpecFile> open_spec(const std::filesystem::path& file, const std::vector<std::string>& changes) {
  return std::make_shared<const SpecFile>(load_spec(file, changes));
}

std::shared_ptr<const SpecFile> open_resolved(const std::string& text, const std::vector<std::string>& changes) {
  auto spec = std::make_shared<SpecFile>();
  spec->json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!spec->json.is_object()) throw SpecError("", "the spec inside the checkpoint is damaged: it is no JSON object");
  for (const auto& text_of_change : changes) change(*spec, text_of_change, std::filesystem::current_path());
  return spec;
}

const std::vector<std::filesystem::path>& plugin_path(const SpecFile& spec) { return spec.plugin_path; }

std::vector<Problem> notes(const SpecFile& spec) {
  std::vector<Problem> all;
  for (const auto& pointer : spec.dropped) all.push_back({pointer, "is dropped with the type that it belonged to"});
  all.insert(all.end(), spec.notes->begin(), spec.notes->end());
  return all;
}

}  // namespace sectile
