// The catalogue of published weights: what they are weights of, where they are, and how to recognize them.
// share/sectile/weights.json, which the environment variable SECTILE_WEIGHTS_TABLE replaces.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

struct Preprocessing {
  std::vector<int> resize;    // pixels: {shorter side}, or {height, width}; empty: none
  int longest_edge = 0;       // at most, of the longer side; 0: no limit
  bool antialias = true;      // whether a smaller image is made of means, as Pillow makes it
  std::vector<int> crop;      // {height, width} from the middle, after resizing; empty: none
  std::string interpolation;  // "bilinear" or "bicubic"
  std::vector<double> mean;   // per channel, of values from 0 to 1; RGB
  std::vector<double> std;
};

struct CatalogueEntry {
  std::string name;                   // "torchvision/deeplabv3_resnet101": publisher/name
  std::string kind, type;             // of the component: "model", "deeplabv3"
  std::string options;                // of the component: a JSON object
  std::string url;                    // http:// or https://
  std::optional<std::uint64_t> size;  // bytes, at least 1; empty if not published
  std::string approximate_size;       // as published: "233.2 MiB"; may be empty
  std::string sha256;                 // the digits that were published: 64, the first few, or none; lower-case
  std::string license;
  std::string source;   // page that publishes them
  std::string classes;  // name of the list of classes, "coco-voc-21"; empty for backbones
  std::vector<std::string> class_names;
  std::vector<int> class_ids;  // their numbers in files; empty: from 0
  std::string task;            // "semantic", "instance" or "panoptic"
  std::optional<Preprocessing> preprocessing;
  std::vector<std::pair<std::string, std::string>> components;  // that they need: kind and type
};

// In the order of the table. Throws DataError if it cannot be read or is not valid.
SECTILE_EXPORT const std::vector<CatalogueEntry>& catalogue();

// Null if there is no such name.
SECTILE_EXPORT const CatalogueEntry* find_entry(const std::string& name);

// Of the option "weights" of a component, which is a name if it is a relative path, since those of files are absolute.
// Null if it is a file.
SECTILE_EXPORT const CatalogueEntry* entry_in_spec(const std::filesystem::path& weights);

// The entry that a text names which may be a path: null if there is such a file, or no such name. Throws DataError for
// another name of a publisher of the catalogue, "torchvision/…", with the nearest one; and where the table cannot be
// read, unless the text has the suffix of a file of weights, ".pth": then it is a path.
SECTILE_EXPORT const CatalogueEntry* published_entry(const std::string& text, const std::filesystem::path& as_path);

// ", did you mean "torchvision/fcn_resnet50"?", also for a name without its publisher; or where all names are.
SECTILE_EXPORT std::string entry_suggestion(const std::string& name);

}  // namespace sectile
