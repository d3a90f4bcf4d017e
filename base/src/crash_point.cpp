#include <weir/base/crash_point.hpp>

#include <csignal>
#include <cstdlib>
#include <string>

#include <unistd.h>

namespace weir {

std::atomic<CrashHook> crash_hook{nullptr};

namespace {
std::string wanted;
std::atomic<long> passes_left{0};
int signal_sent = SIGKILL;

void signal_at(const char* name_and_count, int signal) {
    signal_sent = signal;
    wanted = name_and_count;
    passes_left = 1;
    if (const auto colon = wanted.find(':'); colon != std::string::npos) {
        passes_left = std::strtol(wanted.c_str() + colon + 1, nullptr, 10);
        wanted.resize(colon);
    }
    crash_hook = [](const char* name) {
        if (wanted == name && --passes_left == 0) ::kill(::getpid(), signal_sent);
    };
}

} // namespace

void crash_at(const char* name_and_count) {
    signal_at(name_and_count, SIGKILL);
}

void freeze_at(const char* name_and_count) {
    signal_at(name_and_count, SIGSTOP);
}

} // namespace weir
