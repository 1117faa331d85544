// Times of counting, as JSON, as peers/metrics.py prints them:
//   bench_metrics miou TRUTH PREDICTIONS CLASSES | pq_count TRUTH PREDICTIONS | pq_files TRUTH PREDICTIONS THREADS
// miou: folders of PNGs; the others: JSON files of COCO's panoptic format, with folders of PNGs beside them. The maps
// of miou and pq_count are in memory before time begins.
#include <chrono>
#include <iomanip>
#include <iostream>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <sectile/data/folders.h>
#include <sectile/data/image_io.h>
#include <sectile/data/panoptic_quality.h>
#include <sectile/metric.h>

#include "support/component.h"

namespace {

namespace fs = std::filesystem;

template <class Work>
void measured(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  const double result = work();
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  std::cout << std::setprecision(17) << "{\"seconds\": " << passed.count() << ", \"result\": " << result << "}\n";
}

at::Tensor label_map(const fs::path& file, int classes) {
  const auto pixels = sectile::read_raw_image(file).pixels;
  const auto labels = at::from_blob(pixels.data, {pixels.rows, pixels.cols}, at::kByte).to(at::kLong);
  return labels.masked_fill(labels >= classes, sectile::kIgnore);
}

void miou(const fs::path& truth, const fs::path& predictions, int classes) {
  std::vector<sectile::Prediction> found;
  std::vector<sectile::Truth> truths;
  for (const auto& [name, file] : sectile::files_by_stem(truth, sectile::image_suffixes())) {
    found.emplace_back().labels = label_map(predictions / file.filename(), classes);
    truths.emplace_back().labels = label_map(file, classes);
  }
  const auto metric = sectile::test::make<sectile::Metric>(R"({"type": "iou"})", sectile::test::context(classes));
  measured([&] {
    for (std::size_t i = 0; i < found.size(); ++i) metric->update(found[i], truths[i]);
    return metric->compute().values.front().value;
  });
}

void pq_count(const fs::path& truth_file, const fs::path& predictions_file) {
  struct Side {
    cv::Mat ids;
    std::vector<sectile::Segment> segments;
  };
  const auto truth = sectile::read_coco_panoptic(truth_file);
  const auto predictions = sectile::read_coco_panoptic_results(predictions_file, truth);
  const auto sides_of = [](const std::vector<sectile::PanopticImage>& images, fs::path json) {
    std::vector<Side> sides;
    for (const auto& image : images) {
      auto& side = sides.emplace_back();
      side.ids = sectile::read_panoptic_png(json.replace_extension() / image.mask);
      for (const auto& one : image.segments) side.segments.push_back({one.id, one.category, one.crowd});
    }
    return sides;
  };
  const auto truths = sides_of(truth.images, truth_file), found = sides_of(predictions.images, predictions_file);
  std::vector<bool> things;
  for (const auto& category : truth.categories) things.push_back(category.thing);
  sectile::PanopticQuality quality(things);
  measured([&] {
    for (std::size_t i = 0; i < truths.size(); ++i)
      quality.add(truths[i].ids, truths[i].segments, found[i].ids, found[i].segments);
    return quality.compute().all.pq;
  });
}

}  // namespace

int main(int, char** words) {
  const c10::InferenceMode here;
  const std::string action = words[1];
  if (action == "miou")
    miou(words[2], words[3], std::stoi(words[4]));
  else if (action == "pq_count")
    pq_count(words[2], words[3]);
  else
    measured([&] {
      sectile::PanopticFiles files;
      files.truth = words[2];
      files.predictions = words[3];
      files.threads = std::stoi(words[4]);
      return sectile::panoptic_quality(files).report.all.pq;
    });
}
