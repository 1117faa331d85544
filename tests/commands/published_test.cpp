// Published weights by their names: in `predict NAME`, in specs, and where files of weights are read.
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "commands/trained_run.h"
#include "support/http_server.h"
#include "support/test.h"
#include "support/weights_table.h"

using namespace sectile;
using sectile::test::HttpReply;
using sectile::test::HttpRequest;
using sectile::test::HttpServer;
using sectile::test::image;
using sectile::test::names_in;
using sectile::test::run;
using sectile::test::sectile_program;
using sectile::test::WeightsTable;
namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The weights of the trained run, published as test/net with the preprocessing of its spec.
class PublishedNet {
 public:
  explicit PublishedNet(const std::string& options = R"({"widths": [4, 8]})", const std::string& type = "unet") {
    const auto file = folder() / "net.pth";
    converted = sectile_program("weights convert " + run().best() + " -o " + file.string() + " --overwrite");
    body_ = text_of(file);
    table.write_all(R"({"classes": {"shapes": ["background", "circle", "square", "triangle", "star"]},
        "preprocessing": {"usual": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}, "weights": [
        {"name": "test/net", "component": {"kind": "model", "type": ")" +
                    type + R"(", "options": )" + options + R"(}, "url": ")" + server_.url() +
                    R"(/net.pth", "license": "MIT", "source": "https://example.org", "classes": "shapes",
         "preprocessing": "usual"},
        {"name": "test/trunk", "component": {"kind": "backbone", "type": "trunk"}, "url": ")" +
                    server_.url() + R"(/trunk.pth", "license": "MIT", "source": "https://example.org"}]})");
  }
  const fs::path& folder() const { return table.folder().path(); }
  std::size_t downloads() const { return server_.requests().size(); }
  std::string spec_with(const std::string& model) const {
    auto spec = nlohmann::json::parse(text_of(run().spec));
    spec["model"] = nlohmann::json::parse(model);
    return table.folder().write("spec.json", spec.dump()).string();
  }

  WeightsTable table;
  sectile::test::Ended converted;

 private:
  std::string body_;
  HttpServer server_{[this](const HttpRequest&) { return HttpReply{.body = body_}; }};
};

}  // namespace

TEST_CASE("a name predicts: its file, classes and preprocessing are those of the catalogue") {
  const PublishedNet net;
  REQUIRE(net.converted.code == 0);
  const auto photo = image("published.png", 40, 52).string();
  const auto by_name = sectile_program("predict test/net " + photo + " -o " + (net.folder() / "a").string());
  CAPTURE(by_name.text);
  REQUIRE(by_name.code == 0);
  CHECK(by_name.says("downloading test/net"));
  const auto by_file =
      sectile_program("predict " + run().best() + " " + photo + " -o " + (net.folder() / "b").string());
  REQUIRE(by_file.code == 0);
  const auto a = read_raw_image(net.folder() / "a/published.png").pixels,
             b = read_raw_image(net.folder() / "b/published.png").pixels;
  CHECK(cv::norm(a, b, cv::NORM_INF) == 0);
  const auto again = sectile_program("predict test/net " + photo + " -o " + (net.folder() / "c").string() + " --quiet");
  CHECK(again.text.empty());
  CHECK(net.downloads() == 1);
}

TEST_CASE("a name is evaluated on data that the command line gives") {
  const PublishedNet net;
  const auto data =
      std::string(R"( --set '/data/val={"type": "synthetic", "count": 2, "size": [48, 48], "seed": 2}')") +
      R"( --set '/metrics=[{"type": "iou"}, {"type": "pixel_accuracy"}]')";
  const auto by_name = sectile_program("evaluate test/net" + data);
  const auto by_file = sectile_program("evaluate " + run().best());
  CAPTURE(by_name.text);
  CHECK(by_name.code == 0);
  CHECK(by_name.text.find(by_file.text.substr(by_file.text.find("iou"))) != std::string::npos);
  CHECK(!by_name.says("note: /transforms/val"));
  const auto other =
      sectile_program("evaluate test/net" + data + R"( --set '/data/classes=[{"name": "background"}, )" +
                      R"({"name": "square"}, {"name": "circle"}, {"name": "star"}, {"name": "triangle"}]')");
  CHECK(other.code == 2);
  CHECK(other.says("its class 1 is \"circle\", and not \"square\""));
  const auto without = sectile_program("evaluate test/net");
  CHECK(without.code == 2);
  CHECK(without.says("/data/val"));
}

