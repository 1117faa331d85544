#include <cstdio>

#include <opencv2/core.hpp>

#include "../spec/json_text.h"
#include "data_stats.h"
#include "text_table.h"

namespace sectile {
namespace {

constexpr const char* kSizes[] = {"small", "medium", "large"};

std::string number(double value, const char* format = "%.4g") {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? "-" : number(100. * static_cast<double>(part) / static_cast<double>(whole), "%.3f %%");
}

std::string list(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += (text.empty() ? "" : ", ") + number(value, "%.5g");
  return "[" + text + "]";
}

std::string size_text(const Extent& size) {
  return (size.depth > 1 ? std::to_string(size.depth) + " x " : "") + std::to_string(size.height) + " x " +
         std::to_string(size.width);
}

bool has_objects(const SplitStats& split) { return split.objects.most > 0; }

// "160 images, 160 with labels"; of data without any label map, how many have objects.
std::string images_head(const SplitStats& split) {
  auto text = std::to_string(split.images) + (split.images == 1 ? " image, " : " images, ");
  if (split.labeled == 0 && has_objects(split))
    return text + std::to_string(split.images - split.objects.images_without) + " with objects\n";
  return text + std::to_string(split.labeled) + " with labels\n";
}

std::string classes_text(const SplitStats& split) {
  std::vector<std::string> head{"class", "images"};
  const bool objects = has_objects(split), labels = split.label_values > 0;
  if (labels) head.insert(head.end(), {"pixels", "share"});
  if (objects) {
    head.emplace_back("objects");
    head.insert(head.end(), std::begin(kSizes), std::end(kSizes));
    head.emplace_back("crowds");
  }
  TextTable table(head, {1, 2, 3, 4, 5, 6, 7, 8});
  for (std::size_t c = 0; c < split.classes.size(); ++c) {
    const auto& [of, by_size, crowds] = split.classes[c];
    std::vector<std::string> row{split.labels.classes[c].name, std::to_string(of.images)};
    if (labels) row.insert(row.end(), {std::to_string(of.pixels), percent(of.pixels, of.counted)});
    if (objects) {
      row.push_back(std::to_string(split.classes[c].all_objects()));
      for (const auto count : by_size) row.push_back(std::to_string(count));
      row.push_back(std::to_string(crowds));
    }
    table.add(row);
  }
  auto text = table.text();
  if (labels) text += "ignored: " + percent(split.ignored, split.label_values) + " of all pixels\n";
  return text;
}

// Empty if no class occurs.
std::string weights_text(const SplitStats& split) {
  std::vector<std::string> head{"class weights"};
  std::vector<std::vector<double>> columns;
  for (const auto rule : kWeightRules) {
    auto weights = class_weights(rule, split.frequencies());
    if (weights.empty()) continue;
    head.emplace_back(name_of(rule));
    columns.push_back(std::move(weights));
  }
  if (columns.empty()) return "";
  TextTable table(head, {1, 2, 3, 4});
  for (std::size_t c = 0; c < split.classes.size(); ++c) {
    std::vector<std::string> row{split.labels.classes[c].name};
    for (const auto& column : columns) row.push_back(number(column[c]));
    table.add(row);
  }
  auto text = "\n" + table.text();
  if (head[1] == name_of(WeightRule::inverse_frequency))  // not of objects without labels
    text +=
        "\"class_balance\": \"inverse\" of a loss is inverse_frequency, divided by its mean over the classes that "
        "occur\n";
  return text;
}

std::string images_text(const SplitStats& split) {
  const auto& sizes = split.sizes;
  std::string text = "\nimage sizes (height x width): ";
  if (sizes.different == 1)
    text += "all " + size_text(sizes.smallest) + "\n";
  else
    text += "smallest " + size_text(sizes.smallest) + ", median " + size_text(sizes.median) + ", largest " +
            size_text(sizes.largest) + "; most frequent " + size_text(sizes.most_frequent) + " (" +
            std::to_string(sizes.most_frequent_count) + " images); " + std::to_string(sizes.different) +
            " different ones\n";
  for (const auto& kind : split.pixels) {
    text += std::to_string(kind.images) + (kind.images == 1 ? " image of " : " images of ") +
            std::to_string(kind.channels) + (kind.channels == 1 ? " channel, " : " channels, ") +
            cv::depthToString(kind.depth) + ": \"mean\": " + list(kind.mean) +
            ", \"deviation\": " + list(kind.deviation);
    if (kind.depth == CV_16S) text += ", \"max_value\": 1";
    text += "\n";
  }
  return text;
}

std::string objects_text(const SplitStats& split) {
  const auto& of = split.objects;
  return "objects per image: " + std::to_string(of.least) + " to " + std::to_string(of.most) + ", mean " +
         number(of.mean) + ", median " + number(of.median) + "; " + std::to_string(of.images_without) +
         " images without\n";
}

Json size_json(const Extent& size) {
  return size.depth > 1 ? Json{size.depth, size.height, size.width} : Json{size.height, size.width};
}

Json classes_json(const SplitStats& split) {
  Json list = Json::array();
  for (std::size_t c = 0; c < split.classes.size(); ++c) {
    const auto& [of, by_size, crowds] = split.classes[c];
    Json json{{"name", split.labels.classes[c].name}, {"images", of.images}};
    if (split.label_values > 0) {
      json["pixels"] = of.pixels;
      json["share"] = of.counted == 0 ? 0. : static_cast<double>(of.pixels) / static_cast<double>(of.counted);
    }
    json["objects"] = split.classes[c].all_objects();
    for (std::size_t i = 0; i < by_size.size(); ++i) json[kSizes[i]] = by_size[i];
    json["crowds"] = crowds;
    list.push_back(std::move(json));
  }
  return list;
}

Json split_json(const SplitStats& split) {
  Json json{{"name", split.name}, {"samples", split.samples}, {"images", split.images}, {"labeled", split.labeled}};
  if (!split.problem.empty()) json["problem"] = split.problem;
  json["skipped"] = split.skipped;
  json["reasons"] = split.reasons;
  json["classes"] = classes_json(split);
  if (split.images == 0) return json;
  json["ignored"] = split.ignored;
  json["ignored_share"] = split.label_values == 0
                              ? Json()
                              : Json(static_cast<double>(split.ignored) / static_cast<double>(split.label_values));
  for (const auto rule : kWeightRules) {
    const auto weights = class_weights(rule, split.frequencies());
    json["class_weights"][name_of(rule)] = weights.empty() ? Json() : Json(weights);
  }
  const auto& sizes = split.sizes;
  json["sizes"] = {{"smallest", size_json(sizes.smallest)},
                   {"median", size_json(sizes.median)},
                   {"largest", size_json(sizes.largest)},
                   {"most_frequent", size_json(sizes.most_frequent)},
                   {"most_frequent_images", sizes.most_frequent_count},
                   {"different", sizes.different}};
  json["pixels"] = Json::array();
  for (const auto& kind : split.pixels)
    json["pixels"].push_back({{"channels", kind.channels},
                              {"type", cv::depthToString(kind.depth)},
                              {"images", kind.images},
                              {"pixels", kind.pixels},
                              {"max_value", kind.max_value},
                              {"mean", kind.mean},
                              {"deviation", kind.deviation}});
  const auto& of = split.objects;
  json["objects_per_image"] = {{"min", of.least},
                               {"max", of.most},
                               {"mean", of.mean},
                               {"median", of.median},
                               {"images_without", of.images_without}};
  return json;
}

}  // namespace

std::string stats_text(const std::vector<SplitStats>& splits) {
  std::string text;
  for (const auto& split : splits) {
    text += (text.empty() ? "" : "\n") + split.name + ": ";
    if (!split.problem.empty()) {
      text += "cannot be opened: " + split.problem + "\n";
      continue;
    }
    text += images_head(split);
    if (split.skipped > 0) {
      text += std::to_string(split.skipped) + " of " + std::to_string(split.samples) +
              " samples cannot be used and are not counted:\n";
      for (const auto& reason : split.reasons) text += "  " + reason + "\n";
    }
    if (split.images == 0) continue;
    if (!split.classes.empty()) text += "\n" + classes_text(split) + weights_text(split);
    text += images_text(split);
    if (has_objects(split)) text += objects_text(split);
  }
  return text;
}

std::string stats_json(const std::vector<SplitStats>& splits) {
  Json json{{"splits", Json::array()}};
  for (const auto& split : splits) json["splits"].push_back(split_json(split));
  return json_text(json);
}

}  // namespace sectile
