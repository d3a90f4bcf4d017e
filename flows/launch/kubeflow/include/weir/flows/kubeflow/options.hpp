#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/base/clock.hpp>

namespace weir::flows::kubeflow {

/// What one team's runs are made with. It comes from the configuration alone: no trigger, flow or payload may
/// choose a namespace, an account or a user.
struct Binding {
    std::string namespace_; ///< empty: a server for a single user
    std::string
        experiment; ///< name; made where there is none. Empty: the server's default (single user only)
    std::string service_account; ///< empty: the server's default
    std::string user;            ///< sent as Options::user_header; empty: none is sent
    std::string pipeline_root;   ///< empty: the server's default
    /// Of the runs; `{team}`, `{flow}`, `{version}`, `{run}`, `{decision}`, `{time}` (of the cause) and
    /// `{date}` are replaced. Cut to 255 characters.
    std::string display_name = "{flow} {time}";
    /// Experiments that flows of this team may name by `experiment:` instead; "*": any. Empty: none.
    std::vector<std::string> experiments;
    bool operator==(const Binding&) const = default;
};

/// Whose runs are looked at though weir did not start them.
struct WatchedPlace {
    std::string team;       ///< whose binding (namespace, user) is used, and whose events they become
    std::string experiment; ///< name; empty: the whole namespace
    /// What ended up to then is known (KubeflowBackend::on_place told so); nothing: WatchOptions::since.
    std::optional<Instant> since = {};
    bool operator==(const WatchedPlace&) const = default;
};

struct TlsOptions {
    std::string ca_file;          ///< PEM; empty: the system's
    std::string certificate_file; ///< PEM of the client; with key_file
    std::string key_file;
    bool verify = true;
    bool operator==(const TlsOptions&) const = default;
};

/// OAuth 2.0 client credentials (RFC 6749, 4.4), for an ingress in front of the server.
struct OAuth2Options {
    std::string token_url;
    std::string client_id;
    std::string client_secret;
    std::string scope;    ///< empty: not sent
    std::string audience; ///< empty: not sent
    bool operator==(const OAuth2Options&) const = default;
};

struct LimitOptions {
    std::size_t in_flight = 32;            ///< requests of launches at a time; 1 to 1,000
    double requests_per_second = 0;        ///< of launches, cancels and looks; 0: no limit
    std::size_t answer_bytes = 32 << 20;   ///< of one answer
    std::size_t parameter_bytes = 1 << 20; ///< of all parameters of one run as JSON
    std::size_t launches = 10'000;         ///< waiting or under way here; then a launch is postponed
    std::size_t tracked = 100'000;         ///< runs that are watched; further ones wait for room
    std::size_t settled = 2'000;           ///< runs looked at after their settlement, the newest; 0: none
    bool operator==(const LimitOptions&) const = default;
};

struct TimeoutOptions {
    Duration connect = std::chrono::seconds(10);
    Duration request = std::chrono::seconds(30); ///< of one read or list
    /// Of CreateRun; never longer than until the deadline of the launch and server_timeout after it.
    Duration create = std::chrono::seconds(60);
    /// How long the server (and the mesh before it) may work on one request, whether its client is still
    /// there or not.
    Duration server_timeout = std::chrono::seconds(60);
    /// How long the cluster may execute a workflow that has no row (WORKFLOW_GC_GRACE_PERIOD_SECONDS).
    Duration orphan_grace = std::chrono::seconds(120);
    /// How long what was read of a pipeline, its versions or an experiment is taken for true.
    Duration resolve_cache = std::chrono::seconds(2);
    Duration retry_min =
        std::chrono::milliseconds(500);            ///< first wait of a read that failed; doubles, jitter
    Duration retry_max = std::chrono::seconds(30); ///< longest wait
    bool operator==(const TimeoutOptions&) const = default;
};

struct WatchOptions {
    Duration interval = std::chrono::seconds(2); ///< how often each run is looked at, if the pace allows
    double requests_per_second = 4;              ///< of all watching together
    std::size_t batch = 200;                     ///< runs asked for in one request; 1 to 200
    Duration places_interval = std::chrono::seconds(5); ///< how often each watched place is listed
    /// Runs become visible out of the order of their end: each list begins this long before the last one.
    Duration overlap = std::chrono::minutes(3);
    /// From when on runs that weir did not start are looked at, where the place itself says nothing; nothing:
    /// from the start of the process, less `overlap`.
    std::optional<Instant> since;
    /// A tracked run that the server does not know any more is `lost` after this time.
    Duration lost_after = std::chrono::minutes(2);
    /// How often, and for how long, a run is looked at whose settlement is recorded: it may be tried again by
    /// hand. At most a quarter of requests_per_second is spent on them.
    Duration settled_interval = std::chrono::seconds(60);
    Duration settled_for = std::chrono::hours(24);
    std::vector<WatchedPlace> places;
    bool operator==(const WatchOptions&) const = default;
};

/// A KFP API server and how it is used. Limits and defaults stand beside the fields.
struct KubeflowOptions {
    std::string name = "kubeflow"; ///< of the backend, as flow documents name it
    std::string url; ///< "https://kubeflow.example.com/pipeline": scheme, host, port, path before /apis
    std::string base_path = "/apis/v2beta1";
    TlsOptions tls;
    std::string proxy; ///< "http://proxy:3128"; empty: none, whatever the environment says

    // Who we are. A token file is read again when it has changed, and once more after a 401.
    std::string token;      ///< bearer token
    std::string token_file; ///< or the file it stands in (a projected service account token)
    std::string user_header = "kubeflow-userid"; ///< carries Binding::user; never sent empty
    std::vector<std::pair<std::string, std::string>> headers;
    std::vector<std::pair<std::string, std::string>> cookies;
    std::optional<OAuth2Options> oauth2;

    std::map<std::string, Binding> bindings; ///< by team; the key "*" is for all that are not named
    LimitOptions limits;
    TimeoutOptions timeouts;
    WatchOptions watch;
    /// After this many failures in a row the server is left alone for a second, then asked once (healthz);
    /// while that fails, for twice as long each time, up to retry_max.
    std::size_t circuit_failures = 8;
    /// Seed of the jitter; 0: from the operating system.
    std::uint64_t seed = 0;
};

} // namespace weir::flows::kubeflow
