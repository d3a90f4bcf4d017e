#include <weir/engine/lines.hpp>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/cel/value.hpp>

#include "json_object.hpp"

namespace weir::engine {
namespace {

using detail::JsonObject;

/// Recorded values were held to narrower limits when they came in; this only keeps a damaged row from doing
/// harm.
constexpr JsonLimits recorded_limits{64 * 1024 * 1024, 256};

void append_events(std::string& out, const std::vector<ledger::EventRef>& events) {
    out += '[';
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (i != 0) out += ", ";
        JsonObject ref(out);
        ref.text("source", events[i].source);
        ref.text("id", events[i].id);
        ref.text("role", events[i].role);
        ref.close();
    }
    out += ']';
}

void append_strings(std::string& out, const std::vector<std::string>& texts) {
    out += '[';
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (i != 0) out += ", ";
        append_json_string(out, texts[i]);
    }
    out += ']';
}

void decision_id(JsonObject& line, const DecisionId& id) {
    line.text_or_null("decision", id.is_nil() ? std::string() : id.to_string());
}

void trigger_of(JsonObject& line, const std::string& name, int version) {
    line.text_or_null("trigger", name);
    if (name.empty()) return line.null("trigger_version");
    line.number("trigger_version", version);
}

} // namespace

void append_json_value(std::string& out, std::string_view text) {
    if (text.empty()) {
        out += "null";
        return;
    }
    if (!validate_json(text, recorded_limits).ok()) {
        append_json_string(out, printable(text, 1000));
        return;
    }
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            out += c;
            if (c == '\\') {
                out += text[++i];
            } else if (c == '"') {
                quoted = false;
            }
        } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            out += c;
            quoted = c == '"';
        }
    }
}

std::string run_line(const ledger::RunRow& run) {
    std::string out;
    JsonObject line(out);
    line.text("run", run.id.to_string());
    line.text("flow", run.flow);
    line.text("team", run.team);
    line.text("backend", run.backend);
    line.text("state", ledger::to_string(run.state));
    line.text_or_null("outcome", run.outcome ? flows::to_string(*run.outcome) : std::string_view());
    line.number("attempt", run.attempt);
    trigger_of(line, run.trigger_name, run.trigger_version);
    decision_id(line, run.decision_id);
    append_events(line.name("events"), run.events);
    line.json("parameters", run.arguments_json);
    line.json("outputs", run.outputs_json);
    line.time("created_at", run.created);
    line.time("started_at", run.started_at);
    line.time("finished_at", run.finished_at);
    line.text("flow_team", run.flow_team);
    line.text_or_null("flow_version", run.flow_version);
    line.number("depth", run.depth);
    line.number("launch_no", run.launch_no);
    line.text_or_null("reason", run.reason);
    line.text_or_null("hold", run.hold);
    line.time("cancel_requested_at", run.cancel_requested);
    line.text_or_null("principal", run.principal);
    line.text_or_null("origin", run.origin);
    line.text_or_null("backend_version", run.backend_version);
    line.number("seq", run.created_seq.value);
    line.close();
    return out;
}

std::string decision_line(const ledger::DecisionRow& decision, const std::string& trigger_name,
                          const std::vector<ledger::EventRef>& events, const std::optional<RunId>& run) {
    std::string out;
    JsonObject line(out);
    decision_id(line, decision.id);
    trigger_of(line, trigger_name, decision.version);
    line.text("verdict", ledger::to_string(decision.verdict));
    line.text("reason", decision.reason);
    append_events(line.name("events"), events);
    line.text_or_null("run", run ? run->to_string() : std::string());
    line.time("at", decision.time);
    line.text_or_null("detail", decision.detail);
    if (decision.key.empty())
        line.null("key");
    else
        line.json("key", cel::key_json(decision.key));
    line.text_or_null("team", decision.team);
    line.text_or_null("leaf", decision.leaf);
    line.number("seq", decision.seq.value);
    line.number("n", decision.n);
    line.text_or_null("occasion", decision.occasion);
    line.text_or_null("cause", decision.cause);
    append_strings(line.name("without"), decision.without);
    line.number("semantics", decision.semantics);
    line.close();
    return out;
}

} // namespace weir::engine
