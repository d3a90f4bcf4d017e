#include "environment.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <weir/base/text.hpp>

namespace weir::cli {

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

std::string safe_lines(std::string_view text) {
    std::string out;
    while (true) {
        const auto end = text.find_first_of("\n\t");
        out += printable(text.substr(0, end), std::string_view::npos);
        if (end == std::string_view::npos) return out;
        out += text[end];
        text.remove_prefix(end + 1);
    }
}

void note(std::string_view message) {
    const auto text = safe_lines(message) + "\n";
    std::fflush(stdout);
    std::fwrite(text.data(), 1, text.size(), stderr);
}

void complain(std::string_view message) {
    note("weir: " + std::string(message));
}

std::string local_principal() {
    const char* name = std::getenv("USER");
    if (name == nullptr || *name == '\0') {
        const auto* entry = ::getpwuid(::geteuid());
        name = entry != nullptr ? entry->pw_name : nullptr;
    }
    std::string out = "local:";
    for (const char* c = name == nullptr ? "" : name; *c != '\0' && out.size() < 100; ++c) {
        out += *c > 0x20 && *c < 0x7f ? *c : '_';
    }
    if (out == "local:") out += std::to_string(::geteuid());
    return out;
}

void Progress::show(std::string_view text) {
    if (!environment_.stderr_is_terminal) return;
    const auto now = environment_.clock.steady_now();
    if (visible_ && now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    visible_ = true;
    const auto width = environment_.width == 0 ? std::size_t{79} : environment_.width - 1;
    const auto line = "\r\033[K" + printable(text, width);
    std::fwrite(line.data(), 1, line.size(), stderr);
    std::fflush(stderr);
}

void Progress::clear() {
    if (!visible_) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    visible_ = false;
}

} // namespace weir::cli
