#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/document_reader.hpp>
#include <weir/base/result.hpp>
#include <weir/config/secret.hpp>
#include <weir/events/embedded_bus.hpp>
#include <weir/events/kafka_bus.hpp>
#include <weir/events/nats_bus.hpp>
#include <weir/flows/kubeflow/options.hpp>
#include <weir/flows/records.hpp>

namespace weir::config {

struct Listen {
    std::string address = "127.0.0.1";
    std::uint16_t port = 9347;              ///< 0: any free one
    std::vector<std::string> allowed_hosts; ///< further names in Host headers; "*": any
    [[nodiscard]] bool on_loopback() const;
};

struct Auth {
    bool required = false; ///< callers show a token; without it nothing is served beyond loopback
    std::string tokens;    ///< file of tokens (tokens.hpp); empty: `weir dev` makes one for itself
};

/// A bus on NATS; `options` lacks the secrets.
struct NatsBus {
    events::NatsBusOptions options;
    Secret password, token;
};
/// A bus on Kafka; the same.
struct KafkaBus {
    events::KafkaBusOptions options;
    Secret password;
};
/// The bus in this process's data folder: DATA/events.db.
struct EmbeddedBus {
    events::EmbeddedBusOptions options;
};
struct BusConfig {
    std::string name;
    std::variant<EmbeddedBus, NatsBus, KafkaBus> kind;
};

/// What of a backend can be set. What is left empty is the backend's own default.
struct LocalBackend {
    std::optional<std::int64_t> tasks_max, runs_max;
    std::optional<Duration> kill_grace, retention;
    std::string python;
};
/// A Kubeflow Pipelines server; `options` lacks the secrets and the bindings.
struct KubeflowBackend {
    flows::kubeflow::KubeflowOptions options;
    Secret token, client_secret;
    std::vector<std::pair<std::string, Secret>> secret_headers, cookies;
    std::vector<Place> place_places; ///< where the file names each of options.watch.places
};
struct Backends {
    std::optional<LocalBackend> local = LocalBackend{}; ///< nothing: this weir has no such backend
    bool null = true;
    std::map<std::string, KubeflowBackend> kubeflow; ///< by name
    /// Where no backend "kubeflow" is configured and the façade answers: flows of that name run what was
    /// uploaded here. Set by the application.
    bool uploaded = false;
    /// In the order of the file, for people.
    [[nodiscard]] std::vector<std::string_view> names() const;
};

/// What a team may use.
struct Team {
    std::vector<std::string> backends;
    /// By backend: what its runs there are made with. A Kubeflow backend that is allowed without one has the
    /// defaults, which are for a server of a single user.
    std::map<std::string, flows::kubeflow::Binding> bindings;
    bool operator==(const Team&) const = default;
};

/// A watched folder; files that land there become events on the bus `publish`.
struct Folder {
    std::string name;
    std::string directory;
    bool publish_existing = false; ///< files already there become events at the first start
    std::string pattern = "*";
    std::string type = "weir.file.landed";
    bool hidden = false;
    bool temporary = false;
    Duration settle = std::chrono::seconds(2);
};

/// Limits of the engine and the API; what is left empty is their own default.
struct Limits {
    std::optional<std::int64_t> batch, places, places_per_trigger, waiting, failures_per_hour, event_bytes,
        batch_bytes, batch_events, requests, connections;
    std::optional<Duration> source_grace, launch_timeout, report_grace, outputs_grace;
    Duration payload_retention = std::chrono::hours(24 * 35);
};

/// A configuration, read and checked.
struct Config {
    std::string file;              ///< where it was read from; empty: nowhere
    std::string instance = "weir"; ///< name of this weir in the source of its events
    std::string data = ".weir";    ///< folder of ledger, bus and runs
    std::string log_level = "info";
    Listen listen;
    Auth auth;
    std::vector<BusConfig> buses; ///< at least one; one embedded one at most
    std::string publish;          ///< name of the bus that takes what is published here
    Backends backends;
    /// Nothing: every team may use every backend. Else teams that are not named launch nothing.
    std::optional<std::map<std::string, Team>> teams;
    std::optional<bool> facade; ///< nothing: as the command has it
    std::vector<Folder> folders;
    std::vector<std::string> apply; ///< files and folders applied at the start
    Limits limits;
    /// What the file says, by "section" or "section.field": JSON, to tell what a reload changes.
    std::map<std::string, std::string> said;

    /// One embedded bus on loopback: what a laptop needs.
    static Config laptop();
    /// True if the team may launch flows of this backend.
    [[nodiscard]] bool allows(const std::string& team, const std::string& backend) const;
    /// `invalid` if there is no such backend, `denied` if the team may not use it.
    [[nodiscard]] Status check_backend(const std::string& team, const std::string& backend) const;
    /// The same for a flow, and that its settings are ones its team may choose.
    [[nodiscard]] Status check_flow(const flows::FlowVersion& flow) const;
    /// Takes over which teams there are and what they may use. Bindings of Kubeflow backends stay as they
    /// are: a team keeps the one it has, and one that gets a backend anew gets it at the next start.
    void take_teams(const Config& fresh);
    /// What runs of the team on a Kubeflow backend are made with; nothing: it may not use it.
    [[nodiscard]] std::optional<flows::kubeflow::Binding> binding(const std::string& team,
                                                                  const std::string& backend) const;
};

/// The fields of the configuration file. This table drives reading, JSON Schema and reference.
const DocumentTable& config_table();

/// True for a document that is a configuration: it has the key `weir`.
bool is_config(const Node& document);

/// Reads one: a YAML or JSON document that begins with `weir: 1`. Relative paths are taken from the folder
/// that `file` is in. Every problem is added, with its place; nothing is returned if there is one.
std::optional<Config> parse_config(std::string_view text, const std::string& file, Problems& problems);

/// The same from a file of at most 1 MiB. `invalid` with every problem, a line each.
Result<Config> read_config(const std::string& path);

/// What stands outside the file: secrets, tokens, certificates. What is missing here may be there where weir
/// will run, and is a warning; what is there and cannot be used is a problem.
struct Outside {
    std::vector<std::string> warnings, problems;
};
Outside check_outside(const Config& config);

/// The options with their secrets read. Errors of read_secret().
Result<events::NatsBusOptions> with_secrets(const NatsBus& bus);
Result<events::KafkaBusOptions> with_secrets(const KafkaBus& bus);
/// The same, with the bindings of the configuration's teams.
Result<flows::kubeflow::KubeflowOptions> kubeflow_options(const Config& config,
                                                          const KubeflowBackend& backend);

/// What differs between a running configuration and one read again: names as in Config::said.
struct Changes {
    std::vector<std::string> live;    ///< can be taken over while weir runs
    std::vector<std::string> restart; ///< cannot
};
Changes changes_between(const Config& running, const Config& fresh);

/// True for "localhost" and IP addresses of loopback. `invalid` for what is neither.
Result<bool> is_loopback(const std::string& address);

} // namespace weir::config
