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
    FolderLock(FolderLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
    FolderLock& operator=(FolderLock&& other) noexcept;
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;
    ~FolderLock();

    /// `conflict` names the process that has it; `not_found`: no such folder; `denied`, `unavailable`: the
    /// lock file cannot be made.
    static Result<FolderLock> take(const std::string& folder);

  private:
    int descriptor_ = -1;
};

/// The folder a file stands in, "." if its path names none.
std::string folder_of(const std::string& path);

} // namespace weir::ledger::sqlite
