#include "trace.hpp"

namespace weir::sim {
namespace {

const Instant start = from_ns(1'790'000'000'000'000'000);

template <class T>
T ok(Result<T> result) {
    if (!result.ok()) FAIL(result.error().message);
    return std::move(result).value();
}

std::shared_ptr<const flows::FlowVersion> make_flow() {
    auto flow = std::make_shared<flows::FlowVersion>();
    flow->team = "ads";
    flow->flow = "sink";
    flow->version = "000000000001";
    flow->backend = "null";
    flow->parameters = {{"k", flows::ParameterType::String, true, "", "", {}},
                        {"n", flows::ParameterType::Integer, true, "", "", {}}};
    return flow;
}

} // namespace

Trace::Trace(std::uint64_t seed)
    : chance_(seed),
      ledger_(ledger::make_memory_ledger("weir", std::string(32, 's'))),
      model_("weir",
             [](const std::string& team, const std::string& flow,
                const std::string& arguments) -> Result<std::string> {
                 if (team != "ads" || flow != "sink") return not_found("no such flow");
                 static const auto sink = make_flow();
                 return flows::bind_arguments(sink->parameters, arguments);
             }),
      flow_(make_flow()),
      now_(start) {
    epoch_ = ok(ledger_->take_epoch());
    ok(ledger_->register_stream({.name = "internal", .kind = "internal"}));
    stream_ = ok(ledger_->register_stream({.name = "events", .kind = "bus", .incarnation = "1"})).no;
    const auto snapshot = ok(ledger_->snapshot());
    core_ = std::make_unique<engine::Core>(engine::CoreConfig{snapshot.instance, snapshot.secret, {}});
    const auto restored = core_->restore(snapshot);
    if (!restored.ok()) FAIL(restored.error().message);
    next_ = snapshot.next_seq;
    engine::Input input;
    input.time = now_;
    engine::ApplyInput apply;
    apply.flows.push_back(flow_);
    input.what = std::move(apply);
    feed(std::move(input));
    for (int i = 0; i < 3; ++i)
        put(document());
}

/// Slots and waiting times that were due before this instant come first, each with its own input.
void Trace::timers_before(Instant time) {
    for (int i = 0; i < 10'000; ++i) {
        const auto due = core_->next_timer();
        if (!due || due->due >= time) return;
        engine::Input input;
        input.time = due->due;
        input.what = due->timer;
        feed(std::move(input));
    }
    FAIL("timers without end");
}

Seq Trace::feed(engine::Input input) {
    ledger::Batch batch;
    const auto seq = next_;
    const auto time = input.time;
    const auto copy = input;
    auto result = core_->step(std::move(input), seq, {epoch_, time + std::chrono::seconds(60)}, batch);
    if (result.recorded) {
        next_.value++;
        batch.next_seq = next_;
        batch.log_time = time;
        const auto committed = ledger_->commit(batch, epoch_);
        if (!committed.ok()) FAIL(committed.error().message);
        learn_runs(batch);
        tell_model(copy, seq, batch);
    }
    for (auto& followup : result.followups) {
        engine::Input next;
        next.time = time;
        next.what = std::move(followup);
        feed(std::move(next));
    }
    return seq;
}

void Trace::learn_runs(const ledger::Batch& batch) {
    for (const auto& run : batch.runs) {
        for (const auto& decision : batch.decisions) {
            if (decision.no == run.decision)
                names_[run.no] = {static_cast<int>(run.trigger.value), decision.seq, decision.key};
        }
    }
}

std::optional<ReferenceEngine::FiringName> Trace::name_of(ledger::RunNo run) const {
    const auto found = names_.find(run);
    if (found == names_.end() || found->second.trigger == 0) return std::nullopt;
    return found->second;
}

void Trace::settle_in_model(const engine::RunFactInput& fact, Seq seq, Instant time,
                            const ledger::Batch& batch) {
    if (batch.inputs.front().kind != ledger::InputKind::Settlement) return model_.passed(seq, time);
    const auto event = ok(events::decode_wire(batch.inputs.front().body));
    model_.settled(seq, time, name_of(fact.run), event);
    attempts_[fact.run] = fact.attempt;
    ended_.push_back(fact.run);
}

void Trace::tell_model(const engine::Input& input, Seq seq, const ledger::Batch& batch) {
    const auto time = input.time;
    const auto number = [&](const std::string& name) {
        // Names are never used again after a deletion in these traces but by a trigger made anew, which is
        // newer.
        const auto versions = ok(reader().trigger_versions("ads", name));
        return static_cast<int>(versions.front().no.value);
    };
    if (const auto* apply = std::get_if<engine::ApplyInput>(&input.what)) {
        if (apply->triggers.empty()) model_.passed(seq, time);
        for (const auto& trigger : apply->triggers)
            model_.apply(seq, time, trigger.compiled->trigger());
    } else if (const auto* arrival = std::get_if<engine::ArrivalInput>(&input.what)) {
        model_.arrival(seq, time, *arrival->event);
    } else if (const auto* timer = std::get_if<engine::TimerInput>(&input.what)) {
        if (timer->kind == ledger::TimerKind::Slot) {
            const auto event = ok(events::decode_wire(batch.inputs.front().body));
            model_.slot(seq, time, static_cast<int>(timer->trigger.value), timer->key, event);
        } else {
            const auto run = ok(reader().run(RunId{ok(Uuid::parse(timer->key))}));
            model_.max_age(seq, time, *name_of(run.no));
        }
    } else if (const auto* fact = std::get_if<engine::RunFactInput>(&input.what)) {
        settle_in_model(*fact, seq, time, batch);
    } else if (const auto* gone = std::get_if<engine::DeleteTriggerInput>(&input.what)) {
        model_.remove(seq, time, number(gone->name));
    } else if (const auto* pause = std::get_if<engine::PauseInput>(&input.what)) {
        model_.pause(seq, time, number(pause->name));
    } else if (const auto* resume = std::get_if<engine::ResumeInput>(&input.what)) {
        model_.resume(seq, time, number(resume->name), resume->replay);
    } else if (const auto* cancel = std::get_if<engine::CancelInput>(&input.what)) {
        model_.cancelled(seq, time, name_of(cancel->run));
    } else if (const auto* retry = std::get_if<engine::RetryInput>(&input.what)) {
        model_.reopened(seq, time, name_of(retry->run.no));
    } else {
        model_.passed(seq, time);
    }
}

std::string Trace::document() {
    static const std::vector<std::string> whens{
        "{event: a.x, where: 'event.data.n > 3'}",
        "{event: 'a.*', source: '/s1'}",
        "{event: b.y, where: 'event.data.missing == 1'}",
        "{all: {x: {event: a.x}, y: {event: b.y}}, key: 'event.data.k', within: 5m}",
        "{all: {x: {event: a.x, where: 'event.data.n < 7'}, y: {event: 'a.*', where: 'event.data.n > 2'}, z: "
        "{event: b.y}}, "
        "key: {x: 'event.data.k', y: 'event.data.k', z: 'event.data.k'}}",
        "{all: {x: {event: a.x}, y: {event: b.y}, m: {event: c.m, keep: true}}, key: 'event.data.k', within: "
        "3m}",
        "{all: {x: {event: a.x}, y: {event: b.y}}, within: 2m}",
        "{all: {x: {event: b.y}, f: {finish: sink, outcome: [succeeded], keep: true}}, key: 'event.data.k'}",
        "{finish: sink, outcome: [failed, skipped], where: 'run.attempt < 3'}",
        "{finish: 's*'}",
        "{event: 'weir.run.*', where: 'event.data.outcome == \"failed\"'}",
        "{schedule: '*/7 * * * *', timezone: UTC}",
        "{schedule: '5,40 3-20 * * MON-FRI', timezone: Europe/Zurich}",
        "{all: {s: {schedule: '*/11 * * * *', timezone: UTC}, x: {event: a.x}}, within: 8m}",
    };
    static const std::vector<std::string> overlaps{"", "  overlap: skip\n",
                                                   "  overlap: queue\n  queue: {limit: 2}\n",
                                                   "  overlap: queue\n  queue: {limit: 3, max_age: 4m}\n"};
    static const std::vector<std::string> parameters{
        "", "  parameters: {k: 'event.data.k'}\n",
        "  parameters: {n: 'int(event.data.n)', k: {value: text}}\n"};
    auto text = "trigger: t" + std::to_string(chance_.below(4)) +
                "\nteam: ads\nwhen: " + chance_.pick(whens) +
                "\nlaunch:\n  flow: " + (chance_.percent(88) ? "sink" : "nowhere") + "\n" +
                chance_.pick(overlaps) + chance_.pick(parameters);
    if (chance_.percent(30)) text += "limits: {depth: " + std::to_string(2 + chance_.below(3)) + "}\n";
    return text;
}

void Trace::put(const std::string& text) {
    Problems problems;
    const auto read = triggers::read_triggers(text, "trace.yaml", problems);
    for (const auto& problem : problems)
        FAIL(problem.to_string() << "\n" << text);
    const auto compiled = triggers::compile(read.front(), problems);
    for (const auto& problem : problems)
        FAIL(problem.to_string() << "\n" << text);
    engine::Input input;
    input.time = now_;
    engine::ApplyInput apply;
    const auto uid = Uuid::time_led(now_, sha256("uid" + std::to_string(next_.value)));
    apply.triggers.push_back({compiled, TriggerUid{uid}, text});
    input.what = std::move(apply);
    feed(std::move(input));
}

events::Event Trace::event() {
    if (!sent_.empty() && chance_.percent(8)) {
        auto again = chance_.pick(sent_);
        if (chance_.percent(30)) again.data = R"({"k":"other"})";
        return again;
    }
    static const std::vector<std::string> types{"a.x", "a.x", "b.y", "b.y", "a.z", "c.m", "other"};
    static const std::vector<std::string> keys{R"("k1")", R"("k2")", "1", "1.0", "2", "null", R"("k1")"};
    events::Event event;
    event.type = chance_.pick(types);
    event.source = chance_.percent(60) ? "/s1" : "/s2";
    event.id = "e" + std::to_string(events_++);
    event.datacontenttype = "application/json";
    event.data_kind = events::DataKind::Json;
    event.data = "{\"n\":" + std::to_string(chance_.below(10)) +
                 (chance_.percent(90) ? ",\"k\":" + chance_.pick(keys) : std::string()) + "}";
    if (chance_.percent(3)) {
        event.type = "weir.run.finished";
        event.source = chance_.percent(50) ? "/weir/weir/ads/sink" : "/elsewhere";
        event.data = R"({"flow":"sink","team":"ads","outcome":"failed","run":"r","attempt":1})";
    }
    sent_.push_back(event);
    return event;
}

void Trace::arrive() {
    auto event = std::make_shared<const events::Event>(this->event());
    triggers::EventView view(*event);
    triggers::Matcher::Match match;
    core_->meet(view, match);
    ++position_;
    if (!match.pattern_met) return model_.arrival(std::nullopt, now_, *event);
    engine::ArrivalInput arrival;
    arrival.stream = stream_;
    arrival.stream_name = "events";
    arrival.incarnation = "1";
    arrival.position = Position(position_);
    arrival.digest = events::digest_of(*event);
    const auto seen = ok(ledger_->find_seen(event->source, event->id, now_));
    if (seen) {
        arrival.duplicate_of = seen->seq;
        arrival.conflicting = seen->digest != arrival.digest;
    }
    arrival.echo = event->type == triggers::finish_type && event->source.rfind("/weir/weir/", 0) == 0;
    arrival.event = event;
    engine::Input input;
    input.time = now_;
    input.what = std::move(arrival);
    feed(std::move(input));
}

void Trace::advance_run() {
    std::vector<ledger::RunNo> open;
    for (const auto& [no, run] : core_->runs()) {
        if (run.state != ledger::RunState::Waiting && run.state != ledger::RunState::Ready)
            open.push_back(no);
    }
    if (open.empty()) return;
    const auto no = chance_.pick(open);
    const auto* run = core_->run(no);
    engine::RunFactInput fact;
    using Kind = engine::RunFactInput::Kind;
    fact.run = no;
    fact.attempt = attempts_.count(no) != 0 ? attempts_[no] + 1 : 1;
    fact.finished_at = now_;
    if (run->state == ledger::RunState::Sent) {
        fact.kind = chance_.percent(90) ? Kind::Accepted : Kind::Lost;
    } else if (run->state == ledger::RunState::Unknown) {
        fact.kind = chance_.percent(50) ? Kind::Accepted : Kind::Missed;
    } else if (run->state == ledger::RunState::Accepted && chance_.percent(50)) {
        fact.kind = Kind::Started;
    } else {
        static const std::vector<flows::Outcome> outcomes{flows::Outcome::Succeeded,
                                                          flows::Outcome::Succeeded, flows::Outcome::Failed,
                                                          flows::Outcome::Lost};
        fact.kind = Kind::Settled;
        fact.outcome = chance_.pick(outcomes);
    }
    engine::Input input;
    input.time = now_;
    input.what = std::move(fact);
    feed(std::move(input));
}

void Trace::change() {
    const auto name = "t" + std::to_string(chance_.below(4));
    const auto kind = chance_.below(20);
    if (kind < 11) return put(document());
    engine::Input input;
    input.time = now_;
    if (kind < 13) {
        input.what = engine::PauseInput{"ads", name, "test", "because"};
    } else if (kind < 17) {
        input.what = engine::ResumeInput{"ads", name, chance_.percent(70), "test", "because"};
    } else if (kind == 17) {
        input.what = engine::DeleteTriggerInput{"ads", name, "test", "because"};
    } else if (kind == 18) {
        if (core_->runs().empty()) return;
        std::vector<ledger::RunNo> all;
        for (const auto& [no, run] : core_->runs())
            all.push_back(no);
        input.what = engine::CancelInput{chance_.pick(all), "test", "because"};
    } else {
        if (ended_.empty()) return;
        input.what = engine::RetryInput{ok(reader().run(chance_.pick(ended_))), "test", "because"};
    }
    feed(std::move(input));
}

void Trace::step() {
    static const std::vector<int> seconds{0, 0, 0, 1, 1, 5, 10, 20, 40, 60, 60, 120, 300};
    now_ += std::chrono::seconds(chance_.pick(seconds));
    timers_before(now_);
    const auto what = chance_.below(100);
    if (what < 65) return arrive();
    if (what < 92) return advance_run();
    change();
}

void Trace::finish() {
    now_ += std::chrono::minutes(1);
    timers_before(now_);
}

} // namespace weir::sim
