#include "processes.hpp"

#include <charconv>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace weir::flows::local {

namespace {

/// A file of /proc, whole; their size is not known beforehand.
std::string read_proc(const std::string& path) {
    std::string text;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return text;
    char bytes[16 * 1024];
    for (ssize_t n = 0; (n = ::read(fd, bytes, sizeof bytes)) > 0;)
        text.append(bytes, static_cast<std::size_t>(n));
    ::close(fd);
    return text;
}

pid_t parent_of(pid_t pid) {
    const std::string stat = read_proc("/proc/" + std::to_string(pid) + "/stat");
    // pid (name) state ppid: the name may hold anything, so count from its last bracket.
    const std::size_t bracket = stat.rfind(')');
    if (bracket == std::string::npos || bracket + 4 >= stat.size()) return -1;
    pid_t parent = -1;
    std::from_chars(stat.data() + bracket + 4, stat.data() + stat.size(), parent);
    return parent;
}

} // namespace

std::vector<pid_t> all_processes() {
    std::vector<pid_t> pids;
    DIR* proc = ::opendir("/proc");
    if (proc == nullptr) return pids;
    while (const dirent* entry = ::readdir(proc)) {
        pid_t pid = 0;
        const char* end = entry->d_name + std::strlen(entry->d_name);
        const auto [rest, error] = std::from_chars(entry->d_name, end, pid);
        if (error == std::errc() && rest == end) pids.push_back(pid);
    }
    ::closedir(proc);
    return pids;
}

std::vector<pid_t> own_children() {
    std::vector<pid_t> pids;
    const std::string self = std::to_string(::getpid());
    const std::string path = "/proc/self/task/" + self + "/children";
    if (::access(path.c_str(), R_OK) == 0) {
        const std::string text = read_proc(path);
        const char* at = text.data();
        const char* end = text.data() + text.size();
        while (at < end) {
            pid_t pid = 0;
            const auto [rest, error] = std::from_chars(at, end, pid);
            if (error == std::errc()) pids.push_back(pid);
            at = rest == at ? at + 1 : rest;
        }
        return pids;
    }
    // A kernel without CONFIG_PROC_CHILDREN.
    for (const pid_t pid : all_processes())
        if (parent_of(pid) == ::getpid()) pids.push_back(pid);
    return pids;
}

bool environment_holds(pid_t pid, const std::string& entry) {
    const std::string environment = read_proc("/proc/" + std::to_string(pid) + "/environ");
    for (std::size_t at = 0; at < environment.size();) {
        std::size_t end = environment.find('\0', at);
        if (end == std::string::npos) end = environment.size();
        if (environment.compare(at, end - at, entry) == 0) return true;
        at = end + 1;
    }
    return false;
}

} // namespace weir::flows::local
