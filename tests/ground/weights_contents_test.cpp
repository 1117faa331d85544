// Files of weights whose hash was not published: what is no whole file of weights is neither kept nor recorded.

#include <sectile/error.h>

#include "ground/file_notes.h"
#include "ground/weights/safetensors_header.h"
#include "ground/weights/weights_cache.h"
#include "support/http_server.h"
#include "support/test.h"
#include "support/weights_table.h"

using namespace sectile;
using namespace sectile::test;
namespace fs = std::filesystem;

namespace {

// An archive of no files, behind a beginning that torch.save writes; only its ends are looked at.
std::string zip_file() {
  return std::string("PK\3\4") + std::string(1000, 'x') + std::string("PK\5\6") + std::string(18, '\0');
}

std::string safetensors_file() {
  return write_safetensors_header({{"a", "F32", {100}, 0, 400}}, {}) + std::string(400, '\1');
}

const std::string kLegacy = "\x80\x02" + std::string(100, '.');

std::string refusal(const std::string& name = "test/toy") {
  try {
    weights_file(name);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string half(const std::string& file) { return file.substr(0, file.size() / 2); }

}  // namespace

TEST_CASE("a download without a published hash is refused unless it is a whole file of weights") {
  std::string body;
  const HttpServer server([&](const HttpRequest&) { return HttpReply{.body = body, .tells_length = false}; });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  const auto refused = [&](const std::string& sent, const std::string& why) {
    body = sent;
    const auto problem = refusal();
    CHECK_MESSAGE(says(problem, server.url() + "/toy.pth: the file that came " + why), problem);
    CHECK(says(problem, "; it was not kept"));
    for (const char* suffix : {"", ".json", ".part"}) CHECK(!fs::exists(table.cached(suffix)));
  };
  refused("<!DOCTYPE html>\n<html>Please log in</html>", "begins with \"<!DOCTYPE html>\\n");
  refused("", "is empty");
  refused("\x1f\x8b\x08 compressed", "begins with ");
  refused(half(zip_file()), "is cut short: the end of its zip archive is missing");
  refused(zip_file().substr(0, zip_file().size() - 1), "is cut short: the end of its zip archive is missing");
  refused(half(safetensors_file()), "is cut short");
  refused(safetensors_file() + "more", "has 4 bytes after its last tensor");
  for (const auto& whole : {zip_file(), zip_file() + std::string(500, '\0'), safetensors_file(), kLegacy}) {
    body = whole;
    CHECK(refusal() == "");
    CHECK(contents(table.cached()) == whole);
    fs::remove_all(table.cached().parent_path());
  }
}

TEST_CASE("the first digits of a hash are not enough to accept what is no file of weights") {
  const HttpServer server([](const HttpRequest&) { return HttpReply{.body = "abc"}; });
  WeightsTable table;
  table.write(server.url() + "/toy.pth", R"("sha256": "ba7816bf", )");
  CHECK(says(refusal(), "begins with \"abc\""));
  table.write(server.url() + "/toy.pth",
              R"("sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", )");
  CHECK(refusal() == "");
}

TEST_CASE("a file put into the cache that is no whole file of weights is downloaded anew") {
  const HttpServer server([](const HttpRequest&) { return HttpReply{.body = zip_file()}; });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  table.folder().write("cache/weights/test/toy/toy.pth", half(zip_file()));
  table.set("SECTILE_OFFLINE", "1");
  const auto problem = refusal();
  CHECK(says(problem, table.cached().string() + ": is cut short: the end of its zip archive is missing"));
  CHECK(says(problem, "remove it, "));
  CHECK(!fs::exists(table.cached(".json")));
  table.set("SECTILE_OFFLINE", "0");
  take_file_notes();
  CHECK(refusal() == "");
  CHECK(contents(table.cached()) == zip_file());
  const auto notes = take_file_notes();
  REQUIRE(notes.size() == 1);
  CHECK(says(notes[0], "is cut short: the end of its zip archive is missing; it is downloaded again"));
}

TEST_CASE("a download whose process was killed is resumed, also without a published hash") {
  const auto whole = kLegacy + std::string(200'000, 'w');
  const HttpServer server([&](const HttpRequest& request) {
    auto reply = part_of(whole, request);
    reply.headers.emplace_back("ETag: \"one\"");
    if (request.from == 0) reply.sent = 50'000, reply.stalls = true;
    return reply;
  });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  const auto part = table.cached(".part").string();
  const auto killed =
      run("exec 2>/dev/null; " SECTILE_BUILD_DIR
          "/bin/sectile weights get test/toy --quiet & n=0; until [ \"$(stat -c %s '" +
          part + "')\" = 50000 ] || [ $n = 600 ]; do sleep 0.05; n=$((n + 1)); done 2>/dev/null; kill -9 $!; wait $!");
  CHECK(killed.code == 128 + 9);
  CHECK(refusal() == "");
  CHECK(contents(table.cached()) == whole);
  REQUIRE(server.requests().size() == 2);
  CHECK(server.requests().back().from == 50'000);
  CHECK(server.requests().back().if_range == "\"one\"");
}

TEST_CASE("what stands in the place of a file of the cache is named, and stays") {
  const HttpServer server([](const HttpRequest&) { return HttpReply{.body = zip_file()}; });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  for (const char* suffix : {"", ".json", ".part", ".lock", ".part.etag"}) {
    fs::create_directories(table.cached(suffix));
    const auto problem = refusal();
    CHECK_MESSAGE(says(problem, table.cached(suffix).string() + ": is a folder"), problem);
    CHECK(says(problem, "; move it elsewhere"));
    fs::remove_all(table.cached().parent_path());
  }
}
