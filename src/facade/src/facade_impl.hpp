#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/facade/facade.hpp>

#include "json.hpp"
#include "listing.hpp"
#include "run_index.hpp"
#include "run_view.hpp"
#include "spec.hpp"

namespace weir::facade {

/// A call taken apart.
struct Ask {
    const Call& call;
    std::vector<std::string> values;                        ///< of the {} segments, decoded
    std::vector<std::pair<std::string, std::string>> query; ///< decoded once

    /// A query parameter in snake_case or camelCase, or empty: an empty one counts as not given.
    [[nodiscard]] std::string parameter(std::string_view name) const;
    [[nodiscard]] ListRequest list_request() const;
    [[nodiscard]] bool reaches(std::string_view team) const;
};

/// How a route's failures are written.
enum class Style : std::uint8_t {
    Gateway, ///< google.rpc.Status
    Upload,  ///< {error_message, error_details}
};

struct Route {
    using Answering = Outcome<Json> (Facade::Impl::*)(const Ask&);

    std::string_view method;
    std::string_view pattern; ///< segments below the prefix; `{}` any text, `{}:verb` one with a verb behind
    Scope scope;
    std::size_t body_bytes_max;
    Answering answering;
    Style style = Style::Gateway;
};
std::span<const Route> routes();

/// A route whose path fits, whatever its method; `right` is the one whose method fits, too.
struct Found {
    const Route* right = nullptr;
    bool any = false;
    std::vector<std::string> values;
};
Found find_route(std::string_view method, std::string_view path);

/// What a run or a recurring run is to run.
struct Source {
    Spec spec;
    std::string pipeline; ///< id; empty: the spec came along
    std::string pipeline_name;
    std::string version;
    std::string team;    ///< of the pipeline
    bool shared = false; ///< flows of every team may name the pipeline
    bool pinned = false; ///< the client named the version
};

struct Facade::Impl {
    FacadePorts ports;
    FacadeConfig config;
    RunIndex index;
    std::mutex creating; ///< no two pipelines, versions, experiments or runs are made at once

    Impl(FacadePorts given, FacadeConfig given_config)
        : ports(given), config(std::move(given_config)), index(ports.reader) {}

    Answer answer(const Call& call);
    Status make_default_experiment();

    Outcome<Json> healthz(const Ask& ask);
    // answer_pipelines.cpp
    Outcome<Json> upload_pipeline(const Ask& ask);
    Outcome<Json> upload_version(const Ask& ask);
    Outcome<Json> create_pipeline(const Ask& ask);
    Outcome<Json> create_by_url(const Ask& ask);
    Outcome<Json> list_pipelines(const Ask& ask);
    Outcome<Json> get_pipeline(const Ask& ask);
    Outcome<Json> get_pipeline_by_name(const Ask& ask);
    Outcome<Json> change_pipeline(const Ask& ask);
    Outcome<Json> delete_pipeline(const Ask& ask);
    // answer_versions.cpp
    Outcome<Json> list_versions(const Ask& ask);
    Outcome<Json> get_version(const Ask& ask);
    Outcome<Json> change_version(const Ask& ask);
    Outcome<Json> delete_version(const Ask& ask);
    // answer_experiments.cpp
    Outcome<Json> create_experiment(const Ask& ask);
    Outcome<Json> list_experiments(const Ask& ask);
    Outcome<Json> get_experiment(const Ask& ask);
    Outcome<Json> archive_experiment(const Ask& ask);
    Outcome<Json> unarchive_experiment(const Ask& ask);
    Outcome<Json> delete_experiment(const Ask& ask);
    // create_run.cpp
    Outcome<Json> create_run(const Ask& ask);
    // answer_runs.cpp
    Outcome<Json> list_runs(const Ask& ask);
    Outcome<Json> get_run(const Ask& ask);
    Outcome<Json> shown_run(const RunView& view, bool tasks, bool full);
    Outcome<Json> terminate_run(const Ask& ask);
    Outcome<Json> retry_run(const Ask& ask);
    Outcome<Json> archive_run(const Ask& ask);
    Outcome<Json> unarchive_run(const Ask& ask);
    Outcome<Json> delete_run(const Ask& ask);
    // answer_recurring.cpp
    Outcome<Json> create_recurring(const Ask& ask);
    Outcome<Json> list_recurring(const Ask& ask);
    Outcome<Json> get_recurring(const Ask& ask);
    Outcome<Json> enable_recurring(const Ask& ask);
    Outcome<Json> disable_recurring(const Ask& ask);
    Outcome<Json> delete_recurring(const Ask& ask);
    Status disable(RecurringRecord record, const engine::Actor& actor);
    Outcome<Json> not_here(const Ask& ask);

