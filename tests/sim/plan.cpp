#include "plan.hpp"

#include <algorithm>

namespace weir::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

flows::FlowVersion flow(const std::string& name) {
    flows::FlowVersion flow;
    flow.team = "t";
    flow.flow = name;
    flow.version = "v1" + name;
    flow.backend = "sim";
    flow.parameters = {{"x", flows::ParameterType::Integer, true, "", "", {}},
                       {"s", flows::ParameterType::String, true, "", "", {}}};
    flow.settings_json = "{}";
    return flow;
}

std::string within_of(Chance& chance) {
    return chance.one_of<std::string>({"", "  within: 30s\n", "  within: 2m\n", "  within: 10m\n"});
}

std::string overlap_of(Chance& chance, bool single_stream) {
    if (single_stream) return "allow";
    return chance.one_of<std::string>({"allow", "allow", "skip", "queue"});
}

/// A trigger document by kind: 0 event, 1 event with where, 2 all, 3 all keyed, 4 schedule, 5 finish, 6 mixed
/// all.
std::string trigger(Chance& chance, const std::string& name, bool single_stream) {
    const int kinds = single_stream ? 5 : 7;
    const auto type = [&] { return "data." + chance.one_of<std::string>({"a", "b", "c"}); };
    std::string doc = "trigger: " + name + "\nteam: t\nwhen:\n";
    std::string parameters;
    switch (chance.below(static_cast<std::uint64_t>(kinds))) {
        case 0:
            doc += "  event: " + chance.one_of<std::string>({"data.a", "data.*", "data.b"}) + "\n";
            parameters = "{x: 'int(event.data.n)', s: 'event.id'}";
            break;
        case 1:
            doc += "  event: " + type() +
                   "\n  where: 'int(event.data.n) % 3 == " + std::to_string(chance.below(3)) + "'\n";
            parameters = "{x: 'int(event.data.n) + 1'}";
            break;
        case 2:
            doc += "  all:\n    l: {event: " + type() + "}\n    r: {event: " + type() + "}\n" +
                   within_of(chance);
            parameters = "{s: 'l.id + \"-\" + r.id'}";
            break;
        case 3:
            doc += "  all:\n    l: {event: data.a}\n    r: {event: data.b}\n";
            if (chance.happens(400)) doc += "    k: {event: data.c, keep: true}\n";
            doc += "  key: 'event.data.k'\n" + within_of(chance);
            parameters = "{s: 'l.id + \"-\" + r.id'}";
            break;
        case 4:
            doc += "  schedule: '" + chance.one_of<std::string>({"* * * * *", "*/5 * * * *", "0 * * * *"}) +
                   "'\n  timezone: Europe/Berlin\n";
            parameters = "{s: 'string(schedule.slot)'}";
            break;
        case 5:
            doc += "  finish: " + chance.one_of<std::string>({"f0", "f1", "f*"}) + "\n  outcome: " +
                   chance.one_of<std::string>({"[succeeded]", "[failed]", "[succeeded, failed, skipped]"}) +
                   "\n";
            parameters = "{s: 'run.id'}";
            break;
        default:
            doc += "  all:\n    l: {event: " + type() + "}\n    m: {finish: f1}\n" + within_of(chance);
            parameters = "{s: 'l.id + \"-\" + m.id'}";
    }
    const auto overlap = overlap_of(chance, single_stream);
    doc += "launch:\n  flow: f" + std::to_string(chance.below(3)) + "\n  parameters: " + parameters +
           "\n  overlap: " + overlap + "\n";
    if (chance.happens(200))
        doc += "limits: {firings_per_minute: 3}\n";
    else if (!single_stream)
        doc += "limits: {depth: 4}\n";
    return doc;
}

events::Event event(Chance& chance, int n) {
    events::Event event;
    event.id = "e" + std::to_string(n);
    event.source = "/sim/" + chance.one_of<std::string>({"x", "y"});
    event.type = "data." + chance.one_of<std::string>({"a", "a", "b", "b", "c", "unheard"});
    event.datacontenttype = "application/json";
    event.data_kind = events::DataKind::Json;
    std::string key = "\"k" + std::to_string(chance.below(4)) + "\"";
    if (chance.happens(30)) key = "null";
    event.data = "{\"n\":" + std::to_string(chance.below(1000)) + ",\"k\":" + key + "}";
    if (chance.happens(20)) event.data = "{\"k\":" + key + "}"; // no n: expressions fail
    return event;
}

