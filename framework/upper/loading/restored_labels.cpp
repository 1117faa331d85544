#include "restored_labels.h"

#include <algorithm>
#include <array>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>

#include "../losses/softmax_rows.h"

#ifndef _OPENMP
#error "compile with -fopenmp: at::parallel_for would run on one thread"
#endif

namespace sectile {
namespace {

using Source = softmax_rows::Source<float>;
constexpr std::int64_t kBlock = 256;      // columns at a time, so that two rows of all classes stay in the cache
constexpr std::int64_t kRowsOfTask = 32;  // at least; a task begins by upsampling two rows

struct Scores {
  const float* values;  // [classes, height, width]
  std::int64_t classes, height, width;
  std::vector<Source> lines, columns;  // of the padded image
};

// One row of scores, upsampled along x: [classes, kBlock], for the columns from `first` on.
SECTILE_INLINE void widen(const Scores& scores, std::int64_t row, std::int64_t first, std::int64_t count, float* to) {
  for (std::int64_t c = 0; c < scores.classes; ++c, to += kBlock) {
    const float* from = scores.values + (c * scores.height + row) * scores.width;
    for (std::int64_t x = 0; x < count; ++x) {
      const auto& source = scores.columns[static_cast<std::size_t>(first + x)];
      float value = from[source.from] * (1 - source.share);
      value += from[source.to] * source.share;
      to[x] = value;
    }
  }
}

// Along x first and then along y, in the order of ATen's upsample_bilinear2d for scores that are not channels last.
SECTILE_INLINE void label_rows(const Scores& scores, std::int64_t begin, std::int64_t end, std::int64_t width,
                               float* buffer, std::int64_t* labels) {
  const auto of_row = scores.classes * kBlock;
  float best[kBlock];
  std::int32_t number[kBlock];
  for (std::int64_t first = 0; first < width; first += kBlock) {
    const auto count = std::min(kBlock, width - first);
    std::array<std::int64_t, 2> held = {-1, -1};  // rows in the buffer, even and odd ones
    const auto widened = [&](std::int64_t row) {
      const auto place = static_cast<std::size_t>(row % 2);
      float* to = buffer + static_cast<std::int64_t>(place) * of_row;
      if (held[place] != row) widen(scores, row, first, count, to);
      held[place] = row;
      return to;
    };
    for (auto y = begin; y < end; ++y) {
      const auto& source = scores.lines[static_cast<std::size_t>(y)];
      const float *above = widened(source.from), *below = widened(source.to);
      const float share = source.share, near = 1 - share;
      // Plain loops, which the compiler turns into vectors; it does not for comparisons of its own vector types.
      for (std::int64_t c = 0; c < scores.classes; ++c, above += kBlock, below += kBlock)
        for (std::int64_t x = 0; x < count; ++x) {
          float value = above[x] * near;
          value += below[x] * share;
          const bool larger = c == 0 || value > best[x];
          best[x] = larger ? value : best[x];
          number[x] = larger ? static_cast<std::int32_t>(c) : number[x];
        }
      std::copy_n(number, count, labels + y * width + first);
    }
  }
}

void label_rows_of_any(const Scores& scores, std::int64_t begin, std::int64_t end, std::int64_t width, float* buffer,
                       std::int64_t* labels) {
  label_rows(scores, begin, end, width, buffer, labels);
}
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void label_rows_of_avx2(const Scores& scores, std::int64_t begin, std::int64_t end,
                                                            std::int64_t width, float* buffer, std::int64_t* labels) {
  label_rows(scores, begin, end, width, buffer, labels);
}
__attribute__((target("avx512f,avx512dq,fma"))) void label_rows_of_avx512(const Scores& scores, std::int64_t begin,
                                                                          std::int64_t end, std::int64_t width,
                                                                          float* buffer, std::int64_t* labels) {
  label_rows(scores, begin, end, width, buffer, labels);
}
#endif

auto kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return label_rows_of_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return label_rows_of_avx2;
#endif
  return label_rows_of_any;
}

}  // namespace

at::Tensor restored_labels(const at::Tensor& scores, const Batch& batch, std::size_t index) {
  if (scores.dim() != 3 || !scores.is_cpu() || scores.scalar_type() != at::kFloat) return {};
  const auto padded = batch.images.sizes().slice(2);
  if (scores.sizes().slice(1) == padded || scores.numel() == 0) return {};
  const auto flips = restoring_flips(batch, index);
  if (!flips || !at::isfinite(scores).all().item<bool>()) return {};
  const auto planes = scores.detach().contiguous();
  const Scores from{planes.const_data_ptr<float>(),
                    planes.size(0),
                    planes.size(1),
                    planes.size(2),
                    softmax_rows::sources<float>(planes.size(1), padded[0]),
                    softmax_rows::sources<float>(planes.size(2), padded[1])};
  const std::int64_t height = batch.sizes[index].height, width = batch.sizes[index].width;
  const auto labels = at::empty({height, width}, planes.options().dtype(at::kLong));
  auto* to = labels.mutable_data_ptr<std::int64_t>();
  const auto compute = kernel();
  at::parallel_for(0, height, kRowsOfTask, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> buffer(static_cast<std::size_t>(2 * from.classes * kBlock));
    compute(from, begin, end, width, buffer.data(), to);
  });
  return flips->empty() ? labels : labels.flip(*flips);
}

}  // namespace sectile
