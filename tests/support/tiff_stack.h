// A TIFF of several pages, which nothing in the framework writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace sectile::test {

// pages: 8U of one channel. Little-endian, each page's pixels in one strip behind its directory.
inline void write_stack(const std::filesystem::path& file, const std::vector<cv::Mat>& pages) {
  std::string bytes("II\x2a\0", 4);
  const auto put = [&](std::size_t number, int size) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i));
  };
  put(8, 4);
  for (std::size_t page = 0; page < pages.size(); ++page) {
    const auto width = static_cast<std::size_t>(pages[page].cols), height = static_cast<std::size_t>(pages[page].rows);
    constexpr std::size_t kFields = 9;
    const std::size_t pixels = bytes.size() + 2 + 12 * kFields + 4;
    put(kFields, 2);
    for (const auto& [tag, value] : {std::pair<std::size_t, std::size_t>(256, width),
                                     {257, height},
                                     {258, 8},
                                     {259, 1},
                                     {262, 1},
                                     {273, pixels},
                                     {277, 1},
                                     {278, height},
                                     {279, width * height}}) {
      put(tag, 2), put(4, 2), put(1, 4), put(value, 4);  // one number of 32 bits
    }
    put(page + 1 < pages.size() ? pixels + width * height : 0, 4);
    for (int y = 0; y < pages[page].rows; ++y) bytes.append(pages[page].ptr<char>(y), width);
  }
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

}  // namespace sectile::test
