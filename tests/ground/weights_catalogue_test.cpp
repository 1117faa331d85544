// The catalogue of published weights: the table itself, names, listings, and the commands.
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "ground/weights/catalogue.h"
#include "ground/weights/catalogue_listing.h"
#include "ground/weights/published_spec.h"
#include "ground/weights/weights_cache.h"
#include "support/http_server.h"
#include "support/test.h"
#include "support/weights_table.h"

using namespace sectile;
using namespace sectile::test;
namespace fs = std::filesystem;

namespace {

const std::string kWeights("\x80\x02}.", 4);  // a pickle of an empty dictionary

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string table_problem(const std::string& json) {
  WeightsTable table;
  table.write_all(json);
  try {
    catalogue();
  } catch (const DataError& error) {
    const std::string what = error.what();
    return what.substr(what.find_first_not_of(' ', what.find(".json:") + 6));
  }
  return "";
}

std::string entry_with(const std::string& from, const std::string& to) {
  return replaced(R"({"classes": {"two": ["a", "b"]}, "preprocessing": {"one": {"resize": [520]}}, "weights": [
      {"name": "test/toy", "component": {"kind": "model", "type": "toy", "options": {}}, "url": "https://example.org/toy.pth",
       "sha256": "0123456789abcdef", "license": "MIT", "source": "https://example.org", "classes": "two", "preprocessing": "one"}]})",
                  from, to);
}

}  // namespace

TEST_CASE("the table is valid, and its hashes are those in the names of the files") {
  std::size_t hashes = 0;
  for (const auto& entry : catalogue()) {
    CAPTURE(entry.name);
    CHECK(entry.url.starts_with("https://"));
    CHECK(find_entry(entry.name) == &entry);
    if (entry.sha256.empty()) continue;
    ++hashes;
    CHECK(entry.url.ends_with("-" + entry.sha256 + ".pth"));
  }
  CHECK(hashes == 38);
  const auto* deeplab = find_entry("torchvision/deeplabv3_resnet101");
  REQUIRE(deeplab != nullptr);
  CHECK(deeplab->sha256 == "586e9e4e");
  CHECK(deeplab->options == R"({"backbone":{"type":"resnet101"},"aux_loss":true})");
  CHECK(deeplab->class_names.size() == 21);
  CHECK(deeplab->class_names[15] == "person");
  REQUIRE(deeplab->preprocessing);
  CHECK(deeplab->preprocessing->resize == std::vector<int>{520});
  CHECK(deeplab->preprocessing->mean == std::vector<double>{0.485, 0.456, 0.406});
  CHECK(find_entry("nvidia/segformer-b0-finetuned-ade-512-512")->class_names.size() == 150);
  CHECK(find_entry("nvidia/segformer-b5-finetuned-cityscapes-1024-1024")->class_names.size() == 19);
}

TEST_CASE("SegFormers have the decoder of their backbone, and the classes of their dataset") {
  std::size_t count = 0;
  for (const auto& entry : catalogue()) {
    if (entry.type != "segformer") continue;
    CAPTURE(entry.name);
    ++count;
    const auto options = Json::parse(entry.options);
    const auto size = entry.name.substr(std::string("nvidia/segformer-").size(), 2);  // "b3"
    CHECK(options["backbone"]["type"] == "mit_" + size);
    CHECK(options.value("decoder_hidden_size", 256) == (size < "b2" ? 256 : 768));
    CHECK(entry.class_names.size() == (contains(entry.name, "-ade-") ? 150 : 19));
    const auto spec = Json::parse(published_spec(entry));
    CHECK(spec["transforms"]["val"][0]["size"].size() == 2);
    CHECK(spec["data"]["channels"] == 3);
  }
  CHECK(count == 15);
}