Instant pause(Chance& chance, Instant from) {
    if (chance.happens(600)) return from + milliseconds(1 + chance.below(50));
    if (chance.happens(900)) return from + milliseconds(chance.below(20'000));
    return from + seconds(chance.below(400));
}

void add_edits(Chance& chance, Plan& plan, int triggers, bool single_stream,
               std::uint64_t chance_of_retries) {
    const auto name = [&] {
        return "tr" + std::to_string(chance.below(static_cast<std::uint64_t>(triggers)));
    };
    const auto count = chance.below(5);
    const auto span = static_cast<std::uint64_t>((plan.end - plan.start).count());
    for (std::uint64_t i = 0; i < count; ++i) {
        Edit edit;
        edit.at = plan.start + Duration(static_cast<std::int64_t>(chance.below(span)));
        edit.trigger = name();
        switch (chance.below(7)) {
            case 0: edit.kind = Edit::Kind::Delete; break;
            case 1: edit.kind = Edit::Kind::Pause; break;
            case 2: edit.kind = Edit::Kind::ResumeReplay; break;
            case 3: edit.kind = Edit::Kind::ResumeDrop; break;
            case 4:
                edit.kind = Edit::Kind::Run;
                edit.request_id = "request-" + std::to_string(chance.below(3));
                break;
            case 5: edit.kind = Edit::Kind::CancelNewest; break;
            default:
                edit.kind = Edit::Kind::Apply;
                edit.documents = {trigger(chance, edit.trigger, single_stream)};
        }
        if (single_stream && (edit.kind == Edit::Kind::CancelNewest)) continue;
        plan.edits.push_back(std::move(edit));
    }
    // Of a chance of their own, so that seeds name the same plans as before there were retries.
    Chance more(chance_of_retries);
    for (auto retries = single_stream ? 0 : more.below(4); retries > 0; --retries) {
        Edit edit;
        edit.at = plan.start + Duration(static_cast<std::int64_t>(more.below(span)));
        edit.kind = Edit::Kind::RetryNewest;
        plan.edits.push_back(std::move(edit));
    }
    std::stable_sort(plan.edits.begin(), plan.edits.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
}

} // namespace

Plan make_plan(std::uint64_t seed, const PlanOptions& options) {
    Chance chance(seed * 2654435761ULL + 17);
    Plan plan;
    plan.start = from_ns(1'790'000'000'000'000'000) + seconds(chance.below(86'400 * 200));
    for (const auto* name : {"f0", "f1", "f2"})
        plan.flows.push_back(flow(name));
    const int triggers = 1 + static_cast<int>(chance.below(5));
    for (int i = 0; i < triggers; ++i)
        plan.triggers.push_back(trigger(chance, "tr" + std::to_string(i), options.single_stream));
    Chance overlaps(seed * 193 + 11);
    for (auto& document : plan.triggers)
        if (const auto queue = document.find("overlap: queue");
            options.one_waits && queue != std::string::npos)
            document.replace(queue, 14,
                             overlaps.happens(500) ? "overlap: latest" : "overlap: cancel_running");
    auto at = plan.start + seconds(1);
    for (int i = 0; i < options.publications; ++i) {
        at = pause(chance, at);
        if (i > 3 && chance.happens(80)) {
            // The same identity again: mostly the same event, sometimes another content.
            auto again = plan.publications[chance.below(plan.publications.size())];
            again.at = at;
            if (chance.happens(250)) again.event.data = "{\"n\":1,\"k\":\"other\"}";
            plan.publications.push_back(std::move(again));
            continue;
        }
        plan.publications.push_back({at, event(chance, i)});
    }
    plan.end = at + seconds(30);
    // Of a chance of its own, for the same reason as retries below.
    Chance which(seed * 97 + 3);
    for (auto& publication : plan.publications)
        if (options.buses > 1) publication.bus = which.below(options.buses);
    if (options.edits) add_edits(chance, plan, triggers, options.single_stream, seed * 40503 + 5);
    return plan;
}

} // namespace weir::sim
