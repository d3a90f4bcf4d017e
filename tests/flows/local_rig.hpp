#pragma once

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>

#include <weir/base/digest.hpp>
#include <weir/flows/local/local_backend.hpp>

#include "../contract/launcher_contract.hpp"
#include "folder.hpp"

// A local backend on a fresh folder, and pipelines of shell scripts for it.
namespace weir::test {

namespace local = flows::local;
using contract::Caller;
using contract::request_of;
using flows::FlowVersion;
using flows::LaunchAnswer;
using flows::RunReport;

/// A flow whose executor `exec` is `sh -c SCRIPT` with the arguments given, each a string of YAML's flow
/// style.
inline FlowVersion flow_of(const std::string& pipeline, const std::string& settings = "{}") {
    FlowVersion flow;
    flow.team = "ads";
    flow.flow = "train";
    flow.version = to_hex(sha256(pipeline + settings)).substr(0, 12);
    flow.backend = "local";
    flow.pipeline = pipeline;
    flow.settings_json = settings;
    return flow;
}

/// One task for each script, in a row (each waits for the one before).
inline std::string chain(const std::vector<std::pair<std::string, std::string>>& scripts,
                         const std::string& task_rest = "") {
    std::string executors;
    std::string components;
    std::string tasks;
    std::string before;
    for (const auto& [name, script] : scripts) {
        executors +=
            "    exec-" + name + ": {container: {image: none, command: [sh, -c, '" + script + "']}}\n";
        components += "  comp-" + name + ": {executorLabel: exec-" + name + "}\n";
        tasks += "      " + name + ": {componentRef: {name: comp-" + name + "}" +
                 (before.empty() ? "" : ", dependentTasks: [" + before + "]") + task_rest + "}\n";
        before = name;
    }
    return "schemaVersion: 2.1.0\npipelineInfo: {name: chain}\ndeploymentSpec:\n  executors:\n" + executors +
           "components:\n" + components + "root:\n  dag:\n    tasks:\n" + tasks;
}

inline std::shared_ptr<local::LocalBackend> open(const std::filesystem::path& folder,
                                                 local::Supervisor& supervisor, const Clock& clock,
                                                 std::size_t tasks_max = 4) {
    local::LocalSettings settings;
    settings.folder = folder;
    settings.tasks_max = tasks_max;
    settings.kill_grace = std::chrono::milliseconds(200);
    auto opened = local::LocalBackend::open(settings, supervisor, clock);
    INFO((opened.ok() ? "" : opened.error().message));
    REQUIRE(opened.ok());
    return std::move(*opened);
}

inline contract::Backend ports(const std::shared_ptr<local::LocalBackend>& backend) {
    return {backend, backend.get(), backend.get(), backend.get()};
}

struct Fixture {
    Folder folder;
    SystemClock clock;
    Result<local::Supervisor> supervisor = local::Supervisor::start();
    Caller caller{ports(open(folder.path() / "backend", *supervisor, clock))};

    RunReport run(const FlowVersion& flow, const std::string& arguments = "{}",
                  const std::string& name = "run") {
        auto request = request_of(flow, name);
        request.arguments_json = arguments;
        const auto reply = caller.launch(request);
        INFO(reply.reason);
        REQUIRE(reply.answer == LaunchAnswer::Accepted);
        caller.watch(request.run);
        return caller.settled(request.run);
    }
};

inline void wait_for_text(const Folder& folder, const std::string& file, const std::string& text) {
    for (int i = 0; i < 6'000 && folder.read(file) != text; ++i)
        ::poll(nullptr, 0, 10);
    REQUIRE(folder.read(file) == text);
}

} // namespace weir::test
