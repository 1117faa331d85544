#include "winograd.h"

#include <algorithm>
#include <array>

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#ifndef _OPENMP
#error "compile with -fopenmp: at::parallel_for would run on one thread"
#endif

namespace sectile::nn {
namespace {

constexpr std::int64_t kOutputs = 4, kInputs = 6, kProducts = kInputs * kInputs;  // of one tile, along an axis
constexpr std::int64_t kLanes = 16, kPanel = 2 * kLanes;  // columns of a product that are computed at a time

// A tile's place: of which image, and its first output; further outputs are `dilation` pixels apart.
struct Tile {
  std::int64_t image, y, x;
};

// The tiles of a batch. A convolution of dilation d is d * d convolutions of dilation 1, each on every d-th pixel.
struct Tiles {
  std::int64_t height, width, dilation, rows, columns, count;

  Tiles(at::IntArrayRef input, std::int64_t dilation_)
      : height(input[2]),
        width(input[3]),
        dilation(dilation_),
        rows(along(height)),
        columns(along(width)),
        count(input[0] * dilation * dilation * rows * columns) {}

  std::int64_t along(std::int64_t size) const {
    const auto of_phase = (size + dilation - 1) / dilation;
    return (of_phase + kOutputs - 1) / kOutputs;
  }

  Tile operator[](std::int64_t index) const {
    const auto column = index % columns, row = index / columns % rows;
    const auto phase = index / (columns * rows);
    const auto x = phase % dilation, y = phase / dilation % dilation;
    return {phase / (dilation * dilation), y + row * kOutputs * dilation, x + column * kOutputs * dilation};
  }
};

#if defined(__x86_64__)
#define SECTILE_AVX512 __attribute__((target("avx512f,fma"), always_inline)) inline
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

SECTILE_AVX512 Lanes& lanes(float* at) { return *reinterpret_cast<Lanes*>(at); }
SECTILE_AVX512 const Lanes& lanes(const float* at) { return *reinterpret_cast<const Lanes*>(at); }

// B^T d of the paper, for interpolation at 0, 1, -1, 2, -2.
SECTILE_AVX512 void to_products(const Lanes* d, std::int64_t step, Lanes* out, std::int64_t out_step) {
  const Lanes a = d[0], b = d[step], c = d[2 * step], e = d[3 * step], f = d[4 * step], g = d[5 * step];
  const Lanes even = f - 4 * c, odd = e - 4 * b, even2 = f - c, odd2 = 2 * (e - b);
  out[0] = 4 * a - 5 * c + f;
  out[out_step] = even + odd;
  out[2 * out_step] = even - odd;
  out[3 * out_step] = even2 + odd2;
  out[4 * out_step] = even2 - odd2;
  out[5 * out_step] = 4 * b - 5 * e + g;
}

// A^T m of the paper.
SECTILE_AVX512 void to_outputs(const Lanes* m, std::int64_t step, Lanes* out, std::int64_t out_step) {
  const Lanes sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
  const Lanes sum2 = m[3 * step] + m[4 * step], difference2 = m[3 * step] - m[4 * step];
  out[0] = m[0] + sum + sum2;
  out[out_step] = difference + 2 * difference2;
  out[2 * out_step] = sum + 4 * sum2;
  out[3 * out_step] = difference + 8 * difference2 + m[5 * step];
}

// products: [36, tiles, C], of which this is one tile.
__attribute__((target("avx512f,fma"))) void load_tile(const float* image, const float* zeros, const Tiles& tiles,
                                                      const Tile& tile, std::int64_t channels, float* products,
                                                      std::int64_t product_step) {
  std::array<const float*, kProducts> pixels;
  for (std::int64_t i = 0; i < kProducts; ++i) {
    const auto y = tile.y + (i / kInputs - 1) * tiles.dilation, x = tile.x + (i % kInputs - 1) * tiles.dilation;
    const bool is_inside = y >= 0 && y < tiles.height && x >= 0 && x < tiles.width;
    pixels[static_cast<std::size_t>(i)] = is_inside ? image + (y * tiles.width + x) * channels : zeros;
  }
  for (std::int64_t channel = 0; channel < channels; channel += kLanes) {
    Lanes in[kProducts], half[kProducts], out[kInputs];
    for (std::int64_t i = 0; i < kProducts; ++i) in[i] = lanes(pixels[static_cast<std::size_t>(i)] + channel);
    for (std::int64_t x = 0; x < kInputs; ++x) to_products(in + x, kInputs, half + x, kInputs);
    for (std::int64_t y = 0; y < kInputs; ++y) {
      to_products(half + y * kInputs, 1, out, 1);
      for (std::int64_t x = 0; x < kInputs; ++x) lanes(products + (y * kInputs + x) * product_step + channel) = out[x];
    }
  }
}

// [rows, C] x [C, columns] where all the sums stay in registers. panel: [C, columns].
template <int rows, int vectors>
SECTILE_AVX512 void multiply(const float* in, std::int64_t channels, const float* panel, float* out,
                             std::int64_t out_step) {
  Lanes sums[rows][vectors] = {};
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    const auto* const weights = panel + channel * vectors * kLanes;
#pragma GCC unroll 16
    for (int row = 0; row < rows; ++row)
#pragma GCC unroll 2
      for (int i = 0; i < vectors; ++i) sums[row][i] += in[row * channels + channel] * lanes(weights + i * kLanes);
  }
#pragma GCC unroll 16
  for (int row = 0; row < rows; ++row)
#pragma GCC unroll 2
    for (int i = 0; i < vectors; ++i) lanes(out + row * out_step + i * kLanes) = sums[row][i];
}

template <int vectors>
SECTILE_AVX512 void multiply_rows(const float* in, std::int64_t rows, std::int64_t channels, const float* panel,
                                  float* out, std::int64_t out_step) {
  constexpr int kRows = 12, kFewRows = 4;
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows)
    multiply<kRows, vectors>(in + row * channels, channels, panel, out + row * out_step, out_step);
  for (; row + kFewRows <= rows; row += kFewRows)
    multiply<kFewRows, vectors>(in + row * channels, channels, panel, out + row * out_step, out_step);
  for (; row < rows; ++row) multiply<1, vectors>(in + row * channels, channels, panel, out + row * out_step, out_step);
}

