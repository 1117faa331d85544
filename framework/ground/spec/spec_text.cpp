#include "spec_text.h"

#include <utility>

#include "../plugins/plugin_index.h"
#include "spec_file.h"

namespace sectile {

std::shared_ptr<const SpecFile> open_spec(const std::filesystem::path& file, const std::vector<std::string>& changes) {
  return std::make_shared<const SpecFile>(load_spec(file, changes));
}

std::shared_ptr<const SpecFile> open_spec_text(const std::string& text, const std::string& name,
                                               const std::vector<std::string>& changes) {
  return std::make_shared<const SpecFile>(load_spec_text(text, name, changes));
}

std::shared_ptr<const SpecFile> open_embedded(const std::string& text, EmbeddedSpec about,
                                              const std::vector<std::string>& changes) {
  return std::make_shared<const SpecFile>(load_embedded(text, std::move(about), changes));
}

std::vector<std::filesystem::path> plugin_folders(const std::vector<std::filesystem::path>& first,
                                                  const SpecFile* spec) {
  auto folders = first;
  if (spec) folders.insert(folders.end(), spec->plugin_path.begin(), spec->plugin_path.end());
  const auto usual = plugin_folders();
  folders.insert(folders.end(), usual.begin(), usual.end());
  return folders;
}

std::vector<Problem> notes(const SpecFile& spec) {
  std::vector<Problem> all;
  for (const auto& pointer : spec.dropped)
    all.push_back({pointer, "is dropped, because it belongs to the type that was replaced"});
  all.insert(all.end(), spec.notes->begin(), spec.notes->end());
  return all;
}

}  // namespace sectile
