#include "start.hpp"

#include <set>

#include <weir/base/ids.hpp>
#include <weir/base/text.hpp>
#include <weir/engine/find.hpp>

namespace weir::engine::detail {
namespace {

/// The newest run of "team/flow" or of "flow", if that name is used in one team only.
Result<Start> newest_run(ledger::LedgerReader& reader, const std::string& text) {
    ledger::Query query;
    const auto slash = text.find('/');
    query.team = slash == std::string::npos ? "" : text.substr(0, slash);
    query.flow = slash == std::string::npos ? text : text.substr(slash + 1);
    query.limit = query.team.empty() ? 100 : 1;
    if (!valid_name(query.flow) || (slash != std::string::npos && !valid_name(query.team)))
        return not_found("\"" + printable(text) + "\" is not a name");
    WEIR_ASSIGN(page, reader.runs(query));
    if (page.rows.empty()) return not_found("flow \"" + printable(text) + "\" has no run");
    std::set<std::string> teams;
    for (const auto& run : page.rows)
        teams.insert(run.team);
    if (teams.size() > 1) {
        std::string list;
        for (const auto& team : teams)
            list += (list.empty() ? "" : ", ") + team + "/" + query.flow;
        return invalid("flow \"" + text + "\" runs in several teams; say which one: " + list);
    }
    return Start(page.rows.front());
}

} // namespace

Result<Start> find_start(ledger::LedgerReader& reader, const std::string& text) {
    if (text.empty()) return invalid("name a run, an event, a decision, a flow or an artifact's URI");
    if (const auto uuid = Uuid::parse(text); uuid.ok()) {
        auto run = reader.run(RunId{uuid.value()});
        if (run.ok()) return Start(std::move(run).value());
        if (run.error().kind != ErrorKind::NotFound) return run.error();
        auto decision = reader.decision(DecisionId{uuid.value()});
        if (decision.ok()) return Start(std::move(decision).value());
        if (decision.error().kind != ErrorKind::NotFound) return decision.error();
    }
    auto event = find_event(reader, text);
    if (event.ok()) return Start(std::move(event).value());
    if (event.error().kind != ErrorKind::NotFound) return event.error();
    WEIR_ASSIGN(edges, reader.runs_of_artifact(text));
    if (!edges.empty()) {
        const auto& artifact = edges.front().artifact;
        return Start(ArtifactStart{artifact.uri, artifact.type, artifact.name, artifact.metadata_json});
    }
    auto run = newest_run(reader, text);
    if (run.ok() || run.error().kind != ErrorKind::NotFound) return run;
    return not_found(
        "\"" + printable(text) +
        "\" is no run, decision, recorded event, artifact URI or flow with a run; give a run id from "
        "`weir runs`, an event id from `weir events` (an event that no trigger listens to is only "
        "counted), team/flow or a URI");
}

} // namespace weir::engine::detail
