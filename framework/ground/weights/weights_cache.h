// Published weights on this machine: found in the cache, or downloaded to it.
//
// The cache is $SECTILE_CACHE/weights; by default, $XDG_CACHE_HOME/sectile/weights or ~/.cache/sectile/weights. Beside
// each file lies a record, FILE.json, of its size and SHA-256: what was not published is checked against the first
// download. SECTILE_OFFLINE=1 forbids downloads. SECTILE_WEIGHTS_MIRROR=https://mirror/base replaces the host:
// https://download.pytorch.org/models/a.pth becomes https://mirror/base/models/a.pth. Proxies are those of libcurl
// (https_proxy, no_proxy, …).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include <sectile/abi.h>

#include "catalogue.h"

namespace sectile {

struct DownloadOptions {
  // Bytes that came and that are expected; 0: unknown. Called many times a second.
  std::function<void(const CatalogueEntry&, std::uint64_t done, std::uint64_t total)> progress{};
  std::function<void(const CatalogueEntry&)> waits{};  // before waiting for another process with the same download
  std::function<void()> ended{};                       // after the last progress, also before an error
  bool check_contents = false;  // hash a cached file even if its size and time are those of the last check
  long stall_seconds = 60;      // without any byte, a connection counts as cut
};

// The entry's file in the cache, downloaded where it is not there yet. Throws DataError where it cannot be had as it
// was published; notes (note_file) a cached file that is not, and is downloaded again.
SECTILE_EXPORT std::filesystem::path weights_file(const CatalogueEntry& entry, const DownloadOptions& options);
SECTILE_EXPORT std::filesystem::path weights_file(const CatalogueEntry& entry);

// An existing file or folder stays what it is; a name of the catalogue becomes its file, as above. Throws DataError for
// anything else.
SECTILE_EXPORT std::filesystem::path weights_file(const std::string& name_or_path, const DownloadOptions& options);
SECTILE_EXPORT std::filesystem::path weights_file(const std::string& name_or_path);

// Those of weights_file without options, as for the weights that a spec names: set by a program before it opens any.
SECTILE_EXPORT void set_download_options(DownloadOptions options);

// Where the entry's file is or would be.
SECTILE_EXPORT std::filesystem::path cached_file(const CatalogueEntry& entry);

}  // namespace sectile
