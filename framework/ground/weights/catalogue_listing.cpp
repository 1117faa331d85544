#include "catalogue_listing.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iomanip>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include <sectile/error.h>

#include "../spec/json_text.h"
#include "weights_cache.h"

namespace sectile {
namespace {

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::vector<const CatalogueEntry*> chosen(const std::string& filter) {
  std::vector<const CatalogueEntry*> entries;
  for (const auto& entry : catalogue())
    if (lower(entry.name).find(lower(filter)) != std::string::npos) entries.push_back(&entry);
  if (entries.empty() && !filter.empty())
    throw DataError("\"" + filter + "\"", "no name of published weights contains this" + entry_suggestion(filter));
  return entries;
}

std::vector<std::string> missing_components(const CatalogueEntry& entry, const PluginIndex& index) {
  std::vector<std::string> missing;
  for (const auto& [kind, type] : entry.components)
    if (!index.knows(kind, type)) missing.push_back(kind + " " + type);
  return missing;
}

// Empty where the cache has no folder: then it is not known what is downloaded.
std::optional<std::filesystem::path> place_of(const CatalogueEntry& entry) {
  try {
    return cached_file(entry);
  } catch (const DataError&) {
    return std::nullopt;
  }
}

bool is_file(const std::filesystem::path& file) {
  std::error_code unknown;
  return std::filesystem::is_regular_file(file, unknown);
}

// In the unit that leaves 1 to 999 of it: "52.0 kB", "244.5 MB".
std::string size_text(double bytes) {
  constexpr const char* kUnits[] = {"kB", "MB", "GB"};
  constexpr double kStep = 1000, kRoundedUp = 999.95;
  double size = bytes / kStep;
  std::size_t unit = 0;
  for (; size >= kRoundedUp && unit + 1 < std::size(kUnits); ++unit) size /= kStep;
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << size << " " << kUnits[unit];
  return text.str();
}

// Publishers write "233.2 MiB" and "15.1 MB": a listing has one of them.
std::string size_text(const CatalogueEntry& entry) {
  if (entry.size) return size_text(static_cast<double>(*entry.size));
  constexpr std::pair<const char*, double> kUnits[] = {{"kB", 1e3}, {"MB", 1e6}, {"MiB", 0x1p20}, {"GB", 1e9}};
  std::istringstream text(entry.approximate_size);
  double count = 0;
  std::string unit;
  if (text >> count >> unit)
    for (const auto& [name, bytes] : kUnits)
      if (unit == name) return size_text(count * bytes);
  return entry.approximate_size.empty() ? "-" : entry.approximate_size;
}

std::string status_text(const CatalogueEntry& entry, const PluginIndex& index) {
  const auto file = place_of(entry);
  std::string text = file && is_file(*file) ? "downloaded" : "";
  const auto missing = missing_components(entry, index);
  for (std::size_t i = 0; i < missing.size(); ++i)
    text += i > 0 ? " and " + missing[i] : (text.empty() ? "needs " : "; needs ") + missing[i];
  if (!missing.empty()) text += missing.size() == 1 ? ", which is not installed" : ", which are not installed";
  return text;
}

}  // namespace

std::string catalogue_text(const PluginIndex& index, const std::string& filter) {
  using Row = std::array<std::string, 4>;
  std::vector<Row> rows{{"name", "size", "license", "status"}};
  for (const auto* entry : chosen(filter))
    rows.push_back({entry->name, size_text(*entry), entry->license, status_text(*entry, index)});
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string catalogue_json(const PluginIndex& index, const std::string& filter) {
  Json list = Json::array();
  for (const auto* entry : chosen(filter)) {
    Json json{{"name", entry->name},
              {"component", {{"kind", entry->kind}, {"type", entry->type}, {"options", Json::parse(entry->options)}}},
              {"url", entry->url},
              {"license", entry->license},
              {"source", entry->source}};
    if (entry->size) json["size"] = *entry->size;
    if (!entry->approximate_size.empty()) json["approximate_size"] = entry->approximate_size;
    if (!entry->sha256.empty()) json["sha256"] = entry->sha256;
    if (!entry->class_names.empty()) {
      json["classes"] = entry->class_names;
      json["task"] = entry->task;
    }
    if (!entry->class_ids.empty()) json["class_ids"] = entry->class_ids;
    if (entry->preprocessing) {
      const auto& [resize, longest_edge, antialias, crop, interpolation, mean, std] = *entry->preprocessing;
      json["preprocessing"] = {{"resize", resize}, {"antialias", antialias},
                               {"crop", crop},     {"interpolation", interpolation},
                               {"mean", mean},     {"std", std}};
      if (longest_edge > 0) json["preprocessing"]["longest_edge"] = longest_edge;
    }
    const auto file = place_of(*entry);
    json["file"] = file ? Json(file->string()) : Json();
    json["downloaded"] = file ? Json(is_file(*file)) : Json();
    json["missing_components"] = missing_components(*entry, index);
    list.push_back(std::move(json));
  }
  return json_text(list);
}

}  // namespace sectile
