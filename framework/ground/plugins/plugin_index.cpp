#include "plugin_index.h"

#include <dlfcn.h>
#include <elf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>

#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>

namespace sectile {
namespace {

namespace dll = boost::dll;
namespace fs = std::filesystem;

template <std::size_t N>
std::string text(const char (&field)[N]) {
  return {field, strnlen(field, N)};
}

template <class T>
std::vector<T> read(std::ifstream& in, std::uint64_t size, const fs::path& path, std::uint64_t offset,
                    std::uint64_t count) {
  if (count > size / sizeof(T) || offset > size - count * sizeof(T))
    throw PluginError(path, "the file is cut short or damaged");
  std::vector<T> items(count);
  in.seekg(static_cast<std::streamoff>(offset));
  in.read(reinterpret_cast<char*>(items.data()), static_cast<std::streamsize>(count * sizeof(T)));
  return items;
}

// The stamps in a library's ".sectile_plugin" section, read without loading it. Empty when the file is not a plugin.
std::vector<Stamp> read_stamps(const fs::path& path) {
  const auto size = fs::file_size(path);
  std::ifstream in(path, std::ios::binary);
  if (size < sizeof(Elf64_Ehdr)) return {};
  const auto header = read<Elf64_Ehdr>(in, size, path, 0, 1).front();
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return {};
  const auto sections = read<Elf64_Shdr>(in, size, path, header.e_shoff, header.e_shnum);
  if (header.e_shstrndx >= sections.size()) return {};
  const auto& table = sections[header.e_shstrndx];
  const auto names = read<char>(in, size, path, table.sh_offset, table.sh_size);
  const std::string wanted = ".sectile_plugin";
  for (const auto& section : sections) {
    if (section.sh_name + wanted.size() + 1 > names.size()) continue;
    if (std::strncmp(names.data() + section.sh_name, wanted.c_str(), wanted.size() + 1) != 0) continue;
    auto stamps = read<Stamp>(in, size, path, section.sh_offset, section.sh_size / sizeof(Stamp));
    std::erase_if(stamps,
                  [](const Stamp& stamp) { return std::memcmp(stamp.magic, kStampMagic, sizeof kStampMagic) != 0; });
    return stamps;
  }
  return {};
}

// Loaded once, never unloaded: objects, exceptions, type information and LibTorch registrations of a plugin may outlive
// any owner we could name, so the handles are deliberately leaked.
const Plugin& load_library(const fs::path& path) {
  static std::mutex mutex;
  static auto* const libraries = new std::map<fs::path, dll::shared_library>;
  const std::lock_guard lock(mutex);
  auto found = libraries->find(path);
  if (found == libraries->end()) {
    try {
      const auto mode =
          dll::load_mode::rtld_now | dll::load_mode::rtld_local | static_cast<dll::load_mode::type>(RTLD_NODELETE);
      found = libraries->emplace(path, dll::shared_library(path, mode)).first;
    } catch (const dll::fs::system_error& error) {
      throw PluginError(path, std::string("cannot be loaded: ") + error.what());
    }
  }
  if (!found->second.has("sectile_plugin"))
    throw PluginError(path, "has stamps but does not export \"sectile_plugin\"");
  const auto& plugin = found->second.get<const Plugin>("sectile_plugin");
  if (plugin.size != sizeof(Plugin)) throw PluginError(path, "its component table has another layout; rebuild it");
  return plugin;
}

std::map<std::string, std::string> abi_fields(const std::string& abi) {
  std::map<std::string, std::string> fields;
  std::istringstream in(abi);
  for (std::string item; std::getline(in >> std::ws, item, ';');)
    fields[item.substr(0, item.find(' '))] = item.substr(item.find(' ') + 1);
  return fields;
}

}  // namespace

std::string abi_difference(const std::string& plugin, const std::string& host) {
  std::string table;
  auto theirs = abi_fields(plugin);
  for (const auto& [key, ours] : abi_fields(host)) {
    if (key == "libtorch" && theirs[key].empty()) continue;  // a plugin of the ground floor alone
    if (key == "c++" ? theirs[key] < ours : theirs[key] != ours)
      table += "\n  " + key + ": plugin " + (theirs[key].empty() ? "(not stated)" : theirs[key]) + ", host " + ours;
  }
  return table;
}

std::vector<fs::path> plugin_folders() {
  std::vector<fs::path> folders;
  const char* more = std::getenv("SECTILE_PLUGIN_PATH");
  std::istringstream in(more ? more : "");
  for (std::string folder; std::getline(in, folder, ':');)
    if (!folder.empty()) folders.emplace_back(folder);
  folders.push_back(fs::path(dll::this_line_location().string()).parent_path() / "sectile/plugins");
  return folders;
}

PluginIndex::PluginIndex(const std::vector<fs::path>& directories) {
  for (const auto& directory : directories) {
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(directory, missing)) {
      if (entry.path().extension() != ".so") continue;
      for (const auto& stamp : read_stamps(entry.path()))
        found_.emplace(std::pair(text(stamp.kind), text(stamp.name)), Located{fs::canonical(entry.path()), stamp});
    }
  }
}

std::vector<PluginIndex::Entry> PluginIndex::all() const {
  std::vector<Entry> entries;
  for (const auto& [key, located] : found_)
    entries.push_back({key.first, key.second, text(located.stamp.version), text(located.stamp.summary)});
  return entries;
}

std::vector<std::string> PluginIndex::names(const std::string& kind) const {
  std::vector<std::string> names;
  for (const auto& [key, unused] : found_)
    if (key.first == kind) names.push_back(key.second);
  return names;
}

const Component& PluginIndex::load(const std::string& kind, const std::string& name) const {
  const auto& located = found_.at({kind, name});
  if (const auto difference = abi_difference(text(located.stamp.abi), SECTILE_ABI "; libtorch " SECTILE_LIBTORCH);
      !difference.empty())
    throw PluginError(located.file, "was built for a different host and was not loaded." + difference +
                                        "\nRebuild it against this installation (find_package(Sectile)).");
  const Plugin& plugin = load_library(located.file);
  for (std::size_t i = 0; i < plugin.component_count; ++i)
    if (kind == plugin.components[i].kind && name == plugin.components[i].name) return plugin.components[i];
  throw PluginError(located.file, "its stamp names a component that it does not have");
}

}  // namespace sectile
