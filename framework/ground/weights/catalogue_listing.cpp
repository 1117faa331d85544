#include "catalogue_listing.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <sectile/error.h>

#include "../spec/json_text.h"
#include "weights_cache.h"

namespace sectile {
namespace {

std::vector<const CatalogueEntry*> chosen(const std::string& filter) {
  std::vector<const CatalogueEntry*> entries;
  for (const auto& entry : catalogue())
    if (entry.name.find(filter) != std::string::npos) entries.push_back(&entry);
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

bool is_cached(const CatalogueEntry& entry) {
  std::error_code unknown;
  return std::filesystem::exists(cached_file(entry), unknown);
}

std::string size_text(const CatalogueEntry& entry) {
  if (!entry.size) return entry.approximate_size.empty() ? "-" : entry.approximate_size;
  return std::to_string((*entry.size + 999'999) / 1'000'000) + " MB";
}

std::string status_text(const CatalogueEntry& entry, const PluginIndex& index) {
  std::string text = is_cached(entry) ? "downloaded" : "";
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
    if (!entry->class_names.empty()) json["classes"] = entry->class_names;
    if (entry->preprocessing) {
      const auto& [resize, crop, interpolation, mean, std] = *entry->preprocessing;
      json["preprocessing"] = {
          {"resize", resize}, {"crop", crop}, {"interpolation", interpolation}, {"mean", mean}, {"std", std}};
    }
    json["file"] = cached_file(*entry).string();
    json["downloaded"] = is_cached(*entry);
    json["missing_components"] = missing_components(*entry, index);
    list.push_back(std::move(json));
  }
  return json_text(list);
}

}  // namespace sectile
