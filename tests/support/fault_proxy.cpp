#include <support/fault_proxy.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::support {

namespace {

using Moment = std::chrono::steady_clock::time_point;

constexpr std::size_t waiting_max = std::size_t{1} << 20;
constexpr int backlog = 128;
// Below the ephemeral ports: a client that reconnects to a dead ephemeral port may connect to itself.
constexpr int first_port = 10000;
constexpr int last_port = 14999;

std::system_error fault(const char* what) {
    return {errno, std::generic_category(), what};
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// A file descriptor that closes itself.
class Socket {
  public:
    Socket() = default;
    explicit Socket(int fd) : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool open() const { return fd_ >= 0; }

    static Socket stream() {
        return Socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    }
    void no_delay() const {
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    /// Closing it sends RST.
    void make_abrupt() const {
        const linger now{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }

  private:
    int fd_ = -1;
};

Socket listener(int port) {
    auto socket = Socket::stream();
    const int on = 1;
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto address = loopback(port);
    if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket.fd(), backlog) != 0)
        return Socket{};
    return socket;
}

/// Bytes that were read and not yet written.
struct Piece {
    std::string bytes;
    Moment due;
};

struct Pipe {
    std::deque<Piece> pieces;
    std::size_t waiting = 0;
    bool ended = false;  ///< the reading side has seen the end
    bool closed = false; ///< and the writing side was told
};

struct Link {
    std::array<Socket, 2> ends; ///< client, target
    std::array<Pipe, 2> pipes;  ///< what comes from that end
    bool connected = false;     ///< to the target
};

} // namespace

class FaultProxy::Loop {
  public:
    explicit Loop(int target) : target_(target), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        std::mt19937 chance(std::random_device{}());
        std::uniform_int_distribution<int> ports(first_port, last_port);
        for (int tries = 0; tries < 200 && !listener_.open(); ++tries) {
            port_ = ports(chance);
            listener_ = listener(port_);
        }
        if (!listener_.open() || !wake_.open()) throw fault("a port for the proxy");
        thread_ = std::thread([this] { run(); });
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop() {
        change([this] { stopping_ = true; });
        thread_.join();
    }

    [[nodiscard]] int port() const { return port_; }

    /// Changes the state under the lock and wakes the thread, which sees it before it moves another byte.
    template <class Act>
    void change(Act&& act) {
        const std::lock_guard lock(mutex_);
        act();
        ++changes_;
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_.fd(), &one, sizeof one);
    }

    void pass() {
        change([this] {
            if (!listener_.open()) listener_ = listener(port_);
            if (!listener_.open()) throw fault("the port of the proxy");
            go_on();
        });
    }
    void delay(std::chrono::milliseconds by) {
        change([this, by] {
            go_on();
            delay_ = by;
        });
    }
    void hold() {
        change([this] { held_ = true; });
    }
    void cut(std::uint64_t bytes, ProxyWay way) {
        change([=, this] {
            go_on();
            cut_after_ = bytes;
            cut_way_ = way;
        });
    }
    void reset() {
        change([this] { end_all(true); });
    }
    void refuse() {
        change([this] {
            // The thread's poll() keeps a closed socket open a while; this ends the listening now.
            ::shutdown(listener_.fd(), SHUT_RDWR);
            listener_ = Socket{};
            end_all(false);
        });
    }
    void target(int port) {
        change([=, this] { target_ = port; });
    }
    ProxyCounters counters() {
        const std::lock_guard lock(mutex_);
        auto counters = counters_;
        counters.open = links_.size();
        return counters;
    }

  private:
    // All of this with the lock held, on the thread or in change().

    void go_on() {
        held_ = false;
        delay_ = {};
        cut_after_.reset();
        for (auto& link : links_)
            for (auto& pipe : link.pipes)
                for (auto& piece : pipe.pieces)
                    piece.due = {};
    }

    void end_all(bool abrupt) {
        for (auto& link : links_)
            if (abrupt)
                for (auto& end : link.ends)
                    end.make_abrupt();
        counters_.cut += links_.size();
        links_.clear();
    }

