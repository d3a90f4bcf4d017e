#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <weir/cli/cli.hpp>
#include <weir/config/secret.hpp>

#include "environment.hpp"
#include "parse.hpp"

namespace weir::cli {
namespace {

std::size_t terminal_width() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
    return 80;
}

/// The token to show: --token-file, else what --data holds, else WEIR_TOKEN; none is no error.
Result<std::string> token_of(const Parsed& parsed) {
    const auto read = [](const std::string& path) {
        return config::read_secret({{}, path, {"the token", 0, 0}});
    };
    if (!parsed.token_file.empty()) return read(parsed.token_file);
    if (!parsed.data.empty()) {
        const auto path = parsed.data + "/token";
        if (::access(path.c_str(), F_OK) == 0) return read(path);
    }
    const char* set = std::getenv("WEIR_TOKEN");
    return std::string(set == nullptr ? "" : set);
}

int run_client(const Parsed& parsed) {
    const SystemClock clock;
    Interrupt interrupt;
    Environment environment{.principal = local_principal(), .clock = clock, .interrupt = interrupt};
    environment.stdout_is_terminal = ::isatty(STDOUT_FILENO) == 1;
    environment.stderr_is_terminal = ::isatty(STDERR_FILENO) == 1;
    if (environment.stdout_is_terminal) environment.width = terminal_width();
    if (!parsed.server.empty()) {
        environment.server = parsed.server;
    } else if (const char* set = std::getenv("WEIR_SERVER"); set != nullptr && *set != '\0') {
        environment.server = set;
    }
    auto token = token_of(parsed);
    if (token.ok() && token->find_first_of("\r\n") != std::string::npos)
        token = invalid("a token is one line");
    if (!token.ok()) {
        complain(token.error().message);
        return exit_failed;
    }
    environment.token = std::move(*token);
    const auto result = parsed.client(environment);
    std::fflush(stdout);
    if (!result.ok()) {
        complain(result.error().message);
        return exit_failed;
    }
    if (std::ferror(stdout) != 0) {
        complain("writing the output failed");
        return exit_failed;
    }
    return *result;
}

} // namespace

int run(int argc, char** argv, const Commands& hooks) {
    const auto parsed = parse(argc, argv, hooks);
    if (parsed.ended) {
        std::fputs(parsed.ended->text.c_str(), parsed.ended->code == exit_done ? stdout : stderr);
        return parsed.ended->code;
    }
    if (parsed.application) return parsed.application();
    // A reader that goes away (`weir runs | head`) ends the command as it ends any other tool.
    std::signal(SIGPIPE, SIG_DFL);
    return run_client(parsed);
}

} // namespace weir::cli
