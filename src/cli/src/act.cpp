#include <unistd.h>

#include <nlohmann/json.hpp>

#include <weir/base/digest.hpp>
#include <weir/base/ids.hpp>
#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/cli/cli.hpp>

#include "answer.hpp"
#include "commands.hpp"

namespace weir::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t report_bytes_max = 1024 * 1024; // of the route

/// "/v1/triggers/ads/retrain" from "ads/retrain"; a name alone is in the team `default`.
std::string trigger_path(const std::string& target) {
    const auto slash = target.find('/');
    const auto team = slash == std::string::npos ? std::string("default") : target.substr(0, slash);
    const auto name = slash == std::string::npos ? target : target.substr(slash + 1);
    return "/v1/triggers/" + percent_encode(team) + "/" + percent_encode(name);
}

/// Types of a flow's parameters, by name.
Result<std::map<std::string, std::string>> declared_types(Client& client, const std::string& team,
                                                          const std::string& flow) {
    WEIR_ASSIGN(reply, client.get("/v1/flows/" + percent_encode(team) + "/" + percent_encode(flow)));
    WEIR_ASSIGN(object, read_object(reply.body));
    std::map<std::string, std::string> types;
    if (object.contains("parameters") && object["parameters"].is_array()) {
        for (const auto& parameter : object["parameters"])
            types[cell(parameter, "name")] = cell(parameter, "type");
    }
    return types;
}

/// key=value pairs as a JSON object. A string parameter takes its text as it is; any other is JSON.
Result<std::string> parameters_json(const std::vector<std::string>& pairs,
                                    const std::map<std::string, std::string>& types) {
    std::string out = "{";
    for (const auto& pair : pairs) {
        const auto equals = pair.find('=');
        const auto name = pair.substr(0, equals);
        const auto value = pair.substr(equals + 1);
        if (!valid_utf8(pair)) return invalid("the parameter " + printable(name, 60) + " is not UTF-8");
        const auto type = types.find(name);
        const bool is_json = (type == types.end() || type->second != "string") && validate_json(value).ok();
        if (type != types.end() && type->second != "string" && !is_json) {
            return invalid("the parameter " + printable(name, 60) + " is of type " + type->second + "; \"" +
                           printable(value, 60) + "\" is no JSON value of that kind");
        }
        out += (out.size() > 1 ? "," : "") + json_string(name) + ":" + (is_json ? value : json_string(value));
    }
    return out + "}";
}

std::string sentence(const ActOptions& options, const Json& answer) {
    const auto target = printable(options.target);
    if (options.verb == "delete") return "deleted trigger " + target;
    if (options.verb == "pause") return "paused trigger " + target + "; its firings wait";
    if (options.verb == "resume") {
        return "resumed trigger " + target + "; what waited " +
               (options.waiting == "replay" ? "is launched" : "was dropped");
    }
    if (options.verb == "accept-gap")
        return "stream " + target + " is read on, after position " + cell(answer, "position");
    if (options.verb == "replay")
        return "dead letter " + target + " was taken as input " + cell(answer, "replayed_seq");
    const auto outcome = cell(answer, "outcome");
    const auto state = outcome.empty() ? cell(answer, "state") : outcome;
    if (options.verb == "cancel") return "asked run " + target + " to end; it is now " + state;
    return "run " + target + " is tried again: attempt " + cell(answer, "attempt") + " was asked for";
}

} // namespace

Result<int> act(const Environment& environment, const ActOptions& options) {
    WEIR_ASSIGN(client, Client::open(environment));
    const auto reason = R"("reason":)" + json_string(options.reason);
    const auto send = [&]() -> Result<Reply> {
        if (options.verb == "delete")
            return client->remove(trigger_path(options.target), {{"reason", options.reason}});
        if (options.verb == "pause")
            return client->post(trigger_path(options.target) + ":pause", "{" + reason + "}");
        if (options.verb == "resume") {
            return client->post(trigger_path(options.target) + ":resume",
                                R"({"waiting":)" + json_string(options.waiting) + "," + reason + "}");
        }
        if (options.verb == "accept-gap")
            return client->post("/v1/streams/" + percent_encode(options.target) + ":accept-gap",
                                "{" + reason + "}");
        if (options.verb == "replay")
            return client->post("/v1/dead-letters/" + percent_encode(options.target) + ":replay",
                                "{" + reason + "}");
        return client->post("/v1/runs/" + percent_encode(options.target) + ":" + options.verb,
                            "{" + reason + "}");
    };
    WEIR_ASSIGN(reply, send());
    if (options.json) {
        print(reply.body);
        return exit_done;
    }
    WEIR_ASSIGN(answer, read_object(reply.body));
    print(sentence(options, answer) + "\n");
    return exit_done;
}

