// Threads that prepare items in advance, in order. Items never depend on the number of threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace sectile {

// Called once by every loader thread: sets one OpenMP thread each, so that loading leaves the cores to the network.
void become_loader_thread();

// Throws std::runtime_error: of `wanted` threads only `started` ones could be started.
[[noreturn]] void refuse_threads(int wanted, int started, const std::system_error& reason);

// A whole (batch) consists of parts (samples). All threads make parts; the thread that finishes the last part of a
// whole joins it. Without threads, everything happens inside next().
template <class Part, class Whole>
class Loader {
 public:
  struct Work {
    std::function<std::int64_t()> count;                                     // of wholes
    std::function<std::size_t(std::int64_t whole)> parts;                    // per whole
    std::function<Part(std::int64_t whole, std::size_t part)> make;          // called from several threads at once
    std::function<Whole(std::int64_t whole, std::vector<Part> parts)> join;  // the same
  };

  // ahead: how many wholes are started in advance. Throws std::runtime_error if not all threads can be started.
  Loader(Work work, int threads, int ahead = 3) : work_(std::move(work)), total_(work_.count()), ahead_(ahead) {
    try {
      for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
    } catch (const std::system_error& error) {
      stop();
      refuse_threads(threads, static_cast<int>(threads_.size()), error);
    }
  }
  ~Loader() { stop(); }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  bool done() const { return taken_ == total_; }

  // The next whole. Rethrows exceptions from making it; the loader is then at its end.
  Whole next() {
    if (done()) throw std::logic_error("a loader was asked for more than there is");
    const auto number = taken_;
    if (threads_.empty()) {
      ++taken_;
      std::vector<Part> parts;
      for (std::size_t part = 0; part < work_.parts(number); ++part) parts.push_back(work_.make(number, part));
      return work_.join(number, std::move(parts));
    }
    std::unique_lock lock(mutex_);
    begin_more();
    more_.notify_all();
    ready_.wait(lock, [this] { return queue_.front()->missing == 0; });
    const auto slot = std::move(queue_.front());
    queue_.pop_front();
    ++taken_;
    if (slot->error) {
      taken_ = total_;
      std::rethrow_exception(slot->error);
    }
    begin_more();
    more_.notify_all();
    return std::move(*slot->whole);
  }

 private:
  struct Slot {
    std::int64_t number = 0;
    std::size_t begun = 0;
    std::size_t missing = 0;  // parts, and joining them
    std::vector<std::optional<Part>> parts;
    std::optional<Whole> whole;
    std::exception_ptr error;
  };

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    more_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  void begin_more() {
    while (begun_ < total_ && begun_ < taken_ + ahead_) {
      auto slot = std::make_shared<Slot>();
      slot->number = begun_++;
      slot->parts.resize(work_.parts(slot->number));
      slot->missing = slot->parts.size() + 1;
      queue_.push_back(std::move(slot));
    }
  }

  std::shared_ptr<Slot> unfinished() const {
    for (const auto& slot : queue_)
      if (slot->begun < slot->parts.size()) return slot;
    return nullptr;
  }

  void run() {
    become_loader_thread();
    std::unique_lock lock(mutex_);
    for (;;) {
      std::shared_ptr<Slot> slot;
      more_.wait(lock, [&] { return stopping_ || (slot = unfinished()); });
      if (stopping_) return;
      const auto part = slot->begun++;
      std::optional<Part> made;
      std::exception_ptr error;
      lock.unlock();
      try {
        made.emplace(work_.make(slot->number, part));
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      slot->parts[part] = std::move(made);
      if (error && !slot->error) slot->error = error;
      if (--slot->missing == 1) finish(*slot, lock);
    }
  }

  void finish(Slot& slot, std::unique_lock<std::mutex>& lock) {
    if (!slot.error) {
      std::vector<Part> parts;
      for (auto& part : slot.parts) parts.push_back(std::move(*part));
      slot.parts.assign(slot.parts.size(), std::nullopt);
      std::optional<Whole> whole;
      std::exception_ptr error;
      lock.unlock();
      try {
        whole.emplace(work_.join(slot.number, std::move(parts)));
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      slot.whole = std::move(whole);
      slot.error = error;
    }
    slot.missing = 0;
    ready_.notify_all();
  }

  const Work work_;
  const std::int64_t total_;
  const int ahead_;
  std::int64_t begun_ = 0;
  std::int64_t taken_ = 0;
  std::deque<std::shared_ptr<Slot>> queue_;
  std::mutex mutex_;
  std::condition_variable more_, ready_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sectile
