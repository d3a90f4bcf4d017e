// What only the engine's memory knows, for readers.

#include <weir/engine/service.hpp>

namespace weir::engine {

std::vector<JoinWaiting> EngineService::waiting(const std::string& team, const std::string& trigger) {
    auto found = std::make_shared<std::vector<JoinWaiting>>();
    (void)read([this, found, team, trigger] { *found = ports_.shell.core().waiting(team, trigger); });
    return *found;
}

Result<std::vector<StreamReport>> EngineService::streams() {
    auto reports = std::make_shared<std::vector<StreamReport>>();
    WEIR_TRY(read([this, reports] {
        for (const auto& stream : ports_.shell.streams()) {
            StreamReport report;
            report.name = stream.name;
            report.bus = stream.bus;
            report.incarnation = stream.incarnation;
            report.position = stream.position;
            if (const auto* bus = ports_.shell.bus_of(stream.name)) {
                const auto state = bus->state();
                report.kind = state.kind;
                report.durability = to_string(state.durability);
                report.durability_note = state.durability_note;
            }
            report.state = !stream.stopped.empty()       ? "stopped"
                           : stream.absent               ? "absent"
                           : stream.left_out             ? "left out"
                           : !stream.unreachable.empty() ? "unreachable"
                                                         : "read";
            report.detail = !stream.stopped.empty() ? stream.stopped : stream.unreachable;
            if (report.state == "absent") report.detail = "not on its bus, or not configured any more";
            reports->push_back(std::move(report));
        }
    }));
    return *reports;
}

Status EngineService::accept_gap(const std::string& stream, const Actor& actor) {
    auto outcome = carry([this, stream, actor](Shell::Done done) {
        ports_.shell.accept_gap(stream, actor.principal, actor.reason, std::move(done));
    });
    if (!outcome.ok()) return outcome.error();
    return {};
}

Status EngineService::replay(ledger::DeadLetterNo letter, const Actor& actor) {
    WEIR_ASSIGN(row, ports_.reader.dead_letter(letter));
    const auto name = "the dead letter " + std::to_string(letter.value);
    if (row.replayed)
        return conflict(name + " was replayed already, as input " + std::to_string(row.replayed_seq.value));
    if (row.stream == ledger::StreamNo())
        return conflict(name + " is an event of ours that its bus refused; publish it again, smaller");
    events::Bus* bus = nullptr;
    WEIR_TRY(read([this, &bus, &row] { bus = ports_.shell.bus_of(row.stream_name); }));
    if (bus == nullptr)
        return not_found("the stream \"" + row.stream_name + "\" of " + name +
                         " is not among this weir's any more");
    Result<events::Arrival> arrival = [&]() -> Result<events::Arrival> {
        // Only its beginning was kept: the bus may still have it whole.
        if (row.cut || row.message.empty()) return bus->at(row.stream_name, row.position);
        WEIR_ASSIGN(message, events::decode_message(row.message));
        return bus->decode(row.stream_name, message, row.position, row.time);
    }();
    if (!arrival.ok()) return arrival.error().in(name);
    if (arrival->poison) return invalid(name + " is still no event: " + arrival->poison->reason);
    auto shared = std::make_shared<events::Arrival>(std::move(arrival).value());
    auto outcome = carry([this, row, shared, actor](Shell::Done done) {
        ports_.shell.replay(row, *shared, actor.principal, actor.reason, std::move(done));
    });
    if (!outcome.ok()) return outcome.error();
    return {};
}

void EngineService::add_readiness(std::vector<ReadyItem>& items) const {
    const auto& shell = ports_.shell;
    const bool writes = shell.stalled().empty() && !shell.fatal();
    items.push_back({"ledger", writes,
                     shell.fatal() ? shell.fatal()->message
                                   : (writes ? "sqlite, power-safe" : "cannot write: " + shell.stalled())});
    for (const auto& bus : shell.bus_states()) {
        const auto durability = std::string(to_string(bus.durability)) +
                                (bus.durability_note.empty() ? "" : " (" + bus.durability_note + ")");
        items.push_back({"bus " + bus.name, bus.connected,
                         bus.connected ? bus.kind + ", " + durability : bus.kind + ": " + bus.detail});
    }
    for (const auto& stream : shell.streams()) {
        if (stream.absent && !stream.vanished) continue;
        const bool ready = stream.stopped.empty() && stream.unreachable.empty() && !stream.vanished;
        const auto place = "read up to " + std::to_string(stream.position.value);
        items.push_back({"stream " + stream.name, ready,
                         stream.vanished               ? place + ", then it was gone from its bus"
                         : !stream.stopped.empty()     ? stream.stopped
                         : !stream.unreachable.empty() ? place + ", then: " + stream.unreachable
                                                       : place});
    }
    for (const auto& [backend, runs] : shell.missing_backends())
        items.push_back({"backend " + backend, false,
                         "not part of this weir, though runs were open on it: " + std::to_string(runs),
                         false});
    if (shell.outgoing() > 0 || !shell.outgoing_trouble().empty()) {
        const auto trouble = shell.outgoing_trouble();
        items.push_back({"outgoing events", trouble.empty(),
                         std::to_string(shell.outgoing()) + " on their way" +
                             (trouble.empty() ? "" : ", kept here: " + trouble)});
    }
}

std::vector<ReadyItem> EngineService::readiness() {
    auto items = std::make_shared<std::vector<ReadyItem>>();
    if (const auto carried = read([this, items] { add_readiness(*items); }); !carried.ok())
        return {{"engine", false, carried.error().message}};
    if (ports_.more_readiness)
        for (auto& item : ports_.more_readiness())
            items->push_back(std::move(item));
    return *items;
}

std::vector<MetricValue> EngineService::metrics() {
    auto values = std::make_shared<std::vector<MetricValue>>();
    (void)read([this, values] {
        const auto& shell = ports_.shell;
        const auto& c = shell.counters();
        const auto counter = [&](const char* name, const char* help, std::int64_t value) {
            values->push_back({name, help, true, {}, static_cast<double>(value)});
        };
        counter("arrivals_total", "Events read from streams.", c.arrivals);
        counter("inputs_recorded_total", "Inputs written to the ledger.", c.recorded);
        counter("duplicates_total", "Arrivals with an identity seen before.", c.duplicates);
        counter("conflicting_duplicates_total", "Duplicates with another content.", c.conflicting);
        counter("decisions_total", "Decisions written.", c.decisions);
        counter("runs_total", "Runs decided.", c.runs);
        counter("commits_total", "Transactions committed.", c.commits);
        counter("commit_failures_total", "Transactions that had to be tried again.", c.commit_failures);
        counter("launches_total", "Launch requests sent.", c.launches);
        counter("dead_letters_total", "Messages that were no events.", c.dead_letters);
        counter("echoes_total", "Events of weir's own that came back.", c.echoes);
        counter("gaps_total", "Gaps found in streams.", c.gaps);
        counter("published_total", "Events that went out to the outside bus.", c.published);
        counter("looks_total", "Looks for runs whose reply was lost.", c.looks);
        for (const auto& [outcome, n] : c.settled)
            values->push_back({"settlements_total",
                               "Attempts settled.",
                               true,
                               {{"outcome", outcome}},
                               static_cast<double>(n)});
        const auto gauge = [&](const char* name, const char* help, double value) {
            values->push_back({name, help, false, {}, value});
        };
        gauge("triggers", "Live triggers.", static_cast<double>(shell.core().trigger_count()));
        gauge("held_events", "Events held by joins.", static_cast<double>(shell.core().held_count()));
        gauge("unsettled_runs", "Runs that have not ended.", static_cast<double>(shell.core().runs().size()));
        gauge("outgoing_events", "Events that wait for the outside bus.",
              static_cast<double>(shell.outgoing()));
        for (const auto& stream : shell.streams()) {
            const std::map<std::string, std::string> labels{{"stream", stream.name}};
            values->push_back({"stream_position", "Read up to here.", false, labels,
                               static_cast<double>(stream.position.value)});
            values->push_back({"stream_stopped", "1 while a gap is not accepted.", false, labels,
                               stream.stopped.empty() ? 0.0 : 1.0});
            values->push_back({"stream_left_out", "1 while decisions go on without it.", false, labels,
                               stream.left_out ? 1.0 : 0.0});
        }
        for (const auto& bus : shell.bus_states()) {
            values->push_back({"bus_connected",
                               "1 while the bus answers.",
                               false,
                               {{"bus", bus.name}},
                               bus.connected ? 1.0 : 0.0});
            values->push_back({"bus_reconnects_total",
                               "Connections made again.",
                               true,
                               {{"bus", bus.name}},
                               static_cast<double>(bus.reconnects)});
        }
        gauge("ledger_stalled", "1 while the ledger cannot write.", shell.stalled().empty() ? 0 : 1);
    });
    if (ports_.more_metrics)
        for (auto& value : ports_.more_metrics())
            values->push_back(std::move(value));
    return *values;
}

} // namespace weir::engine
