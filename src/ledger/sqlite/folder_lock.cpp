#include "sqlite/folder_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace weir::ledger::sqlite {

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

FolderLock::~FolderLock() {
    // The file stays: removing it would let two processes lock two files of one name.
    if (descriptor_ >= 0) ::close(descriptor_);
}

Result<FolderLock> FolderLock::take(const std::string& folder) {
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
    if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
        const int code = errno;
        if (code != EWOULDBLOCK) return unavailable("cannot lock " + path + ": " + std::strerror(code));
        char text[32] = {};
        const auto size = ::pread(lock.descriptor_, text, sizeof text - 1, 0);
        const std::string pid(text, size > 0 ? std::strcspn(text, "\n") : 0);
        return conflict("data folder " + folder + " is in use by another weir" +
                        (pid.empty() ? std::string() : " (process " + pid + ")") +
                        "; end that one or choose another folder");
    }
    const auto text = std::to_string(::getpid()) + "\n";
    // Only a help for whoever is refused: a full disk must not keep us out.
    if (::ftruncate(lock.descriptor_, 0) == 0) {
        const auto written = ::pwrite(lock.descriptor_, text.data(), text.size(), 0);
        (void)written;
    }
    return lock;
}

std::string folder_of(const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

} // namespace weir::ledger::sqlite
