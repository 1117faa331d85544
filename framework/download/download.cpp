#include "download.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>

namespace sectile {
namespace {

constexpr long kMostRedirects = 10, kConnectSeconds = 30, kOk = 200, kPartialContent = 206, kNoSuchRange = 416;
constexpr std::size_t kStop = 0;  // bytes taken, which ends the transfer

struct Transfer {
  Download& download;
  CURL* curl;
  std::string etag;         // of the latest response: those of redirects come first
  std::uint64_t first = 0;  // of Content-Range: the first byte that the response holds
  std::uint64_t position = 0;
  bool began = false;
};

std::size_t take_header(char* text, std::size_t, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string line(text, count);
  const auto value_of = [&](const char* name) -> const char* {
    const auto length = std::strlen(name);
    return strncasecmp(line.c_str(), name, length) == 0 ? line.c_str() + length : nullptr;
  };
  if (line.starts_with("HTTP/")) transfer.etag.clear(), transfer.first = 0;
  if (const char* tag = value_of("ETag:")) {
    const std::string rest = tag;
    const auto from = rest.find('"'), to = rest.rfind('"');
    // A weak one (W/"…") does not promise the same bytes, so it cannot be used to resume.
    if (from != std::string::npos && to > from && rest.find("W/") > from)
      transfer.etag = rest.substr(from, to - from + 1);
  }
  if (const char* range = value_of("Content-Range: bytes ")) transfer.first = std::strtoull(range, nullptr, 10);
  return count;
}

// Where in the file the response's first byte belongs; false if nowhere.
bool begin(Transfer& transfer) {
  auto& download = transfer.download;
  long status = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
  transfer.began = true;
  download.etag = transfer.etag;
  transfer.position = status == kPartialContent ? transfer.first : 0;
  if (status != kOk && status != kPartialContent) {
    download.problem = "the server answers with status " + std::to_string(status) + ", which carries no file";
    return false;
  }
  if (status == kPartialContent && transfer.first != download.have) {
    download.problem = "the server sends byte " + std::to_string(transfer.first) + " and later, where byte " +
                       std::to_string(download.have) + " and later were asked for";
    download.no_such_range = true;
    return false;
  }
  if (ftruncate(download.file, static_cast<off_t>(transfer.position)) != 0) {
    download.write_error = errno;
    return false;
  }
  if (download.began) download.began(download.etag);
  return true;
}

std::size_t take_bytes(char* bytes, std::size_t, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  auto& download = transfer.download;
  if (!transfer.began && !begin(transfer)) return kStop;
  if (download.most > 0 && transfer.position + count > download.most) {
    download.problem = "the server sends more than the " + std::to_string(download.most) + " bytes that were published";
    return kStop;
  }
  for (std::size_t done = 0; done < count;) {
    const auto written = pwrite(download.file, bytes + done, count - done, static_cast<off_t>(transfer.position));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      download.write_error = errno;
      return kStop;
    }
    done += static_cast<std::size_t>(written);
    transfer.position += static_cast<std::size_t>(written);
  }
  return count;
}

int tell_progress(void* user, curl_off_t total, curl_off_t, curl_off_t, curl_off_t) {
  const auto& transfer = *static_cast<Transfer*>(user);
  const auto before = transfer.first;  // the total is only of what this response holds
  transfer.download.progress(transfer.position, total > 0 ? before + static_cast<std::uint64_t>(total) : 0);
  return 0;
}

bool connection_was_cut(CURLcode code) {
  return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
         code == CURLE_GOT_NOTHING || code == CURLE_OPERATION_TIMEDOUT || code == CURLE_HTTP2 ||
         code == CURLE_HTTP2_STREAM;
}

void explain(Transfer& transfer, CURLcode code, const char* detail) {
  auto& download = transfer.download;
  if (!download.problem.empty() || download.write_error != 0) return;
  long status = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
  download.no_such_range = code == CURLE_HTTP_RETURNED_ERROR && status == kNoSuchRange;
  download.cut = connection_was_cut(code);
  download.problem = *detail ? detail : curl_easy_strerror(code);
  if (code == CURLE_HTTP_RETURNED_ERROR) download.problem = "the server answers with status " + std::to_string(status);
  if (code == CURLE_TOO_MANY_REDIRECTS)
    download.problem = "the server redirects more than " + std::to_string(kMostRedirects) + " times";
  if (code == CURLE_UNSUPPORTED_PROTOCOL) {
    const char* target = nullptr;
    curl_easy_getinfo(transfer.curl, CURLINFO_REDIRECT_URL, &target);
    download.problem = std::string("only ") + (download.url.starts_with("http:") ? "http and https" : "https") +
                       " are followed" + (target ? std::string(", and the server redirects to ") + target : "") + " (" +
                       download.problem + ")";
  }
}

void set_up(CURL* curl, Transfer& transfer, char* detail) {
  auto& download = transfer.download;
  const char* protocols = download.url.starts_with("http:") ? "http,https" : "https";
  curl_easy_setopt(curl, CURLOPT_URL, download.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "sectile");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, download.stall_seconds);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  if (download.progress) {
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, tell_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  }
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void sectile_download(Download& download) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* curl = ready == CURLE_OK ? curl_easy_init() : nullptr;
  if (!curl) {
    download.problem = "libcurl cannot be initialized";
    return;
  }
  Transfer transfer{download, curl, "", 0, 0, false};
  char detail[CURL_ERROR_SIZE] = "";
  set_up(curl, transfer, detail);
  curl_slist* headers = nullptr;
  if (download.have > 0) {
    // CURLOPT_RESUME_FROM would refuse the whole file of a server without ranges.
    curl_easy_setopt(curl, CURLOPT_RANGE, (std::to_string(download.have) + "-").c_str());
    if (!download.etag.empty()) headers = curl_slist_append(nullptr, ("If-Range: " + download.etag).c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  }
  const auto code = curl_easy_perform(curl);
  if (code == CURLE_OK && !transfer.began) begin(transfer);  // an empty file
  if (code != CURLE_OK) explain(transfer, code, detail);
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
}

}  // namespace sectile
