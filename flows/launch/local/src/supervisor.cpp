#include <weir/flows/local/supervisor.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "processes.hpp"
#include "supervisor_process.hpp"
#include "wire.hpp"

namespace weir::flows::local {

namespace {

std::string errno_text(int number) {
    return std::strerror(number);
}

Error gone() {
    return unavailable(
        "the supervisor process has ended, so no task can be started; restart weir (its tasks were ended)");
}

} // namespace

struct Supervisor::State {
    int fd = -1;
    pid_t pid = -1;
    std::mutex mutex; ///< of writing, and of `alive`
    bool alive = true;
    std::string input;

    ~State() {
        if (fd >= 0) ::close(fd);
        if (pid > 0) {
            while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
            }
        }
    }

    Status send(const std::string& frame, int passed_fd = -1) {
        std::lock_guard lock(mutex);
        if (!alive) return gone();
        std::size_t sent = 0;
        while (sent < frame.size()) {
            iovec piece{const_cast<char*>(frame.data()) + sent, frame.size() - sent};
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
            msghdr message{};
            message.msg_iov = &piece;
            message.msg_iovlen = 1;
            if (passed_fd >= 0 && sent == 0) {
                message.msg_control = control;
                message.msg_controllen = sizeof control;
                cmsghdr* header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int));
                std::memcpy(CMSG_DATA(header), &passed_fd, sizeof passed_fd);
            }
            const ssize_t n = ::sendmsg(fd, &message, MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) {
                alive = false;
                return gone();
            }
            sent += static_cast<std::size_t>(n);
        }
        return {};
    }
};

Supervisor::Supervisor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Supervisor::Supervisor(Supervisor&&) noexcept = default;
Supervisor& Supervisor::operator=(Supervisor&&) noexcept = default;
Supervisor::~Supervisor() = default;

Result<Supervisor> Supervisor::start() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return unavailable("no pipe for the supervisor process: " + errno_text(errno));
    const pid_t pid = ::fork();
    if (pid < 0) {
        const int error = errno;
        ::close(ends[0]);
        ::close(ends[1]);
        return unavailable("cannot fork the supervisor process: " + errno_text(error));
    }
    if (pid == 0) run_supervisor_process(ends[1]);
    ::close(ends[1]);
    auto state = std::make_unique<State>();
    state->fd = ends[0];
    state->pid = pid;
    return Supervisor(std::move(state));
}

Status Supervisor::spawn(const SpawnRequest& request) {
    for (const std::string& argument : request.argv) {
        if (argument.size() > process_argument_bytes_max)
            return exhausted("an argument of " + std::to_string(argument.size()) +
                             " bytes: one argument of a command holds at most " +
                             std::to_string(process_argument_bytes_max) + " bytes on Linux");
        if (argument.find('\0') != std::string::npos)
            return invalid("an argument holds a zero byte, which no command line can carry");
    }
    wire::Writer frame(wire::Kind::Spawn);
    frame.number(request.id);
    frame.text(request.file);
    frame.list(request.argv);
    frame.list(request.env);
    frame.text(request.cwd);
    frame.text(request.log_path);
    frame.number(request.log_bytes_max);
    frame.number(request.memory_bytes_max);
    std::string bytes = frame.take();
    if (bytes.size() > wire::frame_bytes_max)
        return exhausted("arguments and environment of one process together exceed 8 MiB");
    return state_->send(bytes);
}

Status Supervisor::stop(std::uint64_t id, Duration grace) {
    wire::Writer frame(wire::Kind::Stop);
    frame.number(id);
    frame.number(static_cast<std::uint64_t>(std::max<std::int64_t>(grace.count(), 0)));
    return state_->send(frame.take());
}

Status Supervisor::hold(int fd) {
    return state_->send(wire::Writer(wire::Kind::Hold).take(), fd);
}

int Supervisor::fd() const {
    return state_->fd;
}
pid_t Supervisor::pid() const {
    return state_->pid;
}
bool Supervisor::alive() const {
    std::lock_guard lock(state_->mutex);
    return state_->alive;
}

Result<std::vector<ProcessEnd>> Supervisor::receive() {
    std::vector<ProcessEnd> ends;
    bool eof = false;
    char bytes[64 * 1024];
    for (;;) {
        const ssize_t n = ::recv(state_->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (n <= 0) {
            eof = true;
            break;
        }
        state_->input.append(bytes, static_cast<std::size_t>(n));
    }
    const bool sane = wire::take_frames(state_->input, [&](std::string_view frame) {
        wire::Reader reader(frame);
        if (reader.kind() != wire::Kind::End) return;
        ProcessEnd end;
        end.id = reader.number();
        end.spawned = reader.number() != 0;
        end.exit_code = static_cast<int>(reader.number());
        end.signal = static_cast<int>(reader.number());
        end.log_cut = reader.number() != 0;
        end.stopped = reader.number() != 0;
        end.error = reader.text();
        if (reader.ok()) ends.push_back(std::move(end));
    });
    if ((eof || !sane) && ends.empty()) {
        std::lock_guard lock(state_->mutex);
        state_->alive = false;
        return gone();
    }
    return ends;
}

std::size_t kill_marked(const std::string& mark) {
    const auto equals = mark.find('=');
    const std::string name = mark.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : mark.substr(equals + 1);
    std::size_t killed = 0;
    // A killed process may have started others just before, and one that becomes another program shows no
    // environment for a moment: two rounds in a row must find none.
    int clean = 0;
    for (int round = 0; round < 50 && clean < 2; ++round) {
        bool found = false;
        for (const pid_t pid : all_processes()) {
            if (pid == ::getpid() || environment_value(pid, name).value != value) continue;
            found = true;
            if (::kill(pid, SIGKILL) == 0) ++killed;
            ::waitpid(pid, nullptr, WNOHANG);
        }
        clean = found ? 0 : clean + 1;
        ::poll(nullptr, 0, 10);
    }
    return killed;
}

} // namespace weir::flows::local
