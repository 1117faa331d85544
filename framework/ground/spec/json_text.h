// JSON from text, read once and strictly: no comments, no key twice.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <sectile/error.h>

namespace sectile {

using Json = nlohmann::ordered_json;  // keeps the order of keys, so that messages and the resolved spec do too

// Keys that an object has twice are added to `problems`. Throws SpecError when it is not valid JSON: "spec.json:3:7:
// …".
Json parse_json(const std::string& text, const std::string& name, std::vector<Problem>& problems);

// A value as messages quote it: short, and safe whatever it holds.
std::string quoted(const Json& value);

// A key as a part of a JSON pointer.
std::string escape(const std::string& key);

}  // namespace sectile