TEST_CASE("the weights of a spec may be a name, which its run keeps") {
  const PublishedNet net;
  const auto spec = net.spec_with(R"({"type": "unet", "widths": [4, 8], "weights": "test/net"})");
  const auto trained = sectile_program("train " + spec + " -o " + (net.folder() / "run").string());
  CAPTURE(trained.text);
  REQUIRE(trained.code == 0);
  CHECK(trained.says("net.pth"));
  const auto kept = nlohmann::json::parse(text_of(net.folder() / "run/spec.json"));
  CHECK(kept["model"]["weights"] == "test/net");
  const auto checked = sectile_program("check " + (net.folder() / "run/spec.json").string());
  CHECK(checked.code == 0);
  CHECK(net.downloads() == 1);
}

TEST_CASE("files of weights are read by their names, and become checkpoints") {
  const PublishedNet net;
  const auto shown = sectile_program("weights show test/net");
  CHECK(shown.code == 0);
  CHECK(shown.says("inc.double_conv.0.weight"));
  CHECK(sectile_program("weights diff test/net " + run().best()).says("tensors are equal"));
  const auto made = net.folder() / "made.pth";
  const auto converted = sectile_program("weights convert test/net --spec test/net -o " + made.string());
  CAPTURE(converted.text);
  REQUIRE(converted.code == 0);
  const auto photo = image("published.png", 40, 52).string();
  CHECK(sectile_program("predict " + made.string() + " " + photo + " -o " + (net.folder() / "a").string()).code == 0);
}

TEST_CASE("names that do not fit are errors that say what does") {
  const PublishedNet net;
  const auto photo = image("published.png", 40, 52).string();
  const auto misspelt = sectile_program("predict test/met " + photo);
  CHECK(misspelt.code == 2);
  CHECK(misspelt.says("test/met: is neither a file nor the name of published weights, did you mean \"test/net\"?"));
  const auto in_spec =
      sectile_program("check " + net.spec_with(R"({"type": "unet", "widths": [4, 8], "weights": "test/met"})"));
  CHECK(in_spec.code == 2);
  CHECK(in_spec.says("/model/weights: test/met: is neither a file"));
  const auto trunk = sectile_program("predict test/trunk " + photo);
  CHECK(trunk.code == 2);
  CHECK(trunk.says("test/trunk: are weights of the backbone \"trunk\" alone, which segments nothing"));
  const auto other = sectile_program("check " + net.spec_with(R"({"type": "fast_scnn", "weights": "test/net"})"));
  CHECK(other.code == 2);
  CHECK(other.says("are weights of the model \"unet\", and the spec has the model \"fast_scnn\""));
  CHECK(net.downloads() == 0);
  const PublishedNet of_missing_plugin("{}", "nowhere");
  const auto missing = sectile_program("predict test/net " + photo);
  CHECK(missing.code == 2);
  CHECK(missing.says("nowhere"));
}

TEST_CASE("a name in a spec is a file beside the spec, or else the published weights, wherever the program runs") {
  const PublishedNet net;
  const auto photo = image("published.png", 40, 52).string();
  const auto other = (net.folder() / "elsewhere").string();
  fs::create_directories(other + "/test");
  std::ofstream(other + "/test/net") << "not weights";
  const auto spec = net.spec_with(R"({"type": "unet", "widths": [4, 8], "weights": "test/net"})");
  const auto in = [](const std::string& folder, const std::string& words) {
    const auto ran = sectile::test::run("cd '" + folder + "' && " SECTILE_BUILD_DIR "/bin/sectile " + words + " 2>&1");
    return sectile::test::Ended{ran.code, ran.output};
  };
  const auto checked = in(other, "check " + spec);
  CHECK_MESSAGE(checked.code == 0, checked.text);
  CHECK(net.downloads() == 1);
  CHECK(in(other, "predict test/net " + photo + " -o a").says("test/net"));
  fs::create_directories(net.folder() / "test");
  fs::copy_file(run().best(), net.folder() / "test/net");
  CHECK(sectile_program("check " + spec).says((net.folder() / "test/net").string() + ": "));
  const auto both =
      sectile_program("weights convert test/net --spec " + spec + " -o " + (net.folder() / "c.pth").string());
  CHECK(both.code == 2);
  CHECK(both.says("test/net: is the name of published weights, and also " + (net.folder() / "test/net").string()));
}

