#include <algorithm>
#include <map>

#include "../spec/json_text.h"
#include "../spec/suggestion.h"
#include "data_check.h"
#include "text_table.h"

namespace sectile {
namespace {

constexpr std::size_t kExamples = 3;

std::string place_of(const DataCheck::Found& found) {
  return found.split + (found.index ? " " + found.id : std::string());
}

// One row for each kind of finding that there is, faults or notes.
std::string table_of(const DataCheck& check, bool notes) {
  std::map<Finding, std::vector<std::string>> examples;
  for (const auto& found : check.found) {
    auto& places = examples[found.finding];
    const auto place = place_of(found);
    if (places.size() < kExamples && std::count(places.begin(), places.end(), place) == 0) places.push_back(place);
  }
  TextTable table({notes ? "note" : "fault", "count", "meaning", "first"}, {1});
  for (int i = 0; i < kFindings; ++i) {
    const auto finding = static_cast<Finding>(i);
    const auto count = check.counts[static_cast<std::size_t>(i)];
    if (count == 0 || is_note(finding) != notes) continue;
    table.add({name_of(finding), std::to_string(count), text_of(finding), listed(examples[finding])});
  }
  return table.rows() == 0 ? "" : "\n" + table.text();
}

}  // namespace

std::string check_text(const DataCheck& check, std::size_t most) {
  TextTable splits({"split", "samples"}, {1});
  for (const auto& [name, samples] : check.splits) splits.add({name, std::to_string(samples)});
  auto text = splits.text() + table_of(check, false) + table_of(check, true);
  if (check.faults() + check.notes() == 0) return text + "\nnothing found\n";
  text += "\n";
  const auto total = static_cast<std::size_t>(check.faults() + check.notes());
  std::size_t listed = 0;
  for (const bool notes : {false, true})
    for (const auto& found : check.found) {
      if (is_note(found.finding) != notes || listed == most) continue;
      ++listed;
      text += place_of(found) + ": " + name_of(found.finding) + ": " + found.message + "\n";
    }
  if (listed < total) text += "and " + std::to_string(total - listed) + " more\n";
  return text;
}

std::string check_json(const DataCheck& check) {
  Json json{{"splits", Json::array()},
            {"faults", check.faults()},
            {"notes", check.notes()},
            {"kinds", Json::array()},
            {"findings", Json::array()}};
  for (const auto& [name, samples] : check.splits) json["splits"].push_back({{"name", name}, {"samples", samples}});
  const auto severity = [](Finding finding) { return is_note(finding) ? "note" : "fault"; };
  for (int i = 0; i < kFindings; ++i) {
    const auto finding = static_cast<Finding>(i);
    const auto count = check.counts[static_cast<std::size_t>(i)];
    if (count > 0)
      json["kinds"].push_back({{"kind", name_of(finding)},
                               {"severity", severity(finding)},
                               {"count", count},
                               {"meaning", text_of(finding)}});
  }
  for (const auto& found : check.found)
    json["findings"].push_back({{"kind", name_of(found.finding)},
                                {"severity", severity(found.finding)},
                                {"split", found.split},
                                {"index", found.index ? Json(*found.index) : Json()},
                                {"sample", found.index ? Json(found.id) : Json()},
                                {"message", found.message}});
  return json_text(json);
}

}  // namespace sectile
