#include "plugin_index.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "library.h"
#include "stamp_reader.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

bool is_candidate(const fs::path& file) { return file.filename().string().rfind("libsectile_", 0) == 0; }

// Sorted by name; the order of a directory differs between machines.
std::vector<fs::path> libraries(const fs::path& folder, std::error_code& problem) {
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end; entry.increment(problem))
    if (entry->path().extension() == ".so") files.push_back(entry->path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<fs::path> plugin_folders() {
  std::vector<fs::path> folders;
  const char* more = std::getenv("SECTILE_PLUGIN_PATH");
  std::istringstream in(more ? more : "");
  for (std::string folder; std::getline(in, folder, ':');)
    if (!folder.empty()) folders.emplace_back(folder);
  folders.push_back(own_folder() / "sectile/plugins");
  return folders;
}

PluginIndex::PluginIndex(const std::vector<fs::path>& folders) {
  for (const auto& folder : folders) search(folder);
}

void PluginIndex::search(const fs::path& folder) {
  const auto path = fs::weakly_canonical(folder);
  if (std::any_of(searched_.begin(), searched_.end(), [&](const File& earlier) { return earlier.path == path; }))
    return;
  std::error_code problem;
  const auto files = libraries(path, problem);
  searched_.push_back({path, problem ? problem.message() : ""});
  std::vector<fs::path> seen;
  for (const auto& file : files) {
    if (!is_candidate(file)) {
      skipped_.push_back({file, "is not named libsectile_*.so"});
      continue;
    }
    std::error_code broken;
    const auto real = fs::canonical(file, broken);
    if (broken) {
      skipped_.push_back({file, broken.message()});
      continue;
    }
    if (std::count(seen.begin(), seen.end(), real)) continue;  // a link to another file of the folder
    seen.push_back(real);
    auto [stamps, why] = read_stamps(real);
    if (!why.empty()) skipped_.push_back({file, std::move(why)});
    for (const auto& stamp : stamps) add(stamp, real);
  }
}

void PluginIndex::add(const Stamp& stamp, const fs::path& file) {
  Entry entry{text(stamp.kind), text(stamp.name), text(stamp.version), text(stamp.summary), file, abi_problem(stamp)};
  const auto [found, fresh] = found_.try_emplace({entry.kind, entry.name}, Located{stamp, entry, searched_.size()});
  if (fresh) return;
  auto& first = found->second.entry;
  if (found->second.folder == searched_.size())
    first.problem = "offers the " + entry.kind + " \"" + entry.name + "\", and so does " + file.string() +
                    " in the same folder; remove one of them";
  else
    shadowed_.push_back({std::move(entry), first.file});
}

std::vector<PluginIndex::Entry> PluginIndex::all() const {
  std::vector<Entry> entries;
  for (const auto& [key, located] : found_) entries.push_back(located.entry);
  return entries;
}

std::vector<std::string> PluginIndex::names(const std::string& kind) const {
  std::vector<std::string> names;
  for (const auto& [key, unused] : found_)
    if (key.first == kind) names.push_back(key.second);
  return names;
}

std::vector<std::string> PluginIndex::kinds_of(const std::string& name) const {
  std::vector<std::string> kinds;
  for (const auto& [key, unused] : found_)
    if (key.second == name) kinds.push_back(key.first);
  return kinds;
}

const PluginIndex::Located& PluginIndex::located(const std::string& kind, const std::string& name) const {
  const auto found = found_.find({kind, name});
  if (found == found_.end()) throw PluginError(kind + " \"" + name + "\"", "not found in any plugin");
  return found->second;
}

PluginIndex::Entry PluginIndex::entry(const std::string& kind, const std::string& name) const {
  return located(kind, name).entry;
}

const Component& PluginIndex::load(const std::string& kind, const std::string& name) const {
  const auto& found = located(kind, name);
  if (!found.entry.problem.empty()) throw PluginError(found.entry.file, found.entry.problem);
  return load_component(found.entry.file, found.stamp);
}

}  // namespace sectile
