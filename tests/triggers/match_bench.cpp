// Measures the matcher alone on the workload of a rules file and an events file (one JSON object a line):
//   triggers-bench RULES EVENTS [ROUNDS] [--document]
// rules: {"id", "expr"}; events: {"id", "type", "source", "data"}. With --document each rule goes through the
// document reader and the checker first, as `apply` does. Rates are by CPU time.
// Prints one JSON object. It measures and asserts
// nothing.

#include <malloc.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <weir/triggers/matcher.hpp>

using namespace weir;
using namespace weir::triggers;

namespace {

std::optional<Trigger> trigger_of(const nlohmann::json& rule) {
    Trigger trigger;
    trigger.name = "rule-" + std::to_string(rule.at("id").get<int>());
    trigger.team = "bench";
    Leaf leaf;
    leaf.name = "event";
    leaf.pattern = EventPattern{"*", {}, {}};
    leaf.where = Expression{rule.at("expr").get<std::string>(), {}};
    trigger.when.leaves.push_back(leaf);
    trigger.when.keys.resize(1);
    trigger.launch.flow = "flow";
    return trigger;
}

std::string document_of(const nlohmann::json& rule) {
    const nlohmann::json document{{"trigger", "rule-" + std::to_string(rule.at("id").get<int>())},
                                  {"when", {{"event", "*"}, {"where", rule.at("expr")}}},
                                  {"launch", {{"flow", "flow"}}}};
    return document.dump();
}

/// Time of this process on a core, so that a busy machine counts less.
double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// What the program has allocated and not freed. The peak of resident memory would hide behind what was freed
/// before.
long heap_bytes() {
    const auto info = mallinfo2();
    return static_cast<long>(info.uordblks + info.hblkhd);
}

std::vector<nlohmann::json> read_lines(const char* path) {
    std::vector<nlohmann::json> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        lines.push_back(nlohmann::json::parse(line));
    return lines;
}

std::vector<events::Event> read_events(const char* path) {
    std::vector<events::Event> events;
    for (const auto& json : read_lines(path)) {
        events::Event event;
        event.id = json.at("id");
        event.type = json.at("type");
        event.source = json.at("source");
        event.data = json.at("data").dump();
        event.data_kind = events::DataKind::Json;
        events.push_back(std::move(event));
    }
    return events;
}

/// As `apply` does: read, checked, then kept. Nothing if the document is refused.
std::optional<Trigger> applied(const nlohmann::json& rule) {
    Problems problems;
    auto read = read_triggers(document_of(rule), "rule", problems);
    if (!read.empty() && compile(read.front(), problems) != nullptr) return std::move(read.front());
    std::fprintf(stderr, "%s\n", problems.front().to_string().c_str());
    return std::nullopt;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: triggers-bench RULES EVENTS [ROUNDS] [--document]\n");
        return 2;
    }
    const int rounds = argc > 3 ? std::atoi(argv[3]) : 5;
    const bool documents = argc > 4 && std::string(argv[4]) == "--document";
    const auto rules = read_lines(argv[1]);
    const auto events = read_events(argv[2]);
    Matcher matcher;
    const auto heap_before = heap_bytes();
    const auto adding = cpu_seconds();
    for (const auto& rule : rules) {
        auto trigger = documents ? applied(rule) : trigger_of(rule);
        if (!trigger) return 1;
        matcher.add(rule.at("id").get<std::int64_t>(), CompiledTrigger::stored(*std::move(trigger)));
    }
    const auto add_seconds = cpu_seconds() - adding;
    const auto heap_added = heap_bytes() - heap_before;

    std::vector<EventView> views;
    views.reserve(events.size());
    const auto parsing = cpu_seconds();
    for (const auto& event : events)
        views.emplace_back(event).value();
    const auto parse_seconds = cpu_seconds() - parsing;

    std::uint64_t hits = 0;
    double best = 0;
    Matcher::Match match;
    const auto evaluated_before = matcher.evaluations();
    for (int round = 0; round < rounds; ++round) {
        hits = 0;
        const auto start = cpu_seconds();
        for (auto& view : views) {
            matcher.match(view, match);
            hits += match.hits.size();
        }
        best = std::max(best, static_cast<double>(views.size()) / (cpu_seconds() - start));
    }
    const nlohmann::json out{
        {"triggers", rules.size()},
        {"events", events.size()},
        {"rounds", rounds},
        {"add_seconds", add_seconds},
        {"parse_per_second", static_cast<double>(events.size()) / parse_seconds},
        {"match_per_second", best},
        {"hits_per_event", static_cast<double>(hits) / static_cast<double>(events.size())},
        {"evaluations_per_event", static_cast<double>(matcher.evaluations() - evaluated_before) / rounds /
                                      static_cast<double>(events.size())},
        {"index_bytes_per_trigger", matcher.index_bytes() / std::max<std::size_t>(rules.size(), 1)},
        {"heap_bytes_per_trigger", heap_added / static_cast<long>(std::max<std::size_t>(rules.size(), 1))}};
    std::puts(out.dump().c_str());
    return 0;
}
