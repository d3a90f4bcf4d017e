#include "supervisor_process.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/base/clock.hpp>
#include <weir/flows/local/supervisor.hpp>

#include "child.hpp"
#include "processes.hpp"
#include "wire.hpp"

namespace weir::flows::local {

namespace {

constexpr std::size_t processes_max = 4'096;
/// How long a killed process group may take to vanish before its end is reported all the same.
constexpr auto vanish_max = std::chrono::seconds(5);
/// How long an end waits for an adopted process that shows no environment and does not sleep: it may be about
/// to become another program, or to die and leave its children.
constexpr auto clear_max = std::chrono::seconds(1);

struct Task {
    SpawnRequest request;
    pid_t pid = -1;
    int output = -1; ///< reading end of its stdout and stderr
    int log = -1;
    std::uint64_t logged = 0;
    bool log_cut = false;
    bool stopped = false;
    std::optional<SteadyInstant> kill_at;
    // Set once the process itself has ended and the rest of its group is being waited for.
    std::optional<int> wait_status;
    SteadyInstant ended_at{};
    bool haunted = false; ///< an adopted process of it was still there when last looked
};

class Server {
  public:
    explicit Server(int pipe) : pipe_(pipe) {}
    [[noreturn]] void run();

  private:
    bool read_pipe();
    void write_pipe();
    void handle(std::string_view frame);
    void spawn(wire::Reader& reader);
    void stop(std::uint64_t id, Duration grace);
    void pump(Task& task, std::size_t bytes_max);
    void append_log(Task& task, std::string_view bytes);
    void reap();
    void kill_strays();
    void settle_ended();
    void report(const ProcessEnd& end);
    [[nodiscard]] int timeout_ms() const;
    [[noreturn]] void end_all();

    int pipe_;
    int signals_ = -1;
    std::string input_;
    std::string output_;
    std::vector<int> held_;
    std::map<std::uint64_t, Task> tasks_;
    bool strays_unclear_ = false;
    SystemClock clock_;
};

void Server::run() {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    signals_ = ::signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    ::fcntl(pipe_, F_SETFL, ::fcntl(pipe_, F_GETFL) | O_NONBLOCK);
    std::vector<pollfd> fds;
    std::vector<std::uint64_t> ids;
    for (;;) {
        fds.clear();
        ids.clear();
        fds.push_back({pipe_, static_cast<short>(POLLIN | (output_.empty() ? 0 : POLLOUT)), 0});
        fds.push_back({signals_, POLLIN, 0});
        for (const auto& [id, task] : tasks_) {
            if (task.output < 0) continue;
            fds.push_back({task.output, POLLIN, 0});
            ids.push_back(id);
        }
        ::poll(fds.data(), fds.size(), timeout_ms());
        if (fds[0].revents != 0 && !read_pipe()) end_all();
        for (std::size_t i = 2; i < fds.size(); ++i) {
            if (fds[i].revents == 0) continue;
            if (auto it = tasks_.find(ids[i - 2]); it != tasks_.end()) pump(it->second, 256 * 1024);
        }
        signalfd_siginfo info;
        while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        }
        reap();
        const SteadyInstant now = clock_.steady_now();
        for (auto& [id, task] : tasks_) {
            if (!task.kill_at || now < *task.kill_at) continue;
            task.kill_at.reset();
            if (!task.wait_status) ::kill(-task.pid, SIGKILL);
        }
        settle_ended();
        write_pipe();
    }
}

int Server::timeout_ms() const {
    const SteadyInstant now = clock_.steady_now();
    std::optional<SteadyInstant> next;
    for (const auto& [id, task] : tasks_) {
        // The group's last members may be reaped by parents of theirs that are dying too: no signal comes
        // then.
        if (task.wait_status) return 10;
        if (task.kill_at && (!next || *task.kill_at < *next)) next = task.kill_at;
    }
    if (!next) return -1;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*next - now).count() + 1;
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

bool Server::read_pipe() {
    char bytes[64 * 1024];
    for (;;) {
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)];
        iovec piece{bytes, sizeof bytes};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t n = ::recvmsg(pipe_, &message, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (n <= 0) return false;
        for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
            if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
            const std::size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
                held_.push_back(fd);
            }
        }
        input_.append(bytes, static_cast<std::size_t>(n));
        // Between pieces of a large stream the tasks' pipes must not starve.
        if (input_.size() > wire::frame_bytes_max) break;
    }
    return wire::take_frames(input_, [this](std::string_view frame) { handle(frame); });
}

