#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>

namespace weir::sim {

/// The simulation's only source of chance: splitmix64. Same seed, same everything.
class Chance {
  public:
    explicit Chance(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    /// 0 .. n-1
    std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
    /// True once in a while: `in_thousand` of 1000.
    bool happens(std::uint64_t in_thousand) { return below(1000) < in_thousand; }
    template <class T>
    const T& one_of(const std::vector<T>& from) {
        return from[below(from.size())];
    }

  private:
    std::uint64_t state_;
};

/// A clock that moves by one nanosecond at each look, so that no two instants are equal, and else only when
/// told.
class SimClock final : public Clock {
  public:
    explicit SimClock(Instant start) : now_(start) {}
    [[nodiscard]] Instant now() const override { return now_ += Duration(1); }
    [[nodiscard]] SteadyInstant steady_now() const override {
        return SteadyInstant((now_ += Duration(1)).time_since_epoch());
    }
    [[nodiscard]] Instant peek() const { return now_; }
    void advance_to(Instant t) {
        if (t > now_) now_ = t;
    }

  private:
    mutable Instant now_;
};

} // namespace weir::sim
