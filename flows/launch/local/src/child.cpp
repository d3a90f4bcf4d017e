#include "child.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::flows::local {

namespace {

constexpr rlim_t open_files_max = 65'536;

struct Failure {
    int number;
    int step; ///< index into `steps`
};
constexpr const char* steps[] = {"enter its working folder", "limit its memory", "execute it",
                                 "start it: weir's supervisor is ending"};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (const std::string& text : texts)
        list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
}

[[noreturn]] void give_up(int fd, int step) {
    const Failure failure{errno, step};
    [[maybe_unused]] const ssize_t n = ::write(fd, &failure, sizeof failure);
    ::_exit(127);
}

[[noreturn]] void become(const SpawnRequest& request, pid_t parent, int output, int verdict) {
    ::setsid();
    // The supervisor has one thread, so this means its death and nothing less.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) give_up(verdict, 3);
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(output, 1);
    ::dup2(output, 2);
    if (::chdir(request.cwd.c_str()) != 0) give_up(verdict, 0);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = std::min(files.rlim_max, open_files_max);
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    if (request.memory_bytes_max > 0) {
        const rlimit memory{request.memory_bytes_max, request.memory_bytes_max};
        if (::setrlimit(RLIMIT_AS, &memory) != 0) give_up(verdict, 1);
    }
    for (int signal = 1; signal < NSIG; ++signal)
        ::signal(signal, SIG_DFL);
    sigset_t none_blocked;
    sigemptyset(&none_blocked);
    ::sigprocmask(SIG_SETMASK, &none_blocked, nullptr);
    ::umask(022);
    const std::vector<char*> argv = pointers(request.argv);
    const std::vector<char*> env = pointers(request.env);
    ::execve(request.file.c_str(), argv.data(), env.data());
    give_up(verdict, 2);
}

} // namespace

Started start_child(const SpawnRequest& request) {
    Started started;
    int output[2] = {-1, -1};
    int verdict[2] = {-1, -1};
    const auto fail = [&](std::string error) {
        for (const int fd : {output[0], output[1], verdict[0], verdict[1], started.log})
            if (fd >= 0) ::close(fd);
        Started failed;
        failed.error = std::move(error);
        return failed;
    };
    started.log = ::open(request.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (started.log < 0)
        return fail("its log " + request.log_path + " cannot be opened: " + std::strerror(errno));
    if (::pipe2(output, O_CLOEXEC) != 0 || ::pipe2(verdict, O_CLOEXEC) != 0)
        return fail(std::string("no pipe for its output: ") + std::strerror(errno));
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fail(std::string("cannot fork: ") + std::strerror(errno));
    if (pid == 0) become(request, parent, output[1], verdict[1]);
    ::close(output[1]);
    ::close(verdict[1]);
    output[1] = verdict[1] = -1;
    Failure failure{};
    ssize_t n = 0;
    do
        n = ::read(verdict[0], &failure, sizeof failure);
    while (n < 0 && errno == EINTR);
    if (n == static_cast<ssize_t>(sizeof failure)) {
        ::waitpid(pid, nullptr, 0);
        return fail("cannot " + std::string(steps[failure.step]) + " (" + request.file +
                    "): " + std::strerror(failure.number));
    }
    ::close(verdict[0]);
    ::fcntl(output[0], F_SETFL, O_NONBLOCK);
    started.pid = pid;
    started.output = output[0];
    return started;
}

} // namespace weir::flows::local
