#include <sectile/losses/border_distance.h>

#include <cstdint>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>
#include <opencv2/core.hpp>

#include <sectile/data/distance_transform.h>

namespace sectile {
namespace {

void set_distances(const bool* inside, const bool* counted, const std::vector<int>& sizes, double* to) {
  cv::Mat within(static_cast<int>(sizes.size()), sizes.data(), CV_8U), outside = within.clone();
  auto *const in = within.ptr(), *const out = outside.ptr();
  const auto pixels = within.total();
  bool any_in = false, any_out = false;
  for (std::size_t i = 0; i < pixels; ++i) {
    in[i] = counted[i] && inside[i];
    out[i] = counted[i] && !inside[i];
    any_in |= in[i] != 0, any_out |= out[i] != 0;
  }
  if (!any_in || !any_out) return;
  const auto to_inside = distance_transform(within), to_outside = distance_transform(outside);
  const auto *const near_in = to_inside.ptr<double>(), *const near_out = to_outside.ptr<double>();
  for (std::size_t i = 0; i < pixels; ++i) to[i] = in[i] ? near_out[i] : out[i] ? near_in[i] : 0;
}

}  // namespace

at::Tensor border_distances(const at::Tensor& inside, const at::Tensor& counted) {
  const auto in = inside.cpu().contiguous(), counts = counted.cpu().contiguous();
  auto distances = at::zeros(in.sizes(), in.options().dtype(at::kDouble));
  std::vector<int> sizes;
  std::int64_t pixels = 1;
  for (const auto size : in.sizes().slice(2)) sizes.push_back(static_cast<int>(size)), pixels *= size;
  if (pixels == 0) return distances.to(inside.device());
  const auto *const in_data = in.const_data_ptr<bool>(), *const count_data = counts.const_data_ptr<bool>();
  auto* const to = distances.mutable_data_ptr<double>();
  at::parallel_for(0, in.size(0) * in.size(1), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i)
      set_distances(in_data + i * pixels, count_data + i * pixels, sizes, to + i * pixels);
  });
  return distances.to(inside.device());
}

}  // namespace sectile
