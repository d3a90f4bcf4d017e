#include "tokens.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <weir/config/secret.hpp>

namespace weir::app {
namespace {

Error cannot_write(const std::string& path) {
    return {ErrorKind::Denied, "cannot write " + path + ": " + std::strerror(errno)};
}

/// Whole or not there: a client may read at any moment.
Status write_private(const std::string& path, const std::string& text) {
    const auto part = path + ".part";
    ::unlink(part.c_str());
    const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return cannot_write(part);
    const bool whole = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const auto error = cannot_write(part);
    ::close(file);
    if (!whole) return error;
    if (::rename(part.c_str(), path.c_str()) != 0) return cannot_write(path);
    return {};
}

} // namespace

Result<config::Token> own_token(const std::string& data) {
    const auto path = data + "/token";
    std::string text;
    if (::access(path.c_str(), F_OK) == 0) {
        WEIR_ASSIGN(kept, config::read_secret({{}, path, {"the data folder's token", 0, 0}}));
        text = std::move(kept);
    } else {
        WEIR_ASSIGN(made, config::make_token("admin", {"admin"}, {}));
        WEIR_TRY(write_private(path, made.token + "\n"));
        text = std::move(made.token);
    }
    return config::Token{"admin", *config::scopes_from({"admin"}), {}, sha256(text)};
}

Result<std::vector<config::Token>> first_tokens(const config::Config& config, bool makes_token) {
    std::vector<config::Token> tokens;
    if (!config.auth.tokens.empty()) {
        WEIR_ASSIGN(read, config::read_tokens(config.auth.tokens));
        tokens = std::move(read);
    }
    if (makes_token) {
        WEIR_ASSIGN(own, own_token(config.data));
        tokens.push_back(std::move(own));
    }
    return tokens;
}

bool FileWatch::changed() {
    if (path_.empty()) return false;
    struct stat status {};
    if (::stat(path_.c_str(), &status) != 0) return false;
    const auto time = [](const timespec& t) {
        return std::to_string(t.tv_sec) + "." + std::to_string(t.tv_nsec) + " ";
    };
    const auto now = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) + " " +
                     std::to_string(status.st_size) + " " + std::to_string(status.st_mode) + " " +
                     time(status.st_mtim) + time(status.st_ctim);
    return std::exchange(seen_, now) != now;
}

} // namespace weir::app
