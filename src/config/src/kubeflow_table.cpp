#include "tables.hpp"

namespace weir::config {
namespace {

constexpr std::int64_t bytes_max = std::int64_t{1} << 40;

const DocumentTable& kubeflow_tls_table() {
    static const DocumentTable table{
        "kubeflow tls",
        "TLS to the server; it is spoken wherever `url` says https.",
        {{"ca_file", FieldType::Text, "Certificates of those to trust; the system's if left out."},
         {"certificate_file", FieldType::Text, "The client's certificate, with `key_file`."},
         {"key_file", FieldType::Text, "Its key; a file of its owner's (mode 0600)."},
         {"verify", FieldType::Flag, "The server's certificate is checked; true if left out."}}};
    return table;
}

const DocumentTable& oauth2_table() {
    static const DocumentTable table{
        "oauth2",
        "Client credentials (RFC 6749, 4.4), for an ingress in front of the server.",
        {field_required({"token_url", FieldType::Text, "Where tokens are given out."}),
         field_required({"client_id", FieldType::Text, "Who weir is there."}),
         field_required({"client_secret", FieldType::Secret, "Its secret."}),
         {"scope", FieldType::Text, "Sent if given."},
         {"audience", FieldType::Text, "Sent if given."}}};
    return table;
}

const DocumentTable& kubeflow_limits_table() {
    static const DocumentTable table{
        "kubeflow limits",
        "Limits of one Kubeflow backend.",
        {field_whole("in_flight", 1, 1000, "Requests of launches at a time; 32 if left out."),
         {"requests_per_second", FieldType::Number,
          "Of launches, cancels and looks, 0 to 1000000; 0, no limit, if left out."},
         field_whole("answer_bytes", 64 * 1024, bytes_max, "One answer; 33554432 if left out."),
         field_whole("parameter_bytes", 2, bytes_max,
                     "All parameters of one run as JSON; 1048576 if left out."),
         field_whole("launches", 1, 10'000'000,
                     "Launches under way or waiting here; then one is postponed. 10000 if left out."),
         field_whole("tracked", 1, 100'000'000,
                     "Runs that are watched; further ones wait for room. 100000 if left out."),
         field_whole("settled", 0, 10'000'000,
                     "Runs looked at now and then after their settlement (`watch.settled_interval`), the "
                     "newest; 2000 if left out.")}};
    return table;
}

const DocumentTable& kubeflow_timeouts_table() {
    static const DocumentTable table{
        "kubeflow timeouts",
        "How long is waited for one Kubeflow server.",
        {{"connect", FieldType::Period, "For a connection; 10s if left out."},
         {"request", FieldType::Period, "For one read or list; 30s if left out."},
         {"create", FieldType::Period,
          "For CreateRun, but never longer than until `limits.launch_timeout` and `server` are over; 60s if "
          "left out."},
         {"server", FieldType::Period,
          "How long the server, and a mesh before it, may work on one request, its client gone or not; 60s "
          "if left out."},
         {"orphan_grace", FieldType::Period,
          "How long the cluster may execute a workflow that has no row "
          "(WORKFLOW_GC_GRACE_PERIOD_SECONDS); 120s if left out."},
         {"resolve_cache", FieldType::Period,
          "How long what was read of pipelines, versions and experiments is taken for true; 2s if left out."},
         {"retry_min", FieldType::Period, "First wait of a read that failed; doubles. 500ms if left out."},
         {"retry_max", FieldType::Period,
          "Longest wait, and the longest time for which a server that fails again and again is left alone; "
          "30s if left out."}}};
    return table;
}

const DocumentTable& kubeflow_watch_table() {
    static const DocumentTable table{
        "kubeflow watch",
        "How runs are watched.",
        {{"interval", FieldType::Period,
          "How often each run is looked at, if the pace allows; 2s if left out."},
         {"requests_per_second", FieldType::Number,
          "Of all watching together, above 0 to 1000; 4 if left out."},
         field_whole("batch", 1, 200, "Runs asked for in one request; 200 if left out."),
         {"places_interval", FieldType::Period, "How often each place is listed; 5s if left out."},
         {"overlap", FieldType::Period,
          "Runs become visible out of the order of their end: each list begins this long before the last "
          "one. 3m if left out."},
         {"since", FieldType::Text,
          "From when on runs that weir did not start are looked at (2026-05-01T00:00:00Z), at every start "
          "again; if left out, from where each place was left, the first time from weir's start."},
         {"lost_after", FieldType::Period,
          "A run that the server does not know any more is `lost` after this; 2m if left out."},
         {"settled_interval", FieldType::Period,
          "How often a run is looked at whose settlement is recorded, since it may be tried again by hand; "
          "at "
          "most a quarter of the pace is spent on these. 60s if left out."},
         {"settled_for", FieldType::Period, "For how long; 24h if left out."},
         field_section("places", FieldType::SectionList, kubeflow_place_table(),
                       "Where runs that weir did not start are looked at and become events too; nowhere if "
                       "left out.")}};
    return table;
}

} // namespace

const DocumentTable& kubeflow_place_table() {
    static const DocumentTable table{
        "kubeflow place",
        "A namespace or an experiment whose runs become events though weir did not start them.",
        {field_required({"team", FieldType::Name,
                         "Whose binding (namespace, user) is used, and whose events they become."}),
         {"experiment", FieldType::Text, "Its name; the whole namespace if left out."}}};
    return table;
}

const DocumentTable& kubeflow_table() {
    static const DocumentTable table = [] {
        DocumentTable t{
            "kubeflow backend",
            "A Kubeflow Pipelines API server (REST v2beta1, 2.0 and later).",
            {field_word("kind", {"kubeflow"}, "What it is; may be left out of a backend called `kubeflow`."),
             field_required({"url", FieldType::Text,
                             "`https://HOST[:PORT][/PATH]`, what stands before /apis; no user or password."}),
             {"base_path", FieldType::Text, "`/apis/v2beta1` if left out."},
             {"proxy", FieldType::Text,
              "`http://HOST:PORT`; none if left out, whatever the environment says."},
             {"token", FieldType::Secret, "Bearer token; read at the start."},
             {"token_file", FieldType::Text,
              "Or the file it stands in (a projected service account token); read again when it changes."},
             {"user_header", FieldType::Text,
              "The header that carries a binding's `user`; `kubeflow-userid` if left out."},
             {"headers", FieldType::TextMap, "Further headers of every request; no secrets."},
             {"secret_headers", FieldType::SecretMap, "Further headers whose values are secrets."},
             {"cookies", FieldType::SecretMap, "Cookies of every request."}}};
        t.fields.push_back(
            field_section("tls", FieldType::Section, kubeflow_tls_table(), "TLS to the server."));
        t.fields.push_back(field_section("oauth2", FieldType::Section, oauth2_table(),
                                         "Or a token from an OAuth 2.0 server."));
        t.fields.push_back(
            field_section("limits", FieldType::Section, kubeflow_limits_table(), "Its limits."));
        t.fields.push_back(
            field_section("timeouts", FieldType::Section, kubeflow_timeouts_table(), "Its waits."));
        t.fields.push_back(
            field_section("watch", FieldType::Section, kubeflow_watch_table(), "How runs are watched."));
        t.fields.push_back(
            field_whole("circuit_failures", 1, 1'000'000,
                        "After this many failures in a row the server is left alone for 1s, "
                        "then asked once; while that fails, for twice as long each time, up to "
                        "`timeouts.retry_max`. 8 if left out."));
        return t;
    }();
    return table;
}

const DocumentTable& binding_table() {
    static const DocumentTable table{
        "binding",
        "What a team's runs on a Kubeflow backend are made with. No flow, trigger or event chooses these. "
        "What changes here is taken over at the next start.",
        {field_required({"name", FieldType::Name, "The backend."}),
         {"namespace", FieldType::Text,
          "Of its runs; left out, or without a binding: a server for a single user."},
         {"experiment", FieldType::Text,
          "Of its runs, by name; made where there is none. The server's default if left out."},
         {"experiments", FieldType::Texts,
          "Experiments that its flows may name instead; `*` is any. None if left out."},
         {"service_account", FieldType::Text, "Of its runs; the server's default if left out."},
         {"user", FieldType::Text, "Sent as the backend's `user_header`; none is sent if left out."},
         {"pipeline_root", FieldType::Text, "Where artifacts go; the server's default if left out."},
         {"display_name", FieldType::Text,
          "Of its runs: a template in which {team}, {flow}, {version}, {run}, {decision}, {time} and {date} "
          "are replaced; `{flow} {time}` if left out."}}};
    return table;
}

const DocumentTable& kubeflow_section(std::string_view name) {
    if (name == "tls") return kubeflow_tls_table();
    if (name == "oauth2") return oauth2_table();
    if (name == "limits") return kubeflow_limits_table();
    return name == "timeouts" ? kubeflow_timeouts_table() : kubeflow_watch_table();
}

} // namespace weir::config
