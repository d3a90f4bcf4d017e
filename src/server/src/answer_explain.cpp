#include <algorithm>
#include <charconv>

#include <weir/base/text.hpp>
#include <weir/engine/lineage.hpp>
#include <weir/engine/why.hpp>

#include "api_impl.hpp"
#include "json_object.hpp"
#include "lines.hpp"
#include "listing.hpp"

namespace weir::server {
namespace {

const std::vector<std::string_view> verdicts{"fired", "suppressed", "failed"};
constexpr int depth_max = 1000;

} // namespace

Result<Response> Api::Impl::list_decisions(const Call& call) {
    WEIR_ASSIGN(query, read_query(call, ports.clock.now()));
    query.state = call.query("verdict");
    WEIR_TRY(check_word("verdict", query.state, verdicts));
    WEIR_ASSIGN(after, call.reader.head());
    WEIR_ASSIGN(page, call.reader.decisions(query));
    for (const auto& row : page.rows)
        after = std::max(after, row.seq);
    WEIR_ASSIGN(lines, decision_lines(call.reader, page.rows));
    return listing(call, lines, page.next, after);
}

Result<Response> Api::Impl::show_decision(const Call& call) {
    auto uuid = Uuid::parse(call.values[0]);
    if (!uuid.ok())
        return invalid("\"" + printable(call.values[0], 60) + "\" is not a decision id; expected a UUID");
    WEIR_ASSIGN(row, call.reader.decision(DecisionId{*uuid}));
    WEIR_ASSIGN(lines, decision_lines(call.reader, {row}));
    return json_response(lines.front() + "\n");
}

Result<Response> Api::Impl::why(const Call& call) {
    const auto run = call.query("run");
    const auto trigger = call.query("trigger");
    const auto event = call.query("event");
    const auto format = call.query("format");
    WEIR_TRY(check_word("format", format, {"json", "text"}));
    if (run.empty() == trigger.empty() || trigger.empty() != event.empty())
        return invalid("ask why by run=RUN, or by trigger=TEAM/TRIGGER and event=EVENT together");
    if (!run.empty()) {
        WEIR_ASSIGN(id, read_run_id(run));
        const auto row = call.reader.run(id);
        const auto waits = waiting_runs();
        const auto waiting = waits.find(id);
        const bool open = row.ok() && row->state != ledger::RunState::Settled && waiting != waits.end();
        WEIR_ASSIGN(answer, engine::why_run(call.reader, id, open ? &waiting->second : nullptr));
        if (format == "text") return text_response(answer.text + "\n");
        return json_response(answer.json + "\n");
    }
    WEIR_ASSIGN(name, read_team_name(trigger, "trigger"));
    WEIR_ASSIGN(verdict, engine::why_event(call.reader, event, name.team, name.name));
    if (format == "text") return text_response(verdict.text + "\n");
    return json_response(engine::why_json(verdict) + "\n");
}

Result<Response> Api::Impl::lineage(const Call& call) {
    engine::LineageQuery query;
    query.start = call.query("start");
    if (query.start.empty())
        return invalid(
            "say where to start: start=RUN, an event's id, TEAM/FLOW, an artifact's URI or a decision");
    const auto direction = call.query("direction");
    WEIR_TRY(check_word("direction", direction, {"up", "down"}));
    query.up = direction != "down";
    const auto format = call.query("format");
    if (format == "dot" || format == "svg")
        return unsupported("lineage as " + format + " is not built yet; use tree or json");
    WEIR_TRY(check_word("format", format, {"json", "tree"}));
    if (const auto* text = call.target.find("depth")) {
        const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), query.depth);
        if (failure != std::errc() || end != text->data() + text->size() || query.depth < 0 ||
            query.depth > depth_max)
            return invalid("`depth` must be a whole number from 0 to " + std::to_string(depth_max));
    }
    WEIR_ASSIGN(graph, engine::trace_lineage(call.reader, query));
    if (format == "tree") return text_response(engine::lineage_tree(graph, query.up));
    return json_response(engine::lineage_json(graph) + "\n");
}

Result<Response> Api::Impl::list_audits(const Call& call) {
    WEIR_ASSIGN(query, read_query(call, ports.clock.now()));
    WEIR_ASSIGN(after, call.reader.head());
    WEIR_ASSIGN(page, call.reader.audits(query));
    std::vector<std::string> lines;
    for (const auto& row : page.rows) {
        lines.push_back(audit_line(row));
        after = std::max(after, row.seq);
    }
    return listing(call, lines, page.next, after);
}

} // namespace weir::server
