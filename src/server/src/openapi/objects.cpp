#include "tables.hpp"

namespace weir::server::openapi {

namespace {

constexpr auto nullable = true;
constexpr auto optional = true;

Member text(std::string_view name, std::string_view about, bool null = false) {
    return {name, Kind::Text, about, null};
}
Member words(std::string_view name, std::string_view about, std::vector<std::string_view> list,
             bool null = false) {
    return {name, Kind::Text, about, null, false, {}, std::move(list)};
}
Member may(Member member) {
    member.optional = optional;
    return member;
}
Member time(std::string_view name, std::string_view about) {
    return {name, Kind::Time, about, nullable};
}
Member whole(std::string_view name, std::string_view about, bool null = false) {
    return {name, Kind::Whole, about, null};
}
Member flag(std::string_view name, std::string_view about) {
    return {name, Kind::Flag, about};
}
Member any(std::string_view name, std::string_view about) {
    return {name, Kind::Any, about, nullable};
}
Member refs(std::string_view name, std::string_view about, std::string_view ref) {
    return {name, Kind::Refs, about, false, false, ref};
}

std::vector<Member> trigger_members() {
    return {text("trigger", "Unique within the team."),
            text("team", "Whose it is."),
            whole("version", "Counts from 1."),
            text("hash", "Of its content."),
            words("state", "Whether it fires.", {"active", "paused", "tripped", "deleted"}),
            text("state_reason", "Why it is in this state.", nullable),
            whole("fired", "How often it has."),
            time("next_slot", "Of its schedules."),
            time("applied_at", "When this version came."),
            text("principal", "Who applied it.", nullable)};
}

std::vector<Member> flow_members() {
    return {text("flow", "Unique within the team."),          text("team", "Whose it is."),
            text("version", "Of its document and pipeline."), text("backend", "What runs it."),
            flag("deleted", "Whether it is gone."),           any("parameters", "What it takes."),
            time("applied_at", "When this version came."),    text("principal", "Who applied it.", nullable)};
}

std::vector<Member> with(std::vector<Member> members, std::vector<Member> more) {
    members.insert(members.end(), more.begin(), more.end());
    return members;
}

Object run_object() {
    return {"Run",
            "One execution of a flow.",
            {{"run", Kind::Uuid, "Its id, the backend's too."},
             text("flow", "The flow's name."),
             text("team", "Whose trigger or request it is."),
             text("backend", "What runs it."),
             words("state", "How far it is.",
                   {"waiting", "ready", "sent", "unknown", "accepted", "running", "ended", "settled"}),
             words("outcome", "How its last attempt ended; null while it is open.",
                   {"succeeded", "failed", "cancelled", "skipped", "refused", "lost"}, nullable),
             whole("attempt", "The newest; 0: none was opened."),
             text("trigger", "What launched it; null: a person.", nullable),
             whole("trigger_version", "The trigger's version then.", nullable),
             {"decision", Kind::Uuid, "The decision behind it.", nullable},
             refs("events", "What it was launched for.", "EventRef"),
             any("parameters", "As it was launched with."),
             any("outputs", "What it gave."),
             time("created_at", "When it was decided."),
             time("started_at", "When its backend began."),
             time("finished_at", "When it ended."),
             text("flow_team", "Whose the flow is."),
             text("flow_version", "Which version of it.", nullable),
             whole("depth", "How many runs led to it."),
             whole("launch_no", "Of the decision's launches."),
             text("reason", "Why it is as it is.", nullable),
             text("hold", "What a waiting launch waits for.", nullable),
             time("cancel_requested_at", "When its end was asked for."),
             text("principal", "Who asked for a run by hand.", nullable),
             text("origin", "Where it came from, if not from here.", nullable),
             text("backend_version", "The pipeline's version on its backend.", nullable),
             whole("seq", "Its place in the log."),
             {"waiting", Kind::Ref, "What its backend waits for, if it does.", false, optional,
              "WaitingLaunch"}}};
}

std::vector<Object> run_rows() {
    return {
        run_object(),
        {"EventRef",
         "An event and the part it played.",
         {text("source", "Who said it."), text("id", "Unique within the source."),
          text("role", "The leaf it filled.")}},
        {"WaitingLaunch",
         "A launch that its backend has not taken yet.",
         {text("reason", "Why not."), time("next_at", "When it is tried again."),
          whole("tries", "How often it was.")}},
        {"Event",
         "A recorded event.",
         {text("id", "Unique within the source."), text("source", "Who said it."),
          text("type", "What kind of thing."), text("subject", "What it is about.", nullable),
          text("time", "When it happened, as its source says.", nullable),
          time("arrived_at", "When the bus took it."), whole("seq", "Its place in the log."),
          text("stream", "Where it was read.", nullable), whole("position", "Where there."),
          whole("duplicate_of", "The seq of the first one.", nullable),
          text("team", "Of the publisher.", nullable),
          flag("conflicting", "A duplicate with another content."),
          flag("echo", "One of weir's own that came back."),
          text("late_by", "How late its stream was.", nullable),
          text("datacontenttype", "Of the payload.", nullable), any("extensions", "Further attributes."),
          flag("data_retained", "Whether the payload is still there."),
          may(any("data", "The payload, where it was asked for.")),
          may(text("data_base64", "A binary payload.", nullable))}},
        {"Decision",
         "What a trigger decided, and why.",
         {{"decision", Kind::Uuid, "Its id.", nullable},
          text("trigger", "Whose decision.", nullable),
          whole("trigger_version", "Its version then.", nullable),
          words("verdict", "What it was.", {"fired", "suppressed", "failed"}),
          text("reason", "Why, as a word."),
          refs("events", "What it is about.", "EventRef"),
          {"run", Kind::Uuid, "What it launched.", nullable},
          time("at", "When."),
          text("detail", "Why, as a sentence.", nullable),
          any("key", "The join's key."),
          text("team", "Whose.", nullable),
          text("leaf", "Which leaf completed it.", nullable),
          whole("seq", "The input's place in the log."),
          whole("n", "Of that input's decisions."),
          text("occasion", "What made it due.", nullable),
          text("cause", "What its id is made of.", nullable),
          {"without", Kind::Texts, "Streams that did not answer then."},
          whole("semantics", "The rules it was made by.")}},
        {"Task",
         "A task of a run.",
         {text("task", "Its path."), text("state", "How far it is."), whole("attempt", "Counts from 1."),
          time("started_at", "When it began."), time("finished_at", "When it ended."),
          text("error", "One line.", nullable)}},
    };
}

std::vector<Object> trigger_rows() {
    return {
        {"Trigger", "A trigger as it is now.", trigger_members()},
        {"TriggerDetails", "A trigger with its document and history.",
         with(trigger_members(),
              {any("document", "As it was applied."), text("source_text", "The same, as written."),
               refs("versions", "All there were.", "TriggerVersion"),
               refs("states", "All there were.", "TriggerStateChange"),
               refs("waiting", "What its joins hold.", "JoinWaiting")})},
        {"TriggerVersion",
         "A version of a trigger.",
         {whole("version", "Counts from 1."), text("hash", "Of its content."), time("applied_at", "When."),
          text("principal", "By whom.", nullable)}},
        {"TriggerStateChange",
         "A change of a trigger's state.",
         {text("state", "The new one."), text("reason", "Why.", nullable), time("at", "When.")}},
        {"JoinWaiting",
         "A join that is not complete.",
         {any("key", "Its key."),
          {"held", Kind::Texts, "Leaves that are filled."},
          {"missing", Kind::Texts, "Leaves that are not."},
          time("until", "When the first held event leaves.")}},
        {"Flow", "A flow as it is now.", flow_members()},
        {"FlowDetails", "A flow with its versions.",
         with(flow_members(), {any("settings", "What its document says besides."),
                               refs("versions", "All there were.", "FlowVersion")})},
        {"FlowVersion",
         "A version of a flow.",
         {text("version", "Of its document and pipeline."), time("applied_at", "When."),
          flag("deleted", "Whether this was its end."), text("principal", "By whom.", nullable)}},
    };
}

std::vector<Object> stream_rows() {
    return {
        {"Audit",
         "A manual act.",
         {time("at", "When."), text("principal", "Who."), text("action", "What."), text("target", "To what."),
          text("reason", "Why."), whole("seq", "Its place in the log.")}},
        {"Stream",
         "What is read.",
         {text("stream", "Its name."), text("bus", "Whose it is."), text("kind", "Of the bus."),
          text("state", "Whether it is read."), whole("position", "How far."),
          text("durability", "What a loss of power takes."), text("durability_note", "Why.", nullable),
          text("incarnation", "Which life of the stream."), text("detail", "What is wrong.", nullable),
          refs("gaps", "What is missing.", "Gap")}},
        {"Gap",
         "What a bus lost.",
         {text("kind", "How."), whole("from", "The first position."),
          whole("to", "The last; null: not known.", nullable), text("detail", "As a sentence."),
          time("found_at", "When."), may(whole("accepted_seq", "The input by which a person went on."))}},
        {"DeadLetter",
         "A message that is no event.",
         {whole("dead_letter", "Its number."), text("stream", "Where it was read.", nullable),
          whole("position", "Where there."), time("arrived_at", "When."), text("reason", "Why it is none."),
          whole("bytes", "Of the whole message."), flag("cut", "Whether only its beginning was kept."),
          time("replayed_at", "When it was read once more."),
          whole("replayed_seq", "As which input.", nullable),
          may(any("message", "As it came; of a single one."))}},
    };
}

std::vector<Object> replies() {
    return {
        {"Health", "The process answers.", {text("status", "ok"), text("version", "Of weir.")}},
        {"Readiness",
         "Whether all that is required works.",
         {flag("ready", "All of it."), refs("items", "One by one.", "ReadyItem")}},
        {"ReadyItem",
         "One thing that should work.",
         {text("name", "What."), flag("ready", "Whether it does."),
          flag("required", "Whether weir is of no use without."),
          text("detail", "What is wrong.", nullable)}},
        {"Accepted",
         "Events that are durable.",
         {whole("accepted", "How many."), may(text("source", "Of a single one.")),
          may(text("id", "Of a single one."))}},
        {"Reported",
         "A report that is durable.",
         {{"run", Kind::Uuid, "The run."}, flag("recorded", "False: it said nothing new.")}},
        {"Deleted",
         "A trigger that is gone.",
         {text("trigger", "Its name."), text("team", "Whose it was."), flag("deleted", "true")}},
        {"Applied",
         "What changed, or would.",
         {flag("dry_run", "Nothing was done."), refs("changes", "One by one.", "Change")}},
        {"Change",
         "What becomes of a document.",
         {words("action", "What.", {"created", "updated", "unchanged", "deleted"}),
          text("kind", "trigger or flow"),
          text("team", "Whose."),
          text("name", "Its name."),
          text("version", "The new one."),
          {"notes", Kind::Texts, "What to know about it."}}},
        {"Problem",
         "What went wrong (RFC 9457).",
         {text("type", "urn:weir:problem:KIND"), text("title", "The kind, in words."),
          whole("status", "The HTTP status."),
          text("detail", "What was expected, what was found, what to do."),
          may({"problems", Kind::Texts, "Each with file:line:column."})}},
    };
}

std::vector<Object> bodies() {
    const auto reason = may(text("reason", "Why, for the audit trail; at most 1,000 bytes."));
    return {
        {"Reason", "A command's body; it may be left out.", {reason}},
        {"CloudEvent",
         "An event in the CloudEvents JSON format 1.0.2; further members are extensions.",
         {words("specversion", "Of CloudEvents.", {"1.0"}), text("id", "Unique within the source."),
          text("source", "Who says it."), text("type", "What kind of thing."),
          may(text("subject", "What it is about.")), may({"time", Kind::Time, "When it happened."}),
          may(text("datacontenttype", "Of the payload.")), may(text("dataschema", "Of the payload.")),
          may(any("data", "The payload.")), may(text("data_base64", "A binary payload."))},
         true},
        {"Resume",
         "What becomes of firings that waited.",
         {words("waiting", "Launch them, or drop them.", {"replay", "drop"}), reason}},
        {"StartRun",
         "A run by hand.",
         {text("flow", "TEAM/FLOW, or FLOW with `team`."), may(text("team", "The flow's team.")),
          may({"parameters", Kind::Object, "By name."}),
          may(text("request_id", "The same again starts nothing; at most 200 bytes.")), reason}},
        {"Report",
         "What a run says of itself.",
         {may(whole("attempt", "Counts from 1; left out: the newest.")),
          may(words("outcome", "How it ended.", {"succeeded", "failed"})),
          may(text("error", "Why it failed.")), may({"outputs", Kind::Object, "By name."}),
          may(refs("artifacts", "What it made.", "ReportedArtifact")),
          may(text("flow", "TEAM/FLOW, for a run that is not known yet.")),
          may({"labels", Kind::TextMap, "Of the flow."})}},
        {"ReportedArtifact",
         "Something a run made.",
         {text("name", "As TASK.OUTPUT."), text("uri", "Where it is."), may(text("type", "As system.Model.")),
          may({"metadata", Kind::Object, "Anything."})}},
        {"Apply",
         "Documents to be registered.",
         {may(refs("files", "Triggers and flows.", "File")),
          may({"extra", Kind::TextMap, "Files that these name, by the name they use."}),
          may(text("default_team", "Of documents that name none.")),
          may(flag("dry_run", "Only say what would change.")),
          may(flag("prune", "Delete what `owner` applied before and is not here.")),
          may(text("owner", "The label under which this set is managed.")), reason}},
        {"File", "A file.", {text("name", "For messages."), text("text", "What is in it.")}},
    };
}

} // namespace

std::span<const Object> objects() {
    static const std::vector<Object> all = [] {
        auto list = run_rows();
        for (auto& more : {trigger_rows(), stream_rows(), replies(), bodies()})
            list.insert(list.end(), more.begin(), more.end());
        return list;
    }();
    return all;
}

} // namespace weir::server::openapi