Result<int> show_dead_letter(const Environment& environment, const ShowOptions& options) {
    WEIR_ASSIGN(client, Client::open(environment));
    WEIR_ASSIGN(reply, client->get("/v1/dead-letters/" + percent_encode(options.target)));
    print(reply.body);
    return exit_done;
}

Result<int> report(const Environment& environment, const ReportOptions& options) {
    std::string body = "{";
    const auto add = [&](std::string_view name, const std::string& value) {
        body += (body.size() > 1 ? "," : "") + json_string(name) + ":" + value;
    };
    if (options.attempt > 0) add("attempt", std::to_string(options.attempt));
    if (!options.outcome.empty()) add("outcome", json_string(options.outcome));
    if (!options.error.empty()) {
        if (!valid_utf8(options.error)) return invalid("--error is not UTF-8");
        add("error", json_string(options.error));
    }
    if (!options.outputs.empty()) {
        auto outputs = options.outputs;
        if (outputs.starts_with('@')) {
            WEIR_ASSIGN(text, read_file(outputs.substr(1), report_bytes_max));
            outputs = std::move(text);
        }
        if (const auto valid = validate_json(outputs); !valid.ok()) return valid.error().in("--outputs");
        if (outputs[outputs.find_first_not_of(" \t\r\n")] != '{')
            return invalid("--outputs: expected a JSON object, {\"name\": value}");
        add("outputs", outputs);
    }
    std::string artifacts;
    for (const auto& pair : options.artifacts) {
        if (!valid_utf8(pair)) return invalid("the artifact " + printable(pair, 60) + " is not UTF-8");
        const auto equals = pair.find('=');
        artifacts +=
            (artifacts.empty() ? "" : ",") + (R"({"name":)" + json_string(pair.substr(0, equals)) +
                                              R"(,"uri":)" + json_string(pair.substr(equals + 1)) + "}");
    }
    if (!artifacts.empty()) add("artifacts", "[" + artifacts + "]");
    WEIR_ASSIGN(client, Client::open(environment));
    WEIR_ASSIGN(reply, client->post("/v1/runs/" + percent_encode(options.run) + "/report", body + "}"));
    if (options.json) {
        print(reply.body);
        return exit_done;
    }
    WEIR_ASSIGN(answer, read_object(reply.body));
    const auto recorded = answer.find("recorded");
    const bool known = recorded != answer.end() && recorded->is_boolean() && !recorded->get<bool>();
    print("run " + printable(options.run) + (known ? ": this was known already" : ": recorded") + "\n");
    return exit_done;
}

Result<int> run_flow(const Environment& environment, const RunOptions& options) {
    WEIR_ASSIGN(client, Client::open(environment));
    const auto slash = options.flow.find('/');
    const auto team = slash == std::string::npos ? std::string("default") : options.flow.substr(0, slash);
    const auto flow = slash == std::string::npos ? options.flow : options.flow.substr(slash + 1);
    std::map<std::string, std::string> types;
    if (!options.parameters.empty()) {
        WEIR_ASSIGN(declared, declared_types(*client, team, flow));
        types = std::move(declared);
    }
    WEIR_ASSIGN(parameters, parameters_json(options.parameters, types));
    // The same request again (a lost answer, a second Enter in a script) must be the same run.
    const auto request_id = options.request_id.empty()
                                ? Uuid::time_led(environment.clock.now(), sha256(random_bytes(16)))
                                      .to_string() // dates the run's id
                                : options.request_id;
    const auto body = R"({"team":)" + json_string(team) + R"(,"flow":)" + json_string(flow) +
                      R"(,"parameters":)" + parameters + R"(,"request_id":)" + json_string(request_id) +
                      R"(,"reason":)" + json_string(options.reason) + "}";
    auto reply = client->post("/v1/runs", body);
    for (int again = 0;
         again < 3 && client->connected() && !reply.ok() && reply.error().kind == ErrorKind::Unavailable;
         ++again) {
        if (environment.interrupt.wait(std::chrono::seconds(1))) break;
        reply = client->post("/v1/runs", body);
    }
    if (!reply.ok()) return reply.error();
    if (options.json) {
        print(reply->body);
        return exit_done;
    }
    WEIR_ASSIGN(answer, read_object(reply->body));
    const auto run = cell(answer, "run");
    print(run + "\n");
    if (environment.stderr_is_terminal)
        note("started " + team + "/" + flow + "; `weir why " + run + "`, `weir logs " + run + " --follow`");
    return exit_done;
}

} // namespace weir::cli
