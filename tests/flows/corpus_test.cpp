// Runs the compiled pipelines of the conformance set (WEIR_CONFORMANCE/kfp-ir) and compares what comes of
// them with what is written beside them. Needs the network once, for the Python environments.
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>
#include <weir/base/digest.hpp>
#include <weir/flows/arguments.hpp>
#include <weir/flows/ir.hpp>
#include <weir/flows/local/local_backend.hpp>

#include "folder.hpp"

using namespace weir;
using namespace weir::flows;
using Json = nlohmann::json;

namespace {

struct Case {
    std::string file;
    Json expected;
    std::shared_ptr<const ir::Pipeline> pipeline;
    bool as_subprocess = false; ///< expectations of `container_as_subprocess`
};

/// Why a case is not run, or nothing.
std::string left_out(const Json& line) {
    const std::string outcome = line.at("outcome");
    const std::string cause = line.value("failure_cause", "");
    if (outcome == "success" || cause == "intended") return {};
    if (line.contains("container_as_subprocess") &&
        line["container_as_subprocess"].at("outcome") == "success")
        return {};
    return outcome + (cause.empty() ? "" : "/" + cause);
}

bool same_value(const Json& a, const Json& b) {
    if (a.is_number() && b.is_number()) return a.get<double>() == b.get<double>();
    if (a.is_array() && b.is_array()) {
        if (a.size() != b.size()) return false;
        for (std::size_t i = 0; i < a.size(); ++i)
            if (!same_value(a[i], b[i])) return false;
        return true;
    }
    if (a.is_object() && b.is_object()) {
        if (a.size() != b.size()) return false;
        for (const auto& [key, value] : a.items())
            if (!b.contains(key) || !same_value(value, b[key])) return false;
        return true;
    }
    return a == b;
}

/// The values of `inputs` with placeholders of the set replaced.
Json arguments_of(const Json& line, const std::filesystem::path& folder) {
    Json arguments = line.value("inputs", Json::object());
    // Files that pipelines are to make are made here, not where the set's maker made them.
    for (auto& [name, value] : arguments.items())
        if (name.ends_with("_path")) value = (folder / name).string();
    return arguments;
}

/// The component a task's path leads to; loops add ".N" to a name. Empty for DAGs and importers.
std::string component_of(const ir::Pipeline& pipeline, std::string_view path) {
    const ir::Component* at = &pipeline.root;
    while (at->dag && !path.empty()) {
        const std::size_t slash = path.find('/');
        std::string name(path.substr(0, slash));
        path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
        auto task = at->dag->tasks.find(name);
        if (task == at->dag->tasks.end()) task = at->dag->tasks.find(name.substr(0, name.rfind('.')));
        if (task == at->dag->tasks.end()) return {};
        at = &pipeline.components.at(task->second.component);
    }
    // The set lists what an executor ran; importers run nothing.
    const bool listed = !at->dag && pipeline.executors.at(at->executor).kind != ir::Executor::Kind::Importer;
    return listed ? at->name : std::string();
}

/// Statuses by component, each as often as it stands there: "comp-a SUCCESS".
std::string compare_tasks(const Case& one, const std::vector<TaskRecord>& tasks) {
    const Json& from = one.as_subprocess ? one.expected["container_as_subprocess"] : one.expected;
    if (!from.contains("tasks") || one.expected.contains("nondeterministic_source")) return {};
    std::multiset<std::string> wanted;
    std::multiset<std::string> got;
    for (const Json& task : from["tasks"])
        wanted.insert(task.at("component").get<std::string>() + " " + task.at("status").get<std::string>());
    for (const TaskRecord& task : tasks) {
        const std::string component = component_of(*one.pipeline, task.name);
        if (component.empty() || task.state == TaskState::Skipped) continue;
        const int runs = task.attempt;
        for (int i = 1; i < runs; ++i)
            got.insert(component + " FAILURE");
        got.insert(component + (task.state == TaskState::Succeeded ? " SUCCESS" : " FAILURE"));
    }
    std::string difference;
    for (const std::string& entry : wanted)
        if (wanted.count(entry) != got.count(entry)) difference += " -" + entry;
    for (const std::string& entry : got)
        if (wanted.count(entry) != got.count(entry)) difference += " +" + entry;
    return difference.empty() ? "" : "tasks differ:" + difference;
}

std::string compare(const Case& one, const RunReport& got) {
    const Json& expected = one.expected;
    const std::string outcome = one.as_subprocess ? "success" : expected.at("outcome").get<std::string>();
    const Outcome wanted = outcome == "success" ? Outcome::Succeeded : Outcome::Failed;
    if (got.outcome != wanted)
        return "ended " + std::string(to_string(got.outcome)) + " instead of " + outcome + ": " + got.error;
    if (wanted == Outcome::Failed || expected.contains("nondeterministic_source")) return {};
    const Json outputs = Json::parse(got.outputs_json);
    const Json& from = one.as_subprocess ? expected["container_as_subprocess"] : expected;
    const Json expected_outputs = from.value("outputs", Json::object());
    for (const auto& [name, value] : expected_outputs.items()) {
        if (value.is_object() && value.contains("artifact")) continue;
        if (value.is_string() && value.get<std::string>().find('<') != std::string::npos)
            continue; // <path>...
        if (!outputs.contains(name)) return "the output " + name + " is missing";
        if (!same_value(value, outputs[name]))
            return "the output " + name + " is " + outputs[name].dump() + " instead of " + value.dump();
    }
    return {};
}

/// The set, run through one backend.
class Corpus {
  public:
    Corpus(std::filesystem::path set, local::LocalBackend& backend, std::filesystem::path folder)
        : set_(std::move(set)), backend_(backend), folder_(std::move(folder)) {
        backend_.on_report([this](RunReport report) {
            if (!report.settled) return;
            std::lock_guard lock(mutex_);
            settled_.emplace(report.run, std::move(report));
            --open_;
            changed_.notify_all();
        });
    }

