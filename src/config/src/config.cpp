#include <weir/config/config.hpp>

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>

#include <weir/base/text.hpp>
#include <weir/config/tokens.hpp>
#include <weir/flows/document.hpp>

namespace weir::config {
namespace {

/// What can be taken over while weir runs. `auth.tokens`: the file's name; its content is looked at anyway.
constexpr std::string_view live_sections[] = {"log_level", "teams", "auth.tokens",
                                              "limits.payload_retention"};

std::string listed(const std::vector<std::string_view>& names) {
    std::string out;
    for (const auto name : names)
        out += (out.empty() ? "" : ", ") + std::string(name);
    return out.empty() ? "none" : out;
}

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

void check_backend(const KubeflowBackend& backend, OutsideCheck& check) {
    check.secret(backend.token);
    check.secret(backend.client_secret);
    for (const auto& [_, secret] : backend.secret_headers)
        check.secret(secret);
    for (const auto& [_, secret] : backend.cookies)
        check.secret(secret);
    const auto& options = backend.options;
    // Kubernetes projects tokens into files that the group may read.
    check.file(options.token_file, false);
    check.file(options.tls.ca_file, false);
    check.file(options.tls.certificate_file, false);
    check.file(options.tls.key_file, true);
}

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
    const auto names = backends.names();
    if (std::find(names.begin(), names.end(), backend) == names.end())
        return invalid("there is no backend \"" + printable(backend, 60) + "\" in the configuration" +
                       did_you_mean(backend, names) + "; there are: " + listed(names));
    if (allows(team, backend)) return {};
    return Error(ErrorKind::Denied, "the team " + printable(team, 128) + " may not use the backend " +
                                        backend + "; `teams` in the configuration says who may");
}

Status Config::check_flow(const flows::FlowVersion& flow) const {
    WEIR_TRY(check_backend(flow.team, flow.backend));
    const auto with = binding(flow.team, flow.backend);
    if (!with || backends.kubeflow.count(flow.backend) == 0) return {};
    WEIR_ASSIGN(settings, flows::read_settings(flow.settings_json));
    const auto& named = settings.experiment;
    const auto& allowed = with->experiments;
    if (named.empty() || named == with->experiment ||
        std::find(allowed.begin(), allowed.end(), "*") != allowed.end() ||
        std::find(allowed.begin(), allowed.end(), named) != allowed.end())
        return {};
    return Error(ErrorKind::Denied, "flows of the team " + printable(flow.team, 128) +
                                        " may not choose the experiment \"" + printable(named, 140) +
                                        "\" on the backend " + flow.backend +
                                        "; `experiments` of its binding in the configuration says which");
}

std::optional<flows::kubeflow::Binding> Config::binding(const std::string& team,
                                                        const std::string& backend) const {
    if (!allows(team, backend)) return std::nullopt;
    if (!teams) return flows::kubeflow::Binding{};
    const auto& bindings = teams->at(team).bindings;
    const auto found = bindings.find(backend);
    return found == bindings.end() ? flows::kubeflow::Binding{} : found->second;
}

void Config::take_teams(const Config& fresh) {
    if (!fresh.teams && teams && !backends.kubeflow.empty()) return; // nobody else is bound
    auto taken = fresh.teams;
    if (taken)
        for (auto& [name, team] : *taken)
            for (const auto& [backend, _] : backends.kubeflow) {
                const auto wanted = fresh.binding(name, backend);
                const auto has = binding(name, backend);
                if (!wanted || wanted == has) continue;
                if (has) {
                    team.bindings[backend] = *has;
                } else {
                    std::erase(team.backends, backend);
                    team.bindings.erase(backend);
                }
            }
    teams = std::move(taken);
}

std::vector<std::string_view> Backends::names() const {
    std::vector<std::string_view> out;
    if (local) out.emplace_back("local");
    if (null) out.emplace_back("null");
    if (uploaded) out.emplace_back("kubeflow");
    for (const auto& [name, _] : kubeflow)
        out.emplace_back(name);
    return out;
}

Outside check_outside(const Config& config) {
    OutsideCheck check;
    for (const auto& bus : config.buses)
        std::visit([&](const auto& kind) { check_bus(kind, check); }, bus.kind);
    for (const auto& [_, backend] : config.backends.kubeflow)
        check_backend(backend, check);
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

Result<flows::kubeflow::KubeflowOptions> kubeflow_options(const Config& config,
                                                          const KubeflowBackend& backend) {
    auto options = backend.options;
    WEIR_TRY(fill(backend.token, options.token));
    if (options.oauth2) WEIR_TRY(fill(backend.client_secret, options.oauth2->client_secret));
    const auto fill_all = [](const auto& secrets, auto& into) -> Status {
        for (const auto& [name, secret] : secrets) {
            std::string text;
            WEIR_TRY(fill(secret, text));
            into.emplace_back(name, std::move(text));
        }
        return {};
    };
    WEIR_TRY(fill_all(backend.secret_headers, options.headers));
    WEIR_TRY(fill_all(backend.cookies, options.cookies));
    if (!config.teams) options.bindings["*"] = {};
    if (config.teams)
        for (const auto& [team, _] : *config.teams)
            if (const auto binding = config.binding(team, options.name)) options.bindings[team] = *binding;
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
    // A backend is opened with the bindings that there are then.
    std::vector<std::string> teams;
    if (!fresh.teams) teams.emplace_back("*");
    if (fresh.teams)
        for (const auto& [team, _] : *fresh.teams)
            teams.push_back(team);
    for (const auto& [backend, _] : running.backends.kubeflow)
        for (const auto& team : teams)
            if (const auto wanted = fresh.binding(team, backend);
                wanted && wanted != running.binding(team, backend))
                note("teams.bindings");
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
