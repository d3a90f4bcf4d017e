#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/flows/local/supervisor.hpp>

namespace weir::flows::local {

struct LocalSettings {
    std::filesystem::path folder;       ///< the backend's record; made (0700) if it is not there
    std::filesystem::path environments; ///< Python environments; default: folder/environments. May be shared.
    std::size_t tasks_max = 0;          ///< processes at a time over all runs; 0: as many as there are cores
    std::size_t runs_max = 10'000;      ///< unfinished runs at a time; then a launch is refused
    Duration kill_grace = std::chrono::seconds(10);   ///< between SIGTERM and SIGKILL
    Duration retention = std::chrono::hours(24 * 14); ///< of settled runs; unsettled ones are never removed
    Duration lock_wait =
        std::chrono::seconds(30);   ///< for a killed weir\'s supervisor to let go of the folder
    std::string python = "python3"; ///< looked up in PATH
    /// Told what takes long: an environment being made. One line for a person. Any thread.
    std::function<void(std::string)> progress;
};

/// Runs pipeline IR as processes on this machine, with a record of its own:
///   runs/<run id>/request.json        making the folder is the creation of the run
///   runs/<run id>/tasks/<task>/@N/    attempt N: its log, working folder, outputs; @N.json: how it ended
///   runs/<run id>/settled.json        how the run ended
///   runs/<run id>/attempt.json        the newest attempt of the run, if it was tried again (retry());
///   runs/<run id>/settled@N.json      then how attempt N ended
/// Opened again it knows every run; one that is not settled goes on when it is watched: finished tasks are
/// kept, interrupted ones run again (or fail the run: `on_restart: fail`). Owner:  the application; the
/// supervisor and the clock must outlive it. Thread: any. Callbacks and reports come on the backend's own
/// thread and must not block or call close(). Errors: open() fails with `conflict` if another process has the
/// folder and does not let go within lock_wait. Limits: LocalSettings; 20,000 tasks a run.
class LocalBackend : public Launcher, public RunWatcher, public TaskReader {
  public:
    static Result<std::unique_ptr<LocalBackend>> open(LocalSettings settings, Supervisor& supervisor,
                                                      const Clock& clock);
    [[nodiscard]] bool absence_is_final() const override { return true; }
    /// Where weir's API is: tasks that start from now on find it in WEIR_SERVER. Any thread.
    virtual void serve_at(std::string url) = 0;
};

} // namespace weir::flows::local
