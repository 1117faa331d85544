// Checking and loading plugin libraries, and getting their components. Boost.DLL is used only here.
#pragma once

#include <filesystem>
#include <string>

#include <sectile/component.h>

namespace sectile {

// Empty if a plugin with this ABI string matches this host; otherwise one line per field that differs.
std::string abi_difference(const std::string& plugin);
std::string abi_difference(const std::string& plugin, const std::string& host);

// An ABI mismatch as a message to follow the file's name; empty if the plugin matches.
std::string abi_problem(const Stamp& stamp);

// The component of the stamp. Loads the library at the first call, by absolute path, and never unloads it. The caller
// must have compared the ABI. Throws PluginError.
const Component& load_component(const std::filesystem::path& library, const Stamp& stamp);

// The location of libsectile.so.
std::filesystem::path own_folder();

}  // namespace sectile
