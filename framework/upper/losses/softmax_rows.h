// Rows of upsampled softmax: the arithmetic of upsampled_softmax.cpp, made for several instruction sets.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace sectile::softmax_rows {

// Logits [N, h, w, C], C last in memory, and labels [N, H, W].
struct Shape {
  std::int64_t images, classes, height, width, label_height, label_width;
  std::int64_t padded;  // classes, to whole vectors
};

// Where an output row or column lies between two of the logits': (1 - share) * from + share * to.
template <class Number>
struct Source {
  std::int64_t from, to;
  Number share;
};

// As PyTorch computes them, in the same precision (area_pixel_compute_source_index of ATen/native/UpSample.h).
template <class Number>
std::vector<Source<Number>> sources(std::int64_t size, std::int64_t outputs) {
  std::vector<Source<Number>> all;
  const auto scale = static_cast<Number>(size) / static_cast<Number>(outputs);
  for (std::int64_t i = 0; i < outputs; ++i) {
    const auto place = std::max(scale * (static_cast<Number>(i) + Number(0.5)) - Number(0.5), Number(0));
    const auto from = std::min(static_cast<std::int64_t>(place), size - 1);
    all.push_back({from, std::min(from + 1, size - 1), place - static_cast<Number>(from)});
  }
  return all;
}

#define SECTILE_INLINE __attribute__((always_inline)) inline

template <class Number>
constexpr std::int64_t kLanes = 64 / static_cast<std::int64_t>(sizeof(Number));
template <class Number>
using Lanes __attribute__((vector_size(64), aligned(alignof(Number)), may_alias)) = Number;
using Words = std::int32_t __attribute__((vector_size(64)));

template <class Number>
SECTILE_INLINE Lanes<Number>& at(Number* place) {
  return *reinterpret_cast<Lanes<Number>*>(place);
}
template <class Number>
SECTILE_INLINE const Lanes<Number>& at(const Number* place) {
  return *reinterpret_cast<const Lanes<Number>*>(place);
}

// e^x for x <= 0, to about one unit in the last place; 1e-38 instead of anything smaller.
SECTILE_INLINE void exponential(Lanes<float>& x) {
  constexpr float kLog2E = 1.44269504f, kLn2High = 0.693145752f, kLn2Low = 1.42860677e-6f, kRound = 12582912.f;
  x = x < -87.3f ? Lanes<float>{} - 87.3f : x;       // NaN stays
  const Lanes<float> shifted = x * kLog2E + kRound;  // its last bits are the rounded integer
  const Lanes<float> whole = shifted - kRound;
  const Lanes<float> rest = x - whole * kLn2High - whole * kLn2Low;
  Lanes<float> sum = rest * 1.98756915e-4f + 1.39819995e-3f;  // Cephes' polynomial
  sum = sum * rest + 8.33345193e-3f;
  sum = sum * rest + 4.16657962e-2f;
  sum = sum * rest + 1.66666657e-1f;
  sum = sum * rest + 0.5f;
  sum = sum * rest * rest + rest + 1;
  const Words power = (__builtin_bit_cast(Words, shifted) << 23) + (127 << 23);
  x = sum * __builtin_bit_cast(Lanes<float>, power);
}
SECTILE_INLINE void exponential(Lanes<double>& x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = std::exp(x[i]);
}

template <class Number>
SECTILE_INLINE Number sum_of(const Lanes<Number>& lanes) {
  Number sum = 0;
  for (int i = 0; i < kLanes<Number>; ++i) sum += lanes[i];
  return sum;
}

// What is done with each pixel's probabilities. The members that a task does not use are null.
template <class Number>
struct Task {
  const Number* logits = nullptr;        // of one image, [h, w, C]
  const std::int64_t* labels = nullptr;  // of one image, [H, W]
  // Cross entropy
  const Number* weights = nullptr;  // [padded], 0 in padding
  Number weight_sum = 0, smoothing = 0;
  double sum = 0, total = 0;
  // Areas: sums [padded] in float64, and those of one row
  double* overlap = nullptr;
  double* predicted = nullptr;
  // Gradients with respect to areas [padded]
  const Number* of_overlap = nullptr;
  const Number* of_predicted = nullptr;
  // Gradients of rows first_row … last_row + 1: [rows, w, padded]
  Number* gradient = nullptr;
  std::int64_t first_row = 0;
  std::int64_t wrong_label = -1;  // a class number that is too large
};

