#include "ground/plugins/plugin_index.h"

#include <cstdlib>

#include <sectile/context.h>
#include <sectile/schedule.h>

#include "ground/plugins/library.h"
#include "ground/spec/json_options.h"
#include "ground/spec/suggestion.h"
#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using sectile::test::Scratch;
namespace fs = std::filesystem;

namespace {

const fs::path kBad = SECTILE_BUILD_DIR "/tests/bad_plugins";
const fs::path kParts = SECTILE_BUILD_DIR "/tests/plugins";

fs::path copy(const fs::path& library, const fs::path& folder, const std::string& name) {
  fs::create_directories(folder);
  fs::copy_file(library, folder / name);
  return folder / name;
}

std::string message_of(const PluginIndex& index) {
  try {
    struct Holder {
      Ref<Schedule> schedule{"constant"};
      void declare(Options& options) { options.add("schedule", &schedule, "What is tried."); }
    } holder;
    SpecReader{index, {}}.read(&holder, kValueType<Holder>);
    holder.schedule.build({});
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing is wrong";
}

}  // namespace

TEST_CASE("the first folder wins and the others are shadowed") {
  const Scratch scratch;
  const auto first = copy(kBad / "twice/libsectile_bad_twice_a.so", scratch.path() / "a", "libsectile_x.so");
  const auto second = copy(kBad / "twice/libsectile_bad_twice_b.so", scratch.path() / "b", "libsectile_y.so");
  const PluginIndex index({scratch.path() / "a", scratch.path() / "b", scratch.path() / "a/../a"});
  CHECK(index.entry("schedule", "constant").file == first);
  CHECK(index.searched().size() == 2);  // the same folder again adds nothing
  REQUIRE(index.shadowed().size() == 1);
  CHECK(index.shadowed()[0].entry.file == second);
  CHECK(index.shadowed()[0].by == first);
  const PluginIndex other({scratch.path() / "b", scratch.path() / "a"});
  CHECK(other.entry("schedule", "constant").file == second);
}

TEST_CASE("only files named libsectile_*.so are looked into, whatever component they hold") {
  const Scratch scratch;
  const auto library = kBad / "twice/libsectile_bad_twice_a.so";
  copy(library, scratch.path(), "constant.so");
  copy(library, scratch.path(), "libsectile_constant.so.1");
  CHECK(PluginIndex({scratch.path()}).all().empty());
  copy(library, scratch.path(), "libsectile_model_unet.so");
  CHECK(PluginIndex({scratch.path()}).knows("schedule", "constant"));
}

TEST_CASE("a link to a library of the same folder is no second offer") {
  const Scratch scratch;
  const auto file = copy(kBad / "twice/libsectile_bad_twice_a.so", scratch.path(), "libsectile_a.so");
  fs::create_symlink(file, scratch.path() / "libsectile_b.so");
  const PluginIndex index({scratch.path()});
  CHECK(index.entry("schedule", "constant").problem == "");
}

TEST_CASE("a folder that does not exist is searched in vain, and said so") {
  const PluginIndex index({"/nonexistent/plugins", kParts});
  CHECK(index.knows("transform", "bare"));
  CHECK(search_report(index).rfind("\nsearched:\n  /nonexistent/plugins (No such file or directory)\n", 0) == 0);
}

TEST_CASE("SECTILE_PLUGIN_PATH adds to the folder beside libsectile.so") {
  setenv("SECTILE_PLUGIN_PATH", "/first::/second", 1);
  const auto folders = plugin_folders();
  unsetenv("SECTILE_PLUGIN_PATH");
  REQUIRE(folders.size() == 3);
  CHECK(folders[0] == "/first");
  CHECK(folders[1] == "/second");
  CHECK(fs::equivalent(folders[2], SECTILE_BUILD_DIR "/lib/sectile/plugins"));
}

TEST_CASE("ABI strings are compared field by field") {
  const std::string host = "api 1; libtorch 2.11.0; opencv 4.6; c++ 202002L";
  CHECK(abi_difference(host, host) == "");
  CHECK(abi_difference("api 1; opencv 4.6; c++ 202302L", host) == "");  // ground floor only, newer C++
  CHECK(abi_difference("api 2; libtorch 2.10.0; opencv 4.6; c++ 201703L", host) ==
        "\n  api: plugin 2, host 1\n  c++: plugin 201703L, host 202002L\n  libtorch: plugin 2.10.0, host 2.11.0");
  CHECK(abi_difference("api 1; libtorch 2.11.0; c++ 202002L", host) == "\n  opencv: plugin (not stated), host 4.6");
  CHECK(abi_difference("", host).find("api: plugin (not stated), host 1") != std::string::npos);
}

TEST_CASE("a name of another kind is told, and near names are suggested") {
  const PluginIndex index({kParts});
  CHECK(unknown_component(index, "loss", "part_dataset") ==
        "unknown loss \"part_dataset\"; \"part_dataset\" is a dataset; known: part_loss");
  CHECK(unknown_component(index, "loss", "part_los") == "unknown loss \"part_los\", did you mean \"part_loss\"?");
  CHECK(unknown_component(index, "loss", "q") == "unknown loss \"q\"; known: part_loss");
  CHECK(unknown_component(index, "schedule", "poly") == "unknown schedule \"poly\"; no plugin provides a schedule");
}

TEST_CASE("a library of another ABI is refused and nothing of it is executed") {
  const Scratch scratch;
  const auto trace = scratch.path() / "trace";
  setenv("SECTILE_TEST_TRACE", trace.c_str(), 1);
  CHECK(message_of(PluginIndex({kBad / "other_abi"})).find("was not loaded") != std::string::npos);
  CHECK(!fs::exists(trace));
  unsetenv("SECTILE_TEST_TRACE");
}

TEST_CASE("each library that is built wrong is told what is wrong with it") {
  const Scratch scratch;
  const auto good = test::contents(kBad / "twice/libsectile_bad_twice_a.so");
  scratch.write("not_elf/libsectile_bad.so", "This is a text.\n");
  scratch.write("empty/libsectile_bad.so", "");
  scratch.write("cut_short/libsectile_bad.so", good.substr(0, 1000));
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(SECTILE_SOURCE_DIR "/tests/bad_plugins")) {
    if (entry.path().extension() != ".txt") continue;
    const auto name = entry.path().stem().string();
    if (name == "CMakeLists") continue;
    CAPTURE(name);
    const auto made = fs::exists(kBad / name) ? kBad : scratch.path();
    auto message = test::replaced(message_of(PluginIndex({made / name})), (made / name).string(), "FOLDER");
    message = test::replaced(message, made.string(), "OTHERS");
    CHECK(message + "\n" == test::contents(entry.path()));
    ++compared;
  }
  CHECK(compared == 14);
}
