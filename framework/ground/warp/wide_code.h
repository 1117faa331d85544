// The same code for the best instructions that the processor has: functions that are inlined into one of each kind.
#pragma once

#define SECTILE_INLINE __attribute__((always_inline)) inline

#if defined(__x86_64__)
#define SECTILE_AVX2 __attribute__((target("avx2,fma")))
#define SECTILE_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,fma")))

namespace sectile {

inline bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace sectile
#endif
