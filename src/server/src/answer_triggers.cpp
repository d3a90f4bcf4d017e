#include <algorithm>

#include "api_impl.hpp"
#include "body.hpp"
#include "json_object.hpp"
#include "lines.hpp"
#include "listing.hpp"

namespace weir::server {
namespace {

const std::vector<std::string_view> trigger_states{"active", "paused", "tripped", "deleted"};
constexpr std::size_t apply_files_max = 1000;

/// The team and name in the path, if the team is within the caller's reach.
Result<TeamName> name_in(const Call& call) {
    WEIR_TRY(call.caller.check_team(call.values[0]));
    return TeamName{call.values[0], call.values[1]};
}

/// The live trigger of that name, else the one deleted last.
Result<ledger::TriggerRow> find_trigger(ledger::LedgerReader& reader, const TeamName& name) {
    ledger::Query query;
    query.team = name.team;
    query.trigger = name.name;
    WEIR_ASSIGN(page, reader.triggers(query));
    const auto live = std::find_if(page.rows.begin(), page.rows.end(), [](const ledger::TriggerRow& row) {
        return row.state != ledger::TriggerState::Deleted;
    });
    if (live != page.rows.end()) return *live;
    if (!page.rows.empty()) return page.rows.front();
    return not_found("there is no trigger " + name.team + "/" + name.name + "; `weir triggers` lists them");
}

Result<Response> trigger_response(ledger::LedgerReader& reader, const TeamName& name) {
    WEIR_ASSIGN(row, find_trigger(reader, name));
    WEIR_ASSIGN(times, times_of(reader, {row.version.from}));
    return json_response(trigger_object(row, times[row.version.from]).end() + "\n");
}

std::string waiting_json(const std::vector<engine::JoinWaiting>& waiting) {
    std::string out = "[";
    for (const auto& join : waiting) {
        JsonObject object;
        object.raw("key", join.key_json).texts("held", join.held).texts("missing", join.missing);
        object.time("until", join.until.value_or(Instant{}));
        out += (out.size() > 1 ? "," : "") + object.end();
    }
    return out + "]";
}

std::string change_json(const engine::ApplyChange& change) {
    using Action = engine::ApplyChange::Action;
    const auto word = [&]() -> std::string_view {
        switch (change.action) {
            case Action::Created: return "created";
            case Action::Updated: return "updated";
            case Action::Unchanged: return "unchanged";
            case Action::Deleted: return "deleted";
        }
        return "unchanged";
    };
    return JsonObject()
        .text("action", word())
        .text("kind", change.kind)
        .text("team", change.team)
        .text("name", change.name)
        .text("version", change.version)
        .texts("notes", change.notes)
        .end();
}

Error at_file(std::size_t index, const std::string& what) {
    return invalid("files[" + std::to_string(index) + "]: " + what);
}

Status read_files(const Node* files, engine::ApplyRequest& request) {
    if (files == nullptr) return {};
    if (files->items.size() > apply_files_max)
        return exhausted("more than " + std::to_string(apply_files_max) + " files in one request");
    for (std::size_t i = 0; i < files->items.size(); ++i) {
        const auto& item = files->items[i];
        const auto* name = item.find("name");
        const auto* text = item.find("text");
        const bool texts = name != nullptr && text != nullptr && name->kind == Node::Kind::String &&
                           text->kind == Node::Kind::String;
        if (!texts || item.members.size() != 2)
            return at_file(i, "expected {\"name\": \"...\", \"text\": \"...\"}, not " + item.describe());
        request.files.push_back({name->text, text->text});
    }
    return {};
}

Status read_extra(const Node* extra, engine::ApplyRequest& request) {
    if (extra == nullptr) return {};
    if (extra->members.size() > apply_files_max)
        return exhausted("more than " + std::to_string(apply_files_max) + " further files in one request");
    for (const auto& [name, text] : extra->members) {
        if (text.kind != Node::Kind::String)
            return invalid(text.place.to_string() + ": a further file must be a string, not " +
                           text.describe());
        request.extra[name.text] = text.text;
    }
    return {};
}

} // namespace

Result<Response> Api::Impl::list_triggers(const Call& call) {
    WEIR_ASSIGN(query, read_query(call, ports.clock.now()));
    WEIR_TRY(check_word("state of a trigger", query.state, trigger_states));
    WEIR_ASSIGN(after, call.reader.head());
    WEIR_ASSIGN(page, call.reader.triggers(query));
    std::vector<Seq> seqs;
    for (const auto& row : page.rows)
        seqs.push_back(row.version.from);
    WEIR_ASSIGN(times, times_of(call.reader, seqs));
    std::vector<std::string> lines;
    for (const auto& row : page.rows)
        lines.push_back(trigger_object(row, times[row.version.from]).end());
    return listing(call, lines, page.next, after);
}

Result<Response> Api::Impl::show_trigger(const Call& call) {
    WEIR_ASSIGN(name, name_in(call));
    WEIR_ASSIGN(row, find_trigger(call.reader, name));
    WEIR_ASSIGN(versions, call.reader.trigger_versions(row.version.no));
    WEIR_ASSIGN(states, call.reader.trigger_states(row.version.no));
    std::vector<Seq> seqs{row.version.from};
    for (const auto& version : versions)
        seqs.push_back(version.from);
    for (const auto& state : states)
        seqs.push_back(state.seq);
    WEIR_ASSIGN(times, times_of(call.reader, seqs));
    auto object = trigger_object(row, times[row.version.from]);
    object.raw("document", row.version.document_json.empty() ? "null" : row.version.document_json);
    object.text("source_text", row.version.source_text);
    std::string list = "[";
    for (const auto& version : versions) {
        list += list.size() > 1 ? "," : "";
        list += JsonObject()
                    .number("version", version.version)
                    .text("hash", version.hash)
                    .time("applied_at", times[version.from])
                    .text_or_null("principal", version.principal)
                    .end();
    }
    object.raw("versions", list + "]");
    list = "[";
    for (const auto& state : states) {
        list += list.size() > 1 ? "," : "";
        list += JsonObject()
                    .text("state", ledger::to_string(state.state))
                    .text_or_null("reason", state.reason)
                    .time("at", times[state.seq])
                    .end();
    }
    object.raw("states", list + "]");
    const bool live = row.state != ledger::TriggerState::Deleted;
    object.raw("waiting", live ? waiting_json(ports.engine.waiting(name.team, name.name)) : "[]");
    return json_response(object.end() + "\n");
}

Result<Response> Api::Impl::delete_trigger(const Call& call) {
    WEIR_ASSIGN(name, name_in(call));
    WEIR_ASSIGN(actor, actor_of(call, call.query("reason")));
    WEIR_TRY(ports.engine.delete_trigger(name.team, name.name, actor));
    return json_response(
        JsonObject().text("trigger", name.name).text("team", name.team).boolean("deleted", true).end() +
        "\n");
}

Result<Response> Api::Impl::pause_trigger(const Call& call) {
    WEIR_ASSIGN(name, name_in(call));
    WEIR_ASSIGN(body, Body::read(call.request, {"reason"}, true, config.command_bytes_max));
    WEIR_ASSIGN(actor, read_actor(call, body));
    WEIR_TRY(ports.engine.pause(name.team, name.name, actor));
    return trigger_response(call.reader, name);
}

Result<Response> Api::Impl::resume_trigger(const Call& call) {
    WEIR_ASSIGN(name, name_in(call));
    WEIR_ASSIGN(body, Body::read(call.request, {"waiting", "reason"}, true, config.command_bytes_max));
    WEIR_ASSIGN(waiting, body.text("waiting"));
    WEIR_ASSIGN(actor, read_actor(call, body));
    if (waiting != "replay" && waiting != "drop") {
        return invalid(
            "say what becomes of the firings that waited: {\"waiting\": \"replay\"} launches them, "
            "{\"waiting\": \"drop\"} drops them");
    }
    WEIR_TRY(ports.engine.resume(name.team, name.name, waiting == "replay", actor));
    return trigger_response(call.reader, name);
}

Result<Response> Api::Impl::list_flows(const Call& call) {
    WEIR_ASSIGN(query, read_query(call, ports.clock.now()));
    WEIR_ASSIGN(after, call.reader.head());
    WEIR_ASSIGN(page, call.reader.flows(query));
    std::vector<Seq> seqs;
    for (const auto& row : page.rows)
        seqs.push_back(row.from);
    WEIR_ASSIGN(times, times_of(call.reader, seqs));
    std::vector<std::string> lines;
    for (const auto& row : page.rows)
        lines.push_back(flow_object(row, times[row.from]).end());
    return listing(call, lines, page.next, after);
}

Result<Response> Api::Impl::show_flow(const Call& call) {
    WEIR_ASSIGN(name, name_in(call));
    WEIR_ASSIGN(rows, call.reader.flow_versions(name.team, name.name));
    if (rows.empty())
        return not_found("there is no flow " + name.team + "/" + name.name + "; `weir flows` lists them");
    std::vector<Seq> seqs;
    for (const auto& row : rows)
        seqs.push_back(row.from);
    WEIR_ASSIGN(times, times_of(call.reader, seqs));
    const auto current = std::max_element(rows.begin(), rows.end(),
                                          [](const auto& a, const auto& b) { return a.from < b.from; });
    auto object = flow_object(*current, times[current->from]);
    object.raw("settings", current->flow.settings_json.empty() ? "null" : current->flow.settings_json);
    std::string list = "[";
    for (const auto& row : rows) {
        list += list.size() > 1 ? "," : "";
        list += JsonObject()
                    .text("version", row.flow.version)
                    .time("applied_at", times[row.from])
                    .boolean("deleted", row.deleted)
                    .text_or_null("principal", row.principal)
                    .end();
    }
    object.raw("versions", list + "]");
    return json_response(object.end() + "\n");
}

Result<Response> Api::Impl::apply(const Call& call) {
    WEIR_ASSIGN(body, Body::read(call.request,
                                 {"files", "extra", "default_team", "dry_run", "prune", "owner", "reason"},
                                 false, config.batch_bytes_max));
    engine::ApplyRequest request;
    WEIR_ASSIGN(files, body.list("files"));
    WEIR_ASSIGN(extra, body.object("extra"));
    WEIR_TRY(read_files(files, request));
    WEIR_TRY(read_extra(extra, request));
    WEIR_ASSIGN(default_team, body.text("default_team"));
    WEIR_ASSIGN(dry_run, body.boolean("dry_run"));
    WEIR_ASSIGN(prune, body.boolean("prune"));
    WEIR_ASSIGN(owner, body.text("owner"));
    WEIR_ASSIGN(actor, read_actor(call, body));
    if (prune && owner.empty())
        return invalid("prune needs an \"owner\": what it applied before and is not here goes");
    if (request.files.empty() && !prune) return invalid("\"files\" is empty: there is nothing to apply");
    request.default_team = std::move(default_team);
    request.dry_run = dry_run;
    request.prune = prune;
    request.owner = std::move(owner);
    request.actor = std::move(actor);
    request.teams = call.caller.teams;
    WEIR_ASSIGN(report, ports.engine.apply(request));
    if (!report.problems.empty()) {
        const auto count = report.problems.size();
        return problem(422, "refused",
                       std::to_string(count) + (count == 1 ? " problem was" : " problems were") +
                           " found; nothing was changed",
                       report.problems);
    }
    std::string changes = "[";
    for (const auto& change : report.changes)
        changes += (changes.size() > 1 ? "," : "") + change_json(change);
    return json_response(JsonObject().boolean("dry_run", dry_run).raw("changes", changes + "]").end() + "\n");
}

} // namespace weir::server
