// Nothing is wrong with it but its neighbour, which is built from the same file.
#include "plain.h"

SECTILE_PLUGIN("1.0.0", sectile::schedule<Constant>("constant", "Never changes."))