enum class Mode { cross_entropy, areas, areas_backward };

// Buffers of one thread.
template <class Number>
struct Buffers {
  explicit Buffers(const Shape& shape)
      : row(static_cast<std::size_t>(shape.width * shape.padded)),
        row_gradient(row.size()),
        pixel(static_cast<std::size_t>(shape.padded)),
        areas(static_cast<std::size_t>(shape.padded)) {}
  std::vector<Number> row, row_gradient, pixel, areas;
};

// Logits of one output row, between two rows: [w, padded]. Padding is so low that its probability is 0.
template <class Number>
SECTILE_INLINE void blend_rows(const Shape& shape, const Number* logits, const Source<Number>& y, Number* row) {
  const auto step = shape.width * shape.classes;
  const Number *above = logits + y.from * step, *below = logits + y.to * step;
  const Number near = 1 - y.share;
  for (std::int64_t x = 0; x < shape.width; ++x) {
    const Number *a = above + x * shape.classes, *b = below + x * shape.classes;
    Number* to = row + x * shape.padded;
    std::int64_t c = 0;
    for (; c + kLanes<Number> <= shape.classes; c += kLanes<Number>)
      at(to + c) = near * at(a + c) + y.share * at(b + c);
    for (; c < shape.classes; ++c) to[c] = near * a[c] + y.share * b[c];
    for (; c < shape.padded; ++c) to[c] = std::numeric_limits<Number>::lowest() / 4;
  }
}

// The pixel's probabilities, up to the factor 1 / sum, from its neighbours' logits.
template <class Number>
struct Softmax {
  Number largest, sum;
};
template <class Number>
SECTILE_INLINE Softmax<Number> softmax(const Shape& shape, const Number* left, const Number* right, Number share,
                                       Number* pixel) {
  const Number near = 1 - share;
  Lanes<Number> most = near * at(left) + share * at(right);
  at(pixel) = most;
  for (std::int64_t c = kLanes<Number>; c < shape.padded; c += kLanes<Number>) {
    const Lanes<Number> value = near * at(left + c) + share * at(right + c);
    at(pixel + c) = value;
    most = value > most ? value : most;
  }
  Number largest = most[0];
  for (int i = 1; i < kLanes<Number>; ++i) largest = most[i] > largest ? most[i] : largest;
  Lanes<Number> sums{};
  for (std::int64_t c = 0; c < shape.padded; c += kLanes<Number>) {
    Lanes<Number> value = at(pixel + c) - largest;
    exponential(value);
    at(pixel + c) = value;
    sums += value;
  }
  return {largest, sum_of<Number>(sums)};
}

// The gradient of a pixel goes to its two neighbours in the row.
template <class Number>
SECTILE_INLINE void spread(const Shape& shape, const Number* pixel, Number share, Number* left, Number* right) {
  const Number near = 1 - share;
  for (std::int64_t c = 0; c < shape.padded; c += kLanes<Number>) {
    const Lanes<Number> value = at(pixel + c);
    at(left + c) += near * value;
    at(right + c) += share * value;
  }
}

