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

// Every line that is printed to a closed pipe raises one, so the second says nothing about what the user wants.
void on_closed_pipe(int) { flag = true; }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {
  }, before{};
  if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) return;  // as nohup asks for
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) handle(signal, on_signal);
  handle(SIGPIPE, on_closed_pipe);
}

bool interrupted() { return flag; }

}  // namespace sectile
