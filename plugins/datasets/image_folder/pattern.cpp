#include "pattern.h"

#include <algorithm>
#include <string_view>

namespace image_folder {
namespace {

constexpr std::string_view kFolders = "**/";

bool starts_with_folders(std::string_view text) { return text.starts_with(kFolders); }

// Tries ever longer texts for the first star; each star's text is appended to `found`.
bool matches(std::string_view pattern, std::string_view name, std::vector<std::string>& found) {
  const auto same = std::min(pattern.find('*'), pattern.size());
  if (name.substr(0, same) != pattern.substr(0, same)) return false;
  pattern.remove_prefix(same), name.remove_prefix(same);
  if (pattern.empty()) return name.empty();
  const bool folders = starts_with_folders(pattern);
  const auto rest = pattern.substr(folders ? kFolders.size() : 1);
  for (std::size_t length = 0; length <= name.size(); ++length) {
    if (length > 0 && !folders && name[length - 1] == '/') return false;
    if (length > 0 && folders && name[length - 1] != '/') continue;
    found.emplace_back(name.substr(0, length));
    if (matches(rest, name.substr(length), found)) return true;
    found.pop_back();
  }
  return false;
}

}  // namespace

std::string Pattern::problem() const {
  constexpr std::size_t kMost = 8;  // trying all ways takes long with many
  std::size_t count = 0;
  for (auto at = text_.find('*'); at != std::string::npos; at = text_.find('*', at + 1), ++count) {
    if (text_.compare(at, 2, "**") != 0) continue;
    if (text_.compare(at, 3, kFolders) != 0 || (at > 0 && text_[at - 1] != '/'))
      return "\"**\" must stand alone between slashes, as in \"train/**/*\"";
    ++at;
  }
  return count > kMost ? "has more than " + std::to_string(kMost) + " stars" : "";
}

std::string Pattern::stars() const {
  std::string all;
  for (auto at = text_.find('*'); at != std::string::npos; at = text_.find('*', at + 1)) {
    if (!all.empty()) all += ' ';
    const bool folders = starts_with_folders(std::string_view(text_).substr(at));
    all += folders ? kFolders : "*";
    if (folders) ++at;
  }
  return all;
}

std::string Pattern::folder() const {
  const auto slash = text_.rfind('/', text_.find('*'));
  return slash == std::string::npos ? "" : text_.substr(0, slash + 1);
}

std::optional<std::vector<std::string>> Pattern::match(const std::string& name) const {
  std::vector<std::string> found;
  if (!matches(text_, name, found)) return {};
  return found;
}

std::string Pattern::filled(const std::vector<std::string>& texts) const {
  std::string name;
  std::size_t at = 0;
  for (const auto& text : texts) {
    const auto star = text_.find('*', at);
    name += text_.substr(at, star - at) + text;
    at = star + (starts_with_folders(std::string_view(text_).substr(star)) ? kFolders.size() : 1);
  }
  return name + text_.substr(at);
}

}  // namespace image_folder