    /// Launches a case, or says why not.
    void add(const Json& json) {
        const std::string file = json.at("file");
        if (const std::string why = left_out(json); !why.empty()) {
            std::cout << "nothing to compare with: " << file << ": " << why << "\n";
            ++left_out_;
            return;
        }
        std::ifstream text(set_ / "yaml" / file);
        std::stringstream content;
        content << text.rdbuf();
        Problems problems;
        auto pipeline = ir::read_pipeline(content.str(), file, problems);
        if (!pipeline) return fail(file, problems.front().to_string());
        auto flow = std::make_shared<FlowVersion>();
        flow->team = "corpus";
        flow->flow = file;
        flow->version = to_hex(sha256(content.str())).substr(0, 12);
        flow->backend = "local";
        flow->pipeline = content.str();
        flow->parameters = ir::declared_parameters(*pipeline);
        const std::filesystem::path files = folder_ / flow->version;
        std::filesystem::create_directories(files);
        const auto arguments = bind_arguments(flow->parameters, arguments_of(json, files).dump());
        if (!arguments.ok()) return fail(file, arguments.error().message);
        LaunchRequest request;
        request.run = RunId{Uuid::time_led(clock_.now(), sha256(file))};
        request.flow = flow;
        request.arguments_json = *arguments;
        request.created = clock_.now();
        request.deadline = clock_.now() + std::chrono::hours(1);
        cases_[request.run] = {file, json, std::make_shared<const ir::Pipeline>(std::move(*pipeline)),
                               json.at("outcome") == "not_run"};
        launch(std::move(request));
    }

    /// Waits for all and says what came of them. True if nothing failed.
    bool finish() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return open_ == 0; });
        for (const auto& [run, reason] : refused_)
            fail(cases_[run].file, "refused: " + reason);
        for (const auto& [run, report] : settled_) {
            std::string why = compare(cases_[run], report);
            if (why.empty())
                if (const auto tasks = backend_.tasks(run); tasks.ok())
                    why = compare_tasks(cases_[run], *tasks);
            if (!why.empty()) fail(cases_[run].file, why);
        }
        // Where the recorded run itself did not get to a result there is no case.
        std::cout << left_out_ << " pipelines have no recorded result\n"
                  << cases_.size() - failed_ << " passed, " << failed_ << " failed" << std::endl;
        return failed_ == 0;
    }

  private:
    void launch(LaunchRequest request) {
        {
            std::lock_guard lock(mutex_);
            ++open_;
        }
        const RunId run = request.run;
        backend_.launch(std::move(request), [this, run](LaunchReply reply) {
            if (reply.answer == LaunchAnswer::Accepted) return backend_.watch(run);
            std::lock_guard lock(mutex_);
            refused_[run] = reply.reason;
            --open_;
            changed_.notify_all();
        });
    }
    void fail(const std::string& file, const std::string& why) {
        std::cout << "FAILED " << file << ": " << why << std::endl;
        ++failed_;
    }

    const std::filesystem::path set_;
    local::LocalBackend& backend_;
    const std::filesystem::path folder_;
    const SystemClock clock_;
    std::map<RunId, Case> cases_;
    std::size_t left_out_ = 0;
    std::size_t failed_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<RunId, RunReport> settled_;
    std::map<RunId, std::string> refused_;
    std::size_t open_ = 0;
};

} // namespace

/// Takes part of a file's name, to run only those.
int main(int argc, char** argv) {
    auto supervisor = local::Supervisor::start();
    if (!supervisor.ok()) return 1;
    const char* root = std::getenv("WEIR_CONFORMANCE");
    const std::filesystem::path set =
        std::filesystem::path(root ? root : WEIR_CONFORMANCE_DEFAULT) / "kfp-ir";
    std::ifstream lines(set / "visible.jsonl");
    if (!lines) {
        std::cout << "no conformance set at " << set << ": nothing to compare with\n";
        return 0;
    }
    const SystemClock clock;
    const test::Folder folder;
    local::LocalSettings settings;
    settings.folder = folder.path() / "backend";
    settings.tasks_max = 2;
    if (const char* environments = std::getenv("WEIR_TEST_ENVIRONMENTS"))
        settings.environments = environments;
    settings.progress = [](std::string line) { std::cout << line << std::endl; };
    auto backend = local::LocalBackend::open(settings, *supervisor, clock);
    if (!backend.ok()) {
        std::cout << backend.error().message << "\n";
        return 1;
    }
    Corpus corpus(set, **backend, folder.path());
    for (std::string line; std::getline(lines, line);) {
        const Json json = Json::parse(line);
        if (argc < 2 || json.at("file").get<std::string>().find(argv[1]) != std::string::npos)
            corpus.add(json);
    }
    const bool good = corpus.finish();
    (*backend)->close();
    return good ? 0 : 1;
}
