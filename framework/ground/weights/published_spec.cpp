#include "published_spec.h"

#include <sectile/error.h>

#include "../spec/json_text.h"

namespace sectile {
namespace {

Json resize_of(const Preprocessing& how) {
  Json json{{"type", "resize"}, {"interpolation", how.interpolation}};
  if (how.resize.size() == 1)
    json["shortest_edge"] = how.resize[0];
  else
    json["size"] = how.resize;
  if (how.longest_edge > 0) json["longest_edge"] = how.longest_edge;
  if (!how.antialias) json["backend"] = "cv2";
  return json;
}

}  // namespace

std::string published_spec(const CatalogueEntry& entry) {
  if (entry.kind != "model" || entry.class_names.empty())
    throw DataError(entry.name, "are weights of the " + entry.kind + " \"" + entry.type +
                                    "\" alone, which segments nothing; name them in a spec, as its \"weights\"");
  auto model = Json::parse(entry.options);
  model["type"] = entry.type;
  model["weights"] = entry.name;
  auto transforms = Json::array();
  if (const auto& how = entry.preprocessing) {
    if (!how->crop.empty())
      throw DataError(entry.name, "are published with a crop of the images, which leaves pixels without a class");
    if (!how->resize.empty()) transforms.push_back(resize_of(*how));
    if (!how->mean.empty()) transforms.push_back({{"type", "normalize"}, {"mean", how->mean}, {"deviation", how->std}});
  }
  Json spec;
  spec["model"] = model;
  spec["task"] = entry.task;
  for (std::size_t i = 0; i < entry.class_names.size(); ++i) {
    auto& made = spec["data"]["classes"].emplace_back(Json{{"name", entry.class_names[i]}});
    if (!entry.class_ids.empty()) made["value"] = entry.class_ids[i];
  }
  if (entry.preprocessing && !entry.preprocessing->mean.empty())
    spec["data"]["channels"] = entry.preprocessing->mean.size();
  spec["transforms"]["val"] = transforms;
  return spec.dump();
}

}  // namespace sectile