    // What several of them need.
    Outcome<PipelineRecord> visible_pipeline(const Ask& ask, const std::string& id);
    Outcome<VersionRecord> visible_version(const Ask& ask, const std::string& id);
    Outcome<RunView> visible_run(const Ask& ask, const std::string& id);
    Outcome<RunView> view_of(ledger::RunRow row, std::optional<RunNote> note);
    /// A note for a run that no client has said anything of yet.
    RunNote note_of(const RunView& view) const;
    Outcome<std::string> experiment_of(const Json& message);
    Outcome<ExperimentRecord> default_experiment();
    /// When the newest run of a schedule was made, by experiment.
    Outcome<std::map<std::string, Instant>> newest_scheduled();
    /// Reads `pipeline_spec` or the reference of a run or recurring run.
    Outcome<Source> source_of(const Ask& ask, const Json& message);
    /// What a run that its schedule made is called, and what it ran.
    void fill_in(RunView& view, const RecurringRecord& record);
    /// The registered flow of the caller's that names this pipeline, else TEAM/NAME.
    Outcome<std::pair<std::string, std::string>> flow_of(const Ask& ask, const Source& source);
    Outcome<std::vector<ledger::FlowVersionRow>> registered_flows();

    // schedule_flow.cpp
    /// Fills in which flow the record's trigger launches.
    Status choose_flow(const Ask& ask, const Source& source, RecurringRecord& record);
    /// The trigger of a schedule, with its flow if that is the façade's own.
    Outcome<engine::ApplyRequest> schedule_request(const Ask& ask, const Source& source,
                                                   RecurringRecord& record);
    /// What an existing one is to run now.
    Outcome<Source> source_of_record(const Ask& ask, const RecurringRecord& record);
    Status apply(engine::ApplyRequest request, bool dry_run);
    /// Whether triggers that exist launch.
    Outcome<std::map<std::string, bool>> launching_triggers();
    /// The schedules that take the latest version of a pipeline, with the change that gives them this one.
    struct Following {
        std::vector<RecurringRecord> records;
        engine::ApplyRequest request;
    };
    /// Refused if the version does not fit one of them: nothing has changed then.
    Outcome<Following> follow(const Ask& ask, const PipelineRecord& pipeline, const VersionRecord& version);
    void make_follow(Following following);
    /// Flows of deleted schedules that nobody needs any more go, too.
    void sweep_flows(const engine::Actor& actor);
};

/// The caller's registered flow that names this pipeline, or nullptr.
const ledger::FlowVersionRow* naming_flow(const Ask& ask, const Source& source,
                                          const std::vector<ledger::FlowVersionRow>& flows);
/// A random UUID (version 4).
std::string new_id();
engine::Actor actor_of(const Ask& ask, const std::string& doing);
/// The message in a call's body; an empty body is an empty message.
Outcome<Json> body_message(const Ask& ask, const struct MessageTable& table);
/// The two fields every list ends with.
void add_page(Json& answer, const ListPage& page);
Json pipeline_json(const PipelineRecord& record);
Json version_json(const VersionRecord& record);
/// A client's `tags`: an object of texts, or nothing.
Outcome<std::string> tags_of(const Ask& ask);
/// How many characters a text has.
std::size_t characters(std::string_view text) noexcept;
Json reference_json(const std::string& pipeline, const std::string& version);

} // namespace weir::facade
