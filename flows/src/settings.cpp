#include "settings.hpp"

#include <nlohmann/json.hpp>

namespace weir::flows {

std::string write_settings(const FlowSettings& settings) {
    const FlowSettings defaults;
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    if (!settings.description.empty()) out["description"] = settings.description;
    for (const auto& [name, value] : settings.labels)
        out["labels"][name] = value;
    if (settings.on_restart == FlowSettings::OnRestart::Fail) out["on_restart"] = "fail";
    if (settings.timeout.count() > 0) out["timeout"] = format_duration(settings.timeout);
    if (settings.task_timeout.count() > 0) out["task_timeout"] = format_duration(settings.task_timeout);
    for (const auto& [name, value] : settings.env)
        out["env"][name] = value;
    for (const std::string& name : settings.env_pass)
        out["env_pass"].push_back(name);
    if (settings.log_bytes_max != defaults.log_bytes_max) out["log_bytes_max"] = settings.log_bytes_max;
    if (settings.memory_bytes_max > 0) out["memory_bytes_max"] = settings.memory_bytes_max;
    if (settings.parallel > 0) out["parallel"] = settings.parallel;
    if (settings.settle_after.count() > 0) out["settle_after"] = format_duration(settings.settle_after);
    if (settings.outcome == Outcome::Failed) out["outcome"] = "failed";
    if (settings.outputs_json != defaults.outputs_json)
        out["outputs"] = nlohmann::ordered_json::parse(settings.outputs_json);
    if (settings.reports) out["reports"] = true;
    if (!settings.pipeline.empty()) out["pipeline"] = settings.pipeline;
    if (!settings.version.empty()) out["version"] = settings.version;
    if (!settings.experiment.empty()) out["experiment"] = settings.experiment;
    if (!settings.display_name.empty()) out["display_name"] = settings.display_name;
    return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<FlowSettings> read_settings(std::string_view settings_json) {
    try {
        const auto in = nlohmann::ordered_json::parse(settings_json);
        FlowSettings settings;
        const auto duration = [&](const char* name) {
            const auto read = parse_duration(in.value(name, "0s"));
            return read.ok() ? *read : Duration(0);
        };
        settings.description = in.value("description", "");
        if (in.contains("labels"))
            for (const auto& [name, value] : in["labels"].items())
                settings.labels.emplace_back(name, value);
        if (in.value("on_restart", "resume") == "fail") settings.on_restart = FlowSettings::OnRestart::Fail;
        settings.timeout = duration("timeout");
        settings.task_timeout = duration("task_timeout");
        if (in.contains("env"))
            for (const auto& [name, value] : in["env"].items())
                settings.env.emplace_back(name, value);
        if (in.contains("env_pass")) settings.env_pass = in["env_pass"].get<std::vector<std::string>>();
        settings.log_bytes_max = in.value("log_bytes_max", settings.log_bytes_max);
        settings.memory_bytes_max = in.value("memory_bytes_max", settings.memory_bytes_max);
        settings.parallel = in.value("parallel", settings.parallel);
        settings.settle_after = duration("settle_after");
        if (in.value("outcome", "succeeded") == "failed") settings.outcome = Outcome::Failed;
        if (in.contains("outputs")) settings.outputs_json = in["outputs"].dump();
        settings.reports = in.value("reports", false);
        settings.pipeline = in.value("pipeline", "");
        settings.version = in.value("version", "");
        settings.experiment = in.value("experiment", "");
        settings.display_name = in.value("display_name", "");
        return settings;
    } catch (const std::exception& error) {
        return corrupt(std::string("a flow's settings cannot be read: ") + error.what());
    }
}

} // namespace weir::flows
