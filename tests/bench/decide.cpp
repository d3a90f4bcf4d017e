#include <algorithm>

#include "rig.hpp"

namespace weir::bench {
namespace {

struct Case {
    std::string name;
    std::string what;
    std::string goal;
    std::string flow_settings;
    std::string trigger;
};

const std::vector<Case>& cases() {
    // The breaker of 1,000 firings a minute is not what is measured.
    static const std::string no_breaker = "limits: {firings_per_minute: 1000000}\n";
    static const std::string head = "trigger: t\nteam: bench\nwhen:\n  event: ";
    static const std::vector<Case> all{
        {"nothing_matches", "no pattern is met: counted per minute, type and source; positions",
         "120,000/s end to end", "", head + "other.type\nlaunch:\n  flow: sink\n"},
        {"kept", "the pattern is met, `where` is not: input, payload, identity, position", "", "",
         head + "data.ready\n  where: 'event.data.n < 0'\nlaunch:\n  flow: sink\n"},
        {"kept_and_decided", "a decision row for each event (suppressed: one run is unfinished)", "50,000/s",
         "settle_after: 7d\n", head + "data.ready\nlaunch:\n  flow: sink\n  overlap: skip\n" + no_breaker},
        {"launched", "a run for each event on the null backend: outbox, run, attempt, settlement, lineage",
         "15,000/s", "parameters:\n  n: {type: integer}\n",
         head + "data.ready\nlaunch:\n  flow: sink\n  parameters:\n    n: 'int(event.data.n)'\n" +
             no_breaker},
    };
    return all;
}

std::vector<events::Event> make_events(std::int64_t count, std::int64_t first) {
    std::vector<events::Event> out;
    for (std::int64_t i = first; i < first + count; ++i) {
        events::Event event;
        event.id = "e" + std::to_string(i);
        event.source = "/bench/orders";
        event.type = "data.ready";
        event.datacontenttype = "application/json";
        event.data_kind = events::DataKind::Json;
        event.data = "{\"table\":\"orders\",\"date\":\"2026-11-21\",\"n\":" + std::to_string(i) +
                     ",\"note\":\"" + std::string(120, 'x') + "\"}";
        out.push_back(std::move(event));
    }
    return out;
}

Report share(const Spent& spent, std::int64_t events) {
    return {{"us_per_event", spent.seconds * 1e6 / static_cast<double>(events)}, {"calls", spent.calls}};
}

Result<Report> measure(const Case& one, const Options& options, const std::string& folder) {
    progress("decide: " + one.name);
    std::vector<double> rates;
    Report out;
    for (int round = 0; round < options.rounds; ++round) {
        WEIR_ASSIGN(rig, Rig::open(folder + "/" + one.name + std::to_string(round), one.flow_settings,
                                   {one.trigger}));
        for (std::int64_t at = 0; at < options.events; at += 1000)
            WEIR_TRY(rig->publish(make_events(std::min<std::int64_t>(1000, options.events - at), at)));
        rig->bus->read_ = rig->bus->look_ = rig->bus->release_ = {};
        rig->ledger->commit_ = rig->ledger->seen_ = {};
        rig->launcher->launch_ = {};
        const Stopwatch watch;
        WEIR_TRY(rig->drain());
        const auto seconds = watch.seconds();
        rates.push_back(static_cast<double>(options.events) / seconds);
        const auto& counters = rig->shell().counters();
        if (counters.arrivals != options.events)
            return internal(one.name + ": " + std::to_string(counters.arrivals) + " of " +
                            std::to_string(options.events) + " events were read");
        if (one.name == "launched" && counters.launches != options.events)
            return internal(one.name + ": " + std::to_string(counters.launches) + " of " +
                            std::to_string(options.events) + " runs were launched");
        const auto n = options.events;
        const auto core = seconds - rig->bus->read_.seconds - rig->bus->look_.seconds -
                          rig->bus->release_.seconds - rig->ledger->commit_.seconds -
                          rig->ledger->seen_.seconds - rig->launcher->launch_.seconds;
        out["recorded"] = counters.recorded;
        out["decisions"] = counters.decisions;
        out["runs"] = counters.runs;
        out["where_the_time_goes"] = {
            {"bus_read", share(rig->bus->read_, n)},
            {"bus_look", share(rig->bus->look_, n)},
            {"bus_release", share(rig->bus->release_, n)},
            {"find_duplicate", share(rig->ledger->seen_, n)},
            {"ledger_commit", share(rig->ledger->commit_, n)},
            {"launcher", share(rig->launcher->launch_, n)},
            {"shell_and_core", {{"us_per_event", core * 1e6 / static_cast<double>(n)}}}};
    }
    Report head{{"case", one.name}, {"what", one.what}};
    if (!one.goal.empty()) head["goal"] = one.goal;
    head["events_per_second"] = static_cast<std::int64_t>(median(rates));
    for (const auto& [key, value] : out.items())
        head[key] = value;
    return head;
}

} // namespace

Result<Report> run_decide(const Options& options) {
    WEIR_ASSIGN(folder, WorkFolder::make(options));
    Report out;
    out["what"] =
        "events that stand on the bus already, until the last one is decided and durable; one thread";
    out["keeping_policy"] =
        "embedded bus and SQLite ledger, WAL, synchronous=FULL; commits of at most 1,000 inputs; payloads "
        "kept";
    out["events"] = options.events;
    out["rounds"] = options.rounds;
    out["cases"] = Report::array();
    for (const auto& one : cases()) {
        WEIR_ASSIGN(measured, measure(one, options, folder.path()));
        out["cases"].push_back(std::move(measured));
    }
    return out;
}

Result<Report> run_latency(const Options& options) {
    WEIR_ASSIGN(folder, WorkFolder::make(options));
    WEIR_ASSIGN(rig, Rig::open(folder.path() + "/latency", "parameters:\n  n: {type: integer}\n",
                               {cases().back().trigger}));
    const auto times = std::min<std::int64_t>(options.events, 2000);
    std::vector<double> publish, decide, total, beside, rest;
    SystemClock clock;
    for (std::int64_t i = 0; i < times; ++i) {
        // The disk's own cost, measured in turn with what is to be measured, so that both meet the same load.
        WEIR_ASSIGN(fsync, measure_fsync(folder.path(), 2));
        const auto sync_us = fsync["p50_us"].get<double>();
        const auto event = make_events(1, i);
        rig->launcher->at_.reset();
        const auto start = clock.steady_now();
        WEIR_TRY(rig->publish(event));
        const auto published = clock.steady_now();
        WEIR_TRY(rig->drain());
        if (!rig->launcher->at_) return internal("event " + event.front().id + " launched nothing");
        const auto us = [](auto d) { return std::chrono::duration<double, std::micro>(d).count(); };
        publish.push_back(us(published - start));
        decide.push_back(us(*rig->launcher->at_ - published));
        total.push_back(us(*rig->launcher->at_ - start));
        beside.push_back(sync_us);
        rest.push_back(std::max(0.0, total.back() - 2 * sync_us));
    }
    Report out;
    out["what"] =
        "one event, idle: published on the bus, decided, durable, handed to the backend; one thread";
    out["keeping_policy"] = "embedded bus and SQLite ledger, WAL, synchronous=FULL: two fsyncs, one a commit";
    out["goal"] = "design 8: p50 under 1 ms plus the disk's fsyncs, p99 under 5 ms plus the same";
    out["total"] = spread(std::move(total), "us");
    out["fsync_beside"] = spread(std::move(beside), "us");
    out["total_without_two_fsyncs"] = spread(std::move(rest), "us");
    out["where_the_time_goes"] = {{"publish_until_durable", spread(std::move(publish), "us")},
                                  {"read_decide_commit_until_launch", spread(std::move(decide), "us")}};
    return out;
}

} // namespace weir::bench