    void accept_all() {
        for (;;) {
            Socket client(::accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!client.open()) return;
            ++counters_.accepted;
            auto server = Socket::stream();
            const auto address = loopback(target_);
            const int failed =
                target_ == 0
                    ? -1
                    : ::connect(server.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
            if (failed != 0 && (target_ == 0 || errno != EINPROGRESS)) {
                client.make_abrupt();
                ++counters_.refused;
                continue;
            }
            client.no_delay();
            server.no_delay();
            links_.emplace_back();
            links_.back().ends = {std::move(client), std::move(server)};
        }
    }

    /// What this end of a link is waited for.
    short wanted(const Link& link, std::size_t end, Moment now) const {
        if (held_) return 0;
        if (!link.connected) return end == 1 ? POLLOUT : 0;
        short events = 0;
        const auto& from = link.pipes[end];
        const auto& to = link.pipes[1 - end];
        if (!from.ended && from.waiting < waiting_max) events |= POLLIN;
        if (!to.pieces.empty() && to.pieces.front().due <= now) events |= POLLOUT;
        return events;
    }

    /// False: the link is over.
    bool serve(Link& link, std::size_t end, short events, Moment now) {
        if (!link.connected) {
            int failed = 0;
            socklen_t size = sizeof failed;
            ::getsockopt(link.ends[1].fd(), SOL_SOCKET, SO_ERROR, &failed, &size);
            if (end == 1 && (events & (POLLOUT | POLLERR | POLLHUP)) != 0) {
                link.connected = failed == 0;
                if (failed != 0) ++counters_.refused;
            }
            return failed == 0;
        }
        if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !link.pipes[end].ended && !take(link, end, now))
            return false;
        return (events & POLLOUT) == 0 || give(link, end, now);
    }

    bool take(Link& link, std::size_t end, Moment now) {
        std::array<char, 65536> buffer{};
        auto& pipe = link.pipes[end];
        const auto size = ::recv(link.ends[end].fd(), buffer.data(), buffer.size(), 0);
        if (size < 0) return errno == EAGAIN || errno == EINTR;
        if (size == 0) {
            pipe.ended = true;
            return true;
        }
        pipe.pieces.push_back({std::string(buffer.data(), static_cast<std::size_t>(size)), now + delay_});
        pipe.waiting += static_cast<std::size_t>(size);
        return true;
    }

