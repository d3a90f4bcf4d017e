#include <algorithm>
#include <optional>

#include <weir/events/wire_codec.hpp>
#include <weir/triggers/matcher.hpp>

#include "workload.hpp"

namespace weir::bench {
namespace {

using Triggers = std::vector<std::shared_ptr<const triggers::CompiledTrigger>>;

std::int64_t memory_kib() {
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr) return 0;
    long size = 0, resident = 0;
    const int read = std::fscanf(file, "%ld %ld", &size, &resident);
    std::fclose(file);
    return read == 2 ? resident * 4 : 0;
}

/// Every trigger on a few events without any index; the index must find the same.
Status check_hits(triggers::Matcher& matcher, const Triggers& all, const std::vector<events::Event>& events) {
    triggers::Matcher::Match match;
    for (std::size_t i = 0; i < events.size(); i += std::max<std::size_t>(1, events.size() / 20)) {
        triggers::EventView view(events[i]);
        matcher.match(view, match);
        std::vector<std::int64_t> expected;
        for (std::size_t t = 0; t < all.size(); ++t) {
            if (!all[t]->pattern_meets(0, view)) continue;
            const auto fits = all[t]->where(0, view);
            if (fits.ok() && fits.value()) expected.push_back(static_cast<std::int64_t>(t));
        }
        std::vector<std::int64_t> found;
        for (const auto& hit : match.hits)
            found.push_back(hit.trigger);
        if (found != expected)
            return internal("event " + events[i].id + ": the index finds " + std::to_string(found.size()) +
                            " triggers, trying each one finds " + std::to_string(expected.size()));
    }
    return {};
}

/// Events a second: `parsed`: from views that were parsed before; else from the wire form, as they come.
double rate(triggers::Matcher& matcher, const std::vector<events::Event>& events, bool parsed, int rounds,
            std::uint64_t& hits) {
    std::vector<std::string> wires;
    std::vector<triggers::EventView> views;
    for (const auto& event : events) {
        if (parsed) {
            views.emplace_back(event);
            views.back().value();
        } else {
            wires.push_back(events::encode_wire(event));
        }
    }
    std::vector<double> rates;
    triggers::Matcher::Match match;
    for (int round = 0; round < rounds; ++round) {
        hits = 0;
        const Stopwatch watch;
        if (parsed) {
            for (auto& view : views) {
                matcher.match(view, match);
                hits += match.hits.size();
            }
        } else {
            for (const auto& wire : wires) {
                const auto event = events::decode_wire(wire);
                if (!event.ok()) return 0;
                triggers::EventView view(event.value());
                matcher.match(view, match);
                hits += match.hits.size();
            }
        }
        rates.push_back(static_cast<double>(events.size()) / watch.seconds());
    }
    return median(std::move(rates));
}

Result<Report> measure(const Options& options, double pure, bool type_in_pattern) {
    progress(std::to_string(options.triggers) + " triggers, " + std::to_string(pure * 100) +
             "% not indexable, type in " + (type_in_pattern ? "the pattern" : "where"));
    const auto workload = make_workload(options.triggers, options.events, pure, options.seed);
    WEIR_ASSIGN(all, make_triggers(workload, type_in_pattern));
    const auto before = memory_kib();
    triggers::Matcher matcher;
    const Stopwatch building;
    for (std::size_t i = 0; i < all.size(); ++i)
        matcher.add(static_cast<std::int64_t>(i), all[i]);
    const auto built = building.seconds();
    // Also compiles what the first event compiles; the rates are those of a warm engine.
    WEIR_TRY(check_hits(matcher, all, workload.events));
    const auto index_bytes = matcher.index_bytes();

    std::uint64_t hits = 0;
    const auto from_parsed = rate(matcher, workload.events, true, options.rounds, hits);
    const auto evaluated_before = matcher.evaluations();
    const auto from_wire = rate(matcher, workload.events, false, options.rounds, hits);
    const auto events = static_cast<double>(workload.events.size());
    Report out;
    out["not_indexable_share"] = pure;
    out["type_in"] = type_in_pattern ? "pattern" : "where";
    out["events_per_second_parsed"] = static_cast<std::int64_t>(from_parsed);
    out["events_per_second_from_wire"] = static_cast<std::int64_t>(from_wire);
    out["where_the_time_goes_ns"] = {
        {"match", static_cast<std::int64_t>(1e9 / from_parsed)},
        {"decode_and_parse", static_cast<std::int64_t>(1e9 / from_wire - 1e9 / from_parsed)}};
    out["hits_per_event"] = static_cast<double>(hits) / events;
    out["evaluations_per_event"] =
        static_cast<double>(matcher.evaluations() - evaluated_before) / events / options.rounds;
    out["index_bytes_per_trigger"] = static_cast<double>(index_bytes) / static_cast<double>(all.size());
    out["resident_growth_kib"] = memory_kib() - before;
    out["build_seconds"] = built;
    return out;
}

/// Nothing matches: events of types that no trigger names.
Result<Report> measure_misses(const Options& options) {
    auto workload = make_workload(options.triggers, options.events, 0, options.seed);
    std::erase_if(workload.conditions,
                  [](const Workload::Condition& condition) { return condition.type.empty(); });
    WEIR_ASSIGN(all, make_triggers(workload, true));
    triggers::Matcher matcher;
    for (std::size_t i = 0; i < all.size(); ++i)
        matcher.add(static_cast<std::int64_t>(i), all[i]);
    for (auto& event : workload.events)
        event.type = "other." + event.type;
    std::uint64_t hits = 0;
    const auto parsed = rate(matcher, workload.events, true, options.rounds, hits);
    const auto wire = rate(matcher, workload.events, false, options.rounds, hits);
    if (hits != 0) return internal("events that no trigger names were matched");
    Report out;
    out["triggers"] = all.size();
    out["events_per_second_parsed"] = static_cast<std::int64_t>(parsed);
    out["events_per_second_from_wire"] = static_cast<std::int64_t>(wire);
    return out;
}

} // namespace

Result<Report> run_filter(const Options& options) {
    Report out;
    out["what"] = "the matcher alone, one core: candidates by index, then their conditions";
    out["keeping_policy"] = "nothing is kept";
    out["goal"] =
        "design 8: 1,000,000/s parsed where all are indexable, 250,000/s with 5% half so (100,000 triggers)";
    out["triggers"] = options.triggers;
    out["events"] = options.events;
    out["rounds"] = options.rounds;
    out["cases"] = Report::array();
    for (const double pure : {0.0, 0.025}) {
        for (const bool in_pattern : {true, false}) {
            WEIR_ASSIGN(one, measure(options, pure, in_pattern));
            out["cases"].push_back(std::move(one));
        }
    }
    WEIR_ASSIGN(misses, measure_misses(options));
    out["nothing_matches"] = std::move(misses);
    return out;
}

} // namespace weir::bench
