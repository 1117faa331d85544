// The stamp of a plugin file, and the ABI string that the host compares with its own.
//
// The stamp is read from the file's bytes before the library is loaded, so it contains only characters: no pointers, no
// C++ types. A new layout needs a new number in kStampMagic.
#pragma once

#include <cstddef>  // defines _GLIBCXX_USE_CXX11_ABI

#include <opencv2/core/version.hpp>

#define SECTILE_STRINGIFY_(x) #x
#define SECTILE_STRINGIFY(x) SECTILE_STRINGIFY_(x)
#define SECTILE_EXPORT __attribute__((visibility("default")))

// Incremented whenever a change in a public header requires rebuilding plugins: a virtual, a member, a signature.
// Features that need no rebuild are added as new classes, found by dynamic_cast (see roles.h).
#define SECTILE_API_VERSION 11

#ifdef _GLIBCXX_DEBUG
#define SECTILE_STL_MODE_ "debug"
#else
#define SECTILE_STL_MODE_ "release"
#endif

#ifndef SECTILE_ABI_TORCH_  // replaced by torch_abi.h, which the upper floor's headers include
#define SECTILE_ABI_TORCH_
#endif

// Must be equal in two builds that exchange C++ objects; the host does not load any other plugin.
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
