#include <support/python_child.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace weir::support {

namespace {

std::system_error system_fault(int number, const std::string& what) {
    return {number, std::generic_category(), what};
}

} // namespace

PythonChild::PythonChild(std::string name, const std::vector<std::string>& words) : name_(std::move(name)) {
    std::array<int, 2> in{-1, -1};
    std::array<int, 2> out{-1, -1};
    if (::pipe2(in.data(), O_CLOEXEC) != 0) throw system_fault(errno, "pipe");
    if (::pipe2(out.data(), O_CLOEXEC) != 0) {
        ::close(in[0]);
        ::close(in[1]);
        throw system_fault(errno, "pipe");
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::vector<std::string> all{"python3"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (auto& word : all)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int failed = ::posix_spawnp(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    commands_ = in[1];
    answers_ = out[0];
    if (failed == 0) return;
    process_ = -1;
    end(0);
    throw system_fault(failed, "python3");
}

PythonChild::~PythonChild() {
    end(0);
}

void PythonChild::end(int signal) {
    if (commands_ >= 0) ::close(commands_);
    if (answers_ >= 0) ::close(answers_);
    commands_ = answers_ = -1;
    if (process_ <= 0) return;
    if (signal != 0) ::kill(process_, signal);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
}

void PythonChild::write_line(std::string_view line) const {
    // A child that is gone must be an error here and not the end of the test program.
    struct sigaction ignore {};
    struct sigaction before {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before);
    const std::string text = std::string(line) + '\n';
    std::string_view rest = text;
    int fault = 0;
    while (!rest.empty() && fault == 0) {
        const auto written = ::write(commands_, rest.data(), rest.size());
        if (written >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno != EINTR) {
            fault = errno;
        }
    }
    ::sigaction(SIGPIPE, &before, nullptr);
    // EPIPE: why it ended may still be there to be read.
    if (fault != 0 && fault != EPIPE) throw system_fault(fault, "write to " + name_);
}

std::string PythonChild::read_line(int timeout_ms) {
    for (;;) {
        if (const auto end = unread_.find('\n'); end != std::string::npos) {
            auto line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            return line;
        }
        pollfd ready{answers_, POLLIN, 0};
        const int count = ::poll(&ready, 1, timeout_ms);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) throw std::runtime_error(name_ + " does not answer");
        std::array<char, 4096> buffer{};
        const auto size = ::read(answers_, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) throw std::runtime_error(name_ + " has ended; stderr says why");
        unread_.append(buffer.data(), static_cast<std::size_t>(size));
    }
}

} // namespace weir::support
