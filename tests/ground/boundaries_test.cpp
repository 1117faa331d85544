// Who may include and link whom.
#include <algorithm>
#include <map>
#include <regex>
#include <sstream>

#include "support/scratch.h"
#include "support/test.h"

using sectile::test::contents;
using sectile::test::run;
namespace fs = std::filesystem;

namespace {

const fs::path kSource = SECTILE_SOURCE_DIR;
const fs::path kBuild = SECTILE_BUILD_DIR;

std::vector<fs::path> sources(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto kind = entry.path().extension();
    const bool is_test = entry.path().stem().string().ends_with("_test");
    if ((kind == ".h" || kind == ".cpp" || kind == ".cu") && !is_test) files.push_back(entry.path());
  }
  return files;
}

// The includes of a folder that match, as "file: what".
std::string includes(const fs::path& folder, const std::string& pattern) {
  const std::regex include("(?:^|\\n)[ \\t]*#[ \\t]*include[ \\t]*[<\"]((?:" + pattern + ")[^>\"]*)[>\"]");
  std::string found;
  for (const auto& file : sources(folder)) {
    const auto text = contents(file);
    for (std::sregex_iterator match(text.begin(), text.end(), include), end; match != end; ++match)
      found += fs::relative(file, kSource).string() + ": " + (*match)[1].str() + "\n";
  }
  return found;
}

const std::string kTorch = "ATen/|c10/|torch/|caffe2/";

std::vector<fs::path> libraries(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".so") found.push_back(entry.path());
  return found;
}

}  // namespace

TEST_CASE("public headers include neither JSON nor Boost nor the whole of LibTorch") {
  CHECK(includes(kSource / "framework/include", "nlohmann/|boost/|torch/torch\\.h|ground/|upper/|\\.\\./") == "");
}

TEST_CASE("headers that datasets and transforms include know no LibTorch") {
  for (const char* header : {"abi", "component", "context", "dataset", "dataset_view", "error", "kind", "mask", "notes",
                             "options", "random", "sample", "schedule", "transform"}) {
    const auto text = contents(kSource / "framework/include/sectile" / (std::string(header) + ".h"));
    CAPTURE(header);
    CHECK(!std::regex_search(text, std::regex("#include <(" + kTorch + "|sectile/torch_abi\\.h)")));
  }
  for (const char* folder : {"data", "transforms"})
    CHECK(includes(kSource / "framework/include/sectile" / folder, kTorch) == "");
}

TEST_CASE("the ground floor includes no LibTorch, no upper floor and no runner") {
  CHECK(includes(kSource / "framework/ground", kTorch + "|.*upper/|.*runner/") == "");
}

TEST_CASE(
    "Boost is included in ground/plugins only, and JSON in ground/checking, ground/describe, ground/spec and "
    "ground/weights "
    "only") {
  for (const char* folder :
       {"ground/checking", "ground/data", "ground/describe", "ground/images", "ground/spec", "ground/weights"})
    CHECK(includes(kSource / "framework" / folder, "boost/") == "");
  for (const char* folder : {"ground/data", "ground/images", "ground/plugins"})
    CHECK(includes(kSource / "framework" / folder, "nlohmann/") == "");
  CHECK(includes(kSource / "framework/upper", "boost/dll|nlohmann/|.*runner/") == "");
  CHECK(includes(kSource / "runner", "boost/dll|nlohmann/|.*plugins/(models|losses|datasets)") == "");
}

TEST_CASE("libcurl is included in framework/download only, which includes nothing of the framework") {
  for (const char* folder : {"framework/ground", "framework/include", "framework/upper", "plugins", "runner"})
    CHECK(includes(kSource / folder, "curl/") == "");
  CHECK(includes(kSource / "framework/download", "sectile/|\\.\\./") == "");
}

TEST_CASE("CUDA is included in framework/cuda only, which includes nothing of the framework or LibTorch") {
  for (const char* folder : {"framework/ground", "framework/include", "framework/upper", "plugins", "runner"})
    CHECK(includes(kSource / folder, "cuda|.*\\.cuh") == "");
  CHECK(includes(kSource / "framework/cuda", "sectile/|\\.\\./|" + kTorch) == "");
  for (const char* folder : {"framework/ground", "framework/include", "plugins", "runner"})
    CHECK(includes(kSource / folder, ".*framework/cuda/") == "");
}

TEST_CASE("nothing links CUDA: what needs it is loaded with the first tensor on a GPU") {
  for (const char* name : {"libsectile_torch.so", "sectile/sectile-compute", "sectile/libsectile_cuda.so"}) {
    const auto file = kBuild / "lib" / name;
    CAPTURE(name);
    if (fs::exists(file)) CHECK(run("readelf -d " + file.string() + " | grep NEEDED | grep -i cud").output == "");
  }
}

