#pragma once

#include <string>

#include <weir/base/result.hpp>

namespace weir::ledger::sqlite {

/// Keeps a second weir out of a data folder: an exclusive flock on FOLDER/lock, which names this process.
/// Released when it goes, or by the kernel when the process ends (with every process forked from it without
/// exec).
class FolderLock {
  public:
    FolderLock() = default;
    FolderLock(FolderLock&& other) noexcept { *this = std::move(other); }
    FolderLock& operator=(FolderLock&& other) noexcept;
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;
    ~FolderLock();

    /// `conflict` names the process that has it; `not_found`: no such folder; `denied`, `unavailable`: the
    /// lock file cannot be made.
    static Result<FolderLock> take(const std::string& folder);
    /// The same, but if another process has it, a lock that is not held() yet.
    static Result<FolderLock> take_or_pass(const std::string& folder);

    /// Tries to get it if it is not held. True: it is held now.
    bool try_again();
    [[nodiscard]] bool held() const { return held_; }
    /// The process that the lock file names; 0: none can be read.
    [[nodiscard]] int holder() const;
    /// This process' descriptor of the lock file.
    [[nodiscard]] int descriptor() const { return descriptor_; }

  private:
    int descriptor_ = -1;
    bool held_ = false;
};

/// The folder a file stands in, "." if its path names none.
std::string folder_of(const std::string& path);

} // namespace weir::ledger::sqlite
