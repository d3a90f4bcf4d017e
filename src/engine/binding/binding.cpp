#include <weir/engine/binding.hpp>

#include <algorithm>

#include <weir/base/json.hpp>
#include <weir/flows/arguments.hpp>

namespace weir::engine {

Result<std::string> bind_parameters(const triggers::CompiledTrigger& trigger,
                                    const std::vector<LeafEvent>& events, triggers::EventView& completing,
                                    const flows::FlowVersion& flow) {
    std::vector<triggers::Used> used;
    used.reserve(events.size());
    for (const auto& event : events)
        used.push_back({event.leaf, event.view});
    WEIR_ASSIGN(arguments, trigger.arguments(used, completing));
    std::string object = "{";
    for (const auto& argument : arguments) {
        auto json = cel::to_json(argument.value);
        if (!json.ok()) return json.error().in("parameter " + argument.name);
        if (object.size() > 1) object += ',';
        append_json_string(object, argument.name);
        object += ':';
        object += *json;
        if (object.size() > flows::argument_bytes_max)
            return exhausted("the parameters are larger than " + std::to_string(flows::argument_bytes_max) +
                             " bytes together");
    }
    object += '}';
    return flows::bind_arguments(flow.parameters, object);
}

void check_binding(const triggers::CompiledTrigger& trigger, const flows::FlowVersion* flow,
                   const std::string& flow_suggestion, Problems& problems) {
    const auto& document = trigger.trigger();
    const auto& launch = document.launch;
    if (flow == nullptr) {
        problems.push_back({launch.place, "unknown flow \"" + launch.flow_team(document.team) + "/" +
                                              launch.flow_name() + "\"" + flow_suggestion +
                                              (flow_suggestion.empty() ? ";" : "") +
                                              " apply the flow's document first or together with this one"});
        return;
    }
    std::vector<std::string_view> names;
    for (const auto& parameter : flow->parameters)
        names.push_back(parameter.name);
    const auto title = flow->team + "/" + flow->flow;
    for (const auto& given : launch.parameters) {
        const auto declared = std::find_if(flow->parameters.begin(), flow->parameters.end(),
                                           [&](const auto& p) { return p.name == given.name; });
        if (declared == flow->parameters.end()) {
            problems.push_back({given.expression.place, "the flow " + title + " has no parameter \"" +
                                                            given.name + "\"" +
                                                            did_you_mean(given.name, names)});
            continue;
        }
        if (!given.constant) continue;
        const auto fits =
            flows::check_value(declared->type, given.constant_json, "parameter \"" + given.name + "\"");
        if (!fits.ok()) problems.push_back({given.expression.place, fits.error().message});
    }
    for (const auto& parameter : flow->parameters) {
        const bool given = std::any_of(launch.parameters.begin(), launch.parameters.end(),
                                       [&](const auto& p) { return p.name == parameter.name; });
        if (!given && !parameter.optional)
            problems.push_back(
                {launch.place, "the flow " + title + " needs the parameter \"" + parameter.name + "\" (" +
                                   std::string(to_string(parameter.type)) + "), which is not given"});
    }
}

} // namespace weir::engine
