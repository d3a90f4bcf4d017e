#include "interrupt.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include <weir/base/result.hpp>

namespace weir::cli {
namespace {

// What a signal handler may touch.
std::atomic<bool> came{false};
std::atomic<int> write_end{-1};

void on_signal(int number) {
    came = true;
    const char mark = 's';
    [[maybe_unused]] const auto ignored = ::write(write_end, &mark, 1);
    ::signal(number, SIG_DFL);
}

void handle(int number, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(number, &action, nullptr);
}

} // namespace

Interrupt::Interrupt() {
    int ends[2];
    expects(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "a pipe for signals");
    read_end_ = ends[0];
    write_end = ends[1];
    came = false;
    handle(SIGINT, on_signal);
    handle(SIGTERM, on_signal);
}

Interrupt::~Interrupt() {
    handle(SIGINT, SIG_DFL);
    handle(SIGTERM, SIG_DFL);
    ::close(write_end.exchange(-1));
    ::close(read_end_);
}

bool Interrupt::requested() const {
    return came;
}

bool Interrupt::wait(Duration duration) {
    pollfd watched{read_end_, POLLIN, 0};
    ::poll(&watched, 1,
           static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()));
    return came;
}

} // namespace weir::cli
