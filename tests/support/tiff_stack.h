// A TIFF of several pages, which nothing in the framework writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace sectile::test {

enum class Samples { unsigned_integer = 1, signed_integer = 2, floating_point = 3 };  // numbers of the tag

struct TiffPage {
  cv::Mat pixels;  // of any type with as many bytes as the samples; four channels are RGB and alpha
  Samples samples = Samples::unsigned_integer;
  std::size_t subfile = 0;  // NewSubfileType: 1 a reduced image, 4 a transparency mask
};

// Little-endian, each page's pixels in one strip behind its directory.
inline void write_pages(const std::filesystem::path& file, const std::vector<TiffPage>& pages) {
  std::string bytes("II\x2a\0", 4);
  const auto put = [&](std::size_t number, int size) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i));
  };
  put(8, 4);
  for (std::size_t page = 0; page < pages.size(); ++page) {
    const auto& [mat, samples, subfile] = pages[page];
    const auto width = static_cast<std::size_t>(mat.cols), height = static_cast<std::size_t>(mat.rows),
               channels = static_cast<std::size_t>(mat.channels()), size = mat.total() * mat.elemSize();
    constexpr std::size_t kFields = 12, kRgb = 2, kGrey = 1, kAlpha = 2;
    const std::size_t pixels = bytes.size() + 2 + 12 * kFields + 4;
    put(kFields, 2);
    for (const auto& [tag, value] : {std::pair<std::size_t, std::size_t>(254, subfile),
                                     {256, width},
                                     {257, height},
                                     {258, 8 * mat.elemSize1()},
                                     {259, 1},
                                     {262, channels == 4 ? kRgb : kGrey},
                                     {273, pixels},
                                     {277, channels},
                                     {278, height},
                                     {279, size},
                                     {338, kAlpha},
                                     {339, static_cast<std::size_t>(samples)}}) {
      put(tag, 2), put(4, 2), put(tag == 338 && channels != 4 ? 0 : 1, 4), put(value, 4);  // numbers of 32 bits
    }
    put(page + 1 < pages.size() ? pixels + size : 0, 4);
    for (int y = 0; y < mat.rows; ++y) bytes.append(mat.ptr<char>(y), size / height);
  }
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

// pages: 8U of one channel.
inline void write_stack(const std::filesystem::path& file, const std::vector<cv::Mat>& pages) {
  std::vector<TiffPage> all;
  for (const auto& page : pages) all.push_back({page});
  write_pages(file, all);
}

}  // namespace sectile::test
