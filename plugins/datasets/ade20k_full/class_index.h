// The classes of the full ADE20K, out of the texts beside its masks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "full_tree.h"

namespace ade20k_full {

// 0 to 6655: red / 10 * 256 + green; 0 is no class.
constexpr int kNumbers = 26 * 256;
constexpr int number_of(int red, int green) { return red / 10 * 256 + green; }

// The mask's red, green and blue as stored: 8U, three channels. Throws DataError.
cv::Mat read_mask(const std::filesystem::path& mask);

// Whether the numbers of the classes that its text names are read from the mask, as in 2017.
bool needs_mask(const Entry& entry);

// Names by number, of all objects that are no parts. The texts of 2020 have both. Those of 2017 have a name per object:
// its number is that of its pixels, for which masks are read until each name is known. Throws DataError.
std::map<int, std::string> find_names(const std::vector<Entry>& entries);

}  // namespace ade20k_full
