#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/flows/launcher.hpp>

namespace weir::flows::null {

struct NullSettings {
    /// Where accepted runs are recorded, so that they are known after a restart; empty: in memory only.
    std::filesystem::path folder;
    /// True: reports and answers are given inside the calls, in order, on the caller's thread (simulation).
    /// False: on a thread of the launcher's own, which also settles delayed runs as the clock goes on.
    bool inline_callbacks = true;
    /// A folder's records are fsynced.
    bool durable = true;
};

/// A backend that runs nothing: every run settles at once, or after the flow's `settle_after`, with the
/// outcome and outputs that the flow document names. For simulation, benches and trying out triggers. Thread:
/// any. With inline_callbacks delayed runs settle in settle_due(), which the owner calls as time goes on.
class NullLauncher : public Launcher, public RunWatcher, public TaskReader {
  public:
    static Result<std::unique_ptr<NullLauncher>> open(NullSettings settings, const Clock& clock);
    [[nodiscard]] bool absence_is_final() const override { return true; }
    /// Settles and reports what is due by the clock. Returns the instant of the next one, if any.
    virtual std::optional<Instant> settle_due() = 0;
    /// Runs accepted so far, known ones after a restart included.
    [[nodiscard]] virtual std::size_t accepted() const = 0;
};

} // namespace weir::flows::null
