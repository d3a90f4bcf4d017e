#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include <weir/base/digest.hpp>
#include <weir/events/event.hpp>
#include <weir/events/wire_codec.hpp>
#include <weir/ledger/memory_ledger.hpp>

namespace weir::engine::test {

inline const Instant story_begin = from_ns(1'790'000'000'000'000'000);

/// Rows of the ledger written by hand, one input a minute, for tests of what reads them.
class Story {
  public:
    Story() : ledger_(ledger::make_memory_ledger("weir", std::string(32, 's'))) {
        epoch_ = ok(ledger_->take_epoch());
        bus_ = ok(ledger_->register_stream({.name = "events", .kind = "bus", .incarnation = "1"})).no;
        internal_ = ok(ledger_->register_stream({.name = "internal", .kind = "internal"})).no;
        seq_ = ok(ledger_->snapshot()).next_seq;
    }

    template <class T>
    static T ok(Result<T> result) {
        if (!result.ok()) FAIL(result.error().message);
        return std::move(result).value();
    }

    ledger::LedgerReader& reader() { return ledger_->reader(); }
    ledger::Ledger& ledger() { return *ledger_; }
    [[nodiscard]] ledger::Epoch epoch() const { return epoch_; }

    ledger::TriggerNo trigger(const std::string& name, const std::string& document = "{}",
                              const std::string& team = "ads") {
        const auto seq = input(ledger::InputKind::Change).seq;
        ledger::TriggerVersionRow row;
        row.no = ledger::TriggerNo(++triggers_);
        row.uid = TriggerUid{Uuid::time_led(time_of(seq), sha256(name))};
        row.team = team;
        row.name = name;
        row.document_json = document;
        row.from = seq;
        batch_.trigger_versions.push_back(row);
        batch_.trigger_states.push_back({row.no, ledger::TriggerState::Active, "created", seq});
        commit();
        return row.no;
    }
    void version(ledger::TriggerNo no, const std::string& name, int version, const std::string& document) {
        const auto seq = input(ledger::InputKind::Change).seq;
        ledger::TriggerVersionRow row;
        row.no = no;
        row.uid = TriggerUid{Uuid::time_led(story_begin, sha256(name))};
        row.team = "ads";
        row.name = name;
        row.version = version;
        row.document_json = document;
        row.from = seq;
        batch_.trigger_versions.push_back(row);
        commit();
    }
    void state(ledger::TriggerNo no, ledger::TriggerState state, const std::string& why) {
        const auto seq = input(ledger::InputKind::Change).seq;
        batch_.trigger_states.push_back({no, state, why, seq});
        commit();
    }
    void remove(ledger::TriggerNo no) { state(no, ledger::TriggerState::Deleted, "deleted"); }
    /// A registered flow, or that it is gone.
    void flow(const flows::FlowVersion& version, bool deleted = false) {
        const auto seq = input(ledger::InputKind::Change).seq;
        batch_.flow_versions.push_back({version, seq, std::nullopt, deleted, "local:test"});
        commit();
    }
    /// A row as the test has it; its number and time are the story's, and its id if none is given.
    RunId run(ledger::RunRow row, std::optional<RunId> id = std::nullopt) {
        const auto seq = input(ledger::InputKind::Command).seq;
        row.no = ledger::RunNo(++runs_);
        row.id = id.value_or(RunId{Uuid::time_led(story_begin, sha256("run" + std::to_string(runs_)))});
        row.created_seq = row.changed = seq;
        row.created = time_of(seq);
        pending_.runs.push_back(row);
        commit();
        return row.id;
    }

    events::Event make_event(const std::string& type, const std::string& id, const std::string& data = "{}",
                             const std::string& source = "/lake") {
        events::Event event;
        event.type = type;
        event.source = source;
        event.id = id;
        event.datacontenttype = "application/json";
        event.data_kind = events::DataKind::Json;
        event.data = data;
        return event;
    }
    Seq event(const std::string& type, const std::string& id, const std::string& data = "{}",
              const std::string& source = "/lake") {
        return event(make_event(type, id, data, source));
    }
    Seq event(const events::Event& event) {
        auto& row = input(ledger::InputKind::Arrival);
        fill(row, event);
        row.stream = bus_;
        row.position = Position(++position_);
        batch_.positions.push_back({bus_, row.position, row.time, {}, {}});
        return finish(row.seq);
    }
    Seq duplicate(const events::Event& event, Seq of, bool conflicting = false) {
        auto& row = input(ledger::InputKind::Arrival);
        fill(row, event);
        row.stream = bus_;
        row.position = Position(++position_);
        row.duplicate_of = of;
        row.conflicting = conflicting;
        return finish(row.seq);
    }
    /// Nothing but a step of time.
    Seq idle(Duration by = std::chrono::minutes(1)) {
        offset_ += by;
        input(ledger::InputKind::Command);
        return finish(batch_.inputs.back().seq);
    }