TEST_CASE("detectors have COCO's classes with their ids, and the spec of their preprocessing") {
  const auto* net = find_entry("torchvision/maskrcnn_resnet50_fpn");
  REQUIRE(net != nullptr);
  CHECK(net->class_names.size() == 80);
  CHECK(net->class_names[11] == "stop sign");
  CHECK(net->class_ids[11] == 13);
  CHECK(net->class_ids.back() == 90);
  const auto spec = Json::parse(published_spec(*net));
  CHECK(spec["task"] == "instance");
  CHECK(spec["model"]["type"] == "mask_rcnn");
  CHECK(spec["data"]["classes"][11] == Json{{"name", "stop sign"}, {"value", 13}});
  CHECK(spec["transforms"]["val"][0] == Json{{"type", "resize"},
                                             {"interpolation", "bilinear"},
                                             {"shortest_edge", 800},
                                             {"longest_edge", 1333},
                                             {"backend", "cv2"}});
  CHECK(Json::parse(published_spec(*find_entry("torchvision/deeplabv3_resnet101")))["task"] == "semantic");
}

TEST_CASE("mistakes in a table are errors with their place") {
  CHECK(table_problem(entry_with("MIT", "MIT")) == "");
  CHECK(table_problem(entry_with("\"sha256\"", "\"sha265\"")) ==
        "/weights/0/sha265: is not a known key, did you mean \"sha256\"?");
  CHECK(table_problem(entry_with("\"license\": \"MIT\", ", "")) == "/weights/0/license: is missing");
  CHECK(contains(table_problem(entry_with("\"MIT\"", "3")), "/weights/0/license: is 3"));
  CHECK(table_problem(entry_with("\"classes\": \"two\"", "\"classes\": \"three\"")) == "/classes/three: is missing");
  CHECK(contains(table_problem(entry_with("0123456789abcdef", "0123456789ABCDEF")), "/weights/0/sha256: is "));
  CHECK(contains(table_problem(entry_with("https://example.org/toy.pth", "file:///toy.pth")), "/weights/0/url: is "));
  CHECK(contains(table_problem(entry_with("test/toy", "../toy")), "/weights/0/name: "));
  CHECK(contains(table_problem(entry_with("test/toy", "toy")),
                 "/weights/0/name: is \"toy\"; expected \"publisher/name\""));
  for (const char* size : {"-1", "0", "1.5", "true", "\"3\""}) {
    CAPTURE(size);
    CHECK(table_problem(entry_with("\"license\"", std::string("\"size\": ") + size + ", \"license\"")) ==
          std::string("/weights/0/size: is ") + size + "; expected the file's bytes, 1 or more");
  }
  CHECK(contains(table_problem(entry_with("[520]", "[520.5]")), "/preprocessing/one/resize: is "));
  CHECK(contains(table_problem(entry_with("[520]", "[520], \"longest_edge\": \"x\"")),
                 "/preprocessing/one/longest_edge: is "));
  CHECK(table_problem(entry_with(R"(["a", "b"])", R"({"names": ["a", "b"], "ids": [1, 5]})")) == "");
  CHECK(table_problem(entry_with(R"(["a", "b"])", R"({"names": ["a", "b"], "ids": [1]})")) ==
        "/classes/two/ids: are 1, and there are 2 names");
  CHECK(table_problem(entry_with("\"license\"", "\"task\": \"objects\", \"license\"")) ==
        "/weights/0/task: is \"objects\"; expected \"semantic\", \"instance\" or \"panoptic\"");
  CHECK(table_problem("{").starts_with("1:2: "));
  CHECK(table_problem("[]") == "is not an object");
}

TEST_CASE("a folder as the table is an error with its path") {
  WeightsTable table;
  table.set("SECTILE_WEIGHTS_TABLE", table.folder().path().string());
  CHECK_THROWS_WITH_AS(catalogue(), doctest::Contains((table.folder().path().string() + ": ").c_str()), DataError);
}

TEST_CASE("where the table cannot be read, a file of weights that is gone stays a path, and a name is an error") {
  WeightsTable table;
  table.write_all("{");
  CHECK(published_entry("runs/gone.pth", table.folder() / "runs/gone.pth") == nullptr);
  CHECK_THROWS_WITH_AS(published_entry("test/toy", table.folder() / "test/toy"), doctest::Contains(".json:1:2: "),
                       DataError);
}

