#include "sqlite/folder_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

namespace weir::ledger::sqlite {

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(held_, other.held_);
    return *this;
}

FolderLock::~FolderLock() {
    // The file stays: removing it would let two processes lock two files of one name.
    if (descriptor_ >= 0) ::close(descriptor_);
}

Result<FolderLock> FolderLock::take_or_pass(const std::string& folder) {
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error))
        return not_found("data folder " + folder + " does not exist or is no folder");
    const auto path = folder + "/lock";
    FolderLock lock;
    lock.descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock.descriptor_ < 0) {
        const int code = errno;
        const auto kind =
            code == EACCES || code == EROFS || code == EPERM ? ErrorKind::Denied : ErrorKind::Unavailable;
        return Error{kind,
                     "data folder " + folder + " cannot be written: " + path + ": " + std::strerror(code)};
    }
    if (!lock.try_again() && errno != EWOULDBLOCK)
        return unavailable("cannot lock " + path + ": " + std::strerror(errno));
    return lock;
}

Result<FolderLock> FolderLock::take(const std::string& folder) {
    WEIR_ASSIGN(lock, take_or_pass(folder));
    if (lock.held()) return lock;
    const auto holder = lock.holder();
    return conflict("data folder " + folder + " is in use by another weir" +
                    (holder == 0 ? std::string() : " (process " + std::to_string(holder) + ")") +
                    "; end that one or choose another folder");
}

bool FolderLock::try_again() {
    if (held_ || descriptor_ < 0) return held_;
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) return false;
    held_ = true;
    const auto text = std::to_string(::getpid()) + "\n";
    // Only a help for whoever is refused: a full disk must not keep us out.
    if (::ftruncate(descriptor_, 0) == 0) {
        const auto written = ::pwrite(descriptor_, text.data(), text.size(), 0);
        (void)written;
    }
    return true;
}

int FolderLock::holder() const {
    char text[32] = {};
    const auto size = ::pread(descriptor_, text, sizeof text, 0);
    int pid = 0;
    if (size > 0) std::from_chars(text, text + size, pid);
    return pid > 0 ? pid : 0;
}

std::string folder_of(const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

} // namespace weir::ledger::sqlite
