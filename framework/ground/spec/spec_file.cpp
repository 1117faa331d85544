#include "spec_file.h"

#include <cstdlib>
#include <fstream>

#include <sectile/error.h>

namespace sectile {
namespace {

namespace fs = std::filesystem;
using Pointer = Json::json_pointer;

void merge_at(SpecFile& into, Json& base, const Json& patch, const Pointer& where, const fs::path& folder) {
  if (!patch.is_object()) {
    base = patch;
    into.folders[where.to_string()] = folder;
    return;
  }
  const auto was = base.is_object() ? base.find("type") : base.end();
  const auto type = patch.find("type");
  if (was != base.end() && type != patch.end() && *was != *type) {
    for (const auto& [key, unused] : base.items())
      if (!patch.contains(key)) into.dropped.push_back((where / key).to_string());
    base = Json::object();
  }
  if (!base.is_object()) base = Json::object();
  for (const auto& [key, value] : patch.items()) {
    if (value.is_null())
      base.erase(key);
    else
      merge_at(into, base[key], value, where / key, folder);
  }
}

// Makes objects on the way, but no elements of arrays. Throws Json::exception.
Json& place(Json& root, const Pointer& where) {
  if (where.empty()) return root;
  auto& parent = place(root, where.parent_pointer());
  if (parent.is_array()) return parent.at(Pointer() / where.back());
  return parent[where.back()];
}

void load(SpecFile& into, const fs::path& file, int depth) {
  const auto refuse = [&](const char* pointer, const std::string& what) {
    throw SpecError(pointer, file.string() + ": " + what);
  };
  std::ifstream in(file);
  if (!in) refuse("", "cannot be read");
  if (depth > 16) refuse("/extends", "the files extend each other in a circle");
  Json json;
  try {
    json = Json::parse(in);
  } catch (const Json::parse_error& error) {
    refuse("", error.what());
  }
  if (!json.is_object()) refuse("", "is not an object");
  if (const auto base = json.find("extends"); base != json.end()) {
    if (!base->is_string()) refuse("/extends", "expected string, found " + base->dump());
    const auto path = located(base->get<std::string>(), file.parent_path());
    if (!path) refuse("/extends", base->dump() + " begins with an environment variable that is not set");
    load(into, *path, depth + 1);
  }
  json.erase("extends"), json.erase("$schema");
  merge(into, json, file.parent_path());
}

}  // namespace

const fs::path& SpecFile::folder(std::string pointer) const {
  static const fs::path nowhere;
  for (;; pointer.erase(pointer.rfind('/'))) {
    if (const auto found = folders.find(pointer); found != folders.end()) return found->second;
    if (pointer.empty()) return nowhere;
  }
}

SpecFile load_spec(const fs::path& file, const std::vector<std::string>& changes) {
  SpecFile result;
  load(result, file, 0);
  for (const auto& text : changes) change(result, text, file.parent_path());
  return result;
}

void merge(SpecFile& into, const Json& patch, const fs::path& folder) {
  merge_at(into, into.json, patch, Pointer(), folder);
}

void change(SpecFile& into, const std::string& text, const fs::path& folder) {
  const auto equals = text.find('=');
  if (text.empty() || text[0] != '/' || equals == std::string::npos)
    throw SpecError(text, "is no change: write /pointer=value");
  auto value = Json::parse(text.substr(equals + 1), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) value = text.substr(equals + 1);
  try {
    const Pointer where(text.substr(0, equals));
    auto& parent = place(into.json, where.parent_pointer());
    if (parent.is_array()) return merge_at(into, place(into.json, where), value, where, folder);
    if (!parent.is_object() && !parent.is_null())
      throw SpecError(where.parent_pointer().to_string(), "is no object, so --set " + text + " has no place");
    auto patch = Json::object();
    patch[where.back()] = std::move(value);
    merge_at(into, parent, patch, where.parent_pointer(), folder);
  } catch (const Json::exception& error) {
    throw SpecError(text.substr(0, equals), error.what());
  }
}

std::optional<fs::path> located(const std::string& path, const fs::path& folder) {
  const auto end = path.find('}');
  if (path.rfind("${", 0) != 0 || end == std::string::npos) return (folder / path).lexically_normal();
  const char* value = std::getenv(path.substr(2, end - 2).c_str());
  if (!value) return std::nullopt;
  return (folder / (value + path.substr(end + 1))).lexically_normal();
}

}  // namespace sectile
