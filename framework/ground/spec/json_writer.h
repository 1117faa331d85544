// Options to JSON.
#pragma once

#include <sectile/options.h>

#include "json_text.h"

namespace sectile {

enum class Paths { written, left_out };

// A group with all defaults. Empty optionals and Refs are omitted.
Json resolved(void* group, const ValueType& type, Paths paths = Paths::written);

// One value of any type; null if it is empty, or a path that is left out.
Json write_value(void* value, const ValueType& type, const Option& option, Paths paths = Paths::written);

const char* json_type(Shape shape);  // "number"

// Whether a value of this type in the option (its outermost array) may also be a single element.
bool takes_single(const Option& option, const ValueType& type);

}  // namespace sectile
