#include <cstdlib>

#include "kubeflow_fixture.hpp"

using namespace weir;
using namespace weir::contract;

TEST_CASE("the Kubeflow backend keeps the contract of launchers on weir's own façade",
          "[launcher][kubeflow][contract]") {
    const char* program = std::getenv("WEIR_PROGRAM");
    REQUIRE(program != nullptr);
    const SystemClock clock;
    const auto facade = support::ScriptedKfp::facade(program);
    for (const auto& [name, command] :
         std::vector<std::pair<std::string, std::string>>{{"quick", "printf hello > \"$0\""},
                                                          {"slow", "sleep 1000"},
                                                          {"broken", "echo broken >&2; exit 1"}})
        REQUIRE(Json::parse(facade.upload(name, command_ir(name, command))).contains("pipeline_id"));
    LauncherSetup setup;
    setup.quick = kubeflow_flow("quick");
    setup.slow = kubeflow_flow("slow");
    setup.broken = kubeflow_flow("broken");
    setup.absence_is_final = false;
    setup.open = [&] {
        auto opened = flows::kubeflow::open_kubeflow_backend(clock, kubeflow_options(facade.url()));
        REQUIRE(opened.ok());
        std::shared_ptr<flows::kubeflow::KubeflowBackend> backend = std::move(*opened);
        return Backend{backend, backend.get(), backend.get(), backend.get()};
    };
    check_launcher_contract(setup);
}
