// The table says that it has another size than the host's.
#include "plain.h"

namespace {
constexpr sectile::Component components[] = {sectile::schedule<Constant>("constant", "Never changes.")};
[[gnu::section(".sectile_plugin"), gnu::used]] constexpr auto stamps =
    sectile::detail::stamps(SECTILE_ABI, "1.0.0", components);
}  // namespace

extern "C" SECTILE_EXPORT const sectile::Plugin sectile_plugin;
const sectile::Plugin sectile_plugin = {8, SECTILE_ABI, "1.0.0", components, stamps.data(), 1};
