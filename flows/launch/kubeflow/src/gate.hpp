#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <weir/base/clock.hpp>
#include <weir/flows/kubeflow/kubeflow_backend.hpp>

// When requests may leave. Pure: the time is given.
namespace weir::flows::kubeflow {

/// So many a second, evenly. 0: as many as come.
class Pace {
  public:
    explicit Pace(double per_second)
        : gap_(per_second > 0 ? Duration(static_cast<std::int64_t>(1e9 / per_second)) : Duration(0)) {}
    /// When the next one may leave.
    [[nodiscard]] SteadyInstant next() const { return next_; }
    void took(SteadyInstant now) { next_ = std::max(now, next_) + gap_; }

  private:
    Duration gap_;
    SteadyInstant next_{};
};

/// How many things one list asks for: fewer after an answer that was too large or too late, more again while
/// all goes well.
class ListSize {
  public:
    explicit ListSize(std::size_t most) : most_(most), now_(most) {}
    [[nodiscard]] std::size_t now() const { return now_; }
    /// A list of `asked` was too much. Not below `least`.
    void failed(std::size_t asked, std::size_t least) {
        now_ = std::min(now_, std::max({std::size_t{1}, least, asked / 2}));
        well_ = 0;
    }
    void worked() {
        if (now_ == most_ || ++well_ < well_enough) return;
        well_ = 0;
        now_ = std::min(most_, now_ * 2);
    }

  private:
    static constexpr int well_enough = 10;
    std::size_t most_, now_;
    int well_ = 0;
};

/// Waiting times that double, with jitter: between half of the doubled time and all of it.
class Backoff {
  public:
    Backoff(Duration min, Duration max, std::uint64_t seed) : min_(min), max_(max), state_(seed | 1) {}
    /// After `tries` failures (1 and up).
    Duration after(int tries) {
        Duration wait = min_;
        for (int i = 1; i < tries && wait < max_; ++i)
            wait *= 2;
        wait = std::min(wait, max_);
        // SplitMix64: spreads waits, decides nothing.
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t z = state_;
        z = (z ^ z >> 30U) * 0xBF58476D1CE4E5B9U;
        z = (z ^ z >> 27U) * 0x94D049BB133111EBU;
        const auto half = wait.count() / 2;
        return Duration(half +
                        static_cast<std::int64_t>((z ^ z >> 31U) % static_cast<std::uint64_t>(half + 1)));
    }

  private:
    Duration min_, max_;
    std::uint64_t state_;
};

/// Leaves a server alone that fails again and again.
class Breaker {
  public:
    Breaker(std::size_t failures, Duration min, Duration max)
        : failures_max_(failures), min_(min), max_(max) {}

    [[nodiscard]] Circuit circuit() const { return circuit_; }
    [[nodiscard]] SteadyInstant until() const { return until_; }
    /// True if an ordinary request may leave.
    [[nodiscard]] bool lets_pass() const { return circuit_ == Circuit::Closed; }
    /// True once, when the time has come to ask whether the server is back.
    bool may_probe(SteadyInstant now) {
        if (circuit_ != Circuit::Open || now < until_) return false;
        circuit_ = Circuit::Probing;
        return true;
    }
    void succeeded() {
        failures_ = 0;
        opened_ = 0;
        circuit_ = Circuit::Closed;
    }
    /// True if this failure opened it.
    bool failed(SteadyInstant now) {
        if (circuit_ == Circuit::Open) return false;
        if (circuit_ == Circuit::Closed && ++failures_ < failures_max_) return false;
        circuit_ = Circuit::Open;
        Duration wait = min_;
        for (int i = 0; i < opened_ && wait < max_; ++i)
            wait *= 2;
        ++opened_;
        until_ = now + std::min(wait, max_);
        return true;
    }

  private:
    std::size_t failures_max_;
    Duration min_, max_;
    std::size_t failures_ = 0;
    int opened_ = 0;
    Circuit circuit_ = Circuit::Closed;
    SteadyInstant until_{};
};

} // namespace weir::flows::kubeflow
