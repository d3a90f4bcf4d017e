// What flows say of their own runs.

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>

#include "api_impl.hpp"
#include "body.hpp"
#include "json_object.hpp"
#include "listing.hpp"

namespace weir::server {
namespace {

constexpr std::size_t artifacts_max = 1000;
constexpr std::size_t outputs_max = 1000;
constexpr std::size_t error_bytes_max = 4096;
constexpr std::size_t text_bytes_max = 8192;
constexpr std::int64_t attempts_max = 1'000'000;

Error wrong(const Node& node, const std::string& path, const std::string& expected) {
    return invalid(node.place.to_string() + ": " + path + ": expected " + expected + ", found " +
                   node.describe());
}

Result<flows::ArtifactRecord> read_artifact(const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::Map) return wrong(node, path, "an object");
    flows::ArtifactRecord artifact;
    for (const auto& [key, value] : node.members) {
        const auto inner = path + "." + printable(key.text, 64);
        std::string* text = nullptr;
        if (key.text == "name") text = &artifact.name;
        if (key.text == "uri") text = &artifact.uri;
        if (key.text == "type") text = &artifact.type;
        if (text != nullptr) {
            if (value.kind != Node::Kind::String) return wrong(value, inner, "a string");
            if (value.text.size() > text_bytes_max)
                return exhausted(inner + " is over " + std::to_string(text_bytes_max) + " bytes");
            *text = value.text;
        } else if (key.text == "metadata") {
            if (value.kind != Node::Kind::Map) return wrong(value, inner, "an object");
            artifact.metadata_json = to_json(value);
        } else {
            return invalid(key.place.to_string() + ": an artifact has no member \"" +
                           printable(key.text, 64) + "\"" +
                           did_you_mean(key.text, {"name", "uri", "type", "metadata"}));
        }
    }
    if (artifact.name.empty() || artifact.uri.empty())
        return invalid(node.place.to_string() + ": " + path + ": an artifact has a name and a uri");
    return artifact;
}

/// TEAM/FLOW, or a flow's name alone.
Result<std::string> team_of(const std::string& flow) {
    const auto slash = flow.find('/');
    const auto team = slash == std::string::npos ? std::string() : flow.substr(0, slash);
    const auto name = slash == std::string::npos ? flow : flow.substr(slash + 1);
    if (!valid_name(name) || (slash != std::string::npos && !valid_name(team)))
        return invalid("the member \"flow\" is TEAM/FLOW, not \"" + printable(flow, 100) + "\"");
    return team;
}

Result<engine::RunSaid> read_said(const Body& body, const RunId& run) {
    engine::RunSaid said;
    said.run = run;
    WEIR_ASSIGN(attempt, body.whole("attempt"));
    if (attempt && (*attempt < 1 || *attempt > attempts_max))
        return invalid("the member \"attempt\" counts from 1; leave it out for the newest");
    if (attempt) said.attempt = static_cast<int>(*attempt);
    WEIR_ASSIGN(outcome, body.text("outcome"));
    if (outcome == "succeeded")
        said.outcome = flows::Outcome::Succeeded;
    else if (outcome == "failed")
        said.outcome = flows::Outcome::Failed;
    else if (!outcome.empty())
        return invalid("the member \"outcome\" is \"succeeded\" or \"failed\", not \"" +
                       printable(outcome, 60) + "\"" + did_you_mean(outcome, {"succeeded", "failed"}));
    WEIR_ASSIGN(error, body.text("error"));
    if (!error.empty() && said.outcome != flows::Outcome::Failed)
        return invalid("the member \"error\" goes with \"outcome\": \"failed\"");
    if (error.size() > error_bytes_max)
        return exhausted("the member \"error\" is over " + std::to_string(error_bytes_max) + " bytes");
    said.error = std::move(error);
    WEIR_ASSIGN(outputs, body.object("outputs"));
    if (outputs != nullptr) {
        if (outputs->members.size() > outputs_max)
            return exhausted("more than " + std::to_string(outputs_max) + " outputs");
        said.outputs_json = to_json(*outputs);
    }
    WEIR_ASSIGN(artifacts, body.list("artifacts"));
    if (artifacts != nullptr) {
        if (artifacts->items.size() > artifacts_max)
            return exhausted("more than " + std::to_string(artifacts_max) + " artifacts");
        for (std::size_t i = 0; i < artifacts->items.size(); ++i) {
            WEIR_ASSIGN(artifact, read_artifact(artifacts->items[i], "artifacts[" + std::to_string(i) + "]"));
            said.artifacts.push_back(std::move(artifact));
        }
    }
    if (!said.outcome && outputs == nullptr && artifacts == nullptr)
        return invalid("the report says nothing: give \"outcome\", \"outputs\" or \"artifacts\"");
    return said;
}

} // namespace

Result<Response> Api::Impl::report_run(const Call& call) {
    WEIR_ASSIGN(id, read_run_id(call.values[0]));
    WEIR_ASSIGN(body, Body::read(call.request,
                                 {"attempt", "outcome", "error", "outputs", "artifacts", "flow", "labels"},
                                 false, config.report_bytes_max));
    WEIR_ASSIGN(said, read_said(body, id));
    WEIR_ASSIGN(flow, body.text("flow"));
    std::string team;
    if (!flow.empty()) {
        WEIR_ASSIGN(named, team_of(flow));
        team = std::move(named);
    }
    WEIR_ASSIGN(labels, body.object("labels"));
    if (labels != nullptr)
        for (const auto& [key, value] : labels->members)
            if (value.kind != Node::Kind::String)
                return wrong(value, "labels." + printable(key.text, 64), "a string");
    if (!call.caller.teams.empty()) {
        if (!team.empty()) WEIR_TRY(call.caller.check_team(team));
        // A run of another team is out of reach; one that is not known yet is taken at its word.
        if (ports.reader.run(id).ok()) {
            if (const auto row = call.reader.run(id); !row.ok()) return row.error();
        } else if (team.empty()) {
            return invalid(
                "this run is not known yet, and the token is bound to teams: say whose it is by "
                "\"flow\": \"TEAM/FLOW\"");
        }
    }
    const engine::Actor actor{call.caller.principal, "report of the run"};
    WEIR_ASSIGN(recorded, ports.engine.report_run(said, actor));
    return json_response(JsonObject().text("run", id.to_string()).boolean("recorded", recorded).end() + "\n",
                         202);
}

} // namespace weir::server
