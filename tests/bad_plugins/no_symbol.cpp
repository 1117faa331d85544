// Has stamps, and forgot to export its table.
#include "plain.h"

#undef SECTILE_EXPORT
#define SECTILE_EXPORT [[gnu::visibility("hidden")]]

SECTILE_PLUGIN("1.0.0", sectile::schedule<Constant>("constant", "Never changes."))
