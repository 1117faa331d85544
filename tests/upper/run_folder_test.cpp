// What a run may remove and replace in its folder, and what it may not.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/training/run_folder.h"
#include "upper/training/trainer.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

const char* const kSmallRun = R"({
  "data": {"train": {"type": "synthetic", "count": 8, "size": [32, 32], "seed": 1},
           "val": {"type": "synthetic", "count": 2, "size": [32, 32], "seed": 2}},
  "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
  "model": {"type": "unet", "widths": [2, 2]},
  "loss": [{"type": "cross_entropy"}],
  "metrics": [{"type": "iou"}],
  "train": {"epochs": 2, "batch_size": 4}
})";

TrainResult train_small(const fs::path& folder, const std::string& changes = "{}",
                        const std::vector<TrainListener>& listeners = {}, const TrainControl& control = {}) {
  SpecFile file;
  file.json = Json::parse(kSmallRun);
  file.json.merge_patch(Json::parse(changes));
  auto pipeline = Pipeline::for_training(test::plugins(), read_spec(test::plugins(), file), at::kCPU);
  return train(pipeline, folder, listeners, control);
}

using Contents = std::map<std::string, std::string>;

// Of all files in the folder, by name.
Contents contents_of(const fs::path& folder) {
  Contents all;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) all[fs::relative(entry.path(), folder).string()] = test::contents(entry.path());
  return all;
}

TrainListener throwing_at(std::int64_t step) {
  TrainListener listener;
  listener.stepped = [step](const StepReport& report) {
    if (report.step == step) throw std::runtime_error("thrown by the test");
  };
  return listener;
}

// A run that replaces the one in the folder, and is killed when it has written what the function writes.
void replace_and_be_killed(const fs::path& folder, const std::function<void(const RunFolder&)>& write) {
  const pid_t child = fork();
  if (child == 0) {
    RunFolder killed(folder);
    killed.start_anew();
    std::ofstream(killed.log()) << "{}\n";
    write(killed);
    _exit(0);  // no destructor
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(status == 0);
}

test::Ran train_program(const test::Scratch& scratch, const std::string& arguments) {
  scratch.write("small.json", kSmallRun);
  return test::sectile("train " + (scratch / "small.json").string() + " --quiet " + arguments);
}

}  // namespace

TEST_CASE("files beside a run's own are never removed; only exact leftovers of killed saves are") {
  const test::Scratch scratch;
  const auto folder = scratch / "run";
  Contents others;
  for (const char* name :
       {"best.pth.bak", "log.jsonl.1", "spec.json.orig", "last.pth.tmp", "last.pth.tmp12", "last.pth.tmp12-",
        "last.pth.tmp-3", "last.pth.tmp1-2.bak", "step-000001-good.pth", "step-final.pth", "step-1.pth",
        "step-0000001.pth", "notes.txt", "notes.txt.tmp12-3", "best.pth.part7", "replaced/last.pth"}) {
    others[name] = name;
    scratch.write(std::string("run/") + name, name);
  }
  others["step-000009.pth/a"] = "in a folder";
  scratch.write("run/step-000009.pth/a", "in a folder");
  for (const char* name : {"last.pth.tmp12-3", "best.pth.tmp9-0", "step-000001.pth.tmp12-3"})
    scratch.write(std::string("run/") + name, "half a file");
  train_small(folder, R"({"train": {"keep": 1}})");
  train_small(folder, R"({"train": {"keep": 1, "epochs": 3}})");
  auto found = contents_of(folder);
  for (const char* name : {"last.pth", "best.pth", "log.jsonl", "spec.json", "step-000006.pth"})
    CHECK(found.erase(name) == 1);
  CHECK(found == others);
}

