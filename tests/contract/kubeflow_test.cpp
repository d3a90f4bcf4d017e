#include "kubeflow_fixture.hpp"

using namespace weir;
using namespace weir::contract;

TEST_CASE("the Kubeflow backend keeps the contract of launchers", "[launcher][kubeflow][contract]") {
    const Json autorun = {
        {"steps", {{{"after", 0.02}, {"phase", "Running"}}, {{"after", 0.05}, {"phase", "Succeeded"}}}},
        {"terminate_after", 0.05},
        {"outputs", {{"said", "hello"}}},
        {"rules",
         {{{"name", "^slow"}, {"steps", {{{"after", 0.02}, {"phase", "Running"}}}}},
          {{"name", "^broken"},
           {"steps", {{{"after", 0.02}, {"phase", "Running"}}, {{"after", 0.05}, {"phase", "Failed"}}}}}}}};
    KubeflowRig rig({"--tasks", "--autorun", autorun.dump()});
    for (const char* name : {"quick", "slow", "broken"})
        rig.upload(name, pipeline_ir(name));
    LauncherSetup setup;
    setup.quick = kubeflow_flow("quick");
    setup.slow = kubeflow_flow("slow");
    setup.broken = kubeflow_flow("broken");
    setup.absence_is_final = false;
    setup.open = [&] {
        auto opened = flows::kubeflow::open_kubeflow_backend(rig.clock, rig.options);
        REQUIRE(opened.ok());
        std::shared_ptr<flows::kubeflow::KubeflowBackend> backend = std::move(*opened);
        return Backend{backend, backend.get(), backend.get(), backend.get()};
    };
    check_launcher_contract(setup);
    CHECK(rig.strays() == 0);
}
