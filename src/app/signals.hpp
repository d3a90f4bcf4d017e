#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace weir::app {

/// Turns SIGINT and SIGTERM into one call on a thread of its own. Make it before any other thread, so that
/// all of them inherit the blocked signals. A second signal ends the process at once, as if killed.
class Signals {
  public:
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    /// Starts waiting. `stop` is called once, at the first signal or at request().
    void on_stop(std::function<void()> stop);
    /// As if a signal had come: the engine cannot go on.
    static void request();

  private:
    std::thread thread_;
};

} // namespace weir::app
