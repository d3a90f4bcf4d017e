#include <weir/config/secret.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace weir::config {
namespace {

/// Closes what open() gave.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_;
};

Error cannot_open(const std::string& path, int number) {
    const auto why = "cannot read " + printable(path, 400) + ": " + std::strerror(number);
    if (number == ENOENT || number == ENOTDIR) return not_found(why);
    return {ErrorKind::Denied, why};
}

Privacy privacy_of(mode_t mode) {
    if ((mode & (S_IWGRP | S_IWOTH)) != 0) return Privacy::OthersWrite;
    return (mode & (S_IRWXG | S_IRWXO)) != 0 ? Privacy::OthersRead : Privacy::Owner;
}

Result<std::string> from_environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return not_found("the environment variable " + printable(name) + " is not set");
    if (*value == '\0') return invalid("the environment variable " + printable(name) + " is empty");
    if (std::strlen(value) > secret_bytes_max)
        return exhausted("the environment variable " + printable(name) + " is over " +
                         std::to_string(secret_bytes_max) + " bytes");
    return std::string(value);
}

Result<std::string> from_file(const std::string& path) {
    WEIR_ASSIGN(file, read_private_file(path, secret_bytes_max));
    if (file.privacy != Privacy::Owner)
        return Error(ErrorKind::Denied, "the secret in " + printable(path, 400) +
                                            " can be read by others than its owner; `chmod 600` it first");
    if (file.text.ends_with('\n')) file.text.pop_back();
    if (file.text.ends_with('\r')) file.text.pop_back();
    if (file.text.empty()) return invalid("the secret in " + printable(path, 400) + " is empty");
    if (file.text.find('\0') != std::string::npos)
        return invalid("the secret in " + printable(path, 400) + " holds a NUL byte");
    return std::move(file.text);
}

} // namespace

Result<PrivateFile> read_private_file(const std::string& path, std::size_t bytes_max) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) return cannot_open(path, errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return cannot_open(path, errno);
    if (!S_ISREG(status.st_mode)) return invalid(printable(path, 400) + " is no regular file");
    PrivateFile out;
    out.privacy = privacy_of(status.st_mode);
    char piece[16 * 1024];
    for (;;) {
        const auto got = ::read(file.get(), piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot_open(path, errno);
        if (got == 0) return out;
        out.text.append(piece, static_cast<std::size_t>(got));
        if (out.text.size() > bytes_max)
            return exhausted(printable(path, 400) + " is over the limit of " + std::to_string(bytes_max) +
                             " bytes");
    }
}

Result<std::string> read_secret(const Secret& secret) {
    expects(secret.given(), "a secret read that nobody gave");
    auto text = secret.env.empty() ? from_file(secret.file) : from_environment(secret.env);
    if (!text.ok()) return text.error().in(secret.place.to_string());
    return text;
}

} // namespace weir::config
