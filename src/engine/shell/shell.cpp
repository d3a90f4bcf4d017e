#include <weir/engine/shell.hpp>

#include <algorithm>

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>

#include "stream.hpp"

namespace weir::engine {

Shell::Shell(ShellPorts ports, ShellConfig config) : ports_(std::move(ports)), config_(config) {}
Shell::~Shell() {
    *alive_ = false;
}

Status Shell::open() {
    WEIR_ASSIGN(epoch, ports_.ledger.take_epoch());
    epoch_ = epoch;
    WEIR_ASSIGN(snapshot, ports_.ledger.snapshot());
    instance_ = snapshot.instance;
    core_ = std::make_unique<Core>(CoreConfig{snapshot.instance, snapshot.secret, config_.limits});
    WEIR_TRY(core_->restore(snapshot));
    next_seq_ = snapshot.next_seq;
    log_time_ = snapshot.log_time;
    WEIR_TRY(open_streams(snapshot));
    resume_runs();
    return {};
}

Status Shell::open_streams(const ledger::Snapshot&) {
    WEIR_TRY(ports_.ledger.register_stream({.name = "internal", .kind = "internal"}));
    for (auto* bus : ports_.buses) {
        WEIR_ASSIGN(infos, bus->streams());
        for (const auto& info : infos) {
            WEIR_ASSIGN(state, ports_.ledger.register_stream(
                                   {.name = info.name, .kind = "bus", .incarnation = info.incarnation}));
            auto stream = std::make_unique<Stream>();
            stream->no = state.no;
            stream->name = info.name;
            stream->incarnation = info.incarnation;
            stream->bus = bus;
            stream->read = state.position;
            if (state.incarnation != info.incarnation)
                stream->stopped = "the stream was made anew since it was last read (incarnation " +
                                  info.incarnation + " instead of " + state.incarnation + ")";
            else if (state.position > info.head)
                stream->stopped = "it ends at " + std::to_string(info.head.value) + ", before position " +
                                  std::to_string(state.position.value) + " that was read already";
            else if (state.position.value + 1 < info.first.value)
                stream->stopped = "events " + std::to_string(state.position.value + 1) + " to " +
                                  std::to_string(info.first.value - 1) + " are gone unread";
            if (!stream->live())
                log::error("a stream has a gap and is not read",
                           {{"stream", stream->name}, {"reason", stream->stopped}});
            streams_.push_back(std::move(stream));
        }
    }
    return {};
}

void Shell::resume_runs() {
    // A copy of the numbers: facts may only be queued here, but acts look runs up.
    for (const auto& [no, run] : core_->runs()) {
        Act act{Act::Kind::Watch, no, run.id, run.backend, {}};
        switch (run.state) {
            case ledger::RunState::Sent: fact(no, RunFactInput::Kind::Lost, "weir restarted"); break;
            case ledger::RunState::Unknown:
                act.kind = Act::Kind::Look;
                acts_.push_back(act);
                break;
            case ledger::RunState::Accepted:
            case ledger::RunState::Running:
                if (retry_asked(run)) {
                    act.kind = Act::Kind::Retry;
                    act.reason = "asked for before weir restarted";
                }
                acts_.push_back(act);
                if (run.cancel_requested != Instant{}) {
                    act.kind = Act::Kind::Cancel;
                    act.reason = "cancelled";
                    acts_.push_back(act);
                }
                break;
            default: break;
        }
    }
    auto acts = std::exchange(acts_, {});
    for (const auto& act : acts)
        this->act(act);
}

bool Shell::turn() {
    if (fatal_ || committing_) return false;
    run_later();
    if (!stalled_.empty()) return false; // the same batch is tried again, later; nothing new is taken
    gather();
    if (fatal_) return false;
    if (batch_.empty()) {
        auto done = std::exchange(done_, {});
        for (auto& [callback, outcome] : done)
            if (callback) callback(std::move(outcome));
        return !done.empty();
    }
    note_positions();
    crash_point("before_commit");
    commit();
    return true;
}

void Shell::run_later() {
    const auto now = ports_.clock.steady_now();
    while (!later_.empty() && later_.begin()->first <= now) {
        auto task = std::move(later_.begin()->second);
        later_.erase(later_.begin());
        task();
    }
}

void Shell::later(Duration delay, std::function<void()> task) {
    later_.emplace(ports_.clock.steady_now() + delay, std::move(task));
}

std::optional<Duration> Shell::wake_in() const {
    std::optional<Duration> wait;
    const auto sooner = [&](Duration d) {
        d = std::max(d, Duration::zero());
        if (!wait || d < *wait) wait = d;
    };
    if (!later_.empty()) sooner(later_.begin()->first - ports_.clock.steady_now());
    if (stalled_.empty() && !committing_)
        if (const auto timer = core_->next_timer()) sooner(timer->due - ports_.clock.now() + Duration(1));
    return wait;
}

bool Shell::idle() const {
    if (committing_ || !stalled_.empty() || !facts_.empty() || !changes_.empty() || !done_.empty())
        return false;
    return std::all_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->buffer.empty(); });
}

