#include "sqlite/frozen_holder.hpp"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>

#include <weir/base/log.hpp>

namespace weir::ledger::sqlite {

namespace {

constexpr int end_wait_ms = 5000;

/// A process by descriptor: unlike its number it is not given to another one when it ends.
class Process {
  public:
    explicit Process(int pid)
        : pid_(pid),
          descriptor_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
          gone_(errno == ESRCH) {}
    ~Process() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] bool open() const { return descriptor_ >= 0; }
    [[nodiscard]] bool gone() const { return descriptor_ < 0 && gone_; }
    /// Waits for the end.
    [[nodiscard]] bool kill() const {
        if (::syscall(SYS_pidfd_send_signal, descriptor_, SIGKILL, nullptr, 0) != 0 && errno != ESRCH)
            return false;
        pollfd end{descriptor_, POLLIN, 0};
        return ::poll(&end, 1, end_wait_ms) == 1;
    }
    [[nodiscard]] std::string file(const char* name) const {
        return "/proc/" + std::to_string(pid_) + "/" + name;
    }

  private:
    int pid_;
    int descriptor_;
    bool gone_;
};

/// The letter of its state in /proc/PID/stat; 0: it cannot be read.
char state_of(const Process& process) {
    std::ifstream in(process.file("stat"));
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    // The program's name stands before it, in parentheses that may hold parentheses.
    const auto name_end = text.rfind(')');
    return name_end == std::string::npos || name_end + 2 >= text.size() ? '\0' : text[name_end + 2];
}

/// Also after the file was replaced by an upgrade.
bool is_this_program(const Process& process) {
    std::error_code error;
    auto theirs = std::filesystem::read_symlink(process.file("exe"), error).string();
    if (error) return false;
    const auto ours = std::filesystem::read_symlink("/proc/self/exe", error).string();
    constexpr std::string_view deleted = " (deleted)";
    if (theirs.ends_with(deleted)) theirs.resize(theirs.size() - deleted.size());
    return !error && (theirs == ours || theirs + std::string(deleted) == ours);
}

bool has_open(const Process& process, int descriptor) {
    struct stat wanted {};
    if (::fstat(descriptor, &wanted) != 0) return false;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(process.file("fd"), error)) {
        struct stat status {};
        if (::stat(entry.path().c_str(), &status) == 0 && status.st_dev == wanted.st_dev &&
            status.st_ino == wanted.st_ino)
            return true;
    }
    return false;
}

} // namespace

Status end_frozen_holder(const FolderLock& lock, const std::string& ledger_path) {
    const int pid = lock.holder();
    const auto refuse = [&](const std::string& why) -> Status {
        return conflict("ledger " + ledger_path +
                        " cannot be taken over: another process holds its write "
                        "lock" +
                        (pid == 0 ? std::string() : ", most likely process " + std::to_string(pid)) + ", " +
                        why + "; end that process and start again");
    };
    if (pid == 0) return refuse("and the lock file names none");
    if (pid == ::getpid()) return refuse("which is this one, or runs in another container");
    const Process process(pid);
    if (process.gone()) return {};
    if (!process.open()) return refuse("which cannot be looked at");
    const char state = state_of(process);
    if (state == 'Z' || state == 'X') return {};
    if (state != 'T' && state != 't') return refuse("which is running, not stopped");
    if (!is_this_program(process)) return refuse("which is stopped but another program than this one");
    if (!has_open(process, lock.descriptor()))
        return refuse("which is stopped but has the lock file not open");
    log::error(
        "the weir that is taken over was stopped in the middle of a commit and holds the ledger's "
        "write lock: it is killed now",
        {{"process", pid}, {"ledger", ledger_path}});
    if (!process.kill()) return refuse("which was stopped and did not end when it was killed");
    return {};
}

} // namespace weir::ledger::sqlite
