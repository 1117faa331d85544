// Downloads of weights, from a server of the test's own: whatever it does, a file is whole and the published one, or
// there is an error and nothing is lost.
#include <atomic>
#include <chrono>
#include <thread>

#include "ground/file_notes.h"
#include "ground/weights/sha256.h"
#include "ground/weights/weights_cache.h"
#include "support/http_server.h"
#include "support/test.h"
#include "support/weights_table.h"

using namespace sectile;
using namespace sectile::test;
namespace fs = std::filesystem;

namespace {

std::string file_of(std::size_t bytes, char seed = 1) {
  std::string file(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) file[i] = static_cast<char>(i * i / 7 + static_cast<std::size_t>(seed));
  return "\x80\x02" + file.substr(2);  // as torch.save begins before PyTorch 1.6
}
const std::string kFile = file_of(200'000), kOther = file_of(200'000, 2);

std::string hash(const std::string& bytes) {
  Sha256 sha;
  sha.update(bytes.data(), bytes.size());
  return sha.hex();
}

std::string sha_of(const std::string& bytes, std::size_t digits = 64) {
  return "\"sha256\": \"" + hash(bytes).substr(0, digits) + "\", ";
}

std::string problem_of(const std::string& name, const DownloadOptions& options = {}) {
  try {
    weights_file(name, options);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("SHA-256 gives the values of FIPS 180-4, also of a message in pieces") {
  CHECK(hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hash(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  Sha256 pieces;
  for (std::size_t at = 0, size = 1; at < kFile.size(); at += size, size = size % 150 + 1)
    pieces.update(kFile.data() + at, std::min(size, kFile.size() - at));
  CHECK(pieces.hex() == hash(kFile));
}

TEST_CASE("weights are downloaded once, and then found in the cache") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kFile, request); });
  WeightsTable table;
  table.write(server.url() + "/models/toy.pth", sha_of(kFile, 8));
  std::uint64_t done = 0, total = 0;
  const auto file =
      weights_file("test/toy", {.progress = [&](const CatalogueEntry& entry, std::uint64_t now, std::uint64_t of) {
                     CHECK(entry.name == "test/toy");
                     CHECK(now >= done);
                     done = now, total = of;
                   }});
  CHECK(file == table.cached());
  CHECK(contents(file) == kFile);
  CHECK(done == kFile.size());
  CHECK(total == kFile.size());
  CHECK(weights_file("test/toy") == file);
  REQUIRE(server.requests().size() == 1);
  CHECK(server.requests()[0].path == "/models/toy.pth");
  CHECK(!fs::exists(table.cached(".part")));
  CHECK(!fs::exists(table.cached(".part.etag")));
}

TEST_CASE("an existing file stays itself, and needs no catalogue") {
  WeightsTable table;
  table.set("SECTILE_WEIGHTS_TABLE", "/no/such/table.json");
  const auto own = table.folder().write("own.pth", "x");
  CHECK(weights_file(own) == own);
}

TEST_CASE("a cut connection is resumed where it was cut") {
  const HttpServer server([](const HttpRequest& request) {
    auto reply = part_of(kFile, request);
    if (request.from == 0) reply.sent = 70'000;
    return reply;
  });
  WeightsTable table;
  table.write(server.url() + "/toy.pth", sha_of(kFile));
  CHECK(contents(weights_file("test/toy")) == kFile);
  REQUIRE(server.requests().size() == 2);
  CHECK(server.requests()[1].from == 70'000);
}

TEST_CASE("a download that was given up is resumed by the next one") {
  std::atomic<bool> up = false;
  const HttpServer server([&](const HttpRequest& request) {
    auto reply = part_of(kFile, request);
    if (!up) reply.sent = request.from == 0 ? 50'000 : 0;
    return reply;
  });
  WeightsTable table;
  table.write(server.url() + "/toy.pth", sha_of(kFile));
  const auto problem = problem_of("test/toy");
  CHECK(has(problem, server.url() + "/toy.pth: cannot be downloaded: "));
  CHECK(has(problem, "the 50000 bytes that came are kept, and the next attempt resumes there"));
  CHECK(!fs::exists(table.cached()));
  up = true;
  CHECK(contents(weights_file("test/toy")) == kFile);
  CHECK(server.requests().back().from == 50'000);
}

TEST_CASE("a server without ranges sends the file anew") {
  int request_count = 0;
  const HttpServer server(
      [&](const HttpRequest&) { return HttpReply{.body = kFile, .sent = ++request_count == 1 ? 70'000 : SIZE_MAX}; });
  WeightsTable table;
  table.write(server.url() + "/toy.pth", sha_of(kFile));
  CHECK(contents(weights_file("test/toy")) == kFile);
  CHECK(server.requests().size() == 2);
}

TEST_CASE("a part of an older file, or one that is too long, is downloaded anew") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kFile, request); });
  for (const auto& part : {kOther.substr(0, 70'000), kOther + kOther}) {
    WeightsTable table;
    table.write(server.url() + "/toy.pth", sha_of(kFile));
    table.folder().write("cache/weights/test/toy/toy.pth.part", part);
    CHECK(contents(weights_file("test/toy")) == kFile);
  }
}

TEST_CASE("without a published hash, a part is resumed only if the server says that its file is the same") {
  std::atomic<const std::string*> served = &kOther;
  const HttpServer server([&](const HttpRequest& request) {
    const auto& file = *served;
    const std::string tag = &file == &kOther ? "\"one\"" : "\"two\"";
    auto reply = request.if_range.empty() || request.if_range == tag ? part_of(file, request) : HttpReply{.body = file};
    reply.headers.push_back("ETag: " + tag);
    if (&file == &kOther) reply.sent = request.from == 0 ? 70'000 : 0;
    return reply;
  });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  CHECK(problem_of("test/toy") != "");
  CHECK(server.requests().back().from == 70'000);
  CHECK(server.requests().back().if_range == "\"one\"");
  served = &kFile;
  CHECK(contents(weights_file("test/toy")) == kFile);

  WeightsTable untagged;
  untagged.write(server.url() + "/toy.pth");
  untagged.folder().write("cache/weights/test/toy/toy.pth.part", kOther.substr(0, 100));
  CHECK(contents(weights_file("test/toy")) == kFile);
  CHECK(server.requests().back().from == 0);
}

TEST_CASE("a file with another hash or size is refused, says what was found and expected, and replaces nothing") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kOther, request); });
  WeightsTable table;
  table.write(server.url() + "/toy.pth", sha_of(kFile, 8));
  CHECK(problem_of("test/toy") == server.url() + "/toy.pth: the file that came has the SHA-256 " + hash(kOther) +
                                      ", expected " + hash(kFile).substr(0, 8) + "… of test/toy; it was not kept");
  CHECK(!fs::exists(table.cached()));
  CHECK(!fs::exists(table.cached(".part")));

  table.write(server.url() + "/toy.pth", "\"size\": 200001, ");
  CHECK(has(problem_of("test/toy"), "the file that came has 200000 bytes, expected 200001 of test/toy"));
  table.write(server.url() + "/toy.pth", "\"size\": 1000, ");
  CHECK(has(problem_of("test/toy"), "the server sends more than the 1000 bytes that were published"));
  CHECK(!fs::exists(table.cached()));
}

TEST_CASE("what was not published is recorded at the first download, and checked at later ones") {
  std::atomic<const std::string*> served = &kFile;
  const HttpServer server([&](const HttpRequest& request) { return part_of(*served, request); });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  weights_file("test/toy");
  CHECK(has(contents(table.cached(".json")), "\"sha256\": \"" + hash(kFile) + "\""));
  fs::remove(table.cached());
  served = &kOther;
  const auto problem = problem_of("test/toy");
  CHECK(has(problem, "has the SHA-256 " + hash(kOther) + ", expected " + hash(kFile)));
  CHECK(has(problem, "as at its first download"));
  CHECK(has(problem, table.cached(".json").string() + " to accept the new one"));
  fs::remove(table.cached(".json"));
  CHECK(contents(weights_file("test/toy")) == kOther);
}

TEST_CASE("a cached file that was changed is found by its hash, and downloaded again") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kFile, request); });
  WeightsTable table;
  table.write(server.url() + "/toy.pth", sha_of(kFile));
  const auto file = weights_file("test/toy");
  auto damaged = kFile;
  damaged[1000] ^= 1;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a kernel's clock for files may tick that slowly
  std::ofstream(file, std::ios::binary) << damaged;
  table.set("SECTILE_OFFLINE", "1");
  CHECK(has(problem_of("test/toy"), "has the SHA-256 " + hash(damaged) + ", expected " + hash(kFile)));
  CHECK(contents(file) == damaged);
  table.set("SECTILE_OFFLINE", "0");
  take_file_notes();
  CHECK(contents(weights_file("test/toy")) == kFile);
  const auto notes = take_file_notes();
  REQUIRE(notes.size() == 1);
  CHECK(has(notes[0], "; it is downloaded again"));

  // Damage that keeps size and time is found where contents are to be checked.
  const auto time = fs::last_write_time(file);
  std::ofstream(file, std::ios::binary) << damaged;
  fs::last_write_time(file, time);
  CHECK(contents(weights_file("test/toy", {.check_contents = true})) == kFile);
}

