#include "processes.hpp"

#include <algorithm>
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

/// "state ppid ..." of /proc/PID/stat; empty if there is no such process.
std::string stat_from_state(pid_t pid) {
    const std::string stat = read_proc("/proc/" + std::to_string(pid) + "/stat");
    // pid (name) state ppid: the name may hold anything, so count from its last bracket.
    const std::size_t bracket = stat.rfind(')');
    if (bracket == std::string::npos || bracket + 4 >= stat.size()) return {};
    return stat.substr(bracket + 2);
}

pid_t parent_of(pid_t pid) {
    const std::string stat = stat_from_state(pid);
    pid_t parent = -1;
    if (!stat.empty()) std::from_chars(stat.data() + 2, stat.data() + stat.size(), parent);
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

EnvironmentValue environment_value(pid_t pid, std::string_view name) {
    const std::string environment = read_proc("/proc/" + std::to_string(pid) + "/environ");
    for (std::size_t at = 0; at < environment.size();) {
        const std::size_t end = std::min(environment.find('\0', at), environment.size());
        const auto entry = std::string_view(environment).substr(at, end - at);
        if (entry.size() > name.size() && entry.substr(0, name.size()) == name && entry[name.size()] == '=')
            return {true, std::string(entry.substr(name.size() + 1))};
        at = end + 1;
    }
    return {!environment.empty(), std::nullopt};
}

bool sleeps(pid_t pid) {
    return stat_from_state(pid).starts_with('S');
}

} // namespace weir::flows::local
