// Files that benchmarks want of a model's predictions.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../image_inputs.h"

namespace sectile {

// What one image becomes. Files in the output folder are written as images come; those of all images by finish().
class PredictionFormat {
 public:
  virtual ~PredictionFormat() = default;
  // Of the files per image: ".png".
  virtual std::vector<std::string> endings() const { return {".png"}; }
  // The files of all images.
  virtual std::vector<std::filesystem::path> wholes() const { return {}; }
  virtual void ask(PredictOptions& /*options*/) const {}
  // Of every image, before the first one is predicted. image_id: as in COCO's files, or -1. Throws DataError for one
  // that this format needs and that is missing or another image's.
  virtual void expect(std::int64_t /*image_id*/, const ImageInput& /*image*/) {}
  // name: in the output folder, which exists.
  virtual void write(const PredictedImage& image, const std::filesystem::path& name, std::int64_t image_id) = 0;
  virtual void finish() {}
  // What the user should know of the files; empty: nothing.
  virtual std::string note() const { return {}; }
};

// format: "png", "cityscapes", "ade20k", "coco" or "coco_panoptic"; none: what fits the network's task. Throws
// boost::program_options::error for another name, DataError where the classes have no numbers of this format.
std::unique_ptr<PredictionFormat> prediction_format(const std::optional<std::string>& format, const Network& network,
                                                    const std::filesystem::path& folder);

// For classes that have no numbers of a format.
[[noreturn]] void refuse_classes(const std::string& format, const std::string& reason);

}  // namespace sectile