TEST_CASE(
    "an earlier run stays until its replacement saves: misspelt metrics, unmatched rules, errors in the first step") {
  const test::Scratch scratch;
  const auto folder = scratch / "run";
  train_small(folder, R"({"train": {"keep": 2}})");
  const auto before = contents_of(folder);
  CHECK(before.size() == 6);
  CHECK_THROWS_AS(train_small(folder, R"({"train": {"best_metric": "iou/miou"}})"), SpecError);
  CHECK(contents_of(folder) == before);
  CHECK_THROWS_AS(train_small(folder, R"({"optimizer": {"groups": [{"match": "encoder.*", "freeze": true}]}})"),
                  SpecError);
  CHECK(contents_of(folder) == before);
  TrainControl never;
  const auto first = throwing_at(1);
  TrainListener in_the_first_save = first;
  CHECK_THROWS_AS(train_small(folder, R"({"model": {"widths": [2, 2, 2, 2, 2, 2, 2]}})"), std::exception);  // too deep
  CHECK(contents_of(folder) == before);

  // One that was saved only because of an error: both are there.
  std::vector<std::string> told;
  auto ends = first;
  ends.noted = [&](const std::string& note) { told.push_back(note); };
  CHECK_THROWS_AS(train_small(folder, "{}", {ends}), std::runtime_error);
  CHECK(load_checkpoint(folder / "last.pth").step == 1);
  CHECK(!fs::exists(folder / "best.pth"));
  CHECK(contents_of(folder / ".replaced-run") == before);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("the run that this one replaces is kept in " + (folder / ".replaced-run").string()) == 0);
  CHECK(RunFolder(folder).notes() == told);

  // Without the save, the earlier one comes back; a second replacement comes in the first one's place; one that is
  // evaluated has replaced it.
  const auto both = scratch / "both";
  fs::copy(folder, both, fs::copy_options::recursive);
  fs::remove(both / "last.pth");
  { const RunFolder again(both); }
  CHECK(contents_of(both) == before);
  CHECK_THROWS_AS(train_small(folder, "{}", {throwing_at(2)}), std::runtime_error);
  CHECK(load_checkpoint(folder / "last.pth").step == 2);
  CHECK(contents_of(folder / ".replaced-run") == before);
  train_small(folder, "{}", {}, {.resume_from = folder / "last.pth"});
  CHECK(load_checkpoint(folder / "last.pth").step == 4);
  CHECK(!fs::exists(folder / ".replaced-run"));
}

TEST_CASE("a run that was killed while it replaced another, and had saved nothing, has lost nothing") {
  const test::Scratch scratch;
  const auto folder = scratch / "run";
  train_small(folder);
  const auto before = contents_of(folder);
  replace_and_be_killed(folder, [](const RunFolder&) {});
  CHECK(!fs::exists(folder / "last.pth"));
  {
    const RunFolder again(folder);
    REQUIRE(again.notes().size() == 1);
    CHECK(again.notes()[0].find("is back, because its replacement had saved nothing") != std::string::npos);
  }
  CHECK(contents_of(folder) == before);
}

TEST_CASE("a replacement that was killed in its first save, between step-*.pth and last.pth, leaves nothing behind") {
  const test::Scratch scratch;
  const auto folder = scratch / "run";
  train_small(folder);
  const auto before = contents_of(folder);
  replace_and_be_killed(folder,
                        [](const RunFolder& killed) { std::ofstream(killed.save_of(1)) << "of the replacement"; });
  { const RunFolder again(folder); }
  CHECK(contents_of(folder) == before);
}

TEST_CASE("a run that was killed while its files were moved is whole again, with a last.pth and without") {
  for (const bool without_last : {false, true}) {
    CAPTURE(without_last);
    const test::Scratch scratch;
    const auto folder = scratch / "run";
    train_small(folder);
    if (without_last) fs::remove(folder / "last.pth");
    const auto before = contents_of(folder);
    fs::create_directories(folder / ".moved-run");
    fs::rename(folder / "best.pth", folder / ".moved-run/best.pth");
    { const RunFolder again(folder); }
    CHECK(contents_of(folder) == before);
  }
}

TEST_CASE("what is left of a replaced run does not come back over weights that the user kept") {
  const test::Scratch scratch;
  const Contents kept{{"best.pth", "precious"}, {"step-000002.pth", "precious"}};
  for (const char* left : {".replaced-run/", ".dropped-run/", ".dropped-run/best.pth"}) {
    CAPTURE(left);
    const auto folder = scratch / "run";
    fs::remove_all(folder);
    for (const auto& [name, text] : kept) scratch.write("run/" + name, text);
    if (std::string(left).ends_with('/'))
      fs::create_directory(folder / left);
    else
      scratch.write(std::string("run/") + left, "a part of a run");
    { const RunFolder again(folder); }
    CHECK(contents_of(folder) == kept);
    CHECK(!fs::exists(folder / ".replaced-run"));
    CHECK(!fs::exists(folder / ".dropped-run"));
  }
}