TEST_CASE("a network knows neither inference nor training, and inference no training") {
  const auto upper = kSource / "framework/upper";
  for (const char* folder : {"loading", "network", "nn", "reporting", "weights"})
    CHECK(includes(upper / folder, ".*training/|.*inference/") == "");
  CHECK(includes(upper / "inference", ".*training/") == "");
}

TEST_CASE("messages of the framework and of plugins name no option of a command line") {
  const std::regex flag("\"[^\"\\n]*--[a-z][^\"\\n]*\"");
  for (const char* folder : {"framework", "plugins"})
    for (const auto& file : sources(kSource / folder)) {
      const auto text = contents(file);
      CAPTURE(file.string());
      std::smatch found;
      CHECK_MESSAGE(!std::regex_search(text, found, flag), found.str());
    }
}

TEST_CASE("no folder holds more than 20 files, and no file more than 400 lines") {
  std::map<fs::path, int> files;
  for (const char* folder : {"framework", "plugins", "runner"})
    for (const auto& file : sources(kSource / folder)) {
      const auto text = contents(file);
      const auto lines = std::count(text.begin(), text.end(), '\n');
      CHECK_MESSAGE(lines <= 400, file.string() << " has " << lines);
      ++files[file.parent_path()];
    }
  for (const auto& [folder, count] : files)
    if (folder != kSource / "framework/include/sectile")
      CHECK_MESSAGE(count <= 20, folder.string() << " has " << count);
}

// Two classes of one name are one to the linker, which calls the members of either for both.
TEST_CASE("a name of the framework's or runner's namespaces is of one class") {
  const std::regex opens("(?:inline )?namespace(?: ([\\w:]+))? \\{.*"), closes("\\}  // namespace.*"),
      defines("(?:struct|class|enum class) (?:SECTILE_\\w+ )?(\\w+) [^;]*\\{.*");
  std::map<std::string, std::string> files;
  for (const char* folder : {"framework", "runner"})
    for (const auto& file : sources(kSource / folder)) {
      std::istringstream lines(contents(file));
      std::vector<std::string> inside;
      std::smatch found;
      for (std::string line; std::getline(lines, line);) {
        if (std::regex_match(line, found, opens)) {
          if (line.find('}') == std::string::npos) inside.push_back(found[1]);
        } else if (std::regex_match(line, closes)) {
          inside.pop_back();
        } else if (std::regex_match(line, found, defines) && std::count(inside.begin(), inside.end(), "") == 0) {
          std::string name;
          for (const auto& part : inside) name += part + "::";
          const auto [first, is_new] = files.emplace(name + found[1].str(), file.string());
          CHECK_MESSAGE((is_new || first->second == file.string()),
                        first->first << ": " << first->second << ", " << file.string());
        }
      }
    }
  CHECK(files.size() > 200);
}

TEST_CASE("plugins include public headers, and not the inside of the framework") {
  CHECK(includes(kSource / "plugins", "nlohmann/|boost/|torch/torch\\.h|.*ground/|.*upper/|\\.\\./") == "");
  for (const char* kind : {"losses", "metrics"})
    if (fs::exists(kSource / "plugins" / kind))
      CHECK(includes(kSource / "plugins" / kind, "ATen/ATen\\.h|torch/types\\.h|torch/all\\.h") == "");
  for (const char* kind : {"datasets", "transforms", "schedules"})
    if (fs::exists(kSource / "plugins" / kind)) CHECK(includes(kSource / "plugins" / kind, kTorch) == "");
}

TEST_CASE("a plugin exports one symbol and shares the one libsectile.so") {
  for (const auto& folder : {kBuild / "lib/sectile/plugins", kBuild / "tests/plugins"}) {
    for (const auto& library : libraries(folder)) {
      CAPTURE(library.string());
      CHECK(run("nm -D --defined-only " + library.string() + " | awk '{print $NF}'").output == "sectile_plugin\n");
      const auto needed = run("readelf -d " + library.string()).output;
      CHECK((needed.find("[libsectile.so]") != std::string::npos ||
             needed.find("[libsectile_torch.so]") != std::string::npos));
    }
  }
}

TEST_CASE("the front program and the ground floor link neither LibTorch nor libcurl") {
  for (const char* file : {"bin/sectile", "lib/libsectile.so"}) {
    const auto linked = run("ldd " + (kBuild / file).string()).output;
    CAPTURE(file);
    CHECK(linked.find("libopencv_core") != std::string::npos);
    CHECK(linked.find("libtorch") == std::string::npos);
    CHECK(linked.find("libc10") == std::string::npos);
    CHECK(linked.find("libcurl") == std::string::npos);
  }
}
