#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/cli/cli.hpp>
#include <weir/config/secret.hpp>
#include <weir/config/tokens.hpp>

#include "commands.hpp"

namespace weir::cli {
namespace {

constexpr std::size_t tokens_bytes_max = 1024 * 1024;

Error cannot_write(const std::string& path) {
    return {ErrorKind::Denied, "cannot write " + printable(path, 400) + ": " + std::strerror(errno)};
}

/// Adds a line to a tokens file that is right, or makes one.
Status append_line(const std::string& path, const std::string& line) {
    std::string text = line + "\n";
    if (::access(path.c_str(), F_OK) == 0) {
        WEIR_TRY(config::read_tokens(path));
        WEIR_ASSIGN(old, config::read_private_file(path, tokens_bytes_max));
        if (old.text.find_first_not_of(" \t\r\n") != std::string::npos && old.text.front() == '[')
            return invalid(printable(path, 400) + " is a list in brackets; add the line there by hand");
        if (!old.text.empty() && old.text.back() != '\n') text.insert(0, "\n");
    }
    const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return cannot_write(path);
    const auto written = ::write(file, text.data(), text.size());
    const bool whole = written == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
    const auto error = cannot_write(path);
    ::close(file);
    if (!whole) return error;
    return {};
}

} // namespace

Result<int> new_token(const Environment&, const TokenOptions& options) {
    WEIR_ASSIGN(made, config::make_token(options.principal, options.scopes, options.teams));
    if (!options.append.empty()) WEIR_TRY(append_line(options.append, made.line));
    if (options.json) {
        print("{\"token\":" + json_string(made.token) + ",\"line\":" + json_string(made.line) + "}\n");
        return exit_done;
    }
    print(made.token + "\n");
    note("This token is shown once: give it to its bearer (WEIR_TOKEN, or a file for --token-file).");
    if (options.append.empty()) {
        note("Its line for the tokens file:");
        print(made.line + "\n");
    } else {
        note("Its line has been added to " + printable(options.append, 400) + ".");
    }
    return exit_done;
}

} // namespace weir::cli
