#pragma once

#include <mutex>
#include <utility>

namespace weir {

/// A value that can be reached only while its lock is held.
///   Sync<std::map<int, int>> counts;
///   counts.with([](auto& m) { ++m[1]; });
/// The callback must not call back into the same Sync.
template <class T>
class Sync {
  public:
    Sync() = default;
    explicit Sync(T value) : value_(std::move(value)) {}
    Sync(const Sync&) = delete;
    Sync& operator=(const Sync&) = delete;

    template <class F>
    decltype(auto) with(F&& use) {
        std::lock_guard lock(mutex_);
        return std::forward<F>(use)(value_);
    }
    template <class F>
    decltype(auto) with(F&& use) const {
        std::lock_guard lock(mutex_);
        return std::forward<F>(use)(std::as_const(value_));
    }

  private:
    mutable std::mutex mutex_;
    T value_{};
};

} // namespace weir
