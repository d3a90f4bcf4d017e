#include "bus_contract.hpp"

#include <filesystem>

#include <stdlib.h>

#include <weir/events/embedded_bus.hpp>
#include <weir/events/memory_bus.hpp>

using namespace weir;
using namespace weir::events;

namespace {

struct Folder {
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "weir-bus-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::path path;
};

} // namespace

TEST_CASE("the bus in memory keeps the promises of a bus") {
    contract::check_bus_contract([] {
        auto setup = std::make_unique<contract::BusSetup>();
        setup->survives_close = false;
        setup->open = [](contract::BusSetup& s, Duration keep_age) {
            return make_memory_bus(s.clock, {.keep_age = keep_age});
        };
        return setup;
    });
}

TEST_CASE("the embedded bus keeps the promises of a bus") {
    const auto folder = std::make_shared<Folder>();
    contract::check_bus_contract([folder] {
        auto setup = std::make_unique<contract::BusSetup>();
        setup->open = [folder](contract::BusSetup& s, Duration keep_age) {
            auto bus = open_embedded_bus((folder->path / "bus.db").string(), s.clock, {.keep_age = keep_age});
            INFO((bus.ok() ? "" : bus.error().message));
            REQUIRE(bus.ok());
            return std::move(bus).value();
        };
        return setup;
    });
}
