// What runs wait for that their backend cannot tell: a backend that is not configured, a cancel that is not
// taken.

#include <algorithm>
#include <chrono>

#include <weir/base/log.hpp>

#include "stream.hpp"

namespace weir::engine {
namespace {

/// A backend comes back by a restart alone: what waits for it is not asked for more often than this.
constexpr auto missing_backend_pause = std::chrono::minutes(5);

std::string missing_text(const std::string& backend) {
    return "the backend \"" + backend + "\" is not part of this weir: its configuration does not name it";
}

/// Times of some servers have whole seconds.
constexpr auto clock_grain = std::chrono::seconds(1);

} // namespace

std::vector<flows::WaitingLaunch> Shell::troubles() const {
    return troubles_.with([](const auto& all) {
        std::vector<flows::WaitingLaunch> list;
        list.reserve(all.size());
        for (const auto& [run, trouble] : all)
            list.push_back(trouble);
        return list;
    });
}

void Shell::trouble(const ledger::RunRow& run, std::string reason, Instant next, int tries) {
    troubles_.with([&](auto& all) { all[run.id] = {run.id, std::move(reason), next, tries}; });
}

void Shell::forget_trouble(const RunId& run) {
    troubles_.with([&](auto& all) { all.erase(run); });
}

Duration Shell::pause_after(int tries) const {
    return std::min(config_.retry_min * (10 << std::clamp(tries, 0, 7)), config_.retry_max);
}

/// What is open on a backend that is not configured stays open: it is only not seen from here. A slip of the
/// pen in a configuration must end nothing.
bool Shell::backend_is_missing(const ledger::RunRow& run) {
    if (ports_.backends.count(run.backend) != 0) return false;
    if (run.state == ledger::RunState::Waiting || run.state == ledger::RunState::Ready) return true;
    trouble(run, missing_text(run.backend), {}, 0);
    ++missing_backends_[run.backend];
    return true;
}

void Shell::without_backend(const Act& act, const ledger::RunRow& run) {
    switch (act.kind) {
        case Act::Kind::Send:
            if (run.state == ledger::RunState::Sent)
                postpone(act.run, missing_text(act.backend), ports_.clock.now() + missing_backend_pause);
            return;
        case Act::Kind::Cancel:
            if (run.state == ledger::RunState::Sent && run.hold == queued)
                return end_run(run, flows::Outcome::Cancelled, act.reason, true);
            // A person wants to be rid of a run that nobody here can ask about.
            return end_run(run, flows::Outcome::Lost,
                           act.reason +
                               "; nobody could be asked to end it, and what becomes of it is not "
                               "known: " +
                               missing_text(act.backend));
        case Act::Kind::Retry:
            return end_run(run, flows::Outcome::Failed,
                           "it could not be tried again: " + missing_text(act.backend));
        case Act::Kind::Watch:
        case Act::Kind::Look: return trouble(run, missing_text(act.backend), {}, 0);
        case Act::Kind::Forget: return;
    }
}

/// Asks until the backend has taken it, or the run has ended: a token that has run out is no answer.
void Shell::cancel(const Act& act, int tries) {
    ports_.backends.at(act.backend)
        .launcher->cancel(act.id, act.reason, [this, alive = alive_, act, tries](const Status& status) {
            ports_.post([this, alive, act, tries, status] {
                if (*alive) cancel_answered(act, tries, status);
            });
        });
}

void Shell::cancel_answered(const Act& act, int tries, const Status& status) {
    const auto* run = core_->run(act.run);
    const auto final = [](ErrorKind kind) {
        return kind == ErrorKind::Conflict || kind == ErrorKind::NotFound || kind == ErrorKind::Unsupported;
    };
    if (run == nullptr || status.ok() || final(status.error().kind)) return forget_trouble(act.id);
    const auto pause = pause_after(tries);
    const auto& why = status.error().message;
    trouble(*run, "it cannot be cancelled: " + why, ports_.clock.now() + pause, tries + 1);
    if (tries == 0)
        log::warn("a run cannot be cancelled; it is asked again until it can",
                  {{"run", act.id.to_string()}, {"backend", act.backend}, {"error", why}});
    later(pause, [this, act, tries] {
        if (core_->run(act.run) != nullptr) cancel(act, tries + 1);
    });
}

/// A backend that ends as failed what was cancelled: the ledger knows who asked, also where the process that
/// asked is gone.
bool Shell::ended_on_request(const ledger::RunRow& run, const flows::RunReport& report) {
    if (!report.settled || report.outcome != flows::Outcome::Failed) return false;
    if (run.cancel_requested == Instant{} || report.attempt != std::max(run.attempt, 1)) return false;
    return report.finished_at == Instant{} || report.finished_at + clock_grain > run.cancel_requested;
}

} // namespace weir::engine
