#include "signals.hpp"

#include <csignal>

#include <pthread.h>
#include <unistd.h>

namespace weir::app {
namespace {

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

} // namespace

Signals::Signals() {
    const auto set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

Signals::~Signals() {
    if (!thread_.joinable()) return;
    pthread_kill(thread_.native_handle(), SIGTERM); // wakes it if it still waits; harmless if not
    thread_.join();
}

void Signals::on_stop(std::function<void()> stop) {
    thread_ = std::thread([stop = std::move(stop)] {
        const auto set = stop_signals();
        int signal = 0;
        sigwait(&set, &signal);
        // Whoever asks twice does not want to wait for the clean way.
        std::signal(SIGINT, SIG_DFL);
        std::signal(SIGTERM, SIG_DFL);
        const auto unblock = stop_signals();
        pthread_sigmask(SIG_UNBLOCK, &unblock, nullptr);
        stop();
    });
}

void Signals::request() {
    ::kill(::getpid(), SIGTERM);
}

} // namespace weir::app