TEST_CASE("published weights on images that are prepared in another way are told") {
  const PublishedNet net;
  const auto photo = image("published.png", 40, 52).string();
  const auto told = [&](const std::string& transforms, const std::string& part) {
    const auto ended = sectile_program("predict test/net " + photo + " -o " + (net.folder() / "a").string() +
                                       " --overwrite --set '/transforms/val=" + transforms + "'");
    CHECK_MESSAGE(ended.code == 0, ended.text);
    CHECK_MESSAGE(ended.says(part), ended.text);
  };
  told("[]", "note: /transforms/val: images are not normalized");
  told(R"([{"type": "normalize", "mean": [0], "deviation": [1]}])",
       "normalized with other values than test/net was trained with, which are the mean [0.485, 0.456, 0.406] and the "
       "deviation [0.229, 0.224, 0.225]");
  const auto spec = net.spec_with(R"({"type": "unet", "widths": [4, 8], "weights": "test/net"})");
  const auto other = R"([{"type": "normalize", "mean": [0.5]}])";
  const auto checked = sectile_program("check " + spec + " --set '/transforms/val=" + other +
                                       "' --set '/transforms/train=" + other + "'");
  CHECK_MESSAGE(checked.says("normalized with other values than test/net"), checked.text);
}

TEST_CASE("weights that a command would not use are an error or a note") {
  const PublishedNet net;
  const auto photo = image("published.png", 40, 52).string(), out = (net.folder() / "a").string();
  const auto on_checkpoint =
      sectile_program("predict " + run().best() + " " + photo + " --set /model/weights=test/net");
  CHECK(on_checkpoint.code == 2);
  CHECK(on_checkpoint.says("/model/weights: has no effect on " + run().best() + ", which has its own weights"));
  const auto spec = net.spec_with(R"({"type": "unet", "widths": [4, 8], "weights": "test/net"})");
  const auto own_run = sectile_program("predict " + spec + " " + photo + " -o " + out +
                                       " --set /output=" + (run().folder / "run").string());
  CHECK_MESSAGE(own_run.code == 0, own_run.text);
  CHECK(own_run.says("best.pth, and not /model/weights, which that run started from"));
  const auto twice = sectile_program("weights convert " + run().best() + " --spec test/net -o " + out +
                                     ".pth --set /model/weights=test/net");
  CHECK(twice.code == 2);
  CHECK(twice.says("FILE and --key say that"));
}

TEST_CASE("another file of weights for the network of a name, and a dataset without classes") {
  const PublishedNet net;
  const auto photo = image("published/a.png", 40, 52).string(), out = (net.folder() / "a").string();
  image("published/grey.png", 24, 32, CV_8UC1);
  const auto other =
      sectile_program("predict test/net " + photo + " -o " + out + " --set /model/weights=" + run().best());
  CHECK_MESSAGE(other.code == 0, other.text);
  CHECK(net.downloads() == 0);
  const auto made = sectile_program("weights convert " + run().best() + " --spec test/net -o " + out + ".pth");
  CHECK_MESSAGE(made.code == 0, made.text);
  const auto split = sectile_program("predict test/net --split val -o " + out +
                                     R"(2 --set '/data/val={"type": "image_folder", "root": ")" +
                                     (run().folder / "published").string() + R"(", "images": "."}')");
  CHECK_MESSAGE(split.code == 0, split.text);
  CHECK(names_in(out + "2").size() == 4);
}

