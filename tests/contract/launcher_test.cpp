#include <weir/flows/local/local_backend.hpp>
#include <weir/flows/null/null_launcher.hpp>

#include "launcher_contract.hpp"

using namespace weir;

namespace {

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
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

flows::FlowVersion flow(const std::string& name, const std::string& backend) {
    flows::FlowVersion flow;
    flow.team = "team";
    flow.flow = name;
    flow.version = "v-" + name;
    flow.backend = backend;
    flow.settings_json = "{}";
    return flow;
}

/// A pipeline of one command, whose output is the pipeline's.
flows::FlowVersion script(const std::string& name, const std::string& text) {
    flows::FlowVersion made = flow(name, "local");
    made.pipeline = contract::command_ir(name, text);
    return made;
}

} // namespace

TEST_CASE("the local backend keeps the contract of launchers", "[launcher][contract]") {
    Folder folder;
    const SystemClock clock;
    auto supervisor = flows::local::Supervisor::start();
    REQUIRE(supervisor.ok());
    contract::LauncherSetup setup;
    setup.quick = script("quick", "printf hello > \"$0\"");
    setup.slow = script("slow", "sleep 1000");
    setup.broken = script("broken", "echo broken >&2; exit 1");
    setup.open = [&] {
        flows::local::LocalSettings settings;
        settings.folder = folder.path();
        auto opened = flows::local::LocalBackend::open(settings, *supervisor, clock);
        INFO((opened.ok() ? "" : opened.error().message));
        REQUIRE(opened.ok());
        std::shared_ptr<flows::local::LocalBackend> backend = std::move(*opened);
        return contract::Backend{backend, backend.get(), backend.get(), backend.get()};
    };
    contract::check_launcher_contract(setup);
}

TEST_CASE("the null backend keeps the contract of launchers", "[launcher][contract]") {
    Folder folder;
    const SystemClock clock;
    const bool inline_callbacks = GENERATE(true, false);
    contract::LauncherSetup setup;
    setup.quick = flow("quick", "null");
    setup.quick.settings_json = R"({"outputs":{"said":"hello"}})";
    setup.slow = flow("slow", "null");
    setup.slow.settings_json = R"({"settle_after":"1000h"})";
    setup.broken = flow("broken", "null");
    setup.broken.settings_json = R"({"outcome":"failed"})";
    setup.open = [&] {
        flows::null::NullSettings settings;
        settings.folder = folder.path();
        settings.inline_callbacks = inline_callbacks;
        auto opened = flows::null::NullLauncher::open(settings, clock);
        REQUIRE(opened.ok());
        std::shared_ptr<flows::null::NullLauncher> backend = std::move(*opened);
        return contract::Backend{backend, backend.get(), backend.get(), backend.get()};
    };
    contract::check_launcher_contract(setup);
}