// in: [rows, C], weight: [C' / 32, C, 32], and [C, 16] where 16 channels are left; out: [rows, C'].
__attribute__((target("avx512f,fma"))) void multiply_all(const float* in, std::int64_t rows, std::int64_t channels,
                                                         const float* weight, float* out, std::int64_t out_channels) {
  std::int64_t column = 0;
  for (; column + kPanel <= out_channels; column += kPanel)
    multiply_rows<2>(in, rows, channels, weight + column * channels, out + column, out_channels);
  if (column < out_channels)
    multiply_rows<1>(in, rows, channels, weight + column * channels, out + column, out_channels);
}

struct Finish {
  bool adds, relu;
};

__attribute__((target("avx512f,fma"))) void store_tile(const float* products, std::int64_t product_step,
                                                       const float* bias, const Tiles& tiles, const Tile& tile,
                                                       std::int64_t channels, Finish finish, float* image) {
  const auto within = [&](std::int64_t from, std::int64_t size) {
    return std::min(kOutputs, (size - from + tiles.dilation - 1) / tiles.dilation);
  };
  const auto rows = within(tile.y, tiles.height), columns = within(tile.x, tiles.width);
  for (std::int64_t channel = 0; channel < channels; channel += kLanes) {
    Lanes in[kProducts], half[kOutputs * kInputs], out[kOutputs];
    for (std::int64_t i = 0; i < kProducts; ++i) in[i] = lanes(products + i * product_step + channel);
    for (std::int64_t x = 0; x < kInputs; ++x) to_outputs(in + x, kInputs, half + x, kInputs);
    for (std::int64_t y = 0; y < rows; ++y) {
      to_outputs(half + y * kInputs, 1, out, 1);
      for (std::int64_t x = 0; x < columns; ++x) {
        auto* const pixel =
            image + ((tile.y + y * tiles.dilation) * tiles.width + tile.x + x * tiles.dilation) * channels + channel;
        Lanes value = out[x] + lanes(bias + channel);
        if (finish.adds) value += lanes(pixel);
        lanes(pixel) = finish.relu ? (value < 0 ? Lanes{} : value) : value;  // NaN stays NaN
      }
    }
  }
}
#endif

// Tiles that are multiplied at a time: what they take, [36, tiles, C] and [36, tiles, C'], is to stay in a core's
// cache, but few tiles would spend their time on reading the weights.
std::int64_t block_of(const Tiles& tiles, std::int64_t channels) {
  constexpr std::int64_t kCache = std::int64_t{512} << 10, kLeast = 48, kMost = 256;
  const auto fitting = std::clamp(kCache / (kProducts * channels * std::int64_t{sizeof(float)}), kLeast, kMost);
  const std::int64_t threads = at::get_num_threads();
  const auto blocks = (tiles.count + fitting - 1) / fitting;
  const auto even = (blocks + threads - 1) / threads * threads;  // so that no thread waits for the last block
  return (tiles.count + even - 1) / even;
}

}  // namespace

bool WinogradConv::serves(const ConvOptions& options, at::ScalarType type) {
#if defined(__x86_64__)
  const auto dilation = options.dilation.of(2), padding = options.padding.of(2), stride = options.stride.of(2);
  return __builtin_cpu_supports("avx512f") && !options.transposed && options.dimensions == 2 && options.groups == 1 &&
         options.kernel_size.of(2) == std::vector<std::int64_t>{3, 3} && stride == std::vector<std::int64_t>{1, 1} &&
         padding == dilation && dilation[0] == dilation[1] && options.in_channels % kLanes == 0 &&
         options.out_channels % kLanes == 0 && type == at::kFloat;
#else
  return false;
#endif
}

