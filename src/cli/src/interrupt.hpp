#pragma once

#include <weir/base/clock.hpp>

namespace weir::cli {

/// SIGINT and SIGTERM while a client command runs: it ends at the next safe place instead of at once.
/// One at a time in a process. The second signal ends the process in the default way.
class Interrupt {
  public:
    /// Takes the two signals over; the destructor gives them back.
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    [[nodiscard]] bool requested() const;
    /// Waits that long, or until a signal came. True if one came.
    bool wait(Duration duration);
    /// Readable once a signal came.
    [[nodiscard]] int descriptor() const { return read_end_; }

  private:
    int read_end_ = -1;
};

} // namespace weir::cli
