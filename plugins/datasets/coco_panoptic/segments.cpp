#include "segments.h"

#include <opencv2/core.hpp>

namespace coco_panoptic {

std::map<std::int32_t, sectile::Rle> masks_of(const cv::Mat& ids) {
  struct Runs {
    std::vector<std::uint32_t> counts;
    std::uint32_t end = 0;  // of the last one
  };
  const cv::Mat columns = ids.t();
  const auto* const pixels = columns.ptr<std::int32_t>();
  const auto count = static_cast<std::uint32_t>(columns.total());
  std::map<std::int32_t, Runs> found;
  for (std::uint32_t at = 0; at < count;) {
    const auto begin = at;
    while (at < count && pixels[at] == pixels[begin]) ++at;
    auto& runs = found[pixels[begin]];
    runs.counts.push_back(begin - runs.end);
    runs.counts.push_back(at - begin);
    runs.end = at;
  }
  std::map<std::int32_t, sectile::Rle> masks;
  for (auto& [id, runs] : found) {
    if (runs.end < count) runs.counts.push_back(count - runs.end);
    masks[id] = {ids.size(), std::move(runs.counts)};
  }
  return masks;
}

}  // namespace coco_panoptic