bool WinogradConv::pays(const ConvOptions& options, at::IntArrayRef input) {
  const Tiles tiles(input, options.dilation.of(2)[0]);
  constexpr std::int64_t kFewest = 64;  // fewer: reading the weights takes most of the time
  if (tiles.count < kFewest) return false;
  const auto in = static_cast<double>(options.in_channels), out = static_cast<double>(options.out_channels);
  // In multiplications: those of the tiles, and what reading, transforming and writing one number takes beside them.
  constexpr double kTransform = 15, kGain = 0.75, kTaps = 3;
  const double mine = static_cast<double>(tiles.count * kProducts) * (in * out + kTransform * (in + out));
  // oneDNN leaves out most of the products with padding, which are many where the dilation is large.
  const auto taps = [&](std::int64_t size) {
    const auto all = kTaps * static_cast<double>(size);
    return std::max(all - 2 * static_cast<double>(tiles.dilation), all / kTaps);
  };
  const double usual = static_cast<double>(input[0]) * taps(tiles.height) * taps(tiles.width) * in * out;
  return mine < kGain * usual;
}

WinogradConv::WinogradConv(const ConvOptions& options, const at::Tensor& weight, const at::Tensor& bias)
    : in_channels_(options.in_channels), out_channels_(options.out_channels), dilation_(options.dilation.of(2)[0]) {
  const auto transform = at::tensor({1. / 4, 0., 0., -1. / 6, -1. / 6, -1. / 6, -1. / 6, 1. / 6, -1. / 6, 1. / 24,
                                     1. / 12, 1. / 6, 1. / 24, -1. / 12, 1. / 6, 0., 0., 1.},
                                    at::kDouble)
                             .view({kInputs, 3});  // G of the paper
  const auto transformed = transform.matmul(weight.to(at::kDouble)).matmul(transform.t());
  const auto products =
      transformed.to(at::kFloat).permute({2, 3, 1, 0}).reshape({kProducts, in_channels_, out_channels_});
  const auto whole = out_channels_ / kPanel * kPanel;
  const auto panels = products.narrow(2, 0, whole).unflatten(2, {-1, kPanel}).transpose(1, 2);
  weight_ = at::cat(
      {panels.reshape({kProducts, -1}), products.narrow(2, whole, out_channels_ - whole).reshape({kProducts, -1})}, 1);
  bias_ = bias.defined() ? bias.to(at::kFloat).contiguous() : at::zeros({out_channels_});
}

void WinogradConv::forward(const at::Tensor& input, const at::Tensor& output, bool adds, bool relu) const {
#if defined(__x86_64__)
  const Tiles tiles(input.sizes(), dilation_);
  const auto block = block_of(tiles, in_channels_ + out_channels_);
  const auto blocks = (tiles.count + block - 1) / block;
  const auto loaded = kProducts * block * in_channels_, multiplied = kProducts * block * out_channels_;
  auto buffers = at::empty({at::get_num_threads(), loaded + multiplied}, input.options());
  const auto zeros = at::zeros({in_channels_}, input.options());
  const auto image_size = tiles.height * tiles.width;
  const auto* const from = input.const_data_ptr<float>();
  auto* const to = output.mutable_data_ptr<float>();
  const auto* const no_pixel = zeros.const_data_ptr<float>();
  auto* const memory = buffers.mutable_data_ptr<float>();
  const auto* const weight = weight_.const_data_ptr<float>();
  const auto* const bias = bias_.const_data_ptr<float>();
  at::parallel_for(0, blocks, 1, [&](std::int64_t first_block, std::int64_t end_block) {
    auto* const before = memory + at::get_thread_num() * (loaded + multiplied);
    auto* const after = before + loaded;
    for (auto number = first_block; number < end_block; ++number) {
      const auto first = number * block, count = std::min(block, tiles.count - first);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto tile = tiles[first + i];
        load_tile(from + tile.image * image_size * in_channels_, no_pixel, tiles, tile, in_channels_,
                  before + i * in_channels_, block * in_channels_);
      }
      for (std::int64_t i = 0; i < kProducts; ++i)
        multiply_all(before + i * block * in_channels_, count, in_channels_, weight + i * in_channels_ * out_channels_,
                     after + i * block * out_channels_, out_channels_);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto tile = tiles[first + i];
        store_tile(after + i * out_channels_, block * out_channels_, bias, tiles, tile, out_channels_, {adds, relu},
                   to + tile.image * image_size * out_channels_);
      }
    }
  });
#endif
}

}  // namespace sectile::nn
