#include <algorithm>

#include <weir/base/text.hpp>
#include <weir/config/config.hpp>

#include "bus_reader.hpp"
#include "kubeflow_reader.hpp"
#include "tables.hpp"

namespace weir::config {
namespace {

constexpr std::size_t file_bytes_max = 1024 * 1024;
/// Sections whose fields can change each for itself.
constexpr std::string_view by_field[] = {"auth", "limits"};

class Reader {
  public:
    Reader(const std::string& file, Problems& problems) : paths_(file), problems_(problems) {
        config_.file = file;
        config_.data = paths_.of(config_.data);
    }

    Config read(const Node& node) {
        const Fields top(node, config_table());
        config_.instance = top.text("instance", config_.instance);
        if (top.has("data")) config_.data = folder_path(top.text("data"), top.place("data"), "data");
        config_.log_level = top.text("log_level", config_.log_level);
        read_listen(top);
        read_auth(top);
        check_exposure(top);
        read_buses(top);
        read_backends(top);
        read_teams(top);
        if (top.has("facade")) config_.facade = top.flag("facade", false);
        if (config_.facade.value_or(false) && !config_.backends.local)
            problem(top.place("facade"),
                    "facade: it runs pipelines on the backend `local`, which is not among `backends`");
        read_folders(top);
        for (const auto& path : top.texts("apply"))
            config_.apply.push_back(paths_.of(path));
        read_limits(top);
        note_what_is_said(node);
        return std::move(config_);
    }

  private:
    void problem(const Place& place, std::string message) {
        problems_.push_back({place, std::move(message)});
    }

    /// The section of that name, empty if it is not there.
    static Fields section(const Fields& top, std::string_view name, const DocumentTable& table) {
        static const Node nothing;
        const auto* node = top.find(name);
        return {node == nullptr ? nothing : *node, table};
    }

    std::string folder_path(const std::string& text, const Place& place, const std::string& path) {
        if (text.empty()) problem(place, path + ": expected a folder");
        if (text.find("://") != std::string::npos)
            problem(place,
                    path + ": expected a folder, found an address: " + printable(text, 100) +
                        (text.starts_with("postgres") ? " (a ledger in PostgreSQL is not built yet)" : ""));
        return paths_.of(text);
    }

    void read_listen(const Fields& top) {
        const auto fields = section(top, "listen", listen_table());
        auto& listen = config_.listen;
        listen.address = fields.text("address", listen.address);
        listen.port = static_cast<std::uint16_t>(fields.whole("port", listen.port));
        listen.allowed_hosts = fields.texts("allowed_hosts");
        if (const auto loopback = is_loopback(listen.address); !loopback.ok())
            problem(fields.place("address"), "listen.address: " + loopback.error().message);
    }

    void read_auth(const Fields& top) {
        const auto fields = section(top, "auth", auth_table());
        auto& auth = config_.auth;
        auth.required = fields.flag("required", false);
        if (const auto file = fields.text("tokens"); !file.empty()) auth.tokens = paths_.of(file);
        if (fields.has("tokens") && !auth.required)
            problem(fields.place("tokens"),
                    "auth.tokens: nobody is asked for a token without `required: true`");
    }

    /// Beyond loopback nothing is served without tokens.
    void check_exposure(const Fields& top) {
        const auto fields = section(top, "listen", listen_table());
        if (config_.auth.required) return;
        const auto loopback = is_loopback(config_.listen.address);
        if (loopback.ok() && !*loopback)
            problem(fields.place("address"), "listen.address: " + config_.listen.address +
                                                 " is beyond loopback, where nothing is served without "
                                                 "tokens: set `auth: {required: true, tokens: FILE}`");
        for (const auto& host : config_.listen.allowed_hosts)
            if (host == "*")
                problem(fields.place("allowed_hosts"),
                        "listen.allowed_hosts: any host may be allowed only with `auth.required: true`: "
                        "the list keeps web pages away");
    }

    void read_buses(const Fields& top) {
        const auto* node = top.find("buses");
        if (node == nullptr) {
            config_.buses.push_back({"embedded", EmbeddedBus{}});
        } else {
            for (const auto& [key, value] : node->members)
                if (auto bus = read_bus(key.text, value, paths_, problems_))
                    config_.buses.push_back(std::move(*bus));
            if (node->kind == Node::Kind::Map && node->members.empty())
                problem(node->place, "buses: there must be one at least");
        }
        const auto embedded = std::count_if(config_.buses.begin(), config_.buses.end(), [](const auto& bus) {
            return std::holds_alternative<EmbeddedBus>(bus.kind);
        });
        if (embedded > 1)
            problem(node->place, "buses: one embedded bus is enough: all would be the file events.db");
        read_publish(top);
    }

