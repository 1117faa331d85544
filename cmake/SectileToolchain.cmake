# What the whole build shares: the libraries it needs, warnings, sanitizers, ccache, and one shape for build and install tree.
if(NOT LibTorch_ROOT AND NOT DEFINED ENV{LibTorch_ROOT} AND EXISTS ${PROJECT_SOURCE_DIR}/.deps/libtorch)
  set(LibTorch_ROOT ${PROJECT_SOURCE_DIR}/.deps/libtorch)  # where scripts/setup.sh puts it
endif()
if(SECTILE_CUDA)
  find_package(LibTorch 2.11 REQUIRED COMPONENTS cuda)
else()
  find_package(LibTorch 2.11 REQUIRED)
endif()
find_package(OpenCVModules REQUIRED)
find_path(Boost_INCLUDE_DIR boost/dll/shared_library.hpp REQUIRED)
find_library(Boost_program_options_LIBRARY boost_program_options REQUIRED)
find_path(nlohmann_json_INCLUDE_DIR nlohmann/json.hpp REQUIRED)
find_path(simdjson_INCLUDE_DIR simdjson.h REQUIRED)
find_library(simdjson_LIBRARY simdjson REQUIRED)
find_path(spng_INCLUDE_DIR spng.h REQUIRED)
find_library(spng_LIBRARY spng REQUIRED)
find_package(JPEG REQUIRED)
find_package(TIFF 4.5 REQUIRED)  # memory limits and message handlers per file
find_package(WebP REQUIRED)
find_package(CURL 7.85 REQUIRED)  # lists of protocols as text

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_BUILD_RPATH ${LibTorch_LIBRARY_DIR})
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_BUILD_TYPE STREQUAL Release)
  # At -O3, GCC 12 sees ghosts: members of variants that were never active, and overlaps in "text" + std::string (bug 105651).
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict)
endif()
if(SECTILE_WERROR)
  add_compile_options(-Werror)
endif()
if(SECTILE_SANITIZE)
  add_compile_options(-fsanitize=${SECTILE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -fno-sanitize=vptr)
  add_link_options(-fsanitize=${SECTILE_SANITIZE})
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers need the first two to be cached at all. The preprocessor's output, by which ccache would compare
  # them, lacks macros: a changed one came with the old value. In depend mode it compares the files that the compiler read.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1 CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime ${CCACHE_PROGRAM})
endif()
