#include <algorithm>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/cel/program.hpp>
#include <weir/cel/value.hpp>
#include <weir/engine/find.hpp>
#include <weir/engine/lines.hpp>

#include "question.hpp"
#include "values.hpp"

namespace weir::engine {
namespace detail {

namespace {

std::string settled_text(const ledger::RunRow& run) {
    const auto outcome = run.outcome ? std::string(flows::to_string(*run.outcome)) : std::string("settled");
    auto text = outcome + (to_ns(run.finished_at) != 0 ? " at " + at(run.finished_at) : std::string());
    if (to_ns(run.started_at) != 0 && run.finished_at > run.started_at) {
        const auto took =
            std::chrono::duration_cast<std::chrono::milliseconds>(run.finished_at - run.started_at);
        text += " after " + format_duration(took);
    }
    if (run.attempt > 1) text += " in attempt " + std::to_string(run.attempt);
    if (!run.reason.empty()) text += ": " + printable(run.reason, 600);
    text += '.';
    const auto id = run.id.to_string();
    switch (run.outcome.value_or(flows::Outcome::Succeeded)) {
        case flows::Outcome::Failed:
            return "has " + text + " Read `weir logs " + id + "`; `weir retry " + id +
                   " --reason ...` runs what failed again.";
        case flows::Outcome::Refused: return "was " + text + " It never started.";
        case flows::Outcome::Skipped: return "was " + text + " It never started.";
        case flows::Outcome::Cancelled: return "was " + text;
        case flows::Outcome::Lost: return "is " + text + " The backend does not know it any more.";
        case flows::Outcome::Succeeded: break;
    }
    return "has " + text;
}

std::string waiting_text(const ledger::RunRow& run) {
    const auto trigger = run.team + "/" + run.trigger_name;
    if (run.hold == "overlap")
        return "waits: an earlier run of trigger " + trigger +
               " is unfinished, and its `overlap` makes this one wait; `weir runs "
               "--trigger " +
               run.trigger_name + "` shows it.";
    if (run.hold == "paused")
        return "waits: trigger " + trigger + " is paused; `weir resume " + trigger +
               " --replay` launches what waits, `--drop` lets it go.";
    if (run.hold == "breaker")
        return "waits: a breaker of trigger " + trigger +
               " has tripped (`weir triggers` says which); `weir resume " + trigger +
               " --replay` launches what waits, `--drop` lets it go.";
    return "waits (" + printable(run.hold, 60) + ").";
}

} // namespace

std::string run_state_text(const ledger::RunRow& run) {
    std::string cancel;
    if (to_ns(run.cancel_requested) != 0 && run.state != ledger::RunState::Settled)
        cancel = " Cancelling was asked for at " + at(run.cancel_requested) + ".";
    switch (run.state) {
        case ledger::RunState::Waiting: return waiting_text(run) + cancel;
        case ledger::RunState::Ready:
            if (run.hold == "postponed")
                return "waits for backend " + run.backend +
                       ", which is asked again soon: " + printable(run.reason, 600) + "." + cancel;
            return "is ready and will be sent to backend " + run.backend + " when a place is free." + cancel;
        case ledger::RunState::Sent:
            return "is being sent to backend " + run.backend + "; an answer is expected until " +
                   at(run.sent_deadline) + "." + cancel;
        case ledger::RunState::Unknown:
            if (run.sends == 0)
                return "has not been sent to backend " + run.backend +
                       ", as far as this ledger knows; weir looks for it first, until whatever an earlier "
                       "process had sent would have appeared (" +
                       std::to_string(run.looks) + " looks so far)." + cancel;
            if (run.sends > 1)
                return "was sent to backend " + run.backend + " " + std::to_string(run.sends) +
                       " times; the first request left no run behind for as long as it takes, and the answer "
                       "to the last one was lost; weir only looks for it now (" +
                       std::to_string(run.looks) + " looks so far)." + cancel;
            return "was sent to backend " + run.backend +
                   ", whose answer was lost; weir looks for it and does not send it twice (" +
                   std::to_string(run.looks) + " looks so far)." + cancel;
        case ledger::RunState::Accepted:
            if (run.attempt > 1)
                return "is to be tried again: attempt " + std::to_string(run.attempt) +
                       " was asked for and backend " + run.backend + " has not started it yet." + cancel;
            return "was accepted by backend " + run.backend + " and has not started yet." + cancel;
        case ledger::RunState::Running:
            return "has been running" +
                   (to_ns(run.started_at) != 0 ? " since " + at(run.started_at) : std::string()) +
                   (run.attempt > 1 ? ", attempt " + std::to_string(run.attempt) : std::string()) + "." +
                   cancel;
        case ledger::RunState::Ended:
            return "has ended on backend " + run.backend +
                   "; what the flow itself reports of it (its outputs) is still awaited." + cancel;
        case ledger::RunState::Settled: break;
    }
    return settled_text(run);
}

namespace {

/// The answer about one run, collected row by row.
class RunStory {
  public:
    RunStory(ledger::LedgerReader& reader, ledger::RunRow run) : reader_(reader), run_(std::move(run)) {}

