#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir {

/// A bounded set of threads for work that blocks (disk, HTTP, child processes).
/// Thread: every method from any thread.
/// Limits: `queue_max` waiting tasks; then try_post() says no and the caller pauses its source.
class Pool {
  public:
    Pool(std::size_t threads, std::size_t queue_max);
    /// Drops what waits, lets what runs end.
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    /// False if the queue is full or the pool is stopping.
    [[nodiscard]] bool try_post(std::function<void()> task);
    /// Tasks waiting, not counting those that run.
    [[nodiscard]] std::size_t waiting() const;
    /// Runs everything queued, then ends the threads. No task is taken any more.
    void drain();

  private:
    void work();

    const std::size_t queue_max_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

} // namespace weir
