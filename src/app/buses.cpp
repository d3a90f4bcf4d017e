#include "buses.hpp"

#include <weir/events/embedded_bus.hpp>
#ifdef WEIR_WITH_NATS
#include <weir/events/nats_bus.hpp>
#endif
#ifdef WEIR_WITH_KAFKA
#include <weir/events/kafka_bus.hpp>
#endif

namespace weir::app {
namespace {

using Opened = Result<std::unique_ptr<events::Bus>>;

struct Context {
    const config::Config& config;
    const Clock& clock;
    bool take_over = false;
};

Opened open_embedded(const config::BusConfig& bus, const Context& context) {
    auto options = std::get<config::EmbeddedBus>(bus.kind).options;
    options.take_over = context.take_over;
    return events::open_embedded_bus(context.config.data + "/events.db", context.clock, std::move(options));
}

#ifdef WEIR_WITH_NATS
Opened open_nats(const config::BusConfig& bus, const Context&) {
    WEIR_ASSIGN(options, config::with_secrets(std::get<config::NatsBus>(bus.kind)));
    return events::open_nats_bus(std::move(options));
}
#else
constexpr std::nullptr_t open_nats = nullptr;
#endif

#ifdef WEIR_WITH_KAFKA
Opened open_kafka(const config::BusConfig& bus, const Context& context) {
    WEIR_ASSIGN(options, config::with_secrets(std::get<config::KafkaBus>(bus.kind)));
    return events::open_kafka_bus(context.clock, std::move(options));
}
#else
constexpr std::nullptr_t open_kafka = nullptr;
#endif

/// The kinds there are, in the order of config::BusConfig::kind.
struct Kind {
    const char* name;
    const char* feature; ///< meson option that builds it
    Opened (*open)(const config::BusConfig& bus, const Context& context);
};
constexpr Kind kinds[] = {
    {"embedded", "", open_embedded},
    {"NATS", "nats", open_nats},
    {"Kafka", "kafka", open_kafka},
};

const Kind& kind_of(const config::BusConfig& bus) {
    static_assert(std::size(kinds) == std::variant_size_v<decltype(bus.kind)>);
    return kinds[bus.kind.index()];
}

} // namespace

Status check_bus_kinds(const config::Config& config) {
    for (const auto& bus : config.buses) {
        const auto& kind = kind_of(bus);
        if (kind.open == nullptr)
            return unsupported("buses." + bus.name + ": this weir was built without " + kind.name +
                               " (`meson configure -D" + kind.feature + "=enabled` builds it in)");
    }
    return {};
}

Result<std::vector<NamedBus>> open_buses(const config::Config& config, const Clock& clock, bool take_over) {
    WEIR_TRY(check_bus_kinds(config));
    std::vector<NamedBus> buses;
    for (const auto& bus : config.buses) {
        auto opened = kind_of(bus).open(bus, {config, clock, take_over});
        if (!opened.ok()) return opened.error().in("bus " + bus.name);
        buses.push_back({bus.name, std::move(*opened)});
    }
    return buses;
}

} // namespace weir::app
