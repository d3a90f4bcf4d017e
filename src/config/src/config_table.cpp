#include <weir/config/config.hpp>

#include "tables.hpp"

namespace weir::config {

Field field_later(std::string_view name) {
    Field field;
    field.name = name;
    field.built = false;
    return field;
}

Field field_section(std::string_view name, FieldType type, const DocumentTable& table, std::string_view doc) {
    Field field{name, type, doc};
    field.section = &table;
    return field;
}

Field field_word(std::string_view name, std::vector<std::string_view> words, std::string_view doc) {
    Field field{name, FieldType::Word, doc};
    field.words = std::move(words);
    return field;
}

Field field_whole(std::string_view name, std::int64_t minimum, std::int64_t maximum, std::string_view doc) {
    Field field{name, FieldType::Whole, doc};
    field.minimum = minimum;
    field.maximum = maximum;
    return field;
}

Field field_required(Field field) {
    field.required = true;
    return field;
}

const DocumentTable& listen_table() {
    static const DocumentTable table{
        "listen",
        "Where the HTTP API is served. TLS is not spoken here: put a proxy before it.",
        {{"address", FieldType::Text,
          "IP address; 127.0.0.1 if left out. Beyond loopback only with `auth.required: true`."},
         field_whole("port", 0, 65535, "9347 if left out; 0 picks a free one."),
         {"allowed_hosts", FieldType::Texts,
          "Further names that Host headers may carry, as `name` or `name:port`; `*`, only with "
          "`auth.required: true`: any."}}};
    return table;
}

const DocumentTable& auth_table() {
    static const DocumentTable table{
        "auth",
        "Who may use the API. Without it: everybody on this machine.",
        {{"required", FieldType::Flag, "Callers show a bearer token."},
         {"tokens", FieldType::Text,
          "The file with the tokens (`weir token new`). Read again when it changes. `weir serve` needs it "
          "with `required: true`; `weir dev` makes a token for itself without it."}}};
    return table;
}

const DocumentTable& ledger_table() {
    static const DocumentTable table = [] {
        DocumentTable t{"ledger", "Where decisions and runs are recorded.", {}};
        auto kind = field_word("kind", {"sqlite"}, "`sqlite`: the file ledger.db in `data`.");
        kind.words_later = {"postgres"};
        t.fields.push_back(std::move(kind));
        return t;
    }();
    return table;
}

const DocumentTable& local_table() {
    static const DocumentTable table{
        "local backend",
        "Runs pipelines as processes on this machine.",
        {field_word("kind", {"local"}, "May be left out."),
         field_whole("tasks", 1, 10'000, "Processes at a time; as many as there are cores if left out."),
         field_whole("runs", 1, 1'000'000, "Unfinished runs; one more is refused. 10000 if left out."),
         {"kill_grace", FieldType::Period, "Between SIGTERM and SIGKILL; 10s if left out."},
         {"retention", FieldType::Period, "How long settled runs are kept; 14d if left out."},
         {"python", FieldType::Text, "Interpreter of Python tasks; `python3` if left out."}}};
    return table;
}

const DocumentTable& null_table() {
    static const DocumentTable table{"null backend",
                                     "Runs nothing: for trying out triggers.",
                                     {field_word("kind", {"null"}, "May be left out.")}};
    return table;
}

const DocumentTable& team_table() {
    static const DocumentTable table{
        "team",
        "What a team may use.",
        {field_required(field_section("backends", FieldType::NamedList, binding_table(),
                                      "Backends its flows may run on; of Kubeflow ones, with what its runs "
                                      "are made.")),
         field_later("default_backend")}};
    return table;
}

const DocumentTable& folder_table() {
    static const DocumentTable table{
        "folder",
        "A watched folder: every file that lands there is an event on the bus `publish`.",
        {field_required({"folder", FieldType::Text, "The folder; sub-folders are not looked into."}),
         field_word("existing", {"ignore", "publish"},
                    "Files already there at the very first start; `ignore` if left out."),
         {"pattern", FieldType::Text, "Of the file's name, `*` for any run of characters."},
         {"type", FieldType::Text, "Of the events; `weir.file.landed` if left out."},
         {"hidden", FieldType::Flag, "Also names that begin with a dot."},
         {"temporary", FieldType::Flag, "Also names of unfinished files: NAME~, .tmp, .part and the like."},
         {"settle", FieldType::Period, "How long a file found by a scan must not change; 2s if left out."}}};
    return table;
}

const DocumentTable& limits_table() {
    static const DocumentTable table{
        "limits",
        "Limits of the engine and the API.",
        {field_whole("batch", 1, 10'000, "Inputs a transaction; 1000 if left out."),
         field_whole("places", 1, 100'000, "Launches whose reply is open, on one backend; 256 if left out."),
         field_whole("places_per_trigger", 1, 100'000, "The same of one trigger; 16 if left out."),
         field_whole("waiting", 1, 1'000'000,
                     "Firings that one paused trigger holds back; 10000 if left out."),
         field_whole("failures_per_hour", 1, 1'000'000,
                     "Failed decisions recorded per trigger and hour; 100 if left out."),
         {"source_grace", FieldType::Period,
          "A stream that cannot be reached is left out after this; 5m if left out."},
         {"launch_timeout", FieldType::Period, "Deadline of a request to a backend; 60s if left out."},
         {"report_grace", FieldType::Period,
          "How much later than its backend's a run's own report may come; 30s if left out."},
         {"outputs_grace", FieldType::Period,
          "The same where a trigger maps outputs that nobody reported yet; 10m if left out."},
         {"payload_retention", FieldType::Period, "How long payloads of events are kept; 35d if left out."},
         field_whole("event_bytes", 1024, 64 * 1024 * 1024,
                     "One event, handed in or read; 1048576 if left out."),
         field_whole("batch_bytes", 1024, 1024 * 1024 * 1024,
                     "A batch of events, an apply request; 8388608 if left out."),
         field_whole("batch_events", 1, 1'000'000, "Events of a batch; 10000 if left out."),
         field_whole("requests", 1, 1000, "HTTP requests worked on at once; 8 if left out."),
         field_whole("connections", 1, 100'000, "Open HTTP connections; 512 if left out.")}};
    return table;
}

const DocumentTable& config_table() {
    static const DocumentTable table = [] {
        DocumentTable t{"configuration",
                        "The file of `weir dev --config` and `weir serve --config`. Relative paths are "
                        "taken from its folder. A secret never stands in it: `{env: NAME}` or "
                        "`{file: PATH}` (mode 0600) says where it is.",
                        {field_required(field_whole("weir", 1, 1, "What this file is: always 1.")),
                         {"instance", FieldType::Name,
                          "Name of this weir in the source of its events; `weir` if left out."},
                         {"data", FieldType::Text, "Folder of ledger, bus and runs; `.weir` if left out."},
                         field_word("log_level", {"debug", "info", "warn", "error", "off"},
                                    "Of the JSON log on stderr; `info` if left out.")}};
        t.fields.push_back(field_section("listen", FieldType::Section, listen_table(), "The HTTP API."));
        t.fields.push_back(field_section("auth", FieldType::Section, auth_table(), "Tokens."));
        t.fields.push_back(field_section("ledger", FieldType::Section, ledger_table(), "The ledger."));
        Field buses{"buses", FieldType::KindMap,
                    "Where events come from and go to, by name; one embedded bus if left out."};
        buses.kinds = {&embedded_table(), &nats_table(), &kafka_table()};
        t.fields.push_back(std::move(buses));
        t.fields.push_back({"publish", FieldType::Name,
                            "The bus that takes POST /v1/events, watched folders and what weir tells of "
                            "runs; needed where there are several."});
        Field backends{"backends", FieldType::KindMap,
                       "What runs flows, by name. Left out: `local` and `null`; else those named alone. "
                       "`local` and `'null'` (in quotes) are of the kind they are called like; Kubeflow "
                       "backends have any other name."};
        backends.kinds = {&local_table(), &null_table(), &kubeflow_table()};
        t.fields.push_back(std::move(backends));
        t.fields.push_back(field_section("teams", FieldType::SectionMap, team_table(),
                                         "Left out: every team may use every backend; else a team that is "
                                         "not named here launches nothing."));
        t.fields.push_back({"facade", FieldType::Flag,
                            "Also answers the REST calls of Kubeflow Pipelines (v2beta1), running pipelines "
                            "on the backend `local`; true for `weir dev`, false for `weir serve` if left "
                            "out."});
        t.fields.push_back(
            field_section("folders", FieldType::SectionMap, folder_table(), "Watched folders, by name."));
        t.fields.push_back(
            {"apply", FieldType::Texts, "Files and folders of triggers and flows, applied at the start."});
        t.fields.push_back(field_section("limits", FieldType::Section, limits_table(), "Limits."));
        return t;
    }();
    return table;
}

} // namespace weir::config
