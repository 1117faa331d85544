#include "interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "report.h"

namespace sectile {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  if (flag.exchange(true)) _exit(kInterrupted);
  constexpr char kText[] = "\nsaving and stopping; press Ctrl-C again to stop immediately\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof kText - 1);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
}

bool interrupted() { return flag; }

}  // namespace sectile
