// What the kernels' arithmetic is written in: code that runs on a GPU and, so that tests can compare it without one, on
// the CPU. A team is the threads of a block: each(count, f) calls f(0) to f(count - 1) in any order and waits for all.
#pragma once

#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define SECTILE_DEVICE __device__ inline
#else
#define SECTILE_DEVICE inline
#endif

namespace sectile::cuda {

// As std::max and std::min, which a GPU does not have.
template <class Number>
SECTILE_DEVICE Number larger(Number a, Number b) {
  return a < b ? b : a;
}
template <class Number>
SECTILE_DEVICE Number smaller(Number a, Number b) {
  return b < a ? b : a;
}
template <class Number>
SECTILE_DEVICE Number clamped(Number value, Number low, Number high) {
  return value < low ? low : high < value ? high : value;
}

// a * b + c in one step where that is fast. All other arithmetic rounds each step (nvcc's --fmad=false), as the CPU's.
template <class Number>
SECTILE_DEVICE Number multiply_add(Number a, Number b, Number c) {
#ifdef __CUDA_ARCH__
  return fma(a, b, c);
#else
  return a * b + c;
#endif
}

// bits: not 0.
SECTILE_DEVICE int lowest_bit(std::uint64_t bits) {
#ifdef __CUDA_ARCH__
  return __ffsll(static_cast<long long>(bits)) - 1;
#else
  return __builtin_ctzll(bits);
#endif
}

struct Bfloat16 {
  std::uint16_t bits;
};

// The type of sums.
template <class Feature>
struct SumOf {
  using Type = Feature;
};
template <>
struct SumOf<Bfloat16> {
  using Type = float;
};

template <class Number>
SECTILE_DEVICE Number widened(Number value) {
  return value;
}
SECTILE_DEVICE float widened(Bfloat16 value) {
  const auto bits = static_cast<std::uint32_t>(value.bits) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof wide);
  return wide;
}

SECTILE_DEVICE void narrow(float value, float& to) { to = value; }
SECTILE_DEVICE void narrow(double value, double& to) { to = value; }
SECTILE_DEVICE void narrow(float value, Bfloat16& to) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const auto rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;  // to the nearest, ties to even
  to.bits = static_cast<std::uint16_t>(value == value ? rounded : 0x7fc0);
}

// Read and written at once.
template <class Feature, int kLanes>
struct alignas(sizeof(Feature) * kLanes) Pack {
  Feature lanes[kLanes];
};

}  // namespace sectile::cuda
