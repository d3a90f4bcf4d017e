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

Signals::Signals(bool with_hangup) : with_hangup_(with_hangup) {
    auto set = stop_signals();
    if (with_hangup_) sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

Signals::~Signals() {
    if (!thread_.joinable()) return;
    pthread_kill(thread_.native_handle(), SIGTERM); // wakes it if it still waits; harmless if not
    thread_.join();
}

void Signals::start(std::function<void()> stop, std::function<void()> hangup) {
    thread_ = std::thread([stop = std::move(stop), hangup = std::move(hangup), with_hangup = with_hangup_] {
        auto set = stop_signals();
        if (with_hangup) sigaddset(&set, SIGHUP);
        int signal = 0;
        while (sigwait(&set, &signal) == 0 && signal == SIGHUP)
            hangup();
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