void Shell::submit(decltype(Input::what) what, Done done) {
    if (fatal_) {
        done({*fatal_, std::nullopt});
        return;
    }
    changes_.push_back({ports_.clock.now(), std::move(what), std::move(done)});
}

void Shell::commit() {
    batch_.next_seq = next_seq_;
    batch_.log_time = log_time_;
    committing_ = true;
    ports_.commit_on([this, alive = alive_] {
        auto status = std::make_shared<Status>(ports_.ledger.commit(batch_, epoch_));
        crash_point("after_commit");
        ports_.post([this, alive, status] {
            if (*alive) committed(*status);
        });
    });
}

void Shell::committed(Status status) {
    committing_ = false;
    if (!status.ok()) {
        ++counters_.commit_failures;
        if (status.error().kind != ErrorKind::Unavailable) return give_up(status.error());
        // Memory is ahead of the disk by exactly this batch: the same one is tried until it is down.
        stalled_ = status.error().message;
        commit_backoff_ = std::clamp(commit_backoff_ * 2, config_.retry_min, config_.retry_max);
        log::error("the ledger cannot write now; nothing new is taken until it can",
                   {{"error", stalled_}, {"retry_in", format_duration(commit_backoff_)}});
        later(commit_backoff_, [this] {
            stalled_ = "writing the batch again";
            commit();
        });
        return;
    }
    if (!stalled_.empty()) log::info("the ledger writes again");
    stalled_.clear();
    commit_backoff_ = Duration::zero();
    ++counters_.commits;
    counters_.recorded += static_cast<std::int64_t>(batch_.inputs.size());
    counters_.decisions += static_cast<std::int64_t>(batch_.decisions.size());
    counters_.runs += static_cast<std::int64_t>(batch_.runs.size());
    for (const auto& attempt : batch_.attempts_settled)
        if (attempt.outcome) ++counters_.settled[std::string(flows::to_string(*attempt.outcome))];
    for (auto& stream : streams_) {
        if (!stream->moved) continue;
        stream->moved = false;
        (void)stream->bus->release(stream->name, stream->position); // a hint only
    }
    batch_ = {};
    batch_seen_.clear();
    auto acts = std::exchange(acts_, {});
    auto done = std::exchange(done_, {});
    for (auto& [callback, outcome] : done)
        if (callback) callback(std::move(outcome));
    for (const auto& one : acts)
        act(one);
}

void Shell::give_up(Error error) {
    fatal_ = std::move(error);
    log::error("the engine stops", {{"error", fatal_->message}});
    for (auto& [callback, outcome] : std::exchange(done_, {}))
        if (callback) callback({*fatal_, std::nullopt});
    for (auto& change : std::exchange(changes_, {}))
        if (change.done) change.done({*fatal_, std::nullopt});
}

std::vector<Shell::StreamView> Shell::streams() const {
    std::vector<StreamView> views;
    for (const auto& stream : streams_)
        views.push_back({stream->name, stream->read, stream->stopped, stream->buffer.size()});
    return views;
}

Seq Shell::next_seq() {
    return next_seq_;
}

} // namespace weir::engine
