// Time and memory of COCO's files, as JSON, as peers/coco.py prints them:
//   bench_coco evaluate TRUTH RESULTS KIND THREADS | open TRUTH | masks TRUTH RESULTS
#include <chrono>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <string>

#include <sectile/data/average_precision.h>
#include <sectile/data/coco_file.h>
#include <sectile/data/rle.h>

namespace {

double resident_mib(const std::string& line) {  // "VmRSS:", or "VmHWM:", the peak
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == line && status >> word) return std::stod(word) / 1024;
  return 0;
}

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

template <class Work>
void measured(const Work& work) {
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak starts anew
  const auto before = resident_mib("VmRSS:");
  const auto start = Clock::now();
  const auto result = work();
  const auto seconds = since(start);
  std::cout << std::setprecision(17) << "{\"seconds\": " << seconds
            << ", \"beside_mib\": " << resident_mib("VmHWM:") - before << ", \"result\": " << result << "}\n";
}

void masks(const char* truth_file, const char* results_file) {
  const sectile::CocoFile truth(truth_file);
  const sectile::CocoResults results(results_file, truth);
  const auto all = truth.annotations();
  std::vector<sectile::Mask> polygons;
  const auto size = [&](int image) { return truth.images()[static_cast<std::size_t>(image)].size; };
  for (const auto& one : all) polygons.push_back(mask_of(one.mask, size(one.image)));
  auto start = Clock::now();
  std::vector<sectile::Rle> made;
  for (const auto& polygon : polygons) made.push_back(polygon.rle());
  const double encode = since(start);
  struct Image {
    std::vector<sectile::Rle> objects, found;
  };
  std::vector<Image> images(truth.images().size());
  std::int64_t area = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    area += area_of(made[i]);
    images[static_cast<std::size_t>(all[i].image)].objects.push_back(std::move(made[i]));
  }
  for (const auto& one : results.all())
    images[static_cast<std::size_t>(one.image)].found.push_back(mask_of(one.mask, size(one.image)).rle());
  start = Clock::now();
  double sum = 0;
  for (const auto& image : images)
    for (const double iou : iou_of(image.found, image.objects, std::vector<bool>(image.objects.size()))) sum += iou;
  std::cout << std::setprecision(17) << "{\"encode\": " << encode << ", \"iou\": " << since(start)
            << ", \"area\": " << area << ", \"sum\": " << sum << "}\n";
}

}  // namespace

int main(int, char** words) {
  const std::string action = words[1];
  if (action == "masks") {
    masks(words[2], words[3]);
  } else if (action == "open") {
    std::unique_ptr<sectile::CocoFile> kept;
    measured([&] {
      kept = std::make_unique<sectile::CocoFile>(words[2]);
      return kept->annotations().size();
    });
  } else {
    sectile::ApOfFilesOptions options;
    options.kind = std::string(words[4]) == "bbox" ? sectile::ApKind::box : sectile::ApKind::mask;
    options.threads = std::stoi(words[5]);
    measured([&] { return sectile::average_precision(words[2], words[3], options).report.ap; });
  }
}