TEST_CASE("offline, only the cache is used; a file that was put there is taken if it is the published one") {
  WeightsTable table;
  table.write("https://example.invalid/toy.pth", sha_of(kFile));
  table.set("SECTILE_OFFLINE", "1");
  CHECK(problem_of("test/toy") == table.cached().string() +
                                      ": is not in the cache, and SECTILE_OFFLINE is set; download test/toy with "
                                      "\"sectile weights get\" where there is a network, or put the file there");
  table.folder().write("cache/weights/test/toy/toy.pth", kFile);
  CHECK(weights_file("test/toy") == table.cached());
}

TEST_CASE("a mirror replaces the host") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kFile, request); });
  WeightsTable table;
  table.write("https://example.invalid/models/toy.pth", sha_of(kFile));
  table.set("SECTILE_WEIGHTS_MIRROR", server.url() + "/base/");
  CHECK(contents(weights_file("test/toy")) == kFile);
  CHECK(server.requests()[0].path == "/base/models/toy.pth");
  fs::remove(table.cached());
  table.set("SECTILE_WEIGHTS_MIRROR", "file:///tmp");
  CHECK(has(problem_of("test/toy"), "SECTILE_WEIGHTS_MIRROR: is \"file:///tmp\"; expected https://"));
}

TEST_CASE("redirects are followed, but not for ever, and never to files") {
  const HttpServer server([](const HttpRequest& request) {
    if (request.path == "/to.pth") return part_of(kFile, request);
    const auto target = request.path == "/from/toy.pth"   ? "/to.pth"
                        : request.path == "/loop/toy.pth" ? "/loop/toy.pth"
                                                          : "file:///etc/passwd";
    return HttpReply{.status = 302, .headers = {std::string("Location: ") + target}};
  });
  WeightsTable table;
  table.write(server.url() + "/loop/toy.pth");
  CHECK(has(problem_of("test/toy"), "the server redirects more than 10 times"));
  table.write(server.url() + "/file/toy.pth");
  CHECK(has(problem_of("test/toy"), "only http and https are followed"));
  CHECK(!fs::exists(table.cached()));
  table.write(server.url() + "/from/toy.pth");
  CHECK(contents(weights_file("test/toy")) == kFile);
}