void Server::write_pipe() {
    while (!output_.empty()) {
        const ssize_t n = ::send(pipe_, output_.data(), output_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return; // full: later; gone: the next read says so
        output_.erase(0, static_cast<std::size_t>(n));
    }
}

void Server::handle(std::string_view frame) {
    wire::Reader reader(frame);
    if (reader.kind() == wire::Kind::Spawn) return spawn(reader);
    if (reader.kind() == wire::Kind::Stop) {
        const std::uint64_t id = reader.number();
        stop(id, Duration(static_cast<std::int64_t>(reader.number())));
    }
}

void Server::spawn(wire::Reader& reader) {
    Task task;
    SpawnRequest& request = task.request;
    request.id = reader.number();
    request.file = reader.text();
    request.argv = reader.list();
    request.env = reader.list();
    request.cwd = reader.text();
    request.log_path = reader.text();
    request.log_bytes_max = reader.number();
    request.memory_bytes_max = reader.number();
    ProcessEnd failed;
    failed.id = request.id;
    failed.spawned = false;
    if (!reader.ok() || tasks_.size() >= processes_max) {
        failed.error = reader.ok() ? "more than 4096 processes at a time" : "a broken request";
        return report(failed);
    }
    request.env.push_back("WEIR_TASK_TOKEN=" + std::to_string(::getpid()) + "." + std::to_string(request.id));
    const Started started = start_child(request);
    if (started.pid < 0) {
        failed.error = started.error;
        return report(failed);
    }
    task.pid = started.pid;
    task.output = started.output;
    task.log = started.log;
    tasks_.emplace(request.id, std::move(task));
}

void Server::stop(std::uint64_t id, Duration grace) {
    const auto it = tasks_.find(id);
    if (it == tasks_.end() || it->second.wait_status) return;
    Task& task = it->second;
    task.stopped = true;
    ::kill(-task.pid, grace.count() == 0 ? SIGKILL : SIGTERM);
    const SteadyInstant at = clock_.steady_now() + grace;
    if (grace.count() != 0 && (!task.kill_at || at < *task.kill_at)) task.kill_at = at;
}

void Server::pump(Task& task, std::size_t bytes_max) {
    char bytes[64 * 1024];
    std::size_t total = 0;
    while (task.output >= 0 && total < bytes_max) {
        const ssize_t n = ::read(task.output, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n <= 0) {
            ::close(task.output);
            task.output = -1;
            return;
        }
        total += static_cast<std::size_t>(n);
        append_log(task, {bytes, static_cast<std::size_t>(n)});
    }
}

void Server::append_log(Task& task, std::string_view bytes) {
    if (task.log_cut || task.log < 0) return;
    const std::uint64_t room = task.request.log_bytes_max - std::min(task.logged, task.request.log_bytes_max);
    std::string_view kept = bytes.substr(0, std::min<std::uint64_t>(room, bytes.size()));
    task.logged += kept.size();
    while (!kept.empty()) {
        const ssize_t n = ::write(task.log, kept.data(), kept.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            task.log_cut = true; // a full disk must not end the task
            return;
        }
        kept.remove_prefix(static_cast<std::size_t>(n));
    }
    if (bytes.size() <= room) return;
    task.log_cut = true;
    const std::string notice = "\n[weir: the log ends here, " + std::to_string(task.request.log_bytes_max) +
                               " bytes is its limit; the task went on]\n";
    [[maybe_unused]] const ssize_t n = ::write(task.log, notice.data(), notice.size());
}

void Server::reap() {
    bool ended = false;
    for (;;) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == EINTR) continue;
        if (pid <= 0) break;
        ended = true;
        for (auto& [id, task] : tasks_) {
            if (task.pid != pid || task.wait_status) continue;
            task.wait_status = status;
            task.ended_at = clock_.steady_now();
            ::kill(-pid, SIGKILL);
        }
    }
    // The children of whatever ended are this process's own by now.
    if (ended) kill_strays();
}

