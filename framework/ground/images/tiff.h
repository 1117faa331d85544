// Common parts of reading and writing TIFF.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <tiffio.h>

#include "image_file.h"

namespace sectile {

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, CloseTiff>;

struct FreeTiffOptions {
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};
using TiffOptions = std::unique_ptr<TIFFOpenOptions, FreeTiffOptions>;

// The last problem that libtiff reported; nothing is ever printed. Passed to the handlers.
struct TiffMessages {
  char text[256] = {};
  bool warnings_count = false;  // while decoding pixels: a warning means corrupt data
  bool damaged = false;
};

TiffOptions tiff_options(TiffMessages& messages);

constexpr int kMaxTiffPages = 1 << 20;
// Where the directories of the pages begin, up to `at_most`, without those of reduced images and transparency masks.
// Throws DataError.
std::vector<std::uint64_t> page_offsets(const ImageFile& file, int at_most = kMaxTiffPages);
std::uint64_t page_offset(const ImageFile& file, int page);  // from 0; throws DataError

}  // namespace sectile
