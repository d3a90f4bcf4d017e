#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/flows/local/supervisor.hpp>

namespace weir::flows::local {

/// Python environments for lightweight components, made on first use and kept: a venv for each set of
/// installs and Python version. Built in place under a lock file, good once its mark is written, so that a
/// crash or a second weir on the same folder does no harm. One is built at a time, by processes of the
/// supervisor. Owner:  loop-confined to the backend's thread. Limits: none on disk; folder and log are named
/// in every error.
class Environments {
  public:
    struct Settings {
        std::filesystem::path folder;
        std::string python;                   ///< absolute
        std::vector<std::string> environment; ///< NAME=value of the builders
        std::function<void(std::string)> progress;
        std::function<std::uint64_t()> next_id; ///< for processes
    };
    enum class State : std::uint8_t { Waiting, Ready, Failed };
    struct Answer {
        State state = State::Waiting;
        std::filesystem::path python; ///< Ready
        std::string error;            ///< Failed: pip's last lines
        std::filesystem::path log;
    };

    Environments(Settings settings, Supervisor& supervisor, const Clock& clock);
    ~Environments();
    Environments(const Environments&) = delete;
    Environments& operator=(const Environments&) = delete;

    /// The environment with these installs; asks for it if it is not there. Failed is said once, then a
    /// further call tries again: the network may be back.
    Answer get(const std::vector<std::vector<std::string>>& installs);
    /// True if the process was one of a build. Work that waits is to ask again.
    bool ended(const ProcessEnd& end);
    /// Goes on with what waits for another weir's lock.
    void tick();
    /// When to call tick() though nothing has ended.
    [[nodiscard]] std::optional<SteadyInstant> next_tick() const;
    /// Processes of a build under way.
    [[nodiscard]] std::optional<std::uint64_t> process() const { return process_; }

  private:
    struct Build {
        std::string key;
        std::vector<std::vector<std::string>> installs;
        std::size_t step = 0; ///< 0: venv, then the installs
        int lock = -1;
        bool failed = false;
        std::string error;
        SteadyInstant begun{};
    };
    [[nodiscard]] std::filesystem::path home(const std::string& key) const { return settings_.folder / key; }
    [[nodiscard]] std::filesystem::path log(const std::string& key) const {
        return settings_.folder / (key + ".log");
    }
    [[nodiscard]] bool is_ready(const std::string& key) const;
    std::string key_of(const std::vector<std::vector<std::string>>& installs) const;
    void probe();
    void advance();
    bool take_lock(Build& build);
    void run(const std::string& file, std::vector<std::string> argv, const std::filesystem::path& log);
    void step_ended(Build& build, const ProcessEnd& end);
    void fail(Build& build, std::string error);
    void release(Build& build);

    Settings settings_;
    Supervisor& supervisor_;
    const Clock& clock_;
    std::string identity_; ///< of the Python; empty: not probed yet
    std::string probe_error_;
    bool probing_ = false;
    std::map<std::string, Build> builds_; ///< wanted, by key of the installs alone
    std::string current_;                 ///< the one being built
    std::optional<std::uint64_t> process_;
    std::optional<SteadyInstant> retry_lock_;
};

} // namespace weir::flows::local
