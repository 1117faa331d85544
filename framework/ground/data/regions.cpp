#include <sectile/data/regions.h>

#include <algorithm>
#include <unordered_map>

#include <opencv2/core.hpp>

namespace sectile {
namespace {

// A region while its runs come in, in the order of columns.
struct Growing {
  Region region;
  std::int64_t end = 0;  // behind the last run
  cv::Point low, high;   // both inside

  void add(std::int64_t begin, std::int64_t behind, int height) {
    auto& counts = region.mask.counts;
    const auto length = static_cast<std::uint32_t>(behind - begin);
    counts.insert(counts.end(), {static_cast<std::uint32_t>(begin - end), length});
    end = behind;
    const auto left = static_cast<int>(begin / height), right = static_cast<int>((behind - 1) / height);
    const bool one_column = left == right;
    const int top = one_column ? static_cast<int>(begin % height) : 0;
    const int bottom = one_column ? static_cast<int>((behind - 1) % height) : height - 1;
    if (region.area == 0) low = {left, top}, high = {right, bottom};
    low.y = std::min(low.y, top);
    high = {right, std::max(high.y, bottom)};
    region.area += length;
  }
};

}  // namespace

std::vector<Region> regions_of(const cv::Mat& numbers) {
  if (numbers.empty()) return {};
  cv::Mat columns;
  numbers.convertTo(columns, CV_32S);
  columns = columns.t();
  const auto* pixels = columns.ptr<std::int32_t>();
  const auto total = static_cast<std::int64_t>(columns.total());

  std::unordered_map<std::int32_t, Growing> found;
  for (std::int64_t begin = 0, end = 0; begin < total; begin = end) {
    const auto number = pixels[begin];
    while (end < total && pixels[end] == number) ++end;
    found[number].add(begin, end, numbers.rows);
  }

  std::vector<Region> regions;
  for (auto& [number, growing] : found) {
    auto& region = growing.region;
    region.number = number;
    region.mask.size = numbers.size();
    if (growing.end < total) region.mask.counts.push_back(static_cast<std::uint32_t>(total - growing.end));
    region.box = {growing.low, growing.high + cv::Point(1, 1)};
    regions.push_back(std::move(region));
  }
  std::sort(regions.begin(), regions.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return regions;
}

}  // namespace sectile
