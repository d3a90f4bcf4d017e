// Runs tests/data/flows/everything.yaml, compiled by the real SDK, as weir would. Needs the network once, for
// the Python environment.
#include <weir/flows/local/local_backend.hpp>

#include <fstream>
#include <sstream>

#include <unistd.h>

#include <weir/flows/arguments.hpp>
#include <weir/flows/ir.hpp>

#include "../contract/launcher_contract.hpp"
#include "folder.hpp"

using namespace weir;
using namespace weir::flows;

TEST_CASE("a pipeline with everything in it, compiled by kfp", "[local][python]") {
    const test::Folder folder;
    auto supervisor = local::Supervisor::start();
    REQUIRE(supervisor.ok());
    const SystemClock clock;
    std::ifstream file(WEIR_TEST_DATA "/flows/everything.yaml");
    std::stringstream text;
    text << file.rdbuf();
    Problems problems;
    const auto pipeline = ir::read_pipeline(text.str(), "everything.yaml", problems);
    for (const Problem& problem : problems)
        UNSCOPED_INFO(problem.to_string());
    REQUIRE(pipeline);
    FlowVersion flow;
    flow.team = "team";
    flow.flow = "everything";
    flow.version = "1";
    flow.backend = "local";
    flow.pipeline = text.str();
    flow.parameters = ir::declared_parameters(*pipeline);
    local::LocalSettings settings;
    settings.folder = folder.path() / "backend";
    if (const char* environments = std::getenv("WEIR_TEST_ENVIRONMENTS"))
        settings.environments = environments;
    auto opened = local::LocalBackend::open(settings, *supervisor, clock);
    REQUIRE(opened.ok());
    const std::shared_ptr<local::LocalBackend> backend = std::move(*opened);
    contract::Caller caller({backend, backend.get(), backend.get(), backend.get()});
    const auto run = [&](const std::string& name, const std::string& more) {
        auto request = contract::request_of(flow, name);
        const auto place = folder.path() / name;
        std::filesystem::create_directories(place);
        const auto arguments =
            bind_arguments(flow.parameters, "{\"folder\":\"" + place.string() + "\"" + more + "}");
        REQUIRE(arguments.ok());
        request.arguments_json = *arguments;
        REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
        caller.watch(request.run);
        return caller.settled(request.run);
    };

    const RunReport good = run("good", "");
    INFO(good.error);
    CHECK(good.outcome == Outcome::Succeeded);
    CHECK(good.outputs_json == R"({"report":"SOME TEXT 14 2 3 there in the end","size":33})");
    REQUIRE(good.outputs.size() == 2);
    CHECK(good.outputs[0].name == "load.data");
    CHECK(good.outputs[0].type == "system.Dataset");
    CHECK(good.outputs[0].metadata_json == R"({"rows":3})");
    CHECK(folder.read("good/status") == "SUCCEEDED exit-handler-1 None");

    const RunReport other =
        run("other", R"(,"label":"right","loud":false,"numbers":[],"rows":7,"share":0.5)");
    INFO(other.error);
    CHECK(other.outputs_json == R"({"report":"some text 0 2 7 there in the end","size":32})");

    const RunReport failed = run("failed", R"(,"fail":true)");
    CHECK(failed.outcome == Outcome::Failed);
    CHECK(failed.error == "exit-handler-1/fail-if: exit status 1: ValueError: asked to fail");
    CHECK(folder.read("failed/status").starts_with("FAILED exit-handler-1 Task exit-handler-1 failed"));

    // 200 KB in a parameter: by a file for Python components, a clear error for a command.
    const RunReport large = run("large", ",\"text\":\"" + std::string(200'000, 'x') + "\"");
    CHECK(large.outcome == Outcome::Failed);
    CHECK(large.error.starts_with("count: an argument of 2000"));
}
