// A server on 127.0.0.1 whose answers a test decides, one request per connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sectile::test {

struct HttpRequest {
  std::string path;      // "/models/a.pth"
  std::size_t from = 0;  // of "Range: bytes=100-"; 0: the whole file
  std::string if_range;
};

struct HttpReply {
  int status = 200;
  std::string body{};
  std::vector<std::string> headers{};
  std::size_t sent = SIZE_MAX;  // bytes of the body, after which the connection is closed
  bool stalls = false;          // or kept open, without a byte, until the client gives up
  bool tells_length = true;     // in a header; otherwise the end of the connection is that of the body
};

class HttpServer {
 public:
  using Answer = std::function<HttpReply(const HttpRequest&)>;

  explicit HttpServer(Answer answer) : answer_(std::move(answer)), listening_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listening_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listening_, 8) != 0 ||
        getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no socket to listen on");
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    shutdown(listening_, SHUT_RDWR);  // accept() returns
    thread_.join();
    close(listening_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::string& url() const { return url_; }  // "http://127.0.0.1:40123"
  std::vector<HttpRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (int client; (client = accept(listening_, nullptr, nullptr)) >= 0; close(client)) {
      const auto request = read(client);
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      write(client, answer_(request));
    }
  }

  static HttpRequest read(int client) {
    std::string text;
    char part[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const auto count = recv(client, part, sizeof part, 0);
      if (count <= 0) break;
      text.append(part, static_cast<std::size_t>(count));
    }
    const auto header = [&](const std::string& name) -> std::string {
      const auto at = text.find("\r\n" + name + ": ");
      if (at == std::string::npos) return "";
      const auto value = at + name.size() + 4;
      return text.substr(value, text.find("\r\n", value) - value);
    };
    const auto range = header("Range");
    const auto path = text.find(' ') + 1;
    return {text.substr(path, text.find(' ', path) - path),
            range.empty() ? 0 : std::stoul(range.substr(range.find('=') + 1)), header("If-Range")};
  }

  static void write(int client, const HttpReply& reply) {
    auto text = "HTTP/1.1 " + std::to_string(reply.status) + " Reply\r\nConnection: close\r\n";
    if (reply.tells_length) text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    for (const auto& header : reply.headers) text += header + "\r\n";
    text += "\r\n" + reply.body.substr(0, reply.sent);
    for (std::size_t done = 0; done < text.size();) {
      const auto count = send(client, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (count <= 0) return;
      done += static_cast<std::size_t>(count);
    }
    pollfd client_closes{client, POLLIN, 0};
    if (reply.stalls) poll(&client_closes, 1, 30'000);
  }

  Answer answer_;
  int listening_;
  std::string url_;
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::thread thread_;
};

// What a server that knows ranges sends of a file.
inline HttpReply part_of(const std::string& file, const HttpRequest& request) {
  if (request.from == 0) return {.body = file};
  if (request.from >= file.size()) return {.status = 416};
  return {.status = 206,
          .body = file.substr(request.from),
          .headers = {"Content-Range: bytes " + std::to_string(request.from) + "-" + std::to_string(file.size() - 1) +
                      "/" + std::to_string(file.size())}};
}

}  // namespace sectile::test
