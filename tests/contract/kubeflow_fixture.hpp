#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <support/catch.hpp>
#include <support/kfp.hpp>

#include <weir/flows/kubeflow/kubeflow_backend.hpp>

#include "launcher_contract.hpp"

namespace weir::contract {

using Json = nlohmann::json;

inline bool holds(const std::string& text, const std::string& part) {
    INFO(text);
    return text.find(part) != std::string::npos;
}

/// Of the test case alone.
class Folder {
  public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
        const auto path = path_ / name;
        std::ofstream(path) << text;
        return path.string();
    }

  private:
    std::filesystem::path path_;
};

/// IR of a pipeline of one task, with parameters "name: TYPE" (required) or "name: TYPE?" (optional).
inline std::string pipeline_ir(const std::string& name,
                               const std::vector<std::pair<std::string, std::string>>& parameters = {}) {
    std::string inputs;
    for (auto [parameter, type] : parameters) {
        const bool optional = type.ends_with('?');
        if (optional) type.pop_back();
        inputs += (inputs.empty() ? "" : ", ") + parameter + ": {parameterType: " + type +
                  (optional ? ", isOptional: true" : "") + "}";
    }
    return "schemaVersion: 2.1.0\nsdkVersion: kfp-2.17.0\npipelineInfo: {name: " + name +
           "}\n"
           "deploymentSpec: {executors: {exec: {container: {image: none, command: [\"true\"]}}}}\n"
           "components: {comp: {executorLabel: exec}}\n"
           "root:\n" +
           (inputs.empty() ? "" : "  inputDefinitions: {parameters: {" + inputs + "}}\n") +
           "  dag: {tasks: {task: {taskInfo: {name: task}, componentRef: {name: comp}}}}\n";
}

inline flows::FlowVersion kubeflow_flow(const std::string& name, const std::string& settings = {}) {
    flows::FlowVersion flow;
    flow.team = "ads";
    flow.flow = name;
    flow.version = "0123456789ab";
    flow.backend = "kubeflow";
    flow.settings_json = settings.empty() ? Json{{"pipeline", name}}.dump() : settings;
    return flow;
}

/// Short waits; a binding for every team.
inline flows::kubeflow::KubeflowOptions kubeflow_options(const std::string& url) {
    using std::chrono::milliseconds;
    flows::kubeflow::KubeflowOptions options;
    options.url = url;
    options.bindings["*"] = {};
    options.bindings["*"].experiment = "weir";
    options.timeouts.retry_min = milliseconds(20);
    options.timeouts.retry_max = milliseconds(200);
    options.timeouts.resolve_cache = milliseconds(0);
    options.watch.interval = milliseconds(50);
    options.watch.places_interval = milliseconds(50);
    options.watch.requests_per_second = 200;
    options.watch.lost_after = milliseconds(200);
    options.seed = 1;
    return options;
}

/// One server, and the backend on it.
class KubeflowRig {
  public:
    explicit KubeflowRig(std::vector<std::string> arguments = {}) : kfp(std::move(arguments)) {
        options = kubeflow_options(kfp.url());
    }
    /// Opens the backend with `options`.
    Caller& open() {
        caller_.reset();
        auto opened = flows::kubeflow::open_kubeflow_backend(clock, options);
        INFO((opened.ok() ? "" : opened.error().message));
        REQUIRE(opened.ok());
        backend = std::move(*opened);
        caller_ = std::make_unique<Caller>(Backend{backend, backend.get(), backend.get(), backend.get()});
        return *caller_;
    }
    Json get(const std::string& name) { return Json::parse(kfp.get(name)); }
    Json post(const std::string& name, const Json& body) { return Json::parse(kfp.post(name, body.dump())); }
    void fault(const Json& fault) { post("faults", fault); }
    void clear() { post("faults/clear", Json::object()); }
    std::string upload(const std::string& name, const std::string& ir) {
        const auto answer = Json::parse(kfp.upload(name, ir));
        return answer.value("pipeline_id", "");
    }
    std::size_t created(RunId run) {
        return get("strays?run_id=" + run.to_string()).at("created").get<std::size_t>();
    }
    std::size_t strays() { return get("strays").at("total").get<std::size_t>(); }
    Json run(RunId id) { return Json::parse(kfp.call("GET", "/apis/v2beta1/runs/" + id.to_string())); }

    SystemClock clock;
    support::ScriptedKfp kfp;
    flows::kubeflow::KubeflowOptions options;
    std::shared_ptr<flows::kubeflow::KubeflowBackend> backend;

  private:
    std::unique_ptr<Caller> caller_;
};

/// Waits until something outside of this process's reports has happened.
inline void until(const std::function<bool()>& happened) {
    std::mutex mutex;
    std::condition_variable changed;
    std::unique_lock lock(mutex);
    while (!happened())
        changed.wait_for(lock, std::chrono::milliseconds(5));
}

/// A launch whose deadline is near, so that waiting ends soon.
inline flows::LaunchRequest soon(flows::LaunchRequest request, Duration within = std::chrono::seconds(2)) {
    request.deadline = SystemClock().now() + within;
    return request;
}

} // namespace weir::contract
