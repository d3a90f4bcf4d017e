#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include <support/catch.hpp>

#include <weir/base/document.hpp>
#include <weir/engine/binding.hpp>
#include <weir/flows/document.hpp>
#include <weir/triggers/compiled.hpp>
#include <weir/triggers/document.hpp>

using namespace weir;
namespace fs = std::filesystem;

namespace {

fs::path source_root() {
    return WEIR_SOURCE_ROOT;
}

Result<std::string> read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return not_found("cannot read " + path.string());
    return std::string(std::istreambuf_iterator<char>(file), {});
}

/// Every YAML or JSON file in a folder, without those of its folders.
std::vector<fs::path> documents_in(const fs::path& folder) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const auto end = entry.path().extension();
        if (entry.is_regular_file() && (end == ".yaml" || end == ".json")) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::string text_of(const Problems& problems) {
    std::string text;
    for (const auto& problem : problems)
        text += problem.to_string() + "\n";
    return text;
}

struct Loaded {
    std::map<std::string, flows::FlowVersion> flows;
    std::vector<std::shared_ptr<const triggers::CompiledTrigger>> triggers;
};

/// Reads and compiles everything in a folder of examples; any problem fails the test.
Loaded load(const fs::path& folder) {
    Loaded loaded;
    for (const auto& path : documents_in(folder)) {
        INFO(path.string());
        Problems problems;
        const auto text = read_file(path);
        REQUIRE(text.ok());
        const auto loader = [&](const std::string& name) { return read_file(path.parent_path() / name); };
        for (const auto& document : read_documents(*text, path.filename().string(), problems)) {
            if (triggers::is_trigger(document)) {
                const auto trigger = triggers::read_trigger(document, problems);
                if (trigger) loaded.triggers.push_back(triggers::compile(*trigger, problems));
            } else if (const auto flow = flows::read_flow(document, loader, problems)) {
                loaded.flows.emplace(flow->team + "/" + flow->flow, *flow);
            }
        }
        INFO(text_of(problems));
        REQUIRE(problems.empty());
    }
    return loaded;
}

/// What there is to say against the triggers' launches of these flows.
std::string binding_problems(const Loaded& loaded) {
    Problems problems;
    for (const auto& trigger : loaded.triggers) {
        const auto& document = trigger->trigger();
        const auto name = document.launch.flow_team(document.team) + "/" + document.launch.flow_name();
        const auto flow = loaded.flows.find(name);
        engine::check_binding(*trigger, flow == loaded.flows.end() ? nullptr : &flow->second, "", problems);
    }
    return text_of(problems);
}

} // namespace

TEST_CASE("the chain of flows loads, and its triggers fit its flows") {
    auto loaded = load(source_root() / "flows" / "examples");
    CHECK(loaded.flows.size() == 6);
    CHECK(loaded.triggers.size() == 6);
    CHECK(binding_problems(loaded).empty());

    SECTION("a flow that is not there is seen") {
        loaded.flows.erase("demo/train");
        CHECK(binding_problems(loaded).find("train") != std::string::npos);
    }
    SECTION("a parameter that is not there is seen") {
        loaded.flows.at("demo/train").parameters.pop_back();
        CHECK(!binding_problems(loaded).empty());
    }
}

TEST_CASE("the flows of a Kubeflow server load, and their triggers fit them") {
    const auto loaded = load(source_root() / "flows" / "examples-kubeflow");
    CHECK(loaded.flows.size() == 2);
    CHECK(loaded.triggers.size() == 2);
    CHECK(binding_problems(loaded).empty());
    CHECK(loaded.flows.at("demo/features").parameters.size() == 3);
}

TEST_CASE("every example of a trigger loads") {
    const auto loaded = load(source_root() / "triggers" / "examples");
    CHECK(!loaded.triggers.empty());
}

TEST_CASE("every pipeline of the examples belongs to a flow document") {
    const auto folder = source_root() / "flows" / "examples";
    const auto flows = read_file(folder / "flows.yaml");
    REQUIRE(flows.ok());
    for (const auto& pipeline : documents_in(folder / "pipelines")) {
        INFO(pipeline.string());
        CHECK(flows->find("pipeline: pipelines/" + pipeline.filename().string() + "\n") != std::string::npos);
    }
}
