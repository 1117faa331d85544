#include "spec_text.h"

#include <sectile/error.h>

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

std::vector<std::filesystem::path> plugin_path(const SpecFile& spec) {
  const auto found = spec.json.find("plugin_path");
  if (found == spec.json.end()) return {};
  if (!found->is_array())
    throw SpecError("/plugin_path", "expected an array of folders, found " + found->dump() + "; write [\"plugins\"]");
  std::vector<Problem> problems;
  std::vector<std::filesystem::path> folders;
  for (std::size_t i = 0; i < found->size(); ++i) {
    const auto& item = (*found)[i];
    const auto pointer = "/plugin_path/" + std::to_string(i);
    if (!item.is_string() || item.get<std::string>().empty()) {
      problems.push_back({pointer, "expected the name of a folder, found " + item.dump()});
      continue;
    }
    const auto folder = located(item.get<std::string>(), spec.folder(pointer));
    if (folder)
      folders.push_back(*folder);
    else
      problems.push_back({pointer, item.dump() + " begins with an environment variable that is not set"});
  }
  if (!problems.empty()) throw SpecError(std::move(problems));
  return folders;
}

const std::vector<std::string>& dropped_options(const SpecFile& spec) { return spec.dropped; }

}  // namespace sectile
