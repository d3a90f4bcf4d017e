#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace weir::app {

/// Turns SIGINT and SIGTERM into one call on a thread of its own, and SIGHUP, if asked to, into a call each.
/// Make it before any other thread, so that all of them inherit the blocked signals. A second SIGINT or
/// SIGTERM ends the process at once, as if killed.
class Signals {
  public:
    /// `with_hangup`: SIGHUP is a call too; else it ends the process, as a closed terminal should.
    explicit Signals(bool with_hangup);
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    /// Starts waiting. `stop` is called once, at the first signal or at request(); `hangup` at each SIGHUP
    /// before that (several that come together may be one).
    void start(std::function<void()> stop, std::function<void()> hangup);
    /// As if a signal had come: the engine cannot go on.
    static void request();

  private:
    bool with_hangup_;
    std::thread thread_;
};

} // namespace weir::app
