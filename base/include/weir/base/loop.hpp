#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include <weir/base/clock.hpp>

namespace weir {

/// The door into one thread: others post work, the owner runs it.
/// Owner:  whoever runs run_until(); one thread at a time.
/// Thread: post(), wake() and stop() from any thread; the rest from the owner's only.
/// Limits: at most `queue_max` waiting tasks; then post() waits for room (never call it from the owner then:
///         the owner's own posts are always taken).
class Loop {
  public:
    explicit Loop(std::size_t queue_max = 10'000) : queue_max_(queue_max) {}

    /// Adds a task. Blocks while the queue is full, except on the owner's thread. False once stopped.
    bool post(std::function<void()> task);
    /// Makes run_until() return soon even though nothing was posted.
    void wake();
    /// Runs posted tasks until something ran, wake() was called, `deadline` passed or stop() was called.
    /// Returns false once stopped and empty.
    bool run_until(std::optional<SteadyInstant> deadline);
    /// Runs what is queued now, without waiting. For tests and simulation. Returns how many ran.
    std::size_t run_ready();
    void stop();
    [[nodiscard]] bool stopped() const;

  private:
    const std::size_t queue_max_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::condition_variable room_;
    std::deque<std::function<void()>> tasks_;
    std::optional<std::thread::id> owner_;
    bool woken_ = false;
    bool stopped_ = false;
};

} // namespace weir
