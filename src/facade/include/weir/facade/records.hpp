#pragma once

#include <cstdint>
#include <string>

#include <weir/base/clock.hpp>
#include <weir/base/ids.hpp>

/// What the façade keeps that the ledger does not know: pipelines and what KFP's clients say about runs.
namespace weir::facade {

/// A pipeline: a name under which versions are uploaded. Names are unique without regard to case.
struct PipelineRecord {
    std::string id;
    std::string name;
    std::string display_name;
    std::string description;
    std::string team;             ///< whose flow its runs are, unless a registered flow names it
    std::string tags_json = "{}"; ///< object of texts
    Instant created;
    bool shared = false; ///< who made it acts for every team: flows of every team may name it
};

/// One uploaded file. Never changes, but for its display name and tags.
struct VersionRecord {
    std::string id;
    std::string pipeline; ///< its pipeline's id
    std::string name;     ///< unique within the pipeline, without regard to case
    std::string display_name;
    std::string description;
    std::string code_source_url;
    std::string tags_json = "{}";
    std::string text; ///< pipeline IR as it came: YAML or JSON, one document or two
    Instant created;  ///< no two of a pipeline are equal: the newest is the latest version
};

struct ExperimentRecord {
    std::string id;
    std::string name; ///< unique without regard to case
    std::string description;
    bool archived = false;
    Instant created;
    Instant last_run; ///< 1970: none yet
};

/// What a client said of a run; how the run fares stands in the ledger.
struct RunNote {
    RunId run;
    std::string shown_id; ///< as the client spelt it; unique without regard to case
    std::string display_name;
    std::string description;
    std::string experiment;
    std::string pipeline; ///< empty: the spec came with the run
    std::string version;
    std::string spec_text;       ///< pipeline IR; only if it came with the run
    std::string parameters_json; ///< as given, before macros were filled in; empty: none were
    std::string pipeline_root;
    std::string service_account;
    std::string recurring;
    std::string plugins_json;
    bool archived = false;
    bool deleted = false;
    Instant created;
};

/// A schedule made by a client. Its trigger is weir's; this is what KFP's notation has beside.
struct RecurringRecord {
    std::string id;
    std::string name;
    std::string description;
    std::string experiment;
    std::string pipeline; ///< empty: the spec came with it
    std::string version;  ///< empty: the latest one at each launch
    std::string spec_text;
    std::string runtime_json; ///< runtime_config as given; empty: none was
    std::string trigger_json; ///< KFP's trigger as given
    std::string service_account;
    std::string plugins_json;
    std::int64_t max_concurrency = 1;
    bool no_catchup = false;
    bool enabled = false;
    std::string team;         ///< of the trigger and its flow
    std::string trigger_name; ///< weir's trigger; empty: there is nothing to wait for
    std::string flow;
    bool own_flow = true;             ///< the façade registered the flow: nobody else did
    std::string versions_json = "{}"; ///< of an own flow: {flow version: pipeline version}
    bool deleted = false;             ///< kept for what its runs are called
    Instant created;
    Instant updated;
};

} // namespace weir::facade
