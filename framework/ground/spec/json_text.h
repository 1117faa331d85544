// Strict JSON parsing: no comments, no duplicate keys.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <sectile/error.h>

namespace sectile {

using Json = nlohmann::ordered_json;  // keeps the order of keys in messages and the resolved spec

constexpr std::size_t kLongestJson = 16 << 20;  // bytes
constexpr int kDeepestJson = 100;

// Duplicate keys are added to `problems`. Throws SpecError if it is not valid JSON, "spec.json:3:7: …", and if it is
// longer, nested deeper or has more values than any spec: checkpoints contain the specs of strangers.
Json parse_json(const std::string& text, const std::string& name, std::vector<Problem>& problems);

// A value for messages: shortened, and safe for any content.
std::string quoted(const Json& value);

// Indented. Bytes that are not UTF-8, which paths may have, become U+FFFD: JSON cannot hold them.
std::string json_text(const Json& value);

// A key as part of a JSON pointer.
std::string escape(const std::string& key);

}  // namespace sectile
