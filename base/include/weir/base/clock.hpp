#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/base/sync.hpp>

namespace weir {

using Duration = std::chrono::nanoseconds;
/// UTC wall clock, nanoseconds since 1970. What the ledger stores.
using Instant = std::chrono::time_point<std::chrono::system_clock, Duration>;
/// Never goes back, means nothing outside the process. For time-outs and measuring only.
using SteadyInstant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

inline std::int64_t to_ns(Instant t) noexcept {
    return t.time_since_epoch().count();
}
inline Instant from_ns(std::int64_t ns) noexcept {
    return Instant(Duration(ns));
}

/// RFC 3339 in UTC with a Z and as many fraction digits as needed (0 to 9).
std::string format_rfc3339(Instant t);
/// RFC 3339 section 5.6, any offset, up to 9 fraction digits used. `invalid` on anything else.
Result<Instant> parse_rfc3339(std::string_view text);

/// "90s", "1h30m", "250ms", "7d": units ns us ms s m h d, whole numbers, at least one. `invalid` otherwise.
Result<Duration> parse_duration(std::string_view text);
/// The shortest text that parse_duration() reads back: "6h", "1h30m", "0s".
std::string format_duration(Duration d);

/// The only way to learn the time. Thread-safe.
class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Instant now() const = 0;
    [[nodiscard]] virtual SteadyInstant steady_now() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
  public:
    [[nodiscard]] Instant now() const override;
    [[nodiscard]] SteadyInstant steady_now() const override;
};

/// A clock that stands still until told otherwise, for tests and simulation.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(Instant start = from_ns(0)) : state_(State{start, SteadyInstant{}}) {}
    [[nodiscard]] Instant now() const override;
    [[nodiscard]] SteadyInstant steady_now() const override;
    /// Moves both clocks on by `d` (not negative).
    void advance(Duration d);
    /// Moves the wall clock only, in either direction: an operator or NTP setting the time.
    void jump_wall(Instant to);

  private:
    struct State {
        Instant wall;
        SteadyInstant steady;
    };
    Sync<State> state_;
};

} // namespace weir
