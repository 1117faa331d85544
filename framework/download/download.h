// One transfer over HTTP. libsectile_download.so, which alone links libcurl, is loaded by libsectile.so at the first
// download: programs that download nothing do not load libcurl.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sectile {

struct Download {
  std::string url{};        // https://…, or http://… if that is allowed
  int file = -1;            // open for writing; filled from byte `have` on, or anew if the server sends the whole file
  std::uint64_t have = 0;   // bytes that it holds already
  std::string etag{};       // in: of the file whose bytes these are, or empty; out: of the file that the server has
  std::uint64_t most = 0;   // bytes that the file may have; 0: any number
  long stall_seconds = 60;  // without any byte, the connection counts as cut
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};  // bytes; total 0: unknown; may be empty
  // Called once the file holds no byte of another one, before the first that comes; with the new `etag`. May be empty.
  std::function<void(const std::string& etag)> began{};

  std::string problem{};       // what went wrong, to follow the URL; empty: the server sent all that it has
  bool cut = false;            // the connection was; what came is in the file and can be resumed
  bool no_such_range = false;  // the server's file ends before byte `have`
  int write_error = 0;         // errno, if the file could not be written
};

using DownloadFunction = void(Download& download);
inline constexpr const char* kDownloadFunction = "sectile_download";

}  // namespace sectile
