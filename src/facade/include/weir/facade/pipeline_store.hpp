#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/facade/records.hpp>

namespace weir::facade {

/// Keeps the façade's records, durably.
/// Owner:  the application.
/// Thread: any.
/// Errors: `conflict`: a name or id that is taken; `not_found` where one thing was asked for or changed;
///         `unavailable`: disk full, I/O error.
/// Limits: 10,000 pipelines, experiments and recurring runs each, 10,000 versions of a pipeline:
///         `exhausted`. The caller bounds texts.
class PipelineStore {
  public:
    virtual ~PipelineStore() = default;

    virtual Status add_pipeline(const PipelineRecord& pipeline) = 0;
    /// A pipeline with its first version: both or none.
    virtual Status add_pipeline(const PipelineRecord& pipeline, const VersionRecord& version) = 0;
    virtual Status change_pipeline(const PipelineRecord& pipeline) = 0;
    /// With all its versions.
    virtual Status delete_pipeline(const std::string& id) = 0;
    virtual Result<PipelineRecord> pipeline(const std::string& id) = 0;
    virtual Result<PipelineRecord> pipeline_by_name(const std::string& name) = 0;
    virtual Result<std::vector<PipelineRecord>> pipelines() = 0;

    virtual Status add_version(const VersionRecord& version) = 0;
    virtual Status change_version(const VersionRecord& version) = 0;
    virtual Status delete_version(const std::string& id) = 0;
    virtual Result<VersionRecord> version(const std::string& id) = 0;
    virtual Result<VersionRecord> version_by_name(const std::string& pipeline, const std::string& name) = 0;
    /// The one created last.
    virtual Result<VersionRecord> latest_version(const std::string& pipeline) = 0;
    /// Without their texts.
    virtual Result<std::vector<VersionRecord>> versions(const std::string& pipeline) = 0;

    virtual Status add_experiment(const ExperimentRecord& experiment) = 0;
    virtual Status change_experiment(const ExperimentRecord& experiment) = 0;
    virtual Status delete_experiment(const std::string& id) = 0;
    virtual Result<ExperimentRecord> experiment(const std::string& id) = 0;
    virtual Result<std::vector<ExperimentRecord>> experiments() = 0;

    /// Notes what is said of a run, instead of what was. `conflict`: another run has this shown id.
    virtual Status note_run(const RunNote& note) = 0;
    virtual Status forget_run(const RunId& run) = 0;
    virtual Result<RunNote> run_note(const RunId& run) = 0;
    virtual Result<RunNote> run_note_by_shown_id(const std::string& shown_id) = 0;
    /// All of them, without their specs and parameters.
    virtual Result<std::vector<RunNote>> run_notes() = 0;

    virtual Status add_recurring(const RecurringRecord& recurring) = 0;
    virtual Status change_recurring(const RecurringRecord& recurring) = 0;
    virtual Status delete_recurring(const std::string& id) = 0;
    virtual Result<RecurringRecord> recurring(const std::string& id) = 0;
    virtual Result<std::vector<RecurringRecord>> recurring_runs() = 0;
};

/// In a SQLite file of its own (0600, WAL, synchronous FULL). `conflict`: another process has it.
Result<std::unique_ptr<PipelineStore>> open_pipeline_store(const std::string& path);

} // namespace weir::facade