    /// A decision of an input just written, with the events it used ("leaf" -> seq); one: a single event.
    ledger::DecisionNo decision(ledger::TriggerNo trigger, Seq at, std::vector<ledger::IncludedRow> used,
                                ledger::Verdict verdict = ledger::Verdict::Fired,
                                const std::string& reason = "match", const std::string& key = "") {
        ledger::DecisionRow row;
        row.no = ledger::DecisionNo(++decisions_);
        row.id = DecisionId{Uuid::time_led(time_of(at), sha256("decision" + std::to_string(decisions_)))};
        row.seq = at;
        row.trigger = trigger;
        row.version = 1;
        row.verdict = verdict;
        row.reason = reason;
        row.detail = verdict == ledger::Verdict::Failed ? "what went wrong" : "";
        row.key = key;
        row.team = "ads";
        row.time = time_of(at);
        row.leaf = used.empty() ? "" : used.back().leaf;
        if (used.size() > 1) row.included = std::move(used);
        pending_.decisions.push_back(row);
        return row.no;
    }
    /// The run of a fired decision. Settled at once if `outcome` says so.
    ledger::RunNo run(ledger::DecisionNo decision, const std::string& flow,
                      std::vector<ledger::EventRef> events,
                      ledger::RunState state = ledger::RunState::Running) {
        ledger::RunRow row;
        row.no = ledger::RunNo(++runs_);
        row.id = RunId{Uuid::time_led(story_begin, sha256("run" + std::to_string(runs_)))};
        row.decision = decision;
        for (const auto& d : pending_.decisions) {
            if (d.no != decision) continue;
            row.decision_id = d.id;
            row.trigger = d.trigger;
            row.trigger_version = d.version;
            row.created_seq = d.seq;
            row.created = d.time;
        }
        row.trigger_name = row.trigger.value == 0 ? "" : "t" + std::to_string(row.trigger.value);
        row.team = row.flow_team = "ads";
        row.flow = flow;
        row.backend = "null";
        row.arguments_json = R"({"date": "2026-11-21"})";
        row.events = std::move(events);
        row.state = state;
        row.attempt = 1;
        row.started_at = row.created;
        pending_.runs.push_back(row);
        return row.no;
    }
    RunId id_of(ledger::RunNo no) { return ok(reader().run(no)).id; }

    /// The end of a run's attempt, with what it made and used.
    Seq settle(ledger::RunNo no, flows::Outcome outcome = flows::Outcome::Succeeded, int attempt = 1,
               std::vector<flows::ArtifactRecord> outputs = {},
               std::vector<flows::ArtifactRecord> inputs = {}) {
        const auto run = ok(reader().run(no));
        auto& row = input(ledger::InputKind::Settlement);
        auto event =
            make_event("weir.run.finished", run.id.to_string() + "/" + std::to_string(attempt),
                       R"({"run":")" + run.id.to_string() + R"(","flow":")" + run.flow +
                           R"(","team":"ads","outcome":")" + std::string(flows::to_string(outcome)) + "\"}",
                       "/weir/weir/ads/" + run.flow);
        event.subject = run.id.to_string();
        fill(row, event);
        row.stream = internal_;
        row.position = Position(row.seq.value & 0xffffffffffff);
        row.team = "ads";
        ledger::AttemptRow ended;
        ended.run = no;
        ended.attempt = attempt;
        ended.opened = row.seq;
        batch_.attempts_opened.push_back(ended);
        ended.settled = row.seq;
        ended.outcome = outcome;
        ended.finished_at = row.time;
        ended.inputs = std::move(inputs);
        ended.outputs = std::move(outputs);
        batch_.attempts_settled.push_back(ended);
        ledger::RunUpdateRow update;
        update.no = no;
        update.seq = row.seq;
        update.state = ledger::RunState::Settled;
        update.attempt = attempt;
        update.outcome = outcome;
        update.reason = outcome == flows::Outcome::Failed ? "task train failed" : "";
        update.started_at = run.started_at;
        update.finished_at = row.time;
        batch_.run_updates.push_back(update);
        return finish(row.seq);
    }

    void hold(ledger::TriggerNo trigger, int leaf, const std::string& name, const std::string& key,
              Seq event) {
        pending_.held_entered.push_back({trigger, leaf, name, key, event, event, time_of(event)});
    }
    void leave(ledger::TriggerNo trigger, int leaf, Seq event, Seq out, const std::string& why,
               std::optional<ledger::DecisionNo> decision = std::nullopt) {
        pending_.held_left.push_back({trigger, leaf, event, out, why, decision});
    }

    /// Drops every payload that may be dropped.
    void retain() {
        const auto status = ledger_->retain(story_begin + offset_);
        if (!status.ok()) FAIL(status.error().message);
    }

    /// Inputs are kept back until commit(), so that what they decided goes into the same transaction.
    void commit() {
        batch_.decisions = std::move(pending_.decisions);
        batch_.runs = std::move(pending_.runs);
        batch_.held_entered = std::move(pending_.held_entered);
        batch_.held_left = std::move(pending_.held_left);
        pending_ = {};
        batch_.next_seq = seq_;
        batch_.log_time = story_begin + offset_;
        const auto status = ledger_->commit(batch_, epoch_);
        if (!status.ok()) FAIL(status.error().message);
        batch_ = {};
    }
    Instant time_of(Seq seq) {
        for (const auto& row : batch_.inputs) {
            if (row.seq == seq) return row.time;
        }
        return ok(reader().input(seq)).time;
    }

  private:
    ledger::InputRow& input(ledger::InputKind kind) {
        offset_ += std::chrono::minutes(1);
        ledger::InputRow row;
        row.seq = seq_;
        seq_.value++;
        row.kind = kind;
        row.time = story_begin + offset_;
        row.body = "{}";
        batch_.inputs.push_back(row);
        return batch_.inputs.back();
    }
    static void fill(ledger::InputRow& row, const events::Event& event) {
        row.type = event.type;
        row.source = event.source;
        row.id = event.id;
        row.subject = event.subject;
        row.body = events::encode_wire(event);
        row.digest = events::digest_of(event);
    }
    Seq finish(Seq seq) { return seq; }

    std::unique_ptr<ledger::MemoryLedger> ledger_;
    ledger::Epoch epoch_;
    ledger::StreamNo bus_, internal_;
    Seq seq_;
    Duration offset_{};
    std::int64_t position_ = 0, triggers_ = 0, decisions_ = 0, runs_ = 0;
    ledger::Batch batch_, pending_;
};

} // namespace weir::engine::test
