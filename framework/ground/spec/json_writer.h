// Options to JSON.
#pragma once

#include <sectile/options.h>

#include "json_text.h"

namespace sectile {

// A group with every default filled in. What is absent (an empty optional or Ref) is left out.
Json resolved(void* group, const ValueType& type);

// One value of any type; null where it is absent.
Json write_value(void* value, const ValueType& type, const Option& option);

const char* json_type(Shape shape);  // "number"

// Whether a value of this type within the option, its outermost array, may also be one element alone.
bool takes_single(const Option& option, const ValueType& type);

}  // namespace sectile
