// Has stamps but no table of its own; it links another plugin, whose table the loader finds instead.
#include "plain.h"

namespace {
constexpr sectile::Component components[] = {sectile::schedule<Constant>("constant", "Never changes.")};
[[gnu::section(".sectile_plugin"), gnu::used]] constexpr auto stamps =
    sectile::detail::stamps(SECTILE_ABI, "1.0.0", components);
}  // namespace

extern "C" const sectile::Plugin sectile_plugin;
extern "C" SECTILE_EXPORT const void* needs_the_other() { return &sectile_plugin; }
