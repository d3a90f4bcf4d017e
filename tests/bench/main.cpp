#include <cstdio>
#include <functional>
#include <iostream>
#include <map>

#include <CLI/CLI.hpp>

#include "bench.hpp"

namespace {

using namespace weir;
using Mode = std::function<Result<bench::Report>(const bench::Options&)>;

const std::map<std::string, Mode>& modes() {
    static const std::map<std::string, Mode> all{
        {"bus", bench::run_bus},
        {"decide", bench::run_decide},
        {"filter", bench::run_filter},
        {"latency", bench::run_latency},
        {"lineage", bench::run_lineage},
#ifdef WEIR_WITH_KUBEFLOW
        {"kubeflow-launch", bench::run_kubeflow_launch},
        {"kubeflow-watch", bench::run_kubeflow_watch},
#endif
    };
    return all;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"weir-bench: measures this build of weir on this machine"};
    bench::Options options;
    bool json = false;
    std::string names;
    for (const auto& [name, run] : modes())
        names += (names.empty() ? "" : "|") + name;
    app.add_option("mode", options.mode, names)->required();
    app.add_flag("--json", json, "the result as one line of JSON (default: the same, indented)");
    app.add_option("--dir", options.dir, "where files go (default: the current folder)");
    app.add_flag("--keep", options.keep, "leave the files");
    app.add_option("--triggers", options.triggers, "filter: number of triggers")
        ->check(CLI::Range(100, 1'000'000));
    app.add_option("--events", options.events, "events a round")->check(CLI::Range(10, 10'000'000));
    app.add_option("--runs", options.runs, "lineage: runs in the ledger")
        ->check(CLI::Range(2'000, 10'000'000));
    app.add_option("--rounds", options.rounds, "rounds; figures are medians")->check(CLI::Range(1, 100));
    app.add_option("--seed", options.seed, "of the workload");
    app.add_option("--bus", options.bus, "bus: nats, kafka or embedded")
        ->check(CLI::IsMember({"nats", "kafka", "embedded"}));
    app.add_option("--version", options.version,
                   "bus: of the server started (nats: debian, current; kafka: 3.9, 4.x)");
    app.add_option("--url", options.url, "bus: a server that runs already; the streams made there stay");
    app.add_option("--only", options.only, "bus: these cases (bare, adapter, ..., latency), comma-separated")
        ->delimiter(',');
    CLI11_PARSE(app, argc, argv);
    if (options.mode == "bus") {
        if (app.count("--events") == 0) options.events = 300'000;
        if (app.count("--rounds") == 0) options.rounds = 3;
    }
    if (options.mode == "kubeflow-launch" && app.count("--events") == 0) options.events = 2'000;
    if (options.dir.empty()) options.dir = ".";
    const auto mode = modes().find(options.mode);
    if (mode == modes().end()) {
        std::cerr << "weir-bench: unknown mode \"" << options.mode << "\"; one of " << names << '\n';
        return 2;
    }
    bench::Report out;
    out["mode"] = options.mode;
    out["machine"] = bench::machine_facts();
    const auto fsync = bench::measure_fsync(options.dir, 200);
    if (fsync.ok()) out["fsync_4k"] = fsync.value();
    const auto result = mode->second(options);
    if (!result.ok()) {
        std::cerr << "weir-bench: " << result.error().message << '\n';
        return 1;
    }
    for (const auto& [key, value] : result.value().items())
        out[key] = value;
    std::cout << out.dump(json ? -1 : 2) << '\n';
    return 0;
}
