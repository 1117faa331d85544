#include "spec_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <sectile/error.h>

#include "../named_pipe.h"

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

// The value below `parent` at the pointer's last token; creates missing objects, but no array elements.
Json& place(Json& root, const Pointer& where) {
  if (where.empty()) return root;
  auto& parent = place(root, where.parent_pointer());
  const auto& token = where.back();
  if (parent.is_array()) {
    const bool number =
        !token.empty() && token.size() < 9 && token.find_first_not_of("0123456789") == std::string::npos;
    const auto index = number ? std::stoul(token) : parent.size();
    if (index >= parent.size())
      throw SpecError(where.to_string(), "has no place: the array has " + std::to_string(parent.size()) +
                                             " elements, numbered from 0; a change adds none");
    return parent[index];
  }
  if (!parent.is_object() && !parent.is_null())
    throw SpecError(where.to_string(),
                    "has no place: " + where.parent_pointer().to_string() + " is " + quoted(parent) + " and no object");
  return parent[token];
}

std::string contents(const fs::path& file) {
  std::error_code unknown;
  if (fs::is_directory(file, unknown)) throw SpecError("", file.string() + ": is a folder; name the spec in it");
  if (is_named_pipe(file)) throw SpecError("", file.string() + ": is a named pipe; expected a file");
  std::ifstream in(file, std::ios::binary);
  if (!in) throw SpecError("", file.string() + ": cannot be read: " + std::strerror(errno));
  std::string text;
  std::array<char, 1 << 16> part;
  while (text.size() <= kLongestJson && (in.read(part.data(), part.size()), in.gcount() > 0))
    text.append(part.data(), static_cast<std::size_t>(in.gcount()));
  return text;  // parse_json refuses a longer one
}

// Absolute, so that a resolved spec has the same meaning in any folder.
fs::path folder_of(const fs::path& file) { return fs::absolute(file).parent_path(); }

// `chain`: the files that extend this one, to detect cycles.
void load(SpecFile& into, const fs::path& file, std::vector<fs::path> chain) {
  const auto real = fs::weakly_canonical(file);
  const auto refuse = [&](const std::string& what) { throw SpecError("/extends", file.string() + ": " + what); };
  if (std::count(chain.begin(), chain.end(), real)) {
    std::string circle;
    for (const auto& link : chain) circle += link.filename().string() + " → ";
    refuse("the files extend each other in a circle: " + circle + real.filename().string());
  }
  chain.push_back(real);
  auto json = parse_json(contents(file), file.string(), into.problems);
  if (!json.is_object()) throw SpecError("", file.string() + ": expected an object, found " + quoted(json));
  if (const auto base = json.find("extends"); base != json.end()) {
    if (!base->is_string()) refuse("expected the name of another spec, found " + quoted(*base));
    const auto path = located(base->get<std::string>(), folder_of(file));
    if (!path) refuse(quoted(*base) + " starts with an environment variable that is not set");
    load(into, *path, chain);
  }
  json.erase("extends"), json.erase("$schema");
  merge(into, json, folder_of(file));
}

// The value of --set: JSON if it looks like JSON, else a string.
Json value_of(const std::string& text, const std::string& pointer, std::vector<Problem>& problems) {
  auto value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_discarded() && !value.is_structured()) return value;
  if (value.is_discarded() && (text.empty() || std::strchr("{[\"", text[0]) == nullptr)) return text;
  try {
    std::vector<Problem> twice;  // pointers are relative to the value
    value = parse_json(text, "", twice);
    for (const auto& problem : twice) problems.push_back({pointer + problem.pointer, problem.message});
    return value;
  } catch (const SpecError& error) {
    throw SpecError(pointer,
                    "the value " + text + " is not valid JSON; in a shell, quote the change: '/pointer={\"key\": 1}'");
  }
}