TEST_CASE("a file of classes that is not valid is named once, with the place") {
  const PublishedNet net;
  const auto file = net.table.folder().write("classes.json", "[1,2").string();
  const auto ended = sectile_program("predict test/net " + image("published.png", 40, 52).string() +
                                     " --set /data/classes=null --set /data/classes_file=" + file);
  CHECK(ended.code == 2);
  CHECK_MESSAGE(ended.says("error: " + file + ":1:5: is not valid JSON"), ended.text);
}

TEST_CASE("convert replaces no file that is not weights, and writes no checkpoint under another suffix") {
  const PublishedNet net;
  const auto spec = net.spec_with(R"({"type": "unet", "widths": [4, 8]})");
  const auto before = text_of(spec);
  const auto convert = "weights convert " + run().best() + " --spec test/net --overwrite -o ";
  const auto named_pth = (net.folder() / "spec.pth").string();
  fs::copy_file(spec, named_pth);
  CHECK(sectile_program(convert + named_pth).says("spec.pth: is not a file of weights, and is not replaced"));
  CHECK(text_of(named_pth) == before);
  CHECK(sectile_program(convert + spec).says("a checkpoint is a file of torch.save"));
  CHECK(sectile_program(convert + (net.folder() / "a.safetensors").string()).says("a checkpoint is a file"));
  CHECK(text_of(spec) == before);
  CHECK(sectile_program("weights get test/net").code == 0);
  const auto cached = net.folder() / "cache/weights/test/net/net.pth";
  REQUIRE(fs::exists(cached));
  CHECK(sectile_program("weights convert test/net --overwrite -o " + cached.string()).says("is read itself"));
  CHECK(sectile_program("weights show test/net -o x").says("weights show does not take --output"));
  CHECK(sectile_program("weights diff test/net test/net --values").says("weights diff does not take --values"));
  CHECK(sectile_program("weights convert test/net -o x.pth --set /a=1").says("--set changes a spec"));
}

TEST_CASE("convert writes over no part of the weights that it reads, however it is named") {
  const sectile::test::Scratch folder;
  fs::create_directories(folder / "net"), fs::create_directories(folder / "out");
  const auto part = folder / "net/model-1.safetensors", link = folder / "out/all.safetensors";
  REQUIRE(sectile_program("weights convert " + run().best() + " -o " + part.string()).code == 0);
  folder.write("net/model.safetensors.index.json",
               R"({"weight_map": {"outc.conv.bias": "model-1.safetensors"}})");  // the part has more
  const auto before = text_of(part);
  fs::create_symlink("../net/model-1.safetensors", link);
  const auto convert = "weights convert " + (folder / "net").string() + " --overwrite -o ";
  for (const auto& output : {part, link}) CHECK(sectile_program(convert + output.string()).says("is read itself"));
  CHECK(text_of(part) == before);
  const auto other = (folder / "net/other.safetensors").string();
  for (int time = 0; time < 2; ++time) CHECK(sectile_program(convert + other).code == 0);
  CHECK(sectile_program("weights show " + other).says("1 tensors"));
}

TEST_CASE("the catalogue of the installation is found by both programs") {
  unsetenv("SECTILE_WEIGHTS_TABLE");
  const sectile::test::Scratch cache;
  setenv("SECTILE_CACHE", cache.path().c_str(), 1);
  setenv("SECTILE_OFFLINE", "1", 1);
  const auto ended = sectile_program("weights show milesial/unet_carvana_scale1.0");
  CHECK_MESSAGE(ended.says("is not in the cache, and SECTILE_OFFLINE is set"), ended.text);
  unsetenv("SECTILE_CACHE"), unsetenv("SECTILE_OFFLINE");
}

TEST_CASE("offline, a name whose file is not in the cache is an error") {
  const PublishedNet net;
  net.table.set("SECTILE_OFFLINE", "1");
  const auto ended = sectile_program("predict test/net " + image("published.png", 40, 52).string());
  CHECK(ended.code == 2);
  CHECK(ended.says("is not in the cache, and SECTILE_OFFLINE is set"));
  CHECK(net.downloads() == 0);
}
