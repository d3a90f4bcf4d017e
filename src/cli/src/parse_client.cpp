#include "parser.hpp"

/// The commands that ask a server, and apply's offline twin.
namespace weir::cli {

void Parser::add_documents() {
    auto options = std::make_shared<ApplyOptions>();
    auto* made = command("apply", "register or update triggers and flows, showing what changes",
                         "  weir apply trigger.yaml flows/\n  weir apply . --dry-run\n"
                         "  weir apply . --owner ads --prune --reason 'release 12'");
    made->add_option("PATH", options->paths, "files and folders (*.yaml, *.yml, *.json)")->required();
    made->add_option("--team", options->team, "team of documents that name none");
    auto* owner = made->add_option("--owner", options->owner, "label under which this set is managed");
    made->add_flag("--prune", options->prune, "delete what the owner applied before and is not here")
        ->needs(owner);
    made->add_flag("--dry-run", options->dry_run, "only show what would change");
    reason(made, options->reason);
    json(made, options->json);
    client(made, options, apply);

    auto check_options = std::make_shared<ApplyOptions>();
    auto* checked =
        command("check", "the checks of apply, offline; of a configuration file too",
                "  weir check trigger.yaml --flows flows/\n  weir check .\n"
                "  weir check weir.yaml flows/   # the configuration, and flows against its teams");
    checked->add_option("PATH", check_options->paths, "files and folders")->required();
    checked->add_option("--flows", check_options->flow_paths, "files and folders with all flows there are")
        ->allow_extra_args(false);
    checked->add_option("--team", check_options->team, "team of documents that name none");
    offline(checked, check_options, check);
}

void Parser::add_publish() {
    auto options = std::make_shared<PublishOptions>();
    auto* made = command("publish", "hand in events",
                         "  weir publish data.ready --data '{\"table\": \"orders\"}'\n"
                         "  weir publish data.ready --subject orders --id load-17 --data @payload.json\n"
                         "  weir publish --file events.jsonl          # a CloudEvent a line; safe to repeat\n"
                         "  generate | weir publish data.ready --file -");
    made->add_option("TYPE", options->type, "type of the event");
    made->add_option("--file", options->file,
                     "JSON lines: a CloudEvent each, or with TYPE its data; - for stdin");
    made->add_option("--data", options->data, "JSON, or @FILE");
    made->add_option("--subject", options->subject, "what the event is about");
    made->add_option("--id", options->id, "unique within the source; the same id again is a duplicate");
    made->add_option("--source", options->source, "who says so; /weir/cli if not given");
    json(made, options->json);
    server(made, false); // --data is the event's
    made->callback([this, options] {
        const bool of_one = !options->data.empty() || !options->subject.empty() || !options->id.empty();
        if (!options->file.empty() && of_one)
            throw CLI::ValidationError("--file", "cannot go with --data, --subject or --id");
        if (options->type.empty() && options->file.empty()) throw CLI::RequiredError("TYPE (or --file)");
        out_.client = [options](Environment& environment) { return publish(environment, *options); };
    });
}

std::pair<CLI::App*, std::shared_ptr<ListOptions>> Parser::add_listing(
    const std::string& name, const std::string& what, const std::string& examples,
    const std::vector<std::pair<std::string, std::string>>& filters, bool timed) {
    auto options = std::make_shared<ListOptions>();
    options->what = name;
    auto* made = command(name, what, examples);
    const auto filter = [&](const std::string& flag, const std::string& parameter, const std::string& text) {
        made->add_option_function<std::string>(
            "--" + flag,
            [options, parameter](const std::string& value) {
                options->filters.emplace_back(parameter, value);
            },
            text);
    };
    for (const auto& [flag, text] : filters)
        filter(flag, flag, text);
    if (timed) {
        filter("since", "since", "2026-05-01T12:00:00Z, or a duration before now: 2h");
        filter("until", "until", "the same; exclusive");
    }
    made->add_option("-n,--limit", options->limit, "how many")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    auto* watch = made->add_flag("-w,--watch", options->watch, "go on and show what is new");
    made->add_option_function<std::string>(
            "--every",
            [options](const std::string& text) {
                const auto every = parse_duration(text);
                if (!every.ok() || *every < std::chrono::milliseconds(1) || *every > std::chrono::hours(1))
                    throw CLI::ValidationError("--every", "expected a duration from 1ms to 1h, as 2s");
                options->interval = *every;
            },
            "how often --watch asks; 1s if not given")
        ->needs(watch);
    json(made, options->json);
    client(made, options, list);
    return {made, options};
}

void Parser::add_listings() {
    const std::pair<std::string, std::string> team{"team", "of this team"};
    const std::pair<std::string, std::string> trigger{"trigger", "of this trigger: NAME or TEAM/NAME"};
    const std::pair<std::string, std::string> flow{"flow", "of this flow: NAME or TEAM/NAME"};
    add_listing("triggers", "list triggers",
                "  weir triggers --team ads\n  weir triggers --state paused --json",
                {team, trigger, {"state", "active, paused, tripped, deleted"}}, false);
    add_listing("flows", "list flows", "  weir flows --team ads", {team, flow}, false);
    add_listing("runs", "list runs, newest first",
                "  weir runs --since 2h --outcome failed\n  weir runs --flow ads/train --watch",
                {team,
                 trigger,
                 flow,
                 {"state", "waiting, ready, sent, unknown, accepted, running, ended, settled"},
                 {"outcome", "succeeded, failed, cancelled, skipped, refused, lost"}},
                true);
    auto [events, options] = add_listing("events", "list recorded events, newest first",
                                         "  weir events --type 'data.*' --since 1h\n"
                                         "  weir events --watch --json\n"
                                         "  weir events --dead --since 1d     # messages that are no events",
                                         {team,
                                          {"type", "exact, or with *"},
                                          {"source", "exact"},
                                          {"id", "exact"},
                                          {"stream", "with --dead: of this stream"}},
                                         true);
    events->add_flag_callback(
        "--dead", [options = options] { options->what = "dead-letters"; },
        "list dead letters instead: messages that could not be read as events, kept as they came");
    add_listing("decisions", "list what triggers decided, newest first",
                "  weir decisions --trigger ads/retrain --verdict suppressed\n  weir decisions --since 1d",
                {team, trigger, {"verdict", "fired, suppressed, failed"}}, true);
    add_listing("audit", "list manual acts: who, what, why", "  weir audit --since 7d", {}, true);
}

void Parser::add_explain() {
    auto options = std::make_shared<WhyOptions>();
    auto* made = command("why", "why a run exists; why an event did or did not start one",
                         "  weir why 0190b3a2-...\n  weir why --trigger ads/retrain --event load-17\n"
                         "  weir why --trigger ads/retrain --event '/etl load-17'   # source and id");
    made->add_option("RUN", options->run, "a run's id");
    auto* trigger = made->add_option("--trigger", options->trigger, "TEAM/TRIGGER");
    auto* event = made->add_option("--event", options->event, "an event's id, or \"source id\"");
    trigger->needs(event);
    event->needs(trigger);
    json(made, options->json);
    server(made);
    made->callback([this, options] {
        if (!options->run.empty() && !options->trigger.empty())
            throw CLI::ValidationError("RUN", "cannot go with --trigger and --event");
        if (options->run.empty() && options->trigger.empty())
            throw CLI::RequiredError("RUN, or --trigger with --event,");
        out_.client = [options](Environment& environment) { return why(environment, *options); };
    });

    auto line_options = std::make_shared<LineageOptions>();
    auto* lines = command("lineage", "what led to something, and what it led to",
                          "  weir lineage 0190b3a2-... --up\n  weir lineage load-17 --down\n"
                          "  weir lineage ads/train --up --depth 3 --format json");
    lines
        ->add_option("START", line_options->start,
                     "a run, an event, TEAM/FLOW (its newest run), an artifact's URI")
        ->required();
    auto* down = lines->add_flag("--down", line_options->down, "towards the effects");
    lines
        ->add_flag_callback(
            "--up", [] {}, "towards the causes (the default)")
        ->excludes(down);
    lines->add_option("--depth", line_options->depth, "runs between START and the farthest")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    lines->add_option("--format", line_options->format, "tree or json (dot and svg are not built yet)")
        ->capture_default_str();
    server(lines);
    lines->callback([this, line_options] {
        const auto& format = line_options->format;
        if (format == "dot" || format == "svg")
            return end(exit_wrong_use,
                       "weir: lineage --format " + format + " is not built yet; use tree or json\n");
        if (format != "tree" && format != "json")
            throw CLI::ValidationError("--format", "expected tree or json");
        out_.client = [line_options](Environment& environment) {
            return lineage(environment, *line_options);
        };
    });
}

void Parser::add_triggers() {
    const auto add = [&](const std::string& verb, const std::string& what, const std::string& examples) {
        auto options = std::make_shared<ActOptions>();
        options->verb = verb;
        auto* made = command(verb, what, examples);
        made->add_option("TRIGGER", options->target, "TEAM/TRIGGER")->required();
        reason(made, options->reason);
        json(made, options->json);
        client(made, options, act);
        return std::pair(made, options);
    };
    add("delete", "delete a trigger; its history stays",
        "  weir delete ads/retrain --reason 'replaced by weekly'");
    add("pause", "let a trigger's firings wait", "  weir pause ads/retrain --reason 'cluster upgrade'");
    auto [resume, options] = add("resume", "end a pause, or what a breaker did",
                                 "  weir resume ads/retrain --replay\n  weir resume ads/retrain --drop");
    auto* which = resume->add_option_group("what becomes of the firings that waited");
    which->add_flag_callback(
        "--replay", [options = options] { options->waiting = "replay"; }, "launch them");
    which->add_flag_callback(
        "--drop", [options = options] { options->waiting = "drop"; }, "drop them, recorded");
    which->require_option(1);
}

void Parser::add_runs() {
    for (const std::string verb : {"cancel", "retry"}) {
        auto options = std::make_shared<ActOptions>();
        options->verb = verb;
        auto* made = command(verb,
                             verb == "cancel"
                                 ? "ask a run to end"
                                 : "open the next attempt of a run that failed or was cancelled: tasks that "
                                   "succeeded are kept, the others run again",
                             "  weir " + verb + " 0190b3a2-... --reason 'wrong input'");
        made->add_option("RUN", options->target, "a run's id")->required();
        reason(made, options->reason);
        json(made, options->json);
        client(made, options, act);
    }
    auto options = std::make_shared<RunOptions>();
    auto* made =
        command("run", "run a flow by hand",
                "  weir run ads/train date=2026-05-01 rows=1000\n"
                "  weir run ads/train --request-id nightly-2026-05-01   # the same id gives the same run");
    made->add_option("FLOW", options->flow, "TEAM/FLOW")->required();
    made->add_option("PARAMETER", options->parameters, "KEY=VALUE: text for strings, JSON for other types")
        ->check([](const std::string& text) {
            const auto equals = text.find('=');
            return equals == std::string::npos || equals == 0
                       ? "expected key=value, not " + printable(text, 60)
                       : std::string();
        });
    made->add_option("--request-id", options->request_id, "asking again with it gives the same run");
    reason(made, options->reason);
    json(made, options->json);
    client(made, options, run_flow);

    add_report();

    auto log_options = std::make_shared<LogsOptions>();
    auto* log = command("logs", "what the tasks of a run wrote",
                        "  weir logs 0190b3a2-...\n  weir logs 0190b3a2-... train --follow");
    log->add_option("RUN", log_options->run, "a run's id")->required();
    log->add_option("TASK", log_options->task, "only this task");
    log->add_flag("-f,--follow", log_options->follow, "go on until the run has ended");
    client(log, log_options, logs);
}

void Parser::add_report() {
    auto options = std::make_shared<ReportOptions>();
    auto* made = command("report", "say of a run how it ended and what it made, as its flow would",
                         "  weir report 0190b3a2-... --outcome succeeded --outputs '{\"rows\": 10}'\n"
                         "  weir report 0190b3a2-... --artifact model=s3://models/7 --attempt 2\n"
                         "  weir report 0190b3a2-... --outcome failed --error 'out of memory'");
    made->add_option("RUN", options->run, "a run's id; weir need not know it yet")->required();
    made->add_option("--outcome", options->outcome, "succeeded or failed")
        ->check(CLI::IsMember({"succeeded", "failed"}));
    made->add_option("--outputs", options->outputs, "a JSON object, or @FILE");
    made->add_option("--artifact", options->artifacts, "NAME=URI; may be given several times")
        ->allow_extra_args(false)
        ->check([](const std::string& text) {
            const auto equals = text.find('=');
            return equals == std::string::npos || equals == 0 || equals + 1 == text.size()
                       ? "expected NAME=URI, not " + printable(text, 60)
                       : std::string();
        });
    made->add_option("--attempt", options->attempt, "which one; the newest if not given")
        ->check(CLI::Range(1, 1'000'000));
    made->add_option("--error", options->error, "why it failed; with --outcome failed");
    json(made, options->json);
    server(made);
    made->callback([this, options] {
        if (options->outcome.empty() && options->outputs.empty() && options->artifacts.empty())
            throw CLI::RequiredError("--outcome, --outputs or --artifact");
        if (!options->error.empty() && options->outcome != "failed")
            throw CLI::ValidationError("--error", "goes with --outcome failed");
        out_.client = [options](Environment& environment) { return report(environment, *options); };
    });
}

void Parser::add_streams() {
    add_listing("streams", "list the streams that are read, how far, and what was lost",
                "  weir streams\n  weir streams --watch", {}, false);
    auto* stream = command("stream", "act on a stream",
                           "  weir stream accept-gap kafka/orders/0 --reason 'known outage'");
    stream->require_subcommand(1);
    const auto add = [&](CLI::App* parent, const std::string& verb, const std::string& argument,
                         const std::string& target, const std::string& what, const std::string& examples) {
        auto options = std::make_shared<ActOptions>();
        options->verb = verb;
        auto* made = command(verb, what, examples, parent);
        made->add_option(argument, options->target, target)->required();
        reason(made, options->reason);
        json(made, options->json);
        client(made, options, act);
    };
    add(stream, "accept-gap", "STREAM", "its name, as `weir streams` shows it",
        "take note of what was lost and read the stream on",
        "  weir stream accept-gap nats/ORDERS --reason 'the server lost its disk'");
    auto* letter = command("dead-letter", "look at or replay a message that was no event",
                           "  weir events --dead\n  weir dead-letter show 3\n  weir dead-letter replay 3");
    letter->require_subcommand(1);
    auto options = std::make_shared<ShowOptions>();
    auto* show_one = command("show", "one dead letter, whole", "  weir dead-letter show 3", letter);
    show_one->add_option("NUMBER", options->target, "as `weir events --dead` shows it")->required();
    client(show_one, options, show_dead_letter);
    add(letter, "replay", "NUMBER", "as `weir events --dead` shows it",
        "read it again and take it as an event, after what made it unreadable was mended",
        "  weir dead-letter replay 3 --reason 'mapping mended'");
}

} // namespace weir::cli
