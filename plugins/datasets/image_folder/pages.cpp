#include "pages.h"

#include <algorithm>

#include <sectile/data/image_io.h>
#include <sectile/error.h>

#include "files.h"

namespace image_folder {
namespace {

namespace fs = std::filesystem;
using sectile::DataError;

constexpr int kUnknown = 0;

int pages_of(const fs::path& file) {
  auto suffix = image_suffix(file.filename().string());
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](char c) { return static_cast<char>(c | 0x20); });
  if (suffix != ".tif" && suffix != ".tiff") return 1;
  try {
    return sectile::read_info(file).pages;
  } catch (const DataError&) {  // a damaged file is a bad sample, not the end of the dataset
    return kUnknown;
  }
}

std::string page_name(const std::string& name, int page) {
  const auto number = std::to_string(page + 1);
  return name + "#" + std::string(4 - std::min<std::size_t>(number.size(), 4), '0') + number;
}

std::string counted(int pages) { return pages == 1 ? "1 page" : std::to_string(pages) + " pages"; }

}  // namespace

void add_pages(const Entry& entry, std::vector<Entry>& all) {
  Entry page = entry;
  page.pages = pages_of(entry.image);
  for (page.page = 0; page.page < std::max(page.pages, 1); ++page.page) {
    if (page.pages > 1) page.name = page_name(entry.name, page.page);
    all.push_back(page);
  }
}

std::string place_of(const Entry& entry, const fs::path& file) {
  return file.string() + (entry.pages > 1 ? ", page " + std::to_string(entry.page + 1) : "");
}

void check_mask_pages(const std::vector<Entry>& entries) {
  const Entry* last = nullptr;
  for (const auto& entry : entries) {
    if (entry.mask.empty() || entry.pages == kUnknown || (last && last->file == entry.file)) continue;
    last = &entry;
    const int pages = pages_of(entry.mask);
    if (pages == kUnknown || pages == entry.pages) continue;
    throw DataError(entry.mask.string(), "has " + counted(pages) + ", and its image " + entry.image.string() + " has " +
                                             counted(entry.pages) +
                                             ": a mask needs a page for each page of its image, in the same order");
  }
}

}  // namespace image_folder
