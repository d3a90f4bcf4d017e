#include "messages.hpp"

// The messages of KFP's v2beta1 API: names and kinds of the fields a client may send (of those that only
// the server sets, too: they are read and left alone, as KFP does).
namespace weir::facade {
namespace {

using Kind = FieldKind;

const MessageTable& status_message() {
    static const MessageTable table{"google.rpc.Status",
                                    {{"code", Kind::Int32}, {"message"}, {"details", Kind::Any}}};
    return table;
}

const MessageTable& url_message() {
    static const MessageTable table{"Url", {{"pipeline_url"}}};
    return table;
}

const MessageTable& reference_message() {
    static const MessageTable table{"PipelineVersionReference", {{"pipeline_id"}, {"pipeline_version_id"}}};
    return table;
}

const MessageTable& runtime_config_message() {
    static const MessageTable table{"RuntimeConfig", {{"parameters", Kind::ValueMap}, {"pipeline_root"}}};
    return table;
}

const MessageTable& trigger_message() {
    static const MessageTable cron{"CronSchedule",
                                   {{"start_time", Kind::Time}, {"end_time", Kind::Time}, {"cron"}}};
    static const MessageTable periodic{
        "PeriodicSchedule",
        {{"start_time", Kind::Time}, {"end_time", Kind::Time}, {"interval_second", Kind::Int64}}};
    static const MessageTable table{"Trigger",
                                    {{"cron_schedule", Kind::Message, &cron, {}, "trigger"},
                                     {"periodic_schedule", Kind::Message, &periodic, {}, "trigger"}}};
    return table;
}

const MessageTable& details_message() {
    static const MessageTable table{
        "RunDetails", {{"pipeline_context_id", Kind::Int64}, {"pipeline_run_context_id", Kind::Int64}}};
    return table;
}

const std::vector<std::string_view> runtime_states{"RUNTIME_STATE_UNSPECIFIED",
                                                   "PENDING",
                                                   "RUNNING",
                                                   "SUCCEEDED",
                                                   "SKIPPED",
                                                   "FAILED",
                                                   "CANCELING",
                                                   "CANCELED",
                                                   "PAUSED"};

} // namespace

const MessageTable& pipeline_message() {
    static const MessageTable table{"Pipeline",
                                    {{"pipeline_id"},
                                     {"display_name"},
                                     {"name"},
                                     {"description"},
                                     {"created_at", Kind::Time},
                                     {"namespace"},
                                     {"error", Kind::Message, &status_message()},
                                     {"tags", Kind::TextMap}}};
    return table;
}

const MessageTable& pipeline_version_message() {
    static const MessageTable table{"PipelineVersion",
                                    {{"pipeline_id"},
                                     {"pipeline_version_id"},
                                     {"display_name"},
                                     {"name"},
                                     {"description"},
                                     {"created_at", Kind::Time},
                                     {"package_url", Kind::Message, &url_message()},
                                     {"code_source_url"},
                                     {"pipeline_spec", Kind::Struct},
                                     {"error", Kind::Message, &status_message()},
                                     {"tags", Kind::TextMap}}};
    return table;
}

const MessageTable& pipeline_and_version_message() {
    static const MessageTable table{"CreatePipelineAndVersionRequest",
                                    {{"pipeline", Kind::Message, &pipeline_message()},
                                     {"pipeline_version", Kind::Message, &pipeline_version_message()}}};
    return table;
}

const MessageTable& experiment_message() {
    static const MessageTable table{
        "Experiment",
        {{"experiment_id"},
         {"display_name"},
         {"description"},
         {"created_at", Kind::Time},
         {"namespace"},
         {"storage_state", Kind::Word, nullptr, {"STORAGE_STATE_UNSPECIFIED", "AVAILABLE", "ARCHIVED"}},
         {"last_run_created_at", Kind::Time}}};
    return table;
}

const MessageTable& run_message() {
    static const MessageTable history{"RuntimeStatus",
                                      {{"update_time", Kind::Time},
                                       {"state", Kind::Word, nullptr, runtime_states},
                                       {"error", Kind::Message, &status_message()}}};
    static const MessageTable table{
        "Run",
        {{"experiment_id"},
         {"run_id"},
         {"display_name"},
         {"storage_state", Kind::Word, nullptr, {"STORAGE_STATE_UNSPECIFIED", "AVAILABLE", "ARCHIVED"}},
         {"description"},
         {"pipeline_version_id", Kind::Text, nullptr, {}, "pipeline_source"},
         {"pipeline_spec", Kind::Struct, nullptr, {}, "pipeline_source"},
         {"pipeline_version_reference", Kind::Message, &reference_message(), {}, "pipeline_source"},
         {"runtime_config", Kind::Message, &runtime_config_message()},
         {"service_account"},
         {"created_at", Kind::Time},
         {"scheduled_at", Kind::Time},
         {"finished_at", Kind::Time},
         {"state", Kind::Word, nullptr, runtime_states},
         {"error", Kind::Message, &status_message()},
         {"run_details", Kind::Message, &details_message()},
         {"recurring_run_id"},
         {"state_history", Kind::Messages, &history},
         {"plugins_input", Kind::StructMap},
         {"plugins_output", Kind::StructMap}}};
    return table;
}

const MessageTable& recurring_run_message() {
    static const MessageTable table{
        "RecurringRun",
        {{"recurring_run_id"},
         {"display_name"},
         {"description"},
         {"pipeline_version_id", Kind::Text, nullptr, {}, "pipeline_source"},
         {"pipeline_spec", Kind::Struct, nullptr, {}, "pipeline_source"},
         {"pipeline_version_reference", Kind::Message, &reference_message(), {}, "pipeline_source"},
         {"runtime_config", Kind::Message, &runtime_config_message()},
         {"service_account"},
         {"max_concurrency", Kind::Int64},
         {"trigger", Kind::Message, &trigger_message()},
         {"mode", Kind::Word, nullptr, {"MODE_UNSPECIFIED", "ENABLE", "DISABLE"}},
         {"created_at", Kind::Time},
         {"updated_at", Kind::Time},
         {"status", Kind::Word, nullptr, {"STATUS_UNSPECIFIED", "ENABLED", "DISABLED"}},
         {"error", Kind::Message, &status_message()},
         {"no_catchup", Kind::Flag},
         {"namespace"},
         {"experiment_id"},
         {"plugins_input", Kind::StructMap}}};
    return table;
}

const MessageTable& filter_message() {
    static const MessageTable texts{"StringValues", {{"values", Kind::Texts}}};
    static const MessageTable numbers{"LongValues", {{"values", Kind::Numbers}}};
    static const MessageTable predicate{
        "Predicate",
        {{"operation",
          Kind::Word,
          nullptr,
          {"OPERATION_UNSPECIFIED", "EQUALS", "NOT_EQUALS", "GREATER_THAN", "", "GREATER_THAN_EQUALS",
           "LESS_THAN", "LESS_THAN_EQUALS", "IN", "IS_SUBSTRING"}},
         {"key"},
         {"int_value", Kind::Int32, nullptr, {}, "value"},
         {"long_value", Kind::Int64, nullptr, {}, "value"},
         {"string_value", Kind::Text, nullptr, {}, "value"},
         {"timestamp_value", Kind::Time, nullptr, {}, "value"},
         {"int_values", Kind::Message, &numbers, {}, "value"},
         {"long_values", Kind::Message, &numbers, {}, "value"},
         {"string_values", Kind::Message, &texts, {}, "value"}}};
    static const MessageTable table{"Filter", {{"predicates", Kind::Messages, &predicate}}};
    return table;
}

} // namespace weir::facade
