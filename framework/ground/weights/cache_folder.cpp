#include "cache_folder.h"

#include <cstdlib>

namespace sectile {

std::filesystem::path user_cache_folder() {
  const auto named = [](const char* name) -> std::filesystem::path {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  if (auto own = named("SECTILE_CACHE"); !own.empty()) return own;
  if (const auto xdg = named("XDG_CACHE_HOME"); xdg.is_absolute()) return xdg / "sectile";
  if (const auto home = named("HOME"); home.is_absolute()) return home / ".cache/sectile";
  return {};
}

}  // namespace sectile
