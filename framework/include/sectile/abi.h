// What a plugin file says about itself, and what the host compares it with.
//
// The stamp is read from the file's bytes before the library is loaded, so it holds only characters:
// no pointer, no C++ type. A new layout takes a new number in kStampMagic.
#pragma once

#include <cstddef>  // defines _GLIBCXX_USE_CXX11_ABI

#include <opencv2/core/version.hpp>

#define SECTILE_STRINGIFY_(x) #x
#define SECTILE_STRINGIFY(x) SECTILE_STRINGIFY_(x)
#define SECTILE_EXPORT __attribute__((visibility("default")))

// Raised by one whenever a public header changes so that plugins must be rebuilt: a virtual, a member, a signature.
// New abilities that need no rebuild come as new classes beside the old ones, found by dynamic_cast (see roles.h).
#define SECTILE_API_VERSION 3

#ifdef _GLIBCXX_DEBUG
#define SECTILE_STL_MODE_ "debug"
#else
#define SECTILE_STL_MODE_ "release"
#endif

#ifndef SECTILE_ABI_TORCH_  // replaced by torch_abi.h, which the upper floor's headers include
#define SECTILE_ABI_TORCH_
#endif

// What two builds must share to exchange C++ objects; the host refuses any other plugin.
#define SECTILE_ABI                                                                                             \
  "api " SECTILE_STRINGIFY(SECTILE_API_VERSION) SECTILE_ABI_TORCH_                                              \
      "; opencv " SECTILE_STRINGIFY(CV_VERSION_MAJOR) "." SECTILE_STRINGIFY(                                    \
          CV_VERSION_MINOR) "; cxx11abi " SECTILE_STRINGIFY(_GLIBCXX_USE_CXX11_ABI) "; stl " SECTILE_STL_MODE_  \
                                                                                    "; c++ " SECTILE_STRINGIFY( \
                                                                                        __cplusplus)

namespace sectile {

struct Stamp {
  char magic[16];
  char abi[128];
  char kind[16];
  char name[48];
  char version[24];
  char summary[152];
};
static_assert(sizeof(Stamp) == 384, "the stamp is read from files: its layout is fixed");

inline constexpr char kStampMagic[16] = "sectile-plug-1\n";

}  // namespace sectile
