// Exit codes of both programs: 0 success, 1 the run failed, 2 error in the spec, a plugin, the data or the usage, 130
// interrupted.
#pragma once

#include <exception>
#include <functional>
#include <string>

namespace sectile {

constexpr int kDone = 0;
constexpr int kRunFailed = 1;
constexpr int kInputWrong = 2;
constexpr int kInterrupted = 130;

// Thrown by a command that was interrupted and has saved its state; the message says how to resume.
struct Stopped {
  std::string message;
};

// Runs a command and returns the exit code, 1 if standard output cannot be written; errors are printed as "error: …", a
// SpecError as one such line per problem. Without `verbose`, messages of LibTorch are printed without backtrace.
int report(const std::function<void()>& command, bool verbose = false);

// Whether --verbose is among the arguments, even if they cannot be parsed.
bool wants_backtraces(int count, char** words);

}  // namespace sectile
