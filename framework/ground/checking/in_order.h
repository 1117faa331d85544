// Work on numbered items in several threads, with results in the order of the items.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace sectile {

// Calls take(i, make(i)) for i from 0 to count - 1, in this order and never twice at once; make is called by several
// threads. So what `take` collects does not depend on the number of workers. Threads that cannot be started are done
// without. An exception ends the work and is thrown again. most_each: how many results per worker may wait for an
// earlier one, where they are large fewer.
template <class Make, class Take>
void in_order(std::size_t count, int workers, const Make& make, const Take& take, std::size_t most_each = 16) {
  using Made = std::invoke_result_t<const Make&, std::size_t>;
  const auto ahead = static_cast<std::size_t>(workers) * most_each;
  std::mutex mutex;
  std::condition_variable room;
  std::map<std::size_t, Made> waiting;
  std::size_t begun = 0, taken = 0;
  std::exception_ptr error;
  const auto take_next = [&] {  // whether there was one
    auto node = waiting.extract(taken);
    if (node.empty()) return false;
    take(taken, std::move(node.mapped()));
    ++taken;
    return true;
  };
  const auto work = [&] {
    std::unique_lock lock(mutex);
    for (;;) {
      room.wait(lock, [&] { return error || begun >= count || begun < taken + ahead; });
      if (error || begun >= count) return;
      const auto index = begun++;
      try {
        lock.unlock();
        auto made = make(index);
        lock.lock();
        waiting.emplace(index, std::move(made));
        while (!error && take_next()) {
        }
      } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        if (!error) error = std::current_exception();
      }
      room.notify_all();
    }
  };
  {
    std::vector<std::jthread> threads;
    try {
      for (int i = 1; i < workers; ++i) threads.emplace_back(work);
    } catch (const std::system_error&) {
    }
    work();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace sectile
