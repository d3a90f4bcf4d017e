#include <weir/flows/files.hpp>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/base/text.hpp>

namespace weir::flows {

namespace {

Error failed(const std::string& what, const std::filesystem::path& path, int number) {
    return unavailable("cannot " + what + " " + path.string() + ": " + std::strerror(number));
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

} // namespace

Status sync_folder(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed("open", path, errno);
    const int result = ::fsync(fd);
    const int number = errno;
    ::close(fd);
    if (result != 0) return failed("write", path, number);
    return {};
}

Status write_durably(const std::filesystem::path& path, std::string_view bytes) {
    const std::filesystem::path temporary = path.string() + ".new";
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return failed("write", path, errno);
    const bool written = write_all(fd, bytes) && ::fsync(fd) == 0;
    const int number = errno;
    ::close(fd);
    if (!written || ::rename(temporary.c_str(), path.c_str()) != 0) {
        const int why = written ? errno : number;
        ::unlink(temporary.c_str());
        return failed("write", path, why);
    }
    return sync_folder(path.parent_path());
}

Status create_file(const std::filesystem::path& path, std::string_view bytes, bool durable) {
    // Of a name that nobody else uses: another process may be about to make the same file.
    const std::filesystem::path temporary = path.string() + ".new-" + std::to_string(::getpid());
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return failed("write", path, errno);
    const bool written = write_all(fd, bytes) && (!durable || ::fsync(fd) == 0);
    const int number = errno;
    ::close(fd);
    // A link is made or is not: unlike a rename it never replaces what is there.
    const bool made = written && ::link(temporary.c_str(), path.c_str()) == 0;
    const int why = written ? errno : number;
    ::unlink(temporary.c_str());
    if (!made && written && why == EEXIST)
        return Error(ErrorKind::Conflict, path.filename().string() + " is there already");
    if (!made) return failed("write", path, why);
    if (durable) return sync_folder(path.parent_path());
    return {};
}

Status write_plain(const std::filesystem::path& path, std::string_view bytes) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return failed("write", path, errno);
    const bool written = write_all(fd, bytes);
    const int number = errno;
    ::close(fd);
    if (!written) return failed("write", path, number);
    return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return not_found("there is no file " + path.string());
        return failed("read", path, errno);
    }
    std::string text;
    char bytes[64 * 1024];
    for (;;) {
        const ssize_t n = ::read(fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const int number = errno;
            ::close(fd);
            return failed("read", path, number);
        }
        if (n == 0) break;
        text.append(bytes, static_cast<std::size_t>(n));
        if (text.size() > bytes_max) {
            ::close(fd);
            return exhausted(path.filename().string() + " is larger than " + std::to_string(bytes_max) +
                             " bytes");
        }
    }
    ::close(fd);
    return text;
}

std::string read_tail(const std::filesystem::path& path, std::size_t bytes_max) {
    std::string text;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return text;
    struct stat info {};
    if (::fstat(fd, &info) == 0 && info.st_size > 0) {
        const auto size = static_cast<std::size_t>(info.st_size);
        const std::size_t from = size > bytes_max ? size - bytes_max : 0;
        text.resize(size - from);
        const ssize_t n = ::pread(fd, text.data(), text.size(), static_cast<off_t>(from));
        text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        if (from > 0) {
            const std::size_t line = text.find('\n');
            if (line != std::string::npos && line + 1 < text.size()) text.erase(0, line + 1);
            // Where it is all one line: what is left of a character that was cut.
            while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xc0) == 0x80)
                text.erase(0, 1);
        }
    }
    ::close(fd);
    return text;
}

Status make_folders(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return unavailable("cannot make the folder " + path.string() + ": " + error.message());
    return {};
}

std::string last_line(std::string_view text) {
    while (!text.empty()) {
        const std::size_t start = text.rfind('\n');
        const std::string_view line = start == std::string_view::npos ? text : text.substr(start + 1);
        const std::size_t first = line.find_first_not_of(" \t\r");
        if (first != std::string_view::npos) return printable(line.substr(first), 300);
        if (start == std::string_view::npos) break;
        text = text.substr(0, start);
    }
    return {};
}

} // namespace weir::flows
