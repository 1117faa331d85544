// Plugin libraries in the process: checked, loaded, and asked for their components. Boost.DLL is used here only.
#pragma once

#include <filesystem>
#include <string>

#include <sectile/component.h>

namespace sectile {

// Empty when a plugin with this ABI string fits this host; otherwise one line per field that does not.
std::string abi_difference(const std::string& plugin);
std::string abi_difference(const std::string& plugin, const std::string& host);

// The ABI refusal as a message to follow the file's name; empty when the plugin fits.
std::string abi_problem(const Stamp& stamp);

// The component that the stamp names. Loads the library when it is first asked for, by absolute path, and never unloads
// it. The caller compared the ABI. Throws PluginError.
const Component& load_component(const std::filesystem::path& library, const Stamp& stamp);

// Where libsectile.so lies.
std::filesystem::path own_folder();

}  // namespace sectile
