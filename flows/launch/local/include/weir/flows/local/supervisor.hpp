#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>

namespace weir::flows::local {

/// One process to start.
struct SpawnRequest {
    std::uint64_t id = 0;          ///< chosen by the caller, never used twice
    std::string file;              ///< absolute path of the program
    std::vector<std::string> argv; ///< argv[0] included; each at most process_argument_bytes_max
    std::vector<std::string> env;  ///< NAME=value; nothing else is inherited
    std::string cwd;
    std::string log_path;                           ///< stdout and stderr, appended; made if it is not there
    std::uint64_t log_bytes_max = 16 * 1024 * 1024; ///< what is beyond is dropped with a notice
    std::uint64_t memory_bytes_max = 0;             ///< RLIMIT_AS; 0: as the machine has it
};
/// Linux, MAX_ARG_STRLEN less the closing zero.
inline constexpr std::size_t process_argument_bytes_max = 131'071;

/// The end of a process, and of every process of its group.
struct ProcessEnd {
    std::uint64_t id = 0;
    bool spawned = true;  ///< false: it never ran, `error` says why
    int exit_code = 0;    ///< if `signal` is 0
    int signal = 0;       ///< the signal that ended it
    bool log_cut = false; ///< output was dropped
    bool stopped = false; ///< stop() was asked for
    std::string error;
};

/// The one process that starts tasks: a fork of this binary, single-threaded, subreaper of all it starts.
/// When its pipe to weir ends, however weir died, it kills until no child is left and ends; daemonised
/// grandchildren included. So no task outlives weir. Owner:  main() starts it before any thread; the local
/// backend uses it until close(). Thread: start() before there is a second thread. spawn(), stop(), hold()
/// from any; receive() from one at a time. Errors: `unavailable` once the supervisor is gone (killed by
/// somebody): its tasks are gone with it or are killed
///         by the destructor or sweep(); nothing can be started any more until weir restarts.
/// Limits: 4,096 processes at a time; a request of 8 MiB.
class Supervisor {
  public:
    static Result<Supervisor> start();

    Supervisor(Supervisor&&) noexcept;
    Supervisor& operator=(Supervisor&&) noexcept;
    /// Ends the supervisor and every process it started; returns when they are gone.
    ~Supervisor();

    Status spawn(const SpawnRequest& request);
    /// SIGTERM to the process group, SIGKILL after `grace`. Zero grace: SIGKILL at once.
    Status stop(std::uint64_t id, Duration grace);
    /// Gives the supervisor a duplicate of `fd` to keep until it ends: a lock on a file is then held as long
    /// as any of its processes may live.
    Status hold(int fd);
    /// Readable when receive() has something to say.
    [[nodiscard]] int fd() const;
    /// Takes what has ended, without waiting. `unavailable` once the supervisor is gone.
    Result<std::vector<ProcessEnd>> receive();
    [[nodiscard]] bool alive() const;
    [[nodiscard]] pid_t pid() const;

  private:
    struct State;
    explicit Supervisor(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Kills every process of this user whose environment holds `mark` ("NAME=value") until none is left: what a
/// supervisor that was killed itself left behind. Returns how many it killed.
std::size_t kill_marked(const std::string& mark);

} // namespace weir::flows::local
