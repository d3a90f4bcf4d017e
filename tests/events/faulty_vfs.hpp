#pragma once

#include <string>

namespace weir::tests {

/// An SQLite VFS over the operating system's that fails on command. One at a time; not thread-safe to switch.
class FaultyVfs {
  public:
    enum class Fault { None, DiskFull, WriteError, ShortWrite, SyncError };

    FaultyVfs();
    ~FaultyVfs();
    FaultyVfs(const FaultyVfs&) = delete;
    FaultyVfs& operator=(const FaultyVfs&) = delete;

    /// From the `after`-th next call of the kind on, every one fails until none() is set.
    void set(Fault fault, int after = 0);
    [[nodiscard]] const std::string& name() const { return name_; }

  private:
    std::string name_ = "weir-faulty";
};

} // namespace weir::tests
