// How both programs end: 0 done, 1 the run failed, 2 the spec, a plugin, the data or the usage is wrong, 130
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

// Thrown by a command that was interrupted and has put everything in order; the message says how to go on.
struct Stopped {
  std::string message;
};

// Runs a command and returns the exit code; an error is printed as "error: …", a SpecError as one such line per
// problem. Without `verbose` a message of LibTorch's ends where its backtrace begins.
int report(const std::function<void()>& command, bool verbose = false);

// Whether --verbose is among the words, also where they cannot be parsed.
bool wants_backtraces(int count, char** words);

// LibTorch's message without the place in its sources and the backtrace.
std::string without_backtrace(std::string message);

}  // namespace sectile
