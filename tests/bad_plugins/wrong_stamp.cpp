// The stamp names a component that the table does not have.
#include "plain.h"

namespace {
constexpr sectile::Component promised[] = {sectile::schedule<Constant>("constant", "Never changes.")};
constexpr sectile::Component kept[] = {sectile::schedule<Constant>("steady", "Never changes.")};
[[gnu::section(".sectile_plugin"), gnu::used]] constexpr auto stamps =
    sectile::detail::stamps(SECTILE_ABI, "1.0.0", promised);
}  // namespace

extern "C" SECTILE_EXPORT const sectile::Plugin sectile_plugin;
const sectile::Plugin sectile_plugin = {sizeof(sectile::Plugin), SECTILE_ABI, "1.0.0", kept, stamps.data(), 1};
