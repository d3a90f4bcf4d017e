#include <algorithm>
#include <charconv>

#include <weir/base/text.hpp>
#include <weir/engine/why.hpp>

#include "api_impl.hpp"
#include "body.hpp"
#include "json_object.hpp"
#include "lines.hpp"
#include "listing.hpp"

namespace weir::server {
namespace {

const std::vector<std::string_view> run_states{"waiting",  "ready",   "sent",  "unknown",
                                               "accepted", "running", "ended", "settled"};
const std::vector<std::string_view> outcomes{"succeeded", "failed",  "cancelled",
                                             "skipped",   "refused", "lost"};

/// What a command did is best told by the run as it stands now.
Response run_response(ledger::LedgerReader& reader, const RunId& id, int status) {
    auto row = reader.run(id);
    auto body = row.ok() ? engine::run_line(*row) : JsonObject().text("run", id.to_string()).end();
    auto response = json_response(body + "\n", status);
    response.headers.push_back({"Location", "/v1/runs/" + id.to_string()});
    return response;
}

/// A run of teams out of reach is not to be touched.
Status check_run(const Call& call, const RunId& id) {
    if (call.caller.teams.empty()) return {};
    if (const auto row = call.reader.run(id); !row.ok()) return row.error();
    return {};
}

} // namespace

Api::Impl::WaitingRuns Api::Impl::waiting_runs() const {
    WaitingRuns all;
    if (ports.waiting)
        for (auto& launch : ports.waiting())
            all.insert_or_assign(launch.run, std::move(launch));
    return all;
}

std::string Api::Impl::run_line_now(const ledger::RunRow& row, const WaitingRuns& waits) const {
    auto line = engine::run_line(row);
    const auto waiting = waits.find(row.id);
    if (waiting == waits.end() || row.state == ledger::RunState::Settled) return line;
    line.pop_back(); // its brace
    return line + ", \"waiting\": " +
           JsonObject()
               .text("reason", waiting->second.reason)
               .time("next_at", waiting->second.next)
               .number("tries", waiting->second.tries)
               .end() +
           "}";
}

Result<Response> Api::Impl::list_runs(const Call& call) {
    WEIR_ASSIGN(query, read_query(call, ports.clock.now()));
    WEIR_TRY(check_word("state of a run", query.state, run_states));
    WEIR_TRY(check_word("outcome", query.outcome, outcomes));
    WEIR_ASSIGN(after, call.reader.head());
    WEIR_ASSIGN(page, call.reader.runs(query));
    const auto waits = waiting_runs();
    std::vector<std::string> lines;
    for (const auto& row : page.rows) {
        lines.push_back(run_line_now(row, waits));
        after = std::max(after, row.created_seq);
    }
    return listing(call, lines, page.next, after);
}

Result<Response> Api::Impl::show_run(const Call& call) {
    WEIR_ASSIGN(id, read_run_id(call.values[0]));
    WEIR_ASSIGN(row, call.reader.run(id));
    return json_response(run_line_now(row, waiting_runs()) + "\n");
}

Result<Response> Api::Impl::start_run(const Call& call) {
    WEIR_ASSIGN(body, Body::read(call.request, {"flow", "team", "parameters", "request_id", "reason"}, false,
                                 config.command_bytes_max));
    WEIR_ASSIGN(flow, body.text("flow"));
    WEIR_ASSIGN(team, body.text("team"));
    WEIR_ASSIGN(request_id, body.text("request_id"));
    WEIR_ASSIGN(parameters, body.object("parameters"));
    WEIR_ASSIGN(actor, read_actor(call, body));
    if (flow.empty()) return invalid("the member \"flow\" is missing: TEAM/FLOW, or FLOW with \"team\"");
    WEIR_ASSIGN(name, read_team_name(team.empty() ? flow : team + "/" + flow, "flow"));
    WEIR_TRY(call.caller.check_team(name.team));
    if (request_id.size() > 200) return exhausted("request_id is over 200 bytes");
    // A caller that gives none cannot ask again, so each request is a run of its own.
    if (request_id.empty()) request_id = to_hex(sha256(random_bytes(16))).substr(0, 32);
    const auto arguments = parameters == nullptr ? std::string("{}") : to_json(*parameters);
    WEIR_ASSIGN(id, ports.engine.run_flow(name.team, name.name, arguments, request_id, actor));
    return run_response(call.reader, id, 201);
}

Result<Response> Api::Impl::cancel_run(const Call& call) {
    WEIR_ASSIGN(id, read_run_id(call.values[0]));
    WEIR_ASSIGN(body, Body::read(call.request, {"reason"}, true, config.command_bytes_max));
    WEIR_ASSIGN(actor, read_actor(call, body));
    WEIR_TRY(check_run(call, id));
    WEIR_TRY(ports.engine.cancel_run(id, actor));
    return run_response(call.reader, id, 202);
}

Result<Response> Api::Impl::retry_run(const Call& call) {
    WEIR_ASSIGN(id, read_run_id(call.values[0]));
    WEIR_ASSIGN(body, Body::read(call.request, {"reason"}, true, config.command_bytes_max));
    WEIR_ASSIGN(actor, read_actor(call, body));
    WEIR_TRY(check_run(call, id));
    WEIR_TRY(ports.engine.retry_run(id, actor));
    return run_response(call.reader, id, 202);
}

Result<Response> Api::Impl::list_tasks(const Call& call) {
    WEIR_ASSIGN(id, read_run_id(call.values[0]));
    WEIR_ASSIGN(row, call.reader.run(id));
    std::vector<std::string> lines;
    if (ports.tasks != nullptr) {
        auto tasks = ports.tasks->tasks(id);
        // A run that its backend has not heard of yet has no tasks yet.
        if (!tasks.ok() && tasks.error().kind != ErrorKind::NotFound) return tasks.error();
        if (tasks.ok()) {
            for (const auto& task : *tasks)
                lines.push_back(task_line(task));
        }
    }
    return listing(call, lines, "", row.created_seq);
}

Result<Response> Api::Impl::show_log(const Call& call) {
    WEIR_ASSIGN(id, read_run_id(call.values[0]));
    WEIR_ASSIGN(row, call.reader.run(id));
    const auto task = call.query("task");
    std::size_t bytes = config.log_bytes_max;
    if (const auto* text = call.target.find("bytes")) {
        const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), bytes);
        if (failure != std::errc() || end != text->data() + text->size() || bytes == 0)
            return invalid("`bytes` must be a whole number, at least 1: how much of the log's end to show");
        bytes = std::min(bytes, config.log_bytes_max);
    }
    if (ports.tasks == nullptr)
        return unsupported("the backend \"" + row.backend + "\" of this run keeps no logs here");
    if (task.empty()) {
        std::string names;
        if (auto tasks = ports.tasks->tasks(id); tasks.ok()) {
            for (const auto& one : *tasks)
                names += (names.empty() ? "" : ", ") + printable(one.name);
        }
        return invalid("say which task's log by task=" + (names.empty() ? "" : "; this run has " + names));
    }
    WEIR_ASSIGN(text, ports.tasks->log(id, task, bytes));
    return text_response(std::move(text));
}

} // namespace weir::server
