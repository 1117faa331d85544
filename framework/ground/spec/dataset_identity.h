// What a dataset of a spec is, for results that are kept from one run to the next.
#pragma once

#include <string>

#include <sectile/context.h>
#include <sectile/dataset.h>
#include <sectile/options.h>

namespace sectile {

// Equal only for the same type and options (with all defaults, absolute paths, and the datasets inside it), the same
// task, and the same version and build of Sectile and of the plugins: another one may read labels differently.
std::string identity_of(Task task, Ref<Dataset> dataset);

}  // namespace sectile
