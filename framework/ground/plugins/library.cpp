#include "library.h"

#include <dlfcn.h>

#include <map>
#include <mutex>
#include <sstream>

#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>

#include "stamp_reader.h"

namespace sectile {
namespace {

namespace dll = boost::dll;
namespace fs = std::filesystem;

constexpr const char* kSymbol = "sectile_plugin";

std::map<std::string, std::string> abi_fields(const std::string& abi) {
  std::map<std::string, std::string> fields;
  std::istringstream in(abi);
  for (std::string item; std::getline(in >> std::ws, item, ';');) {
    const auto space = item.find(' ');
    fields[item.substr(0, space)] = space == std::string::npos ? "" : item.substr(space + 1);
  }
  return fields;
}

// Boost.DLL wraps the loader's message: "load() failed (dlerror system message: …): Bad file descriptor".
std::string loader_message(const std::string& wrapped) {
  const std::string opening = "(dlerror system message: ";
  const auto from = wrapped.find(opening);
  const auto to = wrapped.rfind("): ");
  if (from == std::string::npos || to == std::string::npos || to < from) return wrapped;
  return wrapped.substr(from + opening.size(), to - from - opening.size());
}

dll::shared_library open(const fs::path& file) {
  try {
    // Missing symbols are reported now and not in epoch 3; plugins do not see each other's symbols; nothing is ever
    // unmapped.
    const auto mode =
        dll::load_mode::rtld_now | dll::load_mode::rtld_local | static_cast<dll::load_mode::type>(RTLD_NODELETE);
    return dll::shared_library(file, mode);  // the overload with an error_code loses the loader's message
  } catch (const std::system_error& error) {
    throw PluginError(file, "cannot be loaded: " + loader_message(error.what()));
  }
}

const Plugin& table_of(const dll::shared_library& library, const fs::path& file) {
  if (!library.has(kSymbol))
    throw PluginError(
        file, "has stamps, but does not export \"" + std::string(kSymbol) + "\"; build it with sectile_add_plugin");
  const auto& plugin = library.get<const Plugin>(kSymbol);
  const auto home = dll::symbol_location(plugin);  // the loader also searches the libraries that it links
  std::error_code unknown;
  if (!fs::equivalent(home, file, unknown))
    throw PluginError(file, "has no \"" + std::string(kSymbol) + "\" of its own: it is that of " +
                                fs::weakly_canonical(home).string() + "; plugins do not link each other");
  if (plugin.size != sizeof(Plugin))
    throw PluginError(file, "has a component table of " + std::to_string(plugin.size) + " bytes, expected " +
                                std::to_string(sizeof(Plugin)) +
                                "; rebuild it against this installation (find_package(Sectile))");
  return plugin;
}

// Objects, exceptions, type information and LibTorch registrations of a plugin may outlive any owner, so the handles
// are deliberately leaked.
const Plugin& load_library(const fs::path& file) {
  static std::mutex mutex;
  static auto* const libraries = new std::map<fs::path, dll::shared_library>;
  const std::lock_guard lock(mutex);
  auto found = libraries->find(file);
  if (found == libraries->end()) found = libraries->emplace(file, open(file)).first;
  return table_of(found->second, file);
}

}  // namespace

std::string abi_difference(const std::string& plugin, const std::string& host) {
  std::string table;
  auto theirs = abi_fields(plugin);
  for (const auto& [key, ours] : abi_fields(host)) {
    if (key == "libtorch" && theirs[key].empty()) continue;  // a plugin that uses only the ground floor
    if (key == "c++" ? theirs[key] < ours : theirs[key] != ours)
      table += "\n  " + key + ": plugin " + (theirs[key].empty() ? "(not stated)" : theirs[key]) + ", host " + ours;
  }
  return table;
}

std::string abi_difference(const std::string& plugin) {
  return abi_difference(plugin, SECTILE_ABI "; libtorch " SECTILE_LIBTORCH);
}

std::string abi_problem(const Stamp& stamp) {
  const auto difference = abi_difference(text(stamp.abi));
  if (difference.empty()) return "";
  return "was built for a different host and was not loaded." + difference +
         "\nRebuild it against this installation (find_package(Sectile)).";
}

const Component& load_component(const fs::path& library, const Stamp& stamp) {
  const Plugin& plugin = load_library(library);
  const auto kind = text(stamp.kind), name = text(stamp.name);
  for (std::size_t i = 0; i < plugin.component_count; ++i)
    if (kind == plugin.components[i].kind && name == plugin.components[i].name) return plugin.components[i];
  throw PluginError(library,
                    "its stamp names the " + kind + " \"" + name + "\", which its table does not have; rebuild it");
}

fs::path own_folder() {
  const auto folder = fs::path(dll::this_line_location().string()).parent_path();
  std::error_code unknown;
  const auto real = fs::canonical(folder, unknown);  // of "lib/sectile/..", as programs below it load this library
  return unknown ? folder : real;
}

}  // namespace sectile
