#include <weir/config/config.hpp>

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>

#include <weir/base/text.hpp>
#include <weir/config/tokens.hpp>

namespace weir::config {
namespace {

/// What can be taken over while weir runs. `auth.tokens`: the file's name; its content is looked at anyway.
constexpr std::string_view live_sections[] = {"log_level", "teams", "auth.tokens",
                                              "limits.payload_retention"};

class OutsideCheck {
  public:
    void secret(const Secret& secret) {
        if (!secret.given()) return;
        if (const auto read = read_secret(secret); !read.ok()) note(read.error());
    }
    /// A file that libraries read: there, and private if it holds a key.
    void file(const std::string& path, bool is_private) {
        if (path.empty()) return;
        const auto read = read_private_file(path, secret_bytes_max * 16);
        if (!read.ok()) return note(read.error());
        if (is_private && read->privacy != Privacy::Owner)
            out.problems.push_back(printable(path, 400) +
                                   " can be read by others than its owner; `chmod 600` it");
    }
    void tls(const events::Tls& tls) {
        file(tls.ca_file, false);
        file(tls.certificate_file, false);
        file(tls.key_file, true);
    }
    void note(const Error& error) {
        auto& list = error.kind == ErrorKind::NotFound ? out.warnings : out.problems;
        list.push_back(error.message);
    }

    Outside out;
};

void check_bus(const NatsBus& bus, OutsideCheck& check) {
    check.secret(bus.password);
    check.secret(bus.token);
    check.file(bus.options.credentials_file, true);
    check.file(bus.options.nkey_seed_file, true);
    check.tls(bus.options.tls);
}

void check_bus(const KafkaBus& bus, OutsideCheck& check) {
    check.secret(bus.password);
    check.tls(bus.options.tls);
}

void check_bus(const EmbeddedBus&, OutsideCheck&) {}

Status fill(const Secret& secret, std::string& into) {
    if (!secret.given()) return {};
    WEIR_ASSIGN(text, read_secret(secret));
    into = std::move(text);
    return {};
}

} // namespace

bool Listen::on_loopback() const {
    const auto loopback = is_loopback(address);
    return loopback.ok() && *loopback;
}

Config Config::laptop() {
    Config config;
    config.instance = "dev";
    config.buses.push_back({"embedded", EmbeddedBus{}});
    config.publish = "embedded";
    return config;
}

bool Config::allows(const std::string& team, const std::string& backend) const {
    if (!teams) return true;
    const auto found = teams->find(team);
    if (found == teams->end()) return false;
    const auto& allowed = found->second.backends;
    return std::find(allowed.begin(), allowed.end(), backend) != allowed.end();
}

Status Config::check_backend(const std::string& team, const std::string& backend) const {
    const bool there = backend == "null" ? backends.null : backend == "local" && backends.local.has_value();
    if (!there) return invalid("there is no backend \"" + printable(backend, 60) + "\" in the configuration");
    if (allows(team, backend)) return {};
    return Error(ErrorKind::Denied, "the team " + printable(team, 128) + " may not use the backend " +
                                        backend + "; `teams` in the configuration says who may");
}

Outside check_outside(const Config& config) {
    OutsideCheck check;
    for (const auto& bus : config.buses)
        std::visit([&](const auto& kind) { check_bus(kind, check); }, bus.kind);
    if (!config.auth.tokens.empty())
        if (const auto tokens = read_tokens(config.auth.tokens); !tokens.ok()) check.note(tokens.error());
    return std::move(check.out);
}

Result<events::NatsBusOptions> with_secrets(const NatsBus& bus) {
    auto options = bus.options;
    WEIR_TRY(fill(bus.password, options.password));
    WEIR_TRY(fill(bus.token, options.token));
    return options;
}

Result<events::KafkaBusOptions> with_secrets(const KafkaBus& bus) {
    auto options = bus.options;
    WEIR_TRY(fill(bus.password, options.password));
    return options;
}

Changes changes_between(const Config& running, const Config& fresh) {
    Changes changes;
    const auto note = [&](const std::string& name) {
        const bool live =
            std::find(std::begin(live_sections), std::end(live_sections), name) != std::end(live_sections);
        auto& list = live ? changes.live : changes.restart;
        if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
    };
    for (const auto& [name, json] : running.said)
        if (const auto found = fresh.said.find(name); found == fresh.said.end() || found->second != json)
            note(name);
    for (const auto& [name, json] : fresh.said)
        if (running.said.count(name) == 0) note(name);
    return changes;
}

Result<bool> is_loopback(const std::string& address) {
    if (address == "localhost") return true;
    in_addr four{};
    if (::inet_pton(AF_INET, address.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
    in6_addr six{};
    if (::inet_pton(AF_INET6, address.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six) != 0;
    return invalid("\"" + printable(address, 60) +
                   "\" is not an IP address; expected 127.0.0.1, ::1, 0.0.0.0 "
                   "or the like");
}

} // namespace weir::config
