#include <algorithm>

#include <weir/base/digest.hpp>
#include <weir/base/text.hpp>
#include <weir/flows/arguments.hpp>
#include <weir/flows/document.hpp>
#include <weir/flows/naming.hpp>

#include "facade_impl.hpp"
#include "macros.hpp"
#include "messages.hpp"
#include "parameters.hpp"

namespace weir::facade {
namespace {

constexpr std::size_t text_max = 255; // as MariaDB's columns
constexpr std::size_t run_id_max = 63;
constexpr std::size_t plugins_max = 16;
constexpr std::size_t plugin_bytes_max = 64 * 1024;

bool is_word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// What Kubernetes takes as a label's value; KFP makes the run's id one.
Done check_run_id(const std::string& id) {
    const bool fits = id.size() <= run_id_max && is_word(id.front()) && is_word(id.back()) &&
                      std::all_of(id.begin(), id.end(),
                                  [](char c) { return is_word(c) || c == '-' || c == '_' || c == '.'; });
    if (fits) return Nothing{};
    return internal_fault(
               "Failed to create a workflow: metadata.labels: Invalid value: \"" + printable(id, 200) +
               "\": a run_id is at most 63 letters, digits, '-', '_' or '.', and starts and ends with "
               "a letter or digit")
        .in("Failed to create a new run");
}

/// A client's text that is no UUID stands for one: the same text, the same run.
RunId run_id_of(const std::string& shown) {
    if (const auto uuid = Uuid::parse(shown); uuid.ok()) return {*uuid};
    return {Uuid::time_led(from_ns(0), sha256("weir façade run " + shown))};
}

std::size_t depth_of(const Json& value) {
    std::size_t deepest = 0;
    if (value.is_structured())
        for (const auto& item : value)
            deepest = std::max(deepest, depth_of(item));
    return deepest + 1;
}

Done check_plugins(const Json& message) {
    if (message.contains("plugins_output"))
        return Fault(Code::Aborted, "BadRequestError: plugins_output is the server's to set",
                     "plugins_output is the server's to set");
    const auto plugins = message.find("plugins_input");
    if (plugins == message.end()) return Nothing{};
    if (plugins->size() > plugins_max) return invalid_fault("plugins_input has over 16 entries");
    for (const auto& plugin : *plugins) {
        if (depth_of(plugin) > 10) return invalid_fault("plugins_input is over 10 levels deep");
        if (to_text(plugin).size() > plugin_bytes_max)
            return invalid_fault("an entry of plugins_input is over 64 KiB");
    }
    return Nothing{};
}

Done check_texts(const Json& message) {
    const auto name = text_of(message, "display_name");
    if (name.empty())
        return internal_fault(
                   "Failed to convert the run to its internal representation: Invalid input error: "
                   "The run's name cannot be empty")
            .in("Failed to create a new run");
    if (characters(name) > text_max)
        return internal_fault("Failed to store run: Data too long for column 'DisplayName'")
            .in("Failed to create a new run");
    if (characters(text_of(message, "description")) > text_max)
        return internal_fault("Failed to store run: Data too long for column 'Description'")
            .in("Failed to create a new run");
    return Nothing{};
}

Json parameters_of(const Json& message) {
    const auto runtime = message.find("runtime_config");
    if (runtime == message.end()) return Json::object();
    return runtime->value("parameters", Json::object());
}

Fault already_there(const RunNote& note) {
    return internal_fault("Failed to store run " + printable(note.display_name, 80) +
                          " to table: Duplicate entry '" + printable(note.shown_id, 80) + "'")
        .in("Failed to create a new run: Failed to create a run");
}

Outcome<Source> manifest_fault(const std::string& why) {
    return internal_fault("Failed to create a run due to error fetching manifest: " + why)
        .in("Failed to create a new run");
}

RunNote read_note(const Json& message, const Source& source, Instant now) {
    RunNote note;
    note.display_name = text_of(message, "display_name");
    note.description = text_of(message, "description");
    note.pipeline = source.pipeline;
    note.version = source.version;
    if (source.pipeline.empty()) note.spec_text = source.spec.text;
    note.service_account = text_of(message, "service_account");
    note.recurring = text_of(message, "recurring_run_id");
    if (const auto runtime = message.find("runtime_config"); runtime != message.end()) {
        if (const auto given = runtime->find("parameters"); given != runtime->end() && !given->empty())
            note.parameters_json = to_text(*given);
        note.pipeline_root = text_of(*runtime, "pipeline_root");
    }
    if (message.contains("plugins_input")) note.plugins_json = to_text(message["plugins_input"]);
    note.archived = text_of(message, "storage_state") == "ARCHIVED";
    note.created = now;
    return note;
}

} // namespace

Outcome<Source> Facade::Impl::source_of(const Ask& ask, const Json& message) {
    if (const auto given = message.find("pipeline_spec"); given != message.end()) {
        if (!ask.call.admin)
            return Fault(
                Code::Denied, "a run that brings its own pipeline_spec needs the scope `admin`",
                "a run that brings its own pipeline_spec needs the scope `admin`: upload the pipeline");
        auto spec = read_spec(text_of_spec(*given));
        if (!spec.ok())
            return manifest_fault(
                "Failed to fetch a template with an invalid pipeline spec manifest: "
                "InvalidInputError: unknown template format: pipeline spec is invalid: " +
                spec.error().message);
        Source source;
        source.pipeline_name = spec->name;
        source.team = ask.call.teams.empty() ? "default" : ask.call.teams.front();
        source.spec = std::move(*spec);
        return source;
    }
    const auto reference = message.value("pipeline_version_reference", Json::object());
    const auto pipeline_id = text_of(reference, "pipeline_id");
    auto version_id = text_of(reference, "pipeline_version_id");
    if (version_id.empty()) version_id = text_of(message, "pipeline_version_id");
    if (pipeline_id.empty() && version_id.empty())
        return manifest_fault(
            "Invalid input error: Failed to fetch a template with an empty pipeline spec manifest");
    const bool pinned = !version_id.empty();
    if (!pinned) {
        const auto latest = ports.store.latest_version(pipeline_id);
        if (!latest.ok())
            return manifest_fault(
                "Failed to get the latest pipeline version for a pipeline: ResourceNotFoundError: "
                "PipelineVersion " +
                printable(pipeline_id, 80) + " not found");
        version_id = latest->id;
    }
    auto version = visible_version(ask, version_id);
    if (!version.ok()) return manifest_fault("Failed to get a pipeline version: " + version.error().message);
    if (!pipeline_id.empty() && version->pipeline != pipeline_id)
        return manifest_fault("Invalid input error: Pipeline version " + version_id +
                              " belongs to pipeline " + version->pipeline + " (not " +
                              printable(pipeline_id, 80) + ")");
    WEIR_ASSIGN(pipeline, visible_pipeline(ask, version->pipeline));
    auto spec = read_spec(std::move(version->text));
    if (!spec.ok()) return manifest_fault(spec.error().message);
    return Source{std::move(*spec), pipeline.id,     pipeline.name, version->id,
                  pipeline.team,    pipeline.shared, pinned};
}

Outcome<std::pair<std::string, std::string>> Facade::Impl::flow_of(const Ask& ask, const Source& source) {
    WEIR_ASSIGN(flows, registered_flows());
    if (const auto* named = naming_flow(ask, source, flows); named != nullptr)
        return std::pair(named->flow.team, named->flow.flow);
    return std::pair(source.team, flows::flow_name_of(source.pipeline_name));
}

Outcome<Json> Facade::Impl::create_run(const Ask& ask) {
    WEIR_ASSIGN(message, body_message(ask, run_message()));
    WEIR_TRY(check_texts(message));
    WEIR_TRY(check_plugins(message));
    auto shown = text_of(message, "run_id");
    if (!shown.empty()) WEIR_TRY(check_run_id(shown));
    auto experiment = experiment_of(message);
    if (!experiment.ok()) return experiment.error().in("Failed to create a new run");
    WEIR_ASSIGN(source, source_of(ask, message));
    auto given = parameters_of(message);
    WEIR_TRY(check_parameters(source.spec.parameters, given));

    const auto now = ports.clock.now();
    auto note = read_note(message, source, now);
    note.experiment = *experiment;
    std::lock_guard guard(creating);
    if (!note.recurring.empty()) {
        if (!ports.store.recurring(note.recurring).ok())
            return internal_fault(
                       "Failed to create a run due to invalid recurring run id: Invalid input error: "
                       "RecurringRunId doesn't exist: " +
                       printable(note.recurring, 80))
                .in("Failed to create a new run");
        // The name is the key under which one schedule makes one run.
        if (shown.empty())
            shown = Uuid::time_led(from_ns(0), sha256(note.recurring + "/" + note.display_name)).to_string();
        if (auto there = visible_run(ask, shown); there.ok())
            return run_json(*there, {}, shown_spec(there->note ? there->note->spec_text : ""));
    }
    note.shown_id = shown.empty() ? new_id() : shown;
    note.run = run_id_of(note.shown_id);
    if (ports.reader.run(note.run).ok()) return already_there(note);

    WEIR_ASSIGN(flow, flow_of(ask, source));
    if (!ask.reaches(flow.first))
        return Fault(Code::Denied,
                     "the run would belong to the team " + flow.first + ", which the token does not reach",
                     "the run would belong to the team " + flow.first + ", which the token does not reach");
    WEIR_ASSIGN(version, flow_version_of(flow.first, flow.second, source.spec.text));
    const auto filled = fill_in_macros(given, note.shown_id, now);
    auto arguments = flows::bind_arguments(version.parameters, to_text(filled));
    if (!arguments.ok()) return invalid_fault(arguments.error().message).in("Failed to create a new run");
    if (const auto faults = flows::check_runnable(version, config.path); !faults.empty())
        return invalid_fault("this machine cannot run the pipeline: " + faults.front())
            .in("Failed to create a new run");
    if (const auto noted = ports.store.note_run(note); !noted.ok())
        return noted.error().kind == ErrorKind::Conflict ? already_there(note) : Fault(noted.error());
    const engine::StartRun start{note.run, std::make_shared<const flows::FlowVersion>(std::move(version)),
                                 std::move(*arguments), note.description};
    if (const auto started = ports.engine.start_run(start, actor_of(ask, "run " + note.display_name));
        !started.ok()) {
        (void)ports.store.forget_run(note.run);
        if (started.error().kind == ErrorKind::Conflict) return already_there(note);
        return Fault(started.error()).in("Failed to create a new run");
    }
    if (auto record = ports.store.experiment(note.experiment); record.ok()) {
        record->last_run = now;
        (void)ports.store.change_experiment(*record);
    }
    WEIR_ASSIGN(view, visible_run(ask, note.shown_id));
    return run_json(view, {}, source.pipeline.empty() ? source.spec.shown : Json());
}

} // namespace weir::facade
