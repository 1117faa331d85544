// Whether two runs came to the same end.
#pragma once

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "ground/spec/json_text.h"
#include "support/test.h"
#include "upper/weights/checkpoint.h"

namespace sectile::test {

inline void check_same_bits(const StateDict& a, const StateDict& b) {
  REQUIRE(!a.empty());
  REQUIRE(a.size() == b.size());
  for (const auto& [name, tensor] : a) {
    CAPTURE(name);
    CHECK(at::equal(tensor, b.at(name)));
  }
}

inline void check_same_run(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto first = load_checkpoint(a / "last.pth"), second = load_checkpoint(b / "last.pth");
  CHECK(first.step == second.step);
  check_same_bits(first.model, second.model);
  CHECK(first.ema.empty() == second.ema.empty());
  if (!first.ema.empty()) check_same_bits(first.ema, second.ema);
  CHECK(first.resumption->evaluations == second.resumption->evaluations);
  CHECK(first.resumption->best == second.resumption->best);
  CHECK(first.resumption->bad_samples == second.resumption->bad_samples);
  CHECK(std::filesystem::exists(a / "best.pth") == std::filesystem::exists(b / "best.pth"));
  if (std::filesystem::exists(a / "best.pth"))
    check_same_bits(load_checkpoint(a / "best.pth").model, load_checkpoint(b / "best.pth").model);
}

// The members of every line that do not tell the time.
inline std::vector<Json> log_of(const std::filesystem::path& folder) {
  std::vector<Json> lines;
  std::ifstream log(folder / "log.jsonl");
  for (std::string line; std::getline(log, line);) {
    lines.push_back(Json::parse(line));
    lines.back().erase("seconds");
  }
  return lines;
}

inline std::set<std::string> files_of(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

}  // namespace sectile::test