TEST_CASE("an unknown name suggests the nearest one, also without its publisher") {
  const auto problem = [](const std::string& name) {
    try {
      weights_file(name);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(problem("torchvision/deeplab3_resnet101") ==
        "torchvision/deeplab3_resnet101: is neither a file nor the name of published weights, did you mean "
        "\"torchvision/deeplabv3_resnet101\"?");
  CHECK(contains(problem("mit-b3"), "did you mean \"nvidia/mit-b3\"?"));
  CHECK(contains(problem("runs/mine/best.pth"), "; \"sectile weights list\" shows the names"));
}

TEST_CASE("the listing says what is downloaded, and which components are missing") {
  const Scratch no_plugins;
  const PluginIndex index({no_plugins.path()});
  WeightsTable table;
  table.write_all(replaced(entry_with("\"options\": {}", "\"options\": {\"backbone\": {\"type\": \"small\"}}"),
                           "\"license\"", "\"size\": 1500000, \"license\""));
  CHECK(catalogue_text(index, "") ==
        "name      size    license  status\n"
        "test/toy  1.5 MB  MIT      needs model toy and backbone small, which are not installed\n");
  table.folder().write("cache/weights/test/toy/toy.pth", "");
  CHECK(contains(catalogue_text(index, "toy"), "downloaded; needs model toy and backbone small"));
  const auto json = nlohmann::json::parse(catalogue_json(index, "toy"));
  CHECK(json[0]["missing_components"] == nlohmann::json({"model toy", "backbone small"}));
  CHECK(json[0]["downloaded"] == true);
  CHECK(json[0]["classes"] == nlohmann::json({"a", "b"}));
  CHECK_THROWS_WITH_AS(catalogue_text(index, "tou"),
                       "\"tou\": no name of published weights contains this, did you mean \"test/toy\"?", DataError);
}

TEST_CASE("sizes are in a fitting unit, the same for published bytes and texts") {
  const Scratch no_plugins;
  const PluginIndex index({no_plugins.path()});
  WeightsTable table;
  const auto listed = [&](const std::string& size, const std::string& expected) {
    table.write("https://example.org/toy.pth", size);
    const auto text = catalogue_text(index, "");
    CHECK_MESSAGE(contains(text, "test/toy  " + expected + " "), text);
  };
  listed("\"size\": 52000, ", "52.0 kB");
  listed("\"size\": 999960, ", "1.0 MB");
  listed("\"size\": 2500000000, ", "2.5 GB");
  listed("\"approximate_size\": \"233.2 MiB\", ", "244.5 MB");
  listed("\"approximate_size\": \"15.1 MB\", ", "15.1 MB");
  listed("\"approximate_size\": \"small\", ", "small");
  listed("", "-");
}

TEST_CASE("the listing finds names in any case, and needs no cache") {
  const Scratch no_plugins;
  const PluginIndex index({no_plugins.path()});
  WeightsTable table;
  table.write("https://example.org/toy.pth");
  CHECK(contains(catalogue_text(index, "TOY"), "test/toy"));
  fs::create_directories(table.cached());
  CHECK(!contains(catalogue_text(index, ""), "downloaded"));
  CHECK(nlohmann::json::parse(catalogue_json(index, ""))[0]["downloaded"] == false);

  const std::string list =
      "env -u HOME -u XDG_CACHE_HOME -u SECTILE_CACHE " SECTILE_BUILD_DIR "/bin/sectile weights list";
  const auto text = run(list + " 2>&1");
  CHECK(text.code == 0);
  CHECK(contains(text.output, "test/toy"));
  const auto json = nlohmann::json::parse(run(list + " --json").output);
  CHECK(json[0]["downloaded"].is_null());
  CHECK(json[0]["file"].is_null());
}

TEST_CASE("weights get writes over no link, pipe or folder, and not over its own file") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kWeights, request); });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  const auto refused = [](const fs::path& output, const std::string& why) {
    const auto got = sectile::test::sectile("weights get test/toy --overwrite --output '" + output.string() + "'");
    CHECK(got.code == 2);
    CHECK_MESSAGE(contains(got.output, output.string() + ": " + why), got.output);
  };
  const auto target = table.folder().write("target", "mine");
  fs::create_symlink(target, table.folder() / "link");
  fs::create_symlink("nowhere", table.folder() / "dangling");
  fs::create_directory(table.folder() / "folder");
  REQUIRE(mkfifo((table.folder() / "pipe").c_str(), 0600) == 0);
  for (const char* name : {"link", "dangling", "pipe", "folder"})
    refused(table.folder() / name, "is not a regular file");
  CHECK(fs::is_symlink(table.folder() / "link"));
  CHECK(contents(target) == "mine");
  CHECK(fs::is_fifo(table.folder() / "pipe"));
  refused(table.folder() / "cache/../cache/weights/test/toy/toy.pth", "is the file in the cache itself");
  CHECK(server.requests().empty());
}