    void read_publish(const Fields& top) {
        config_.publish = top.text("publish");
        std::vector<std::string_view> names;
        for (const auto& bus : config_.buses)
            names.push_back(bus.name);
        // One of a wrong kind is named wrong already.
        if (const auto* node = top.find("buses"); node != nullptr) {
            names.clear();
            for (const auto& member : node->members)
                names.push_back(member.first.text);
        }
        if (config_.publish.empty() && names.size() > 1)
            problem(top.place("buses"), "missing publish: which of the buses takes what is published here");
        else if (config_.publish.empty() && !names.empty())
            config_.publish = names.front();
        else if (!config_.publish.empty() &&
                 std::find(names.begin(), names.end(), config_.publish) == names.end())
            problem(top.place("publish"), "publish: there is no bus \"" + printable(config_.publish, 60) +
                                              "\"" + did_you_mean(config_.publish, names));
    }

    void read_backends(const Fields& top) {
        if (!top.has("backends")) return;
        all_backends_ = top.find("backends");
        config_.backends = {std::nullopt, false, {}};
        const auto* node = top.find("backends");
        if (node->kind != Node::Kind::Map) return;
        for (const auto& [key, value] : node->members) {
            const auto* given = value.find("kind");
            const auto kind = given == nullptr ? key.text : given->text;
            const bool own_name = key.text == "local" || key.text == "null";
            if ((own_name || kind == "local" || kind == "null") && kind != key.text)
                problem(given == nullptr ? value.place : given->place,
                        "backends." + printable(key.text, 60) +
                            ".kind: `local` and `null` are of the kind they are called like, and the only "
                            "ones of it");
            else if (kind == "local")
                read_local(value);
            else if (kind == "null")
                config_.backends.null = true;
            else if (kind == "kubeflow" && value.kind == Node::Kind::Map)
                config_.backends.kubeflow.emplace(key.text,
                                                  read_kubeflow(key.text, value, paths_, problems_));
        }
    }

    void read_local(const Node& node) {
        const Fields given(node, local_table());
        LocalBackend local;
        local.tasks_max = whole(given, "tasks");
        local.runs_max = whole(given, "runs");
        local.kill_grace = duration(given, "kill_grace", "backends.local");
        local.retention = duration(given, "retention", "backends.local");
        local.python = given.text("python");
        config_.backends.local = std::move(local);
    }

    void read_teams(const Fields& top) {
        const auto* node = top.find("teams");
        if (node == nullptr) return;
        std::map<std::string, Team> teams;
        for (const auto& [key, value] : node->members) {
            Team team;
            const auto path = "teams." + printable(key.text, 60) + ".backends";
            const auto* backends = Fields(value, team_table()).find("backends");
            if (backends != nullptr && backends->kind == Node::Kind::List)
                for (std::size_t i = 0; i < backends->items.size(); ++i)
                    read_team_backend(backends->items[i], path, path + "[" + std::to_string(i) + "]", team);
            else if (backends != nullptr)
                read_team_backend(*backends, path, path, team);
            teams.emplace(key.text, std::move(team));
        }
        config_.teams = std::move(teams);
        for (const auto& [name, backend] : config_.backends.kubeflow) {
            const auto& named = *config_.teams;
            if (std::none_of(named.begin(), named.end(),
                             [&, at = name](const auto& team) { return config_.allows(team.first, at); }))
                problem(node->place, "teams: no team may use the Kubeflow backend \"" + name +
                                         "\"; name it in a team's `backends`, or leave it out");
        }
        for (const auto& [name, backend] : config_.backends.kubeflow)
            for (std::size_t i = 0; i < backend.options.watch.places.size(); ++i)
                if (const auto& team = backend.options.watch.places[i].team; !config_.allows(team, name))
                    problem(backend.place_places[i], "backends." + name + ".watch.places: the team \"" +
                                                         printable(team, 60) +
                                                         "\" may not use this backend; `teams` says who may");
    }

    /// One entry of a team's `backends`: a name, or a binding.
    void read_team_backend(const Node& node, const std::string& list, const std::string& path, Team& team) {
        const bool bound = node.kind == Node::Kind::Map;
        const auto* name = bound ? node.find("name") : &node;
        if (name == nullptr || name->kind != Node::Kind::String) return; // said by the table already
        // One of a wrong kind is named wrong already.
        auto known = config_.backends.names();
        if (const auto* node_of = all_backends_; node_of != nullptr)
            for (const auto& member : node_of->members)
                known.emplace_back(member.first.text);
        const auto& backend = name->text;
        if (std::find(known.begin(), known.end(), backend) == known.end())
            return problem(name->place, list + ": there is no backend \"" + printable(backend, 60) +
                                            "\" here" + did_you_mean(backend, known));
        if (std::find(team.backends.begin(), team.backends.end(), backend) != team.backends.end())
            return problem(name->place,
                           list + ": the backend \"" + printable(backend, 60) + "\" stands here twice");
        team.backends.push_back(backend);
        if (!bound) return;
        if (backend == "local" || backend == "null")
            return problem(node.place,
                           path + ": the backend " + backend + " takes no binding; write its name alone");
        team.bindings.emplace(backend, read_binding(node, path, problems_));
    }

