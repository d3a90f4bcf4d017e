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
} // namespace

void crash_at(const char* name_and_count) {
    wanted = name_and_count;
    passes_left = 1;
    if (const auto colon = wanted.find(':'); colon != std::string::npos) {
        passes_left = std::strtol(wanted.c_str() + colon + 1, nullptr, 10);
        wanted.resize(colon);
    }
    crash_hook = [](const char* name) {
        if (wanted == name && --passes_left == 0) ::kill(::getpid(), SIGKILL);
    };
}

} // namespace weir