TEST_CASE("a missing file, a silent server and one that is not there are errors with the URL") {
  const HttpServer server([](const HttpRequest& request) {
    return request.path == "/toy.pth" ? HttpReply{.status = 404, .body = "none"}
                                      : HttpReply{.body = kFile, .sent = 0, .stalls = true};
  });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  CHECK(problem_of("test/toy") ==
        server.url() + "/toy.pth: cannot be downloaded: the server answers with status 404; a file that is put at " +
            table.cached().string() + " is used, too");
  CHECK(!fs::exists(table.cached()));
  table.write(server.url() + "/silent/toy.pth");
  CHECK(has(problem_of("test/toy", {.stall_seconds = 1}), "cannot be downloaded: Operation too slow"));
  table.write("http://127.0.0.1:1/toy.pth");
  CHECK(has(problem_of("test/toy"), "http://127.0.0.1:1/toy.pth: cannot be downloaded: Failed to connect"));
}

TEST_CASE("a full disk keeps what came, and a cache that cannot be written is named") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kFile, request); });
  WeightsTable table;
  table.write(server.url() + "/toy.pth", sha_of(kFile));
  const auto full =
      run("trap '' XFSZ; ulimit -f 100; " SECTILE_BUILD_DIR "/bin/sectile weights get test/toy 2>&1");  // of 512 bytes
  CHECK(full.code == 2);
  CHECK(has(full.output,
            "toy.pth.part: cannot be written: File too large; make room, or name another folder in SECTILE_CACHE"));
  CHECK(!fs::exists(table.cached()));
  CHECK(contents(weights_file("test/toy")) == kFile);
  CHECK(server.requests().back().from == 51'200);

  table.set("SECTILE_CACHE", table.folder().write("a_file", "").string());
  CHECK(has(problem_of("test/toy"),
            "a_file/weights/test/toy: cannot be created: Not a directory; name another folder in SECTILE_CACHE"));
}

TEST_CASE("of two processes at once, one downloads and the other waits for it") {
  const HttpServer server([](const HttpRequest& request) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    return part_of(kFile, request);
  });
  WeightsTable table;
  table.write(server.url() + "/toy.pth", sha_of(kFile));
  const std::string get = SECTILE_BUILD_DIR "/bin/sectile weights get test/toy";
  const auto both = run("(" + get + " & " + get + "; wait) 2>'" + (table.folder() / "notes").string() + "'");
  CHECK(both.output == table.cached().string() + "\n" + table.cached().string() + "\n");
  CHECK(has(contents(table.folder() / "notes"), "note: another process downloads test/toy; waiting for it\n"));
  CHECK(server.requests().size() == 1);
}
