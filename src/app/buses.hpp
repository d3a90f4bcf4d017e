#pragma once

#include <memory>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/config/config.hpp>
#include <weir/events/bus.hpp>

namespace weir::app {

/// A bus under the name that the configuration gives it.
struct NamedBus {
    std::string name;
    std::unique_ptr<events::Bus> bus;
};

/// Refuses by name the kinds of buses that this build lacks (meson features `nats`, `kafka`).
Status check_bus_kinds(const config::Config& config);

/// Opens every bus of the configuration, in its order; secrets are read here. The embedded one lies in the
/// data folder. Errors: of the adapters and of read_secret(), with the bus's name before them.
Result<std::vector<NamedBus>> open_buses(const config::Config& config, const Clock& clock,
                                         bool take_over = false);

} // namespace weir::app
