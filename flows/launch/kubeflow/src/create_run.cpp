#include "create_run.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>

#include "parameters.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t text_max = 255; // varchar(255): longer makes a stray workflow
constexpr std::size_t name_max = 128; // of pipelines and experiments
constexpr std::string_view fallback = "{flow} {time}";

Status check_text(const std::string& text, std::string_view field, std::size_t length) {
    if (const auto point = beyond_plane(text); !point.empty())
        return invalid("`" + std::string(field) + "` of the flow holds the character " + point +
                       ", which the server's database may not take");
    if (cut_text(text, length).size() != text.size())
        return invalid("`" + std::string(field) + "` of the flow is longer than " + std::to_string(length) +
                       " characters");
    return {};
}

std::string member_text(const nlohmann::json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace

Result<Target> read_target(const FlowVersion& flow) {
    const auto json =
        nlohmann::json::parse(flow.settings_json.empty() ? "{}" : flow.settings_json, nullptr, false);
    if (!json.is_object()) return corrupt("the settings of the flow cannot be read");
    Target target;
    target.pipeline = member_text(json, "pipeline");
    target.version = member_text(json, "version");
    target.experiment = member_text(json, "experiment");
    target.display_name = member_text(json, "display_name");
    if (target.pipeline.empty() && flow.pipeline.find('\n') == std::string::npos)
        target.pipeline = flow.pipeline;
    if (target.pipeline.empty())
        return invalid("the flow names no pipeline; `pipeline:` takes its name or id on the server");
    WEIR_TRY(check_text(target.pipeline, "pipeline", name_max));
    WEIR_TRY(check_text(target.version, "version", text_max));
    WEIR_TRY(check_text(target.experiment, "experiment", name_max));
    WEIR_TRY(check_text(target.display_name, "display_name", text_max));
    return target;
}

const Binding* find_binding(const KubeflowOptions& options, std::string_view team) {
    auto found = options.bindings.find(std::string(team));
    if (found == options.bindings.end()) found = options.bindings.find("*");
    return found == options.bindings.end() ? nullptr : &found->second;
}

Result<std::string> experiment_of(const Binding& binding, const Target& target) {
    if (!target.experiment.empty() && target.experiment != binding.experiment) {
        const auto& allowed = binding.experiments;
        const bool may = std::any_of(allowed.begin(), allowed.end(), [&](const std::string& name) {
            return name == "*" || name == target.experiment;
        });
        if (!may)
            return Error{ErrorKind::Denied,
                         "the team's binding does not let its flows choose the experiment \"" +
                             printable(target.experiment, 140) + "\""};
        return target.experiment;
    }
    if (!binding.experiment.empty()) return binding.experiment;
    // A server for many users takes no run without one.
    return std::string(binding.namespace_.empty() ? "" : "Default");
}

std::string display_name_of(const std::string& pattern, const LaunchRequest& request) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(request.created);
    const std::string time = format_rfc3339(seconds);
    const std::pair<std::string_view, std::string> fields[] = {
        {"{team}", request.flow->team},
        {"{flow}", request.flow->flow},
        {"{version}", request.flow->version},
        {"{run}", request.run.to_string()},
        {"{time}", time},
        {"{decision}", request.decision.to_string()},
        {"{date}", time.substr(0, 10)},
    };
    std::string name;
    for (std::size_t at = 0; at < pattern.size();) {
        const auto* field = std::find_if(std::begin(fields), std::end(fields), [&](const auto& one) {
            return pattern.compare(at, one.first.size(), one.first) == 0;
        });
        if (field == std::end(fields)) {
            name += pattern[at++];
        } else {
            name += field->second;
            at += field->first.size();
        }
    }
    name = cut_text(name, text_max);
    // An empty name is the server's 500.
    if (name.find_first_not_of(" \t") == std::string::npos)
        return display_name_of(std::string(fallback), request);
    return name;
}

std::string description_of(const LaunchRequest& request) {
    MachineLine line;
    line.decision = request.decision.to_string();
    line.flow = request.flow->team + "/" + request.flow->flow;
    line.version = request.flow->version;
    const std::string machine = machine_line(line);
    const std::string person = "Launched by weir; why: weir why " + request.run.to_string() + "\n";
    return person.size() + machine.size() <= text_max ? person + machine : machine;
}

std::string run_body(const RunBody& run) {
    nlohmann::ordered_json body;
    body["run_id"] = run.request.run.to_string();
    const std::string& pattern =
        run.target.display_name.empty() ? run.binding.display_name : run.target.display_name;
    body["display_name"] = display_name_of(pattern, run.request);
    body["description"] = description_of(run.request);
    if (!run.experiment_id.empty()) body["experiment_id"] = run.experiment_id;
    body["pipeline_version_reference"] = {{"pipeline_id", run.pipeline_id},
                                          {"pipeline_version_id", run.version_id}};
    if (!run.binding.service_account.empty()) body["service_account"] = run.binding.service_account;
    if (run.plugins)
        body["plugins_input"]["weir"] = {{"decision", run.request.decision.to_string()},
                                         {"flow", run.request.flow->team + "/" + run.request.flow->flow},
                                         {"version", run.request.flow->version}};
    if (!run.binding.pipeline_root.empty())
        body["runtime_config"]["pipeline_root"] = run.binding.pipeline_root;
    std::string text = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    // The arguments go as they were checked, digit for digit.
    if (!run.binding.pipeline_root.empty()) {
        const std::string before = "\"runtime_config\":{";
        text.insert(text.rfind(before) + before.size(), "\"parameters\":" + run.request.arguments_json + ",");
    } else {
        text.pop_back();
        text += ",\"runtime_config\":{\"parameters\":" + run.request.arguments_json + "}}";
    }
    return text;
}

bool takes_plugins(std::string_view server_version) {
    int part[2] = {0, 0};
    std::size_t at = server_version.starts_with('v') ? 1 : 0;
    for (int& number : part) {
        const auto begin = at;
        while (at < server_version.size() && server_version[at] >= '0' && server_version[at] <= '9' &&
               at - begin < 6)
            number = number * 10 + (server_version[at++] - '0');
        if (at == begin || at >= server_version.size() || server_version[at] != '.') return false;
        ++at;
    }
    return part[0] > 2 || (part[0] == 2 && part[1] >= 17);
}

bool equal_json(std::string_view one, std::string_view other) {
    const auto left = nlohmann::json::parse(one, nullptr, false);
    const auto right = nlohmann::json::parse(other, nullptr, false);
    return !left.is_discarded() && !right.is_discarded() && left == right;
}

std::string difference(const RunView& found, const LaunchRequest& request) {
    const MachineLine line = read_machine_line(found.description);
    if (line.decision != request.decision.to_string())
        return line.decision.empty() ? "its description names no decision of weir"
                                     : "it is of the decision " + printable(line.decision, 60);
    if (line.version != request.flow->version)
        return "it is of the flow's version " + printable(line.version, 60);
    if (!equal_json(found.arguments_json, request.arguments_json)) return "it has other parameters";
    return {};
}

} // namespace weir::flows::kubeflow