template <Mode mode, class Number>
SECTILE_INLINE void one_row(const Shape& shape, const std::vector<Source<Number>>& columns, const std::int64_t* labels,
                            Task<Number>& task, Buffers<Number>& buffers) {
  Number* pixel = buffers.pixel.data();
  const auto padded = shape.padded;
  Number row_sum = 0, row_total = 0;
  for (std::int64_t x = 0; x < shape.label_width; ++x) {
    const auto label = labels[x];
    if (label < 0) continue;
    if (label >= shape.classes) {
      task.wrong_label = label;
      return;
    }
    const auto& source = columns[static_cast<std::size_t>(x)];
    const Number *left = buffers.row.data() + source.from * padded, *right = buffers.row.data() + source.to * padded;
    const auto [largest, sum] = softmax(shape, left, right, source.share, pixel);
    const Number inverse = 1 / sum;
    if constexpr (mode == Mode::cross_entropy) {
      const Number weight = task.weights[label], log_sum = largest + std::log(sum);
      const auto logit = [&](std::int64_t c) { return (1 - source.share) * left[c] + source.share * right[c]; };
      row_sum += (1 - task.smoothing) * weight * (log_sum - logit(label));
      row_total += weight;
      const Number share = task.smoothing / static_cast<Number>(shape.classes);
      if (task.smoothing > 0) {
        Number weighted = 0;
        for (std::int64_t c = 0; c < shape.classes; ++c) weighted += task.weights[c] * (log_sum - logit(c));
        row_sum += share * weighted;
      }
      if (!task.gradient) continue;
      const Number factor = ((1 - task.smoothing) * weight + share * task.weight_sum) * inverse;
      for (std::int64_t c = 0; c < padded; c += kLanes<Number>) at(pixel + c) *= factor;
      if (task.smoothing > 0)
        for (std::int64_t c = 0; c < padded; c += kLanes<Number>) at(pixel + c) -= share * at(task.weights + c);
      pixel[label] -= (1 - task.smoothing) * weight;
    } else if constexpr (mode == Mode::areas) {
      task.overlap[label] += static_cast<double>(pixel[label] * inverse);
      for (std::int64_t c = 0; c < padded; c += kLanes<Number>) at(buffers.areas.data() + c) += inverse * at(pixel + c);
      continue;
    } else {
      Lanes<Number> sums{};
      for (std::int64_t c = 0; c < padded; c += kLanes<Number>) {
        at(pixel + c) *= inverse;
        sums += at(pixel + c) * at(task.of_predicted + c);
      }
      const Number own = pixel[label] * task.of_overlap[label], mean = sum_of<Number>(sums) + own;
      for (std::int64_t c = 0; c < padded; c += kLanes<Number>) at(pixel + c) *= at(task.of_predicted + c) - mean;
      pixel[label] += own;
    }
    if (task.gradient)
      spread(shape, pixel, source.share, buffers.row_gradient.data() + source.from * padded,
             buffers.row_gradient.data() + source.to * padded);
  }
  task.sum += static_cast<double>(row_sum), task.total += static_cast<double>(row_total);
}

// Output rows `begin` … `end` - 1.
template <Mode mode, class Number>
SECTILE_INLINE void rows(const Shape& shape, const std::vector<Source<Number>>& lines,
                         const std::vector<Source<Number>>& columns, std::int64_t begin, std::int64_t end,
                         Task<Number>& task, Buffers<Number>& buffers) {
  for (auto y = begin; y < end && task.wrong_label < 0; ++y) {
    const auto& source = lines[static_cast<std::size_t>(y)];
    blend_rows(shape, task.logits, source, buffers.row.data());
    if (task.gradient) std::fill(buffers.row_gradient.begin(), buffers.row_gradient.end(), Number(0));
    if (task.predicted) std::fill(buffers.areas.begin(), buffers.areas.end(), Number(0));
    one_row<mode>(shape, columns, task.labels + y * shape.label_width, task, buffers);
    if (task.predicted)
      for (std::int64_t c = 0; c < shape.classes; ++c)
        task.predicted[c] += static_cast<double>(buffers.areas[static_cast<std::size_t>(c)]);
    if (!task.gradient) continue;
    const auto step = shape.width * shape.padded;
    Number *above = task.gradient + (source.from - task.first_row) * step,
           *below = task.gradient + (source.to - task.first_row) * step;
    const Number near = 1 - source.share;
    for (std::int64_t i = 0; i < step; i += kLanes<Number>) {
      const Lanes<Number> value = at(buffers.row_gradient.data() + i);
      at(above + i) += near * value;
      at(below + i) += source.share * value;
    }
  }
}

}  // namespace sectile::softmax_rows
