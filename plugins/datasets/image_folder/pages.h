// TIFFs of several pages: each page a sample.
#pragma once

#include <vector>

#include "pairs.h"

namespace image_folder {

// The entry itself; or, where its image is a TIFF of several pages, one for each: "stack#0001" and on. Only files
// whose names end with .tif or .tiff are opened.
void add_pages(const Entry& entry, std::vector<Entry>& all);

// "stack.tif, page 3", or only the file where there is one page; for messages. file: the entry's image or mask.
std::string place_of(const Entry& entry, const std::filesystem::path& file);

// Throws DataError where a mask has more or fewer pages than its image.
void check_mask_pages(const std::vector<Entry>& entries);

}  // namespace image_folder
