// The output folder of a training run: which of its files belong to the run, and which process uses it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sectile {

// A run owns last.pth, best.pth, log.jsonl, spec.json and step-*.pth with a number; nothing else is ever removed or
// replaced. While the object lives, no other process can train in the folder.
class RunFolder {
 public:
  // Creates the folder, and removes what a killed run had not finished writing. A run that was set aside, and whose
  // replacement never saved anything, is put back first. Throws DataError if the folder cannot be used, or another
  // process trains in it. Not explicit: a path is enough to train.
  RunFolder(const std::filesystem::path& folder);  // NOLINT(google-explicit-constructor)
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  // Unless something was saved since, puts back what was set aside, and leaves no files of a run that did no step.
  ~RunFolder();

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path last() const { return folder_ / "last.pth"; }
  std::filesystem::path best() const { return folder_ / "best.pth"; }
  std::filesystem::path log() const { return folder_ / "log.jsonl"; }
  std::filesystem::path spec() const { return folder_ / "spec.json"; }
  std::filesystem::path save_of(std::int64_t step) const;  // "step-000100.pth"

  // What the user should know about how the folder was found.
  const std::vector<std::string>& notes() const { return notes_; }

  bool has_run() const;                                      // a spec.json alone is not a run
  bool has_saves() const;                                    // last.pth, best.pth or step-*.pth
  std::vector<std::int64_t> saved_steps() const;             // of step-*.pth, ascending
  std::optional<std::filesystem::path> latest_save() const;  // last.pth, else step-*.pth with the highest number

  // Prepares for a new run: an earlier run's files are moved to a subfolder, and removed by saved(). Throws DataError
  // if there is a spec.json that no run wrote.
  void start_anew();
  // To be called after a save of the new run. as_planned: not because of an error or an interrupt, which may tell that
  // it was a mistake to replace the earlier run.
  void saved(bool as_planned);
  std::string note_on_replaced() const;  // where the earlier run is; "" if none is set aside
  // Removes all step-*.pth except the latest `count` up to this step.
  void keep(int count, std::int64_t step) const;

 private:
  std::vector<std::filesystem::path> files() const;
  std::filesystem::path aside() const { return folder_ / ".replaced-run"; }
  std::filesystem::path in_transit() const { return folder_ / ".moved-run"; }
  std::filesystem::path dropped() const { return folder_ / ".dropped-run"; }
  void put_back();
  void move_back();
  void drop_replaced();
  static void drop(const std::filesystem::path& folder);

  class Lock;
  std::filesystem::path folder_;
  std::vector<std::string> notes_;
  std::unique_ptr<Lock> lock_;  // null after a move
  bool made_ = false;           // the folder
  bool anew_ = false;           // an earlier run is set aside
  bool unsaved_ = false;        // the first run here, which has saved nothing
};

}  // namespace sectile