TEST_CASE("two processes do not train in one folder, and a lock ends with its owner") {
  const test::Scratch scratch;
  {
    const RunFolder mine(scratch.path());
    CHECK_THROWS_WITH_AS(RunFolder(scratch.path()), doctest::Contains("is in use: process "), DataError);
    const auto ran = train_program(scratch, "-o " + scratch.path().string());
    CHECK(ran.code == 2);
    CHECK(ran.output.find(": is in use: process " + std::to_string(getpid()) + " on ") != std::string::npos);
  }
  const pid_t child = fork();
  if (child == 0) {
    const RunFolder killed(scratch.path());
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK_NOTHROW(RunFolder(scratch.path()));
  CHECK(contents_of(scratch.path()).count(".sectile-train.lock") == 0);
}

TEST_CASE("a folder that a run only tried to use is not left behind") {
  const test::Scratch scratch;
  { const RunFolder unused(scratch / "new"); }
  CHECK(!fs::exists(scratch / "new"));
  {
    RunFolder without_a_step(scratch / "new");
    without_a_step.start_anew();
    std::ofstream(without_a_step.log());
    std::ofstream(without_a_step.spec()) << "{}";
  }
  CHECK(!fs::exists(scratch / "new"));
}

TEST_CASE("saves are kept by their numbers, also those of seven digits") {
  const test::Scratch scratch;
  for (const char* name : {"step-999998.pth", "step-999999.pth", "step-1000000.pth", "step-000005.pth",
                           "step-1000009.pth", "step-final.pth", "step-000001-good.pth"})
    scratch.write(name, name);
  const RunFolder folder(scratch.path());
  CHECK(folder.saved_steps() == std::vector<std::int64_t>{5, 999998, 999999, 1000000, 1000009});
  CHECK(folder.latest_save() == scratch / "step-1000009.pth");
  folder.keep(2, 1000000);  // 1000009 is of a future that a resumed run has left
  CHECK(folder.saved_steps() == std::vector<std::int64_t>{999999, 1000000});
  CHECK(fs::exists(scratch / "step-final.pth"));
  CHECK(fs::exists(scratch / "step-000001-good.pth"));
}

TEST_CASE("nothing of a run's is replaced unasked, not even a best.pth alone, and nothing at all that is not a run's") {
  const test::Scratch scratch;
  const auto folder = (scratch / "run").string();
  for (const char* name : {"last.pth", "best.pth", "log.jsonl", "step-000004.pth"}) {
    CAPTURE(name);
    fs::remove_all(folder);
    scratch.write(std::string("run/") + name, "precious");
    const auto ran = train_program(scratch, "-o " + folder);
    CHECK(ran.code == 2);
    CHECK(ran.output.find("contains an earlier run") != std::string::npos);
    CHECK(contents_of(folder) == Contents{{name, "precious"}});
  }
  fs::remove_all(folder);
  scratch.write("run/spec.json", kSmallRun);
  for (const char* how : {"", " --overwrite", " --resume=auto"}) {
    CAPTURE(how);
    const auto ran = test::run("cd " + folder + " && " SECTILE_BUILD_DIR "/bin/sectile train spec.json --quiet -o ." +
                               how + " 2>&1");
    CHECK(ran.code == 2);
    CHECK(ran.output.find("spec.json: is not of a run") != std::string::npos);
    CHECK(contents_of(folder) == Contents{{"spec.json", kSmallRun}});
  }
}

TEST_CASE("--resume auto goes on from the latest save, and does not start anew over best.pth") {
  const test::Scratch scratch;
  const auto folder = scratch / "run";
  train_small(scratch / "unbroken", R"({"train": {"keep": 9}})");
  train_small(folder, R"({"train": {"keep": 9}})", {}, {.interrupted = [] { return true; }});
  fs::rename(folder / "last.pth", scratch / "last.pth");
  auto ran = train_program(scratch, "-o " + folder.string() + " --resume=auto --set /train/keep=9");
  CHECK(ran.code == 0);
  CHECK(load_checkpoint(folder / "last.pth").step == 4);
  CHECK(fs::exists(folder / "step-000001.pth"));

  scratch.write("run/last.pth", "damaged");
  ran = train_program(scratch, "-o " + folder.string() + " --resume --set /train/keep=9");
  CHECK(ran.code == 2);
  CHECK(ran.output.find("there is an earlier save too: " + (folder / "step-000004.pth").string()) != std::string::npos);

  for (const auto step : RunFolder(folder).saved_steps()) fs::remove(RunFolder(folder).save_of(step));
  fs::remove(folder / "last.pth");
  const auto before = contents_of(folder);
  for (const char* how : {" --resume=auto", " --resume"}) {
    ran = train_program(scratch, "-o " + folder.string() + how);
    CHECK(ran.code == 2);
    CHECK(ran.output.find("best.pth: cannot be resumed, because it contains only weights") != std::string::npos);
    CHECK(contents_of(folder) == before);
  }
}

TEST_CASE("a save of one run does not go on in the folder of another, and takes log and best weights to a new one") {
  const test::Scratch scratch;
  const auto a = scratch / "a", b = scratch / "b", c = scratch / "c";
  train_small(a, R"({"train": {"keep": 9}})");
  train_small(b, R"({"train": {"seed": 2}})");
  const auto before = contents_of(b);
  const auto from = " --set /train/keep=9 --resume=" + (a / "step-000002.pth").string();
  const auto ran = train_program(scratch, "-o " + b.string() + from);
  CHECK(ran.code == 2);
  CHECK(ran.output.find("contains another run than") != std::string::npos);
  CHECK(contents_of(b) == before);

  for (const char* name : {"spec.json", "log.jsonl"}) {
    CAPTURE(name);
    scratch.write(std::string("of the user/") + name, "precious");
    const auto refused = train_program(scratch, "-o '" + (scratch / "of the user").string() + "'" + from);
    CHECK(refused.code == 2);
    CHECK(contents_of(scratch / "of the user") == Contents{{name, "precious"}});
    fs::remove(scratch / "of the user" / name);
  }

  CHECK(train_program(scratch, "-o " + c.string() + from).code == 0);
  const auto whole = load_checkpoint(a / "last.pth"), copied = load_checkpoint(c / "last.pth");
  for (const auto& [name, tensor] : whole.model) CHECK(at::equal(tensor, copied.model.at(name)));
  CHECK(fs::exists(c / "best.pth"));
  const auto lines = [](const fs::path& run) {
    const auto text = test::contents(run / "log.jsonl");
    return std::count(text.begin(), text.end(), '\n');
  };
  CHECK(lines(a) == lines(c));
  CHECK(lines(a) == 6);
}

TEST_CASE("later saves of a run are not removed unasked, and no save is another name of last.pth") {
  const test::Scratch scratch;
  const auto folder = scratch / "run";
  train_small(folder, R"({"train": {"keep": 9}})");
  CHECK(!fs::equivalent(folder / "last.pth", folder / "step-000004.pth"));
  const auto before = contents_of(folder);
  const auto from = "-o " + folder.string() + " --set /train/keep=9 --resume=" + (folder / "step-000002.pth").string();
  auto ran = train_program(scratch, from);
  CHECK(ran.code == 2);
  CHECK(ran.output.find("step-000002.pth: is not the latest save of its run") != std::string::npos);
  CHECK(contents_of(folder) == before);
  ran = train_program(scratch, from + " --overwrite");
  CHECK(ran.code == 0);
  CHECK(load_checkpoint(folder / "last.pth").step == 4);
  CHECK(train_program(scratch, "-o " + folder.string() + " --resume=").code == 2);
}

TEST_CASE("a folder that is named through a link and .. is the one that the system opens") {
  const test::Scratch scratch;
  fs::create_directories(scratch / "disk/shared");
  fs::create_directory_symlink("disk/shared", scratch / "link");
  CHECK(train_program(scratch, "-o " + (scratch / "link/../run").string()).code == 0);
  CHECK(fs::exists(scratch / "disk/run/last.pth"));
  CHECK(!fs::exists(scratch / "run"));
  CHECK(train_program(scratch, "-o " + (scratch / "disk/../run").string()).code == 0);
  CHECK(fs::exists(scratch / "run/last.pth"));
}

TEST_CASE("a run that goes on without the best weights so far says so") {
  const test::Scratch scratch;
  const auto folder = scratch / "run";
  train_small(folder);
  fs::remove(folder / "best.pth");
  std::vector<std::string> told;
  TrainListener listener;
  listener.noted = [&](const std::string& note) { told.push_back(note); };
  train_small(folder, "{}", {listener}, {.resume_from = folder / "last.pth"});
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("best.pth, of epoch ") == 0);
}

TEST_CASE("the spec of a run names the run's own folder") {
  const test::Scratch scratch;
  const auto ran = train_program(scratch, "-o " + (scratch / "run").string() + " --set /output=elsewhere");
  CHECK(ran.code == 0);
  CHECK(test::sectile("evaluate " + (scratch / "run/spec.json").string()).code == 0);
}