    /// Writes to this end what came from the other.
    bool give(Link& link, std::size_t end, Moment now) {
        auto& pipe = link.pipes[1 - end];
        const bool counts =
            cut_after_ && (cut_way_ == ProxyWay::Both || (cut_way_ == ProxyWay::ToTarget) == (end == 1));
        while (!pipe.pieces.empty() && pipe.pieces.front().due <= now) {
            auto& bytes = pipe.pieces.front().bytes;
            auto size = bytes.size();
            if (counts) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, *cut_after_));
            const auto written =
                size == 0 ? 0 : ::send(link.ends[end].fd(), bytes.data(), size, MSG_NOSIGNAL);
            if (written < 0) return errno == EAGAIN || errno == EINTR;
            const auto gone = static_cast<std::size_t>(written);
            (end == 1 ? counters_.to_target : counters_.to_client) += gone;
            pipe.waiting -= gone;
            bytes.erase(0, gone);
            if (bytes.empty()) pipe.pieces.pop_front();
            if (counts) *cut_after_ -= gone;
            if (counts && *cut_after_ == 0) {
                cut_now_ = true;
                return true;
            }
        }
        return true;
    }

    /// Tells an end that the other sends no more. False: both have ended.
    static bool tell_ends(Link& link) {
        for (std::size_t end = 0; end < 2; ++end) {
            auto& pipe = link.pipes[end];
            if (pipe.ended && pipe.pieces.empty() && !pipe.closed) {
                ::shutdown(link.ends[1 - end].fd(), SHUT_WR);
                pipe.closed = true;
            }
        }
        return !(link.pipes[0].closed && link.pipes[1].closed);
    }

    /// What to wait for, and until when.
    std::vector<pollfd> interests(Moment now, std::optional<Moment>& due) const {
        std::vector<pollfd> polled{{wake_.fd(), POLLIN, 0}, {held_ ? -1 : listener_.fd(), POLLIN, 0}};
        for (const auto& link : links_) {
            for (std::size_t end = 0; end < 2; ++end) {
                const short events = wanted(link, end, now);
                // An end that nothing is wanted of would report its hang-up again and again.
                polled.push_back({events == 0 ? -1 : link.ends[end].fd(), events, 0});
                const auto& pieces = link.pipes[end].pieces;
                if (!held_ && !pieces.empty() && pieces.front().due > now)
                    due = std::min(due.value_or(pieces.front().due), pieces.front().due);
            }
        }
        return polled;
    }

    void run() {
        std::unique_lock lock(mutex_);
        while (!stopping_) {
            const auto now = std::chrono::steady_clock::now();
            std::optional<Moment> due;
            auto polled = interests(now, due);
            const auto left = due ? std::chrono::ceil<std::chrono::milliseconds>(*due - now).count() : -1;
            const auto seen = changes_;
            lock.unlock();
            ::poll(polled.data(), polled.size(), static_cast<int>(left));
            lock.lock();
            std::uint64_t woken = 0;
            // After a change what poll() saw may be of sockets that are gone.
            if (::read(wake_.fd(), &woken, sizeof woken) > 0 || seen != changes_) continue;
            serve_all(polled);
        }
        links_.clear();
    }

    void serve_all(const std::vector<pollfd>& polled) {
        const auto now = std::chrono::steady_clock::now();
        std::size_t next = 2;
        for (auto link = links_.begin(); link != links_.end();) {
            bool alive = true;
            for (std::size_t end = 0; end < 2 && !cut_now_; ++end) {
                const auto events = polled[next + end].revents;
                if (alive && events != 0) alive = serve(*link, end, events, now);
            }
            next += 2;
            if (cut_now_) break;
            if (!alive) {
                // What ended one side abruptly ends the other so.
                for (auto& end : link->ends)
                    end.make_abrupt();
                link = links_.erase(link);
            } else {
                link = tell_ends(*link) ? std::next(link) : links_.erase(link);
            }
        }
        if (std::exchange(cut_now_, false)) {
            end_all(false);
            go_on();
        }
        if ((polled[1].revents & POLLIN) != 0) accept_all();
    }

    std::mutex mutex_;
    std::list<Link> links_;
    Socket listener_;
    int port_ = 0;
    int target_ = 0;
    bool stopping_ = false;
    bool held_ = false;
    bool cut_now_ = false;
    std::chrono::milliseconds delay_{};
    std::optional<std::uint64_t> cut_after_;
    ProxyWay cut_way_ = ProxyWay::Both;
    ProxyCounters counters_;
    std::uint64_t changes_ = 0;
    Socket wake_;
    std::thread thread_;
};

FaultProxy::FaultProxy() : FaultProxy(0) {}
FaultProxy::FaultProxy(int target_port) : loop_(std::make_unique<Loop>(target_port)) {}
FaultProxy::~FaultProxy() = default;

int FaultProxy::port() const {
    return loop_->port();
}
void FaultProxy::target(int port) {
    loop_->target(port);
}
void FaultProxy::pass() {
    loop_->pass();
}
void FaultProxy::delay(std::chrono::milliseconds by) {
    loop_->delay(by);
}
void FaultProxy::hold() {
    loop_->hold();
}
void FaultProxy::cut(std::uint64_t bytes, ProxyWay way) {
    loop_->cut(bytes, way);
}
void FaultProxy::reset() {
    loop_->reset();
}
void FaultProxy::refuse() {
    loop_->refuse();
}
ProxyCounters FaultProxy::counters() const {
    return loop_->counters();
}

} // namespace weir::support
