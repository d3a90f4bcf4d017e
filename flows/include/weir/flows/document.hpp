#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/document.hpp>
#include <weir/base/document_reader.hpp>
#include <weir/base/result.hpp>
#include <weir/flows/records.hpp>

namespace weir::flows {

/// Reads the file a document names by `pipeline:` (local) or `spec:` (Kubeflow); the path is as written
/// there. The caller resolves it relative to the document (command line) or to what was uploaded with it
/// (server).
using PipelineLoader = std::function<Result<std::string>(const std::string& path)>;

/// Reads flow documents (YAML or JSON, one or many in a text):
///
///   flow: train                # required; unique within the team
///   team: ads                  # `default_team` if it is not there
///   backend: local             # local | null | the name of a Kubeflow backend; process is refused by name
///   pipeline: train.yaml       # local: pipeline IR, relative to this document
///   description: ...
///   labels: {project: x, branch: main}
///   on_restart: resume         # resume | fail: what becomes of tasks that weir's death interrupted
///   timeout: 6h                # of the run; none by default
///   task_timeout: 1h           # of each attempt of a task; none by default
///   env: {NAME: value}         # set for every task
///   env_pass: [AWS_REGION]     # variables of weir's own environment that tasks may see
///   log_bytes_max: 16777216    # of one task's log; what is beyond is dropped with a notice
///   memory_bytes_max: 0        # address space of one process; 0: no limit
///   parallel: 4                # tasks of one run at a time; default: the backend's limit
///
/// backend `null` (tests, benches) has no pipeline; it takes `parameters: {name: {type, default, optional,
/// description, literals}}`, `settle_after: 5s`, `outcome: succeeded|failed`, `outputs: {...}`.
///
/// Any other backend is a Kubeflow server of the configuration; whether it is there is asked when the
/// document is applied:
///
///   pipeline: training         # required; name or id of a pipeline on the server
///   version: latest            # name or id of its version; latest by default, resolved at each launch
///   parameters: {...}          # as of null, or
///   spec: train.yaml           # its compiled IR, relative to this document, which declares them
///   experiment: nightly        # the team's binding by default
///   display_name: '{flow} {date}'
///   reports: true              # the flow reports its own end; false by default
///
/// Every fault is added to `problems` with its file:line:column (of the pipeline where the fault is in
/// there); on any problem the returned list is empty. Trigger documents are left to their own reader. Whether
/// the pipeline's commands exist here is not asked: see check_runnable(). Limits: DocumentLimits; 1,000
/// parameters a flow. Thread-safe.
std::vector<FlowVersion> read_flows(std::string_view text, std::string_view file,
                                    const PipelineLoader& loader, Problems& problems,
                                    std::string_view default_team = "default");

/// The same for one document of a file that has been read already; nothing if it has problems.
std::optional<FlowVersion> read_flow(const Node& document, const PipelineLoader& loader, Problems& problems,
                                     std::string_view default_team = "default");

/// What runs flows of a backend: no configuration can call another one local or null.
enum class BackendKind : std::uint8_t { Local, Null, Kubeflow };
BackendKind kind_of_backend(std::string_view backend) noexcept;

/// Documented limits of what a KFP server stores: longer text, or characters above U+FFFF, can leave a
/// workflow without a run (columns of 128 and 255 characters of at most three bytes).
inline constexpr std::size_t server_name_characters_max = 128; ///< pipelines, experiments
inline constexpr std::size_t server_text_characters_max = 255; ///< versions, display names
/// What is wrong with a text that goes to a KFP server; empty: nothing.
std::string fault_of_server_text(std::string_view text, std::size_t characters_max);

/// `invalid` if the template of a run's display name has a {word} that nothing replaces.
Status check_display_name(std::string_view pattern);

/// True for a document that says `flow:` as its subject (a trigger says `trigger:`).
bool is_flow_document(const Node& document);

/// The table that drives the reading, the JSON Schema and the reference of flow documents.
const DocumentTable& flow_document_table();

/// What the flow document says beside its pipeline, read back from FlowVersion::settings_json.
struct FlowSettings {
    enum class OnRestart : std::uint8_t { Resume, Fail };
    OnRestart on_restart = OnRestart::Resume;
    Duration timeout{0};      ///< 0: none
    Duration task_timeout{0}; ///< 0: none
    std::vector<std::pair<std::string, std::string>> env;
    std::vector<std::string> env_pass;
    std::uint64_t log_bytes_max = 16 * 1024 * 1024;
    std::uint64_t memory_bytes_max = 0;
    std::size_t parallel = 0; ///< 0: the backend's limit
    std::string description;
    std::vector<std::pair<std::string, std::string>> labels;
    Duration settle_after{0};             ///< backend null
    Outcome outcome = Outcome::Succeeded; ///< backend null
    std::string outputs_json = "{}";      ///< backend null
    bool reports = false;     ///< kubeflow: the flow reports its own end (POST /v1/runs/ID/report)
    std::string pipeline;     ///< kubeflow: name or id
    std::string version;      ///< kubeflow: name, id or "latest"; empty: latest
    std::string experiment;   ///< kubeflow: name; empty: the binding's
    std::string display_name; ///< kubeflow: template; empty: the binding's
};
/// `corrupt` if the text is not what read_flows() wrote.
Result<FlowSettings> read_settings(std::string_view settings_json);

/// Says by file:line:column-free sentences why this flow cannot run on this machine (a missing command, a
/// feature that is not built); empty: it can. Looks up commands in `path`, a PATH value. Always empty but for
/// backend local.
std::vector<std::string> check_runnable(const FlowVersion& flow, std::string_view path);

} // namespace weir::flows