// Read before the other options, because reading those needs the plugins. Wrong types are reported by the reader.
void read_plugin_path(SpecFile& spec) {
  const auto found = spec.json.find("plugin_path");
  if (found == spec.json.end() || !found->is_array()) return;
  for (std::size_t i = 0; i < found->size(); ++i) {
    const auto& item = (*found)[i];
    const auto pointer = "/plugin_path/" + std::to_string(i);
    if (!item.is_string()) continue;
    if (item.get<std::string>().empty())
      spec.problems.push_back({pointer, "expected the name of a folder, found " + quoted(item)});
    else if (const auto path = located(item.get<std::string>(), spec.folder(pointer)))
      spec.plugin_path.push_back(*path);
  }
}

void finish(SpecFile& spec, const std::vector<std::string>& changes, const fs::path& folder) {
  for (const auto& text : changes) {
    try {
      change(spec, text, folder);
    } catch (const SpecError& error) {
      spec.problems.insert(spec.problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  read_plugin_path(spec);
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
  load(result, file, {});
  finish(result, changes, folder_of(file));
  return result;
}

SpecFile load_spec_text(const std::string& text, const std::string& name, const std::vector<std::string>& changes) {
  SpecFile result;
  merge(result, parse_json(text, name, result.problems), fs::current_path());
  finish(result, changes, fs::current_path());
  return result;
}

SpecFile load_embedded(const std::string& text, EmbeddedSpec about, const std::vector<std::string>& changes) {
  SpecFile result;
  const auto name = about.checkpoint.string() + ", its spec";
  result.json = parse_json(text, name, result.problems);
  if (!result.json.is_object()) throw SpecError("", name + ": is not a JSON object; the file is damaged");
  result.json.erase("plugin_path");  // a checkpoint loads no libraries of its own choice
  result.embedded = std::move(about);
  finish(result, changes, fs::current_path());
  return result;
}

bool SpecFile::is_embedded(const std::string& pointer) const { return embedded && folder(pointer).empty(); }

void merge(SpecFile& into, const Json& patch, const fs::path& folder) {
  merge_at(into, into.json, patch, Pointer(), folder);
}

void change(SpecFile& into, const std::string& text, const fs::path& folder) {
  const auto equals = text.find('=');
  if (text.empty() || text[0] != '/' || equals == std::string::npos)
    throw SpecError("", "\"" + text + "\" is not a change: write /pointer=value, as in /train/epochs=3");
  const auto pointer = text.substr(0, equals);
  if (std::count(pointer.begin(), pointer.end(), '/') > kDeepestJson)
    throw SpecError("", "a change names a value that is more than " + std::to_string(kDeepestJson) + " deep");
  Pointer where;
  try {
    where = Pointer(pointer);
  } catch (const Json::exception&) {
    throw SpecError("", "\"" + text + "\" has no JSON pointer before its =; write ~0 for ~ and ~1 for / in a key");
  }
  auto value = value_of(text.substr(equals + 1), pointer, into.problems);
  auto& parent = place(into.json, where.parent_pointer());
  if (parent.is_array()) return merge_at(into, place(into.json, where), value, where, folder);
  if (!parent.is_object() && !parent.is_null()) place(into.json, where);  // reports what is in the way
  auto patch = Json::object();
  patch[where.back()] = std::move(value);
  merge_at(into, parent, patch, where.parent_pointer(), folder);
}

std::optional<fs::path> located(const std::string& path, const fs::path& folder) {
  const auto end = path.find('}');
  if (path.rfind("${", 0) != 0 || end == std::string::npos) return tidied(folder / path);
  const char* value = std::getenv(path.substr(2, end - 2).c_str());
  if (!value) return std::nullopt;
  return tidied(folder / (value + path.substr(end + 1)));
}

fs::path tidied(const fs::path& path) {
  auto tidy = path.lexically_normal();
  if (path.string().find("..") == std::string::npos) return tidy;
  std::error_code unknown;
  const auto real = fs::weakly_canonical(path, unknown);
  return unknown || fs::weakly_canonical(tidy, unknown) == real ? tidy : real;
}

}  // namespace sectile