    Result<WhyRun> tell(const flows::WaitingLaunch* waiting) {
        out_ += "Run " + run_.id.to_string() + " of flow " + run_.flow_team + "/" + run_.flow + " " +
                run_state_text(run_) + '\n';
        if (waiting != nullptr)
            row("waits for",
                "backend " + run_.backend + ": " + printable(waiting->reason, 600) +
                    (waiting->tries == 0   ? ""
                     : waiting->tries == 1 ? "; tried 1 time"
                                           : "; tried " + std::to_string(waiting->tries) + " times") +
                    (to_ns(waiting->next) != 0 ? ", again at " + at(waiting->next) : ""));
        WEIR_TRY(decision());
        WEIR_TRY(events());
        parameters();
        if (!run_.backend_version.empty())
            row("version", printable(run_.backend_version, 200) + " of backend " + run_.backend);
        if (run_.sends > 1)
            row("requests", std::to_string(run_.sends) +
                                ": the first one was not seen on the backend for as long as it takes, and "
                                "was sent once more");
        WEIR_TRY(attempts());
        if (run_.depth > 1)
            row("chain", std::to_string(run_.depth - 1) + (run_.depth == 2 ? " run" : " runs") +
                             " before it; `weir lineage " + run_.id.to_string() + " --up` shows them");
        std::string json = "{\"run\": " + run_line(run_) + ", \"decision\": ";
        json += decision_ ? decision_line(*decision_, run_.trigger_name, run_.events, run_.id) : "null";
        json += ", \"events\": [" + event_lines_ + "], \"text\": " + json_string(out_) + '}';
        return WhyRun{std::move(out_), std::move(json)};
    }

  private:
    void row(std::string_view title, const std::string& text) {
        std::string head = "  " + std::string(title);
        head.resize(std::max<std::size_t>(head.size() + 1, 14), ' ');
        out_ += head + text + '\n';
    }

    Status decision() {
        if (run_.decision.value == 0) return {};
        auto decided = reader_.decision(run_.decision);
        if (!decided.ok() && decided.error().kind != ErrorKind::NotFound) return decided.error();
        if (decided.ok()) decision_ = std::move(decided).value();
        if (run_.origin == "observed") {
            row("why", printable(decision_ ? decision_->detail : run_.origin, 400) + ", on backend " +
                           run_.backend + " at " + at(run_.created));
            return {};
        }
        if (run_.trigger.value == 0) {
            row("why", "asked for by " + printable(run_.principal, 100) + " at " + at(run_.created) +
                           (decision_ && !decision_->detail.empty() ? ": " + printable(decision_->detail, 400)
                                                                    : std::string()));
            return {};
        }
        auto why = "trigger " + run_.team + "/" + run_.trigger_name + " version " +
                   std::to_string(run_.trigger_version) + " fired at " + at(run_.created);
        if (decision_) {
            why += " (" + printable(decision_->reason, 60) + ")";
            if (!decision_->key.empty()) why += " on key " + printable(cel::key_json(decision_->key), 200);
            if (run_.events.empty()) why += ", by " + printable(decision_->cause, 200);
            if (!decision_->detail.empty()) why += ": " + printable(decision_->detail, 400);
            if (!decision_->without.empty()) why += "; without streams " + list(decision_->without);
        }
        row("why", why);
        return {};
    }

    /// Every event used, with the values that the trigger's expressions read from it.
    Status events() {
        std::optional<triggers::Trigger> trigger;
        if (run_.trigger.value != 0) {
            WEIR_ASSIGN(versions, reader_.trigger_versions(run_.trigger));
            for (const auto& version : versions) {
                if (version.version != run_.trigger_version) continue;
                WEIR_ASSIGN(read, trigger_of(version));
                trigger = std::move(read);
            }
        }
        bool first = true;
        for (const auto& ref : run_.events) {
            WEIR_ASSIGN(input, reader_.input(ref.seq));
            event_lines_ += (first ? "" : ", ") + event_line(input, true);
            row(first ? "events" : "", printable(ref.role, 60) + ": " + printable(input.type, 100) + " " +
                                           printable(ref.id, 100) + " from " + printable(ref.source, 100) +
                                           ", arrived " + at(input.time));
            first = false;
            WEIR_ASSIGN(event, event_of(input));
            if (!event) {
                row("", "    its payload is no longer retained");
                continue;
            }
            if (!trigger) continue;
            for (const auto& value : values_used(*trigger, ref.role, *event))
                row("", "    " + value);
        }
        return {};
    }

    /// What became of the attempts before the newest one.
    Status attempts() {
        if (run_.attempt < 2) return {};
        WEIR_ASSIGN(all, reader_.attempts(run_.no));
        for (const auto& attempt : all) {
            if (!attempt.settled || attempt.attempt >= run_.attempt || !attempt.outcome) continue;
            row("attempt " + std::to_string(attempt.attempt),
                std::string(flows::to_string(*attempt.outcome)) + " at " + at(attempt.finished_at) +
                    (attempt.error.empty() ? std::string() : ": " + printable(attempt.error, 600)));
        }
        return {};
    }

    void parameters() {
        if (run_.arguments_json.empty() || run_.arguments_json == "{}") return;
        std::string text;
        append_json_value(text, run_.arguments_json);
        row("parameters", printable(text, 2000));
    }

    ledger::LedgerReader& reader_;
    ledger::RunRow run_;
    std::optional<ledger::DecisionRow> decision_;
    std::string event_lines_;
    std::string out_;
};

} // namespace
} // namespace detail

Result<WhyRun> why_run(ledger::LedgerReader& reader, const RunId& run, const flows::WaitingLaunch* waiting) {
    auto row = reader.run(run);
    if (!row.ok() && row.error().kind == ErrorKind::NotFound)
        return not_found("no run " + run.to_string() + " is recorded; `weir runs` lists them");
    if (!row.ok()) return row.error();
    return detail::RunStory(reader, std::move(row).value()).tell(waiting);
}

} // namespace weir::engine
