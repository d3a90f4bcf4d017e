#pragma once

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>

namespace weir::test {

/// A small seeded generator (splitmix64): the same numbers on every machine, so that a seed names a trace.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}
    std::uint64_t next() {
        auto z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    /// 0..n-1.
    int below(int n) { return static_cast<int>(next() % static_cast<std::uint64_t>(n)); }
    bool chance(int percent) { return below(100) < percent; }
    template <class T>
    T pick(std::initializer_list<T> from) {
        return *(from.begin() + below(static_cast<int>(from.size())));
    }

  private:
    std::uint64_t state_;
};

/// How many seeds a test runs: a few in the unit tier, `many` with WEIR_LONG=1.
inline int seeds(int few, int many) {
    const char* is_long = std::getenv("WEIR_LONG");
    return is_long != nullptr && std::string(is_long) == "1" ? many : few;
}

} // namespace weir::test