    void read_folders(const Fields& top) {
        const auto* node = top.find("folders");
        if (node == nullptr) return;
        for (const auto& [key, value] : node->members) {
            const Fields fields(value, folder_table());
            const auto path = "folders." + key.text;
            Folder folder;
            folder.name = key.text;
            if (fields.has("folder"))
                folder.directory =
                    folder_path(fields.text("folder"), fields.place("folder"), path + ".folder");
            folder.publish_existing = fields.text("existing") == "publish";
            folder.pattern = fields.text("pattern", folder.pattern);
            folder.type = fields.text("type", folder.type);
            folder.hidden = fields.flag("hidden", false);
            folder.temporary = fields.flag("temporary", false);
            read_duration(fields, "settle", path, folder.settle, problems_, true);
            config_.folders.push_back(std::move(folder));
        }
    }

    void read_limits(const Fields& top) {
        const auto fields = section(top, "limits", limits_table());
        auto& limits = config_.limits;
        limits.batch = whole(fields, "batch");
        limits.places = whole(fields, "places");
        limits.places_per_trigger = whole(fields, "places_per_trigger");
        limits.waiting = whole(fields, "waiting");
        limits.failures_per_hour = whole(fields, "failures_per_hour");
        limits.event_bytes = whole(fields, "event_bytes");
        limits.batch_bytes = whole(fields, "batch_bytes");
        limits.batch_events = whole(fields, "batch_events");
        limits.requests = whole(fields, "requests");
        limits.connections = whole(fields, "connections");
        limits.source_grace = duration(fields, "source_grace", "limits");
        limits.launch_timeout = duration(fields, "launch_timeout", "limits");
        limits.report_grace = duration(fields, "report_grace", "limits");
        limits.outputs_grace = duration(fields, "outputs_grace", "limits");
        read_duration(fields, "payload_retention", "limits", limits.payload_retention, problems_);
        // What the API takes the buses take too.
        for (auto& bus : config_.buses)
            if (limits.event_bytes)
                std::visit(
                    [&](auto& kind) {
                        kind.options.limits.bytes_max = static_cast<std::size_t>(*limits.event_bytes);
                    },
                    bus.kind);
    }

    static std::optional<std::int64_t> whole(const Fields& fields, std::string_view name) {
        if (!fields.has(name)) return std::nullopt;
        return fields.whole(name, 0);
    }
    std::optional<Duration> duration(const Fields& fields, std::string_view name, const std::string& path) {
        if (!fields.has(name)) return std::nullopt;
        Duration out{};
        read_duration(fields, name, path, out, problems_);
        return out;
    }

    void note_what_is_said(const Node& node) {
        for (const auto& [key, value] : node.members) {
            const bool apart =
                std::find(std::begin(by_field), std::end(by_field), key.text) != std::end(by_field);
            if (!apart) {
                config_.said[key.text] = to_json(value);
                continue;
            }
            for (const auto& [name, inner] : value.members)
                config_.said[key.text + "." + name.text] = to_json(inner);
        }
    }

    Config config_;
    Paths paths_;
    Problems& problems_;
    const Node* all_backends_ = nullptr; ///< whatever the file says of them
};

} // namespace

bool is_config(const Node& document) {
    return document.find("weir") != nullptr;
}

std::optional<Config> parse_config(std::string_view text, const std::string& file, Problems& problems) {
    const auto before = problems.size();
    const auto documents = read_documents(text, file, problems);
    if (problems.size() != before) return std::nullopt;
    if (documents.size() != 1) {
        problems.push_back({{file, 1, 1},
                            documents.empty() ? "the configuration is empty; it begins with `weir: 1`"
                                              : "a configuration is one document"});
        return std::nullopt;
    }
    const auto& document = documents.front();
    if (!check_fields(document, config_table(), problems) && document.kind != Node::Kind::Map)
        return std::nullopt;
    auto config = Reader(file, problems).read(document);
    // Several readers may have met the same slip.
    std::stable_sort(problems.begin() + static_cast<std::ptrdiff_t>(before), problems.end(),
                     [](const Problem& a, const Problem& b) {
                         return std::pair(a.place.line, a.place.column) <
                                std::pair(b.place.line, b.place.column);
                     });
    if (problems.size() != before) return std::nullopt;
    return config;
}

Result<Config> read_config(const std::string& path) {
    WEIR_ASSIGN(file, read_private_file(path, file_bytes_max));
    Problems problems;
    auto config = parse_config(file.text, path, problems);
    if (config) return std::move(*config);
    std::string all;
    for (const auto& problem : problems)
        all += (all.empty() ? "" : "\n") + problem.to_string();
    return invalid(std::move(all));
}

} // namespace weir::config