/// Adopted children belong to a task by the token in their environment. One whose task has ended has no
/// business any more; one without a token (it cleaned its environment) is killed when no task runs.
void Server::kill_strays() {
    bool running = false;
    std::set<pid_t> tasks_own;
    for (auto& [id, task] : tasks_) {
        task.haunted = false;
        if (task.wait_status) continue;
        running = true;
        tasks_own.insert(task.pid);
    }
    strays_unclear_ = false;
    const std::string prefix = std::to_string(::getpid()) + ".";
    for (const pid_t pid : own_children()) {
        if (tasks_own.contains(pid)) continue;
        const auto token = environment_value(pid, "WEIR_TASK_TOKEN");
        if (token.value && token.value->starts_with(prefix)) {
            const auto it = tasks_.find(std::strtoull(token.value->c_str() + prefix.size(), nullptr, 10));
            if (it != tasks_.end() && !it->second.wait_status) continue;
            if (it != tasks_.end()) it->second.haunted = true;
            ::kill(pid, SIGKILL);
            continue;
        }
        strays_unclear_ = strays_unclear_ || (!token.readable && !sleeps(pid));
        if (!running) ::kill(pid, SIGKILL);
    }
}

void Server::settle_ended() {
    const auto ended = [](const auto& entry) { return entry.second.wait_status.has_value(); };
    if (std::none_of(tasks_.begin(), tasks_.end(), ended)) return;
    kill_strays();
    const SteadyInstant now = clock_.steady_now();
    for (auto it = tasks_.begin(); it != tasks_.end();) {
        Task& task = it->second;
        if (!task.wait_status) {
            ++it;
            continue;
        }
        const Duration past = now - task.ended_at;
        const bool there = ::kill(-task.pid, 0) == 0 || task.haunted;
        if ((there && past < vanish_max) || (strays_unclear_ && past < clear_max)) {
            ++it;
            continue;
        }
        pump(task, 1024 * 1024);
        if (task.output >= 0) ::close(task.output);
        if (task.log >= 0) ::close(task.log);
        ProcessEnd end;
        end.id = it->first;
        if (WIFSIGNALED(*task.wait_status))
            end.signal = WTERMSIG(*task.wait_status);
        else
            end.exit_code = WEXITSTATUS(*task.wait_status);
        end.log_cut = task.log_cut;
        end.stopped = task.stopped;
        report(end);
        it = tasks_.erase(it);
    }
}

void Server::report(const ProcessEnd& end) {
    wire::Writer frame(wire::Kind::End);
    frame.number(end.id);
    frame.number(end.spawned ? 1 : 0);
    frame.number(static_cast<std::uint64_t>(end.exit_code));
    frame.number(static_cast<std::uint64_t>(end.signal));
    frame.number(end.log_cut ? 1 : 0);
    frame.number(end.stopped ? 1 : 0);
    frame.text(end.error);
    output_ += frame.take();
}

void Server::end_all() {
    ::close(pipe_);
    for (const auto& [id, task] : tasks_)
        ::kill(-task.pid, SIGKILL);
    // Children of the killed are adopted one generation after the other, until there is none.
    for (;;) {
        const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
        if (pid > 0) continue;
        if (pid < 0 && errno == ECHILD) break;
        for (const pid_t child : own_children())
            ::kill(child, SIGKILL);
        ::poll(nullptr, 0, 2);
    }
    ::_exit(0); // closes what is held: the locks come free now
}

} // namespace

void run_supervisor_process(int pipe) {
    ::setsid(); // a terminal's signals are for weir alone
    ::prctl(PR_SET_NAME, "weir-supervisor");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2})
        ::signal(signal, SIG_IGN);
    ::signal(SIGCHLD, SIG_DFL);
    // Nothing of weir's may be kept open here: a lock or a listening socket would outlive it.
    if (pipe != 3) {
        ::dup3(pipe, 3, O_CLOEXEC);
        pipe = 3;
    }
    ::syscall(SYS_close_range, 4U, ~0U, 0U);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(null, 0);
    ::dup2(null, 1);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    Server(pipe).run();
}

} // namespace weir::flows::local