TEST_CASE("options of weights list and get without effect are errors") {
  const WeightsTable table;
  const auto refused = [](const std::string& words, const std::string& why) {
    const auto got = sectile::test::sectile("weights " + words);
    CHECK(got.code == 2);
    CHECK_MESSAGE(contains(got.output, why), got.output);
  };
  refused("list --output x", "weights list takes no --output");
  refused("list --overwrite", "weights list takes no --overwrite");
  refused("get test/toy --json", "weights get takes no --json");
  refused("get test/toy --overwrite", "--overwrite needs --output");
}

TEST_CASE("weights get prints where the file is, and writes it to --output, but over nothing") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kWeights, request); });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  const auto got = sectile::test::sectile("weights get test/toy");
  CHECK(got.code == 0);
  CHECK(contains(got.output, table.cached().string()));
  const auto output = (table.folder() / "mine.pth").string();
  CHECK(sectile::test::sectile("weights get test/toy --output " + output).output == output + "\n");
  CHECK(contents(output) == kWeights);
  const auto again = sectile::test::sectile("weights get test/toy --output " + output);
  CHECK(again.code == 2);
  CHECK(contains(again.output, output + ": exists already; replace it with --overwrite"));
  CHECK(sectile::test::sectile("weights get test/toy --overwrite --output " + output).code == 0);
  CHECK(contains(sectile::test::sectile("weights get tset/toy").output, "did you mean \"test/toy\"?"));
  CHECK(contains(sectile::test::sectile("weights get").output, "weights get needs NAME"));
}

TEST_CASE("weights get downloads, also where a folder of the name is in the current one") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kWeights, request); });
  WeightsTable table;
  table.write(server.url() + "/toy.pth");
  fs::create_directories(table.folder() / "test/toy");
  const auto got = run("cd '" + table.folder().path().string() +
                       "' && " SECTILE_BUILD_DIR "/bin/sectile weights get test/toy --quiet");
  CHECK(got.output == table.cached().string() + "\n");
  CHECK(contents(table.cached()) == kWeights);
}

TEST_CASE("an installation that was moved finds its table and downloads") {
  const HttpServer server([](const HttpRequest& request) { return part_of(kWeights, request); });
  WeightsTable table;
  const fs::path build = SECTILE_BUILD_DIR;
  const auto moved = table.folder() / "moved here";
  for (const char* file :
       {"bin/sectile", "lib/libsectile.so", "lib/sectile/libsectile_download.so", "share/sectile/weights.json"}) {
    fs::create_directories((moved / file).parent_path());
    fs::copy_file(build / file, moved / file);
  }
  std::string program = "'";
  program += (moved / "bin/sectile").string() + "' weights ";
  CHECK(contains(run(program + "list resnet101 2>&1").output, "torchvision/deeplabv3_resnet101"));
  table.write(server.url() + "/toy.pth");
  CHECK(run(program + "get test/toy --quiet 2>&1").output == table.cached().string() + "\n");
  fs::remove(moved / "lib/sectile/libsectile_download.so");
  fs::remove(table.cached());
  CHECK(contains(run(program + "get test/toy 2>&1").output, "libsectile_download.so: cannot be loaded: "));
}
