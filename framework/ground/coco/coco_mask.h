// Masks as COCO's files hold them.
#pragma once

#include <string>
#include <string_view>

#include <sectile/data/coco_file.h>

namespace sectile {

// Compressed run lengths without JSON's escapes: a view of the mask, or of `buffer`.
std::string_view compressed_text(const CocoMask& mask, std::string& buffer);

}  // namespace sectile
