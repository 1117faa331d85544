#include "report.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <stdexcept>

#include <unistd.h>
#include <boost/program_options/errors.hpp>

#include <sectile/error.h>

#include "../framework/ground/backtrace.h"
#include "command_line.h"
#include "printable.h"

namespace sectile {

bool wants_backtraces(int count, char** words) {
  return std::any_of(words, words + count, [](const char* word) { return std::string(word) == "--verbose"; });
}

namespace {

// A full disk is only noticed when buffers are written.
void finish_output() {
  errno = 0;
  std::cout.flush();
  if (std::cout.good() && std::fflush(stdout) == 0 && !std::ferror(stdout)) return;
  // If an earlier write failed, its reason is lost, and another one finds it.
  if (errno == 0) [[maybe_unused]]
    const auto written = write(STDOUT_FILENO, "\n", 1);
  throw std::runtime_error(std::string("standard output cannot be written") +
                           (errno ? std::string(": ") + std::strerror(errno) : ""));
}

}  // namespace

int report(const std::function<void()>& command, bool verbose) {
  const auto say = [verbose](const std::string& message, int code) {
    std::cout.flush();
    std::cerr << "error: " << printable(verbose ? message : without_backtrace(message)) << "\n";
    return code;
  };
  // Writing beyond a limit of file sizes (ulimit -f) then fails as on a full disk, and nothing unfinished is left.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    try {
      command();
    } catch (const HelpShown&) {
    }
    finish_output();
    return kDone;
  } catch (const Stopped& stopped) {
    std::cout.flush();
    std::cerr << stopped.message << "\n";
    return kInterrupted;
  } catch (const SpecError& error) {
    for (const auto& [pointer, message] : error.problems())
      say(pointer.empty() ? message : pointer + ": " + message, 0);
    return kInputWrong;
  } catch (const PluginError& error) {
    return say(error.what(), kInputWrong);
  } catch (const DataError& error) {
    return say(error.what(), kInputWrong);
  } catch (const boost::program_options::error& error) {
    return say(error.what(), kInputWrong);
  } catch (const std::filesystem::filesystem_error& error) {  // a file named by the user, without permission
    return say(error.path1().string() + ": " + error.code().message(), kInputWrong);
  } catch (const std::exception& error) {
    return say(error.what(), kRunFailed);
  } catch (...) {
    return say("something was thrown that is not a std::exception", kRunFailed);
  }
}

}  // namespace sectile
