// What reading and writing of TIFF share.
#pragma once

#include <memory>

#include <tiffio.h>

namespace sectile {

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, CloseTiff>;

struct FreeTiffOptions {
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};
using TiffOptions = std::unique_ptr<TIFFOpenOptions, FreeTiffOptions>;

// The last problem that libtiff told of; nothing is ever printed. Set as the handlers' data.
struct TiffMessages {
  char text[256] = {};
  bool warnings_count = false;  // while pixels are decoded: what was read is not what was meant
  bool damaged = false;
};

TiffOptions tiff_options(TiffMessages& messages);

}  // namespace sectile
