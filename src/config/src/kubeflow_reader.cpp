#include "kubeflow_reader.hpp"

#include <algorithm>
#include <set>

#include <weir/base/text.hpp>
#include <weir/flows/document.hpp>

#include "tables.hpp"

namespace weir::config {
namespace {

bool is_header_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    });
}

bool one_line(std::string_view text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; });
}

std::string lower(std::string text) {
    for (auto& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/// What is wrong with an http(s) URL; empty: nothing.
std::string fault_of_url(const std::string& url) {
    const auto scheme = url.find("://");
    const bool http = url.starts_with("http://") || url.starts_with("https://");
    if (!http || url.size() == scheme + 3 || url[scheme + 3] == '/')
        return "\"" + printable(url, 100) + "\" is not http://HOST[:PORT][/PATH] or https://...";
    const auto host = url.substr(scheme + 3, url.find('/', scheme + 3) - scheme - 3);
    if (host.find('@') != std::string::npos) return "a user or password does not stand in a URL";
    if (url.find_first_of("?# ") != std::string::npos || !one_line(url))
        return "\"" + printable(url, 100) + "\" holds ?, #, a space or a control character";
    return {};
}

class KubeflowReader {
  public:
    KubeflowReader(std::string path, const Paths& paths, Problems& problems)
        : path_(std::move(path)), paths_(paths), problems_(problems) {}

    KubeflowBackend read(const std::string& name, const Node& node) {
        const Fields fields(node, kubeflow_table());
        auto& options = out_.options;
        options.name = name;
        options.url = fields.text("url");
        while (options.url.ends_with('/'))
            options.url.pop_back();
        if (fields.has("url"))
            if (const auto fault = fault_of_url(options.url); !fault.empty()) wrong(fields, "url", fault);
        options.base_path = fields.text("base_path", options.base_path);
        if (!options.base_path.starts_with('/') || options.base_path.ends_with('/') ||
            !one_line(options.base_path))
            wrong(fields, "base_path", "expected a path that begins with / and does not end with it");
        options.proxy = fields.text("proxy");
        if (fields.has("proxy"))
            if (const auto fault = fault_of_url(options.proxy); !fault.empty()) wrong(fields, "proxy", fault);
        identity(fields);
        tls(fields);
        limits(inner(fields, "limits"));
        timeouts(inner(fields, "timeouts"));
        watch(inner(fields, "watch"));
        options.circuit_failures = size(fields, "circuit_failures", options.circuit_failures);
        return std::move(out_);
    }

  private:
    void wrong(const Fields& fields, std::string_view name, const std::string& fault) {
        problems_.push_back({fields.place(name), path_ + "." + std::string(name) + ": " + fault});
    }

    /// A section of the backend, empty if it is not there.
    static Fields inner(const Fields& fields, std::string_view name) {
        static const Node nothing;
        const auto* node = fields.find(name);
        return {node == nullptr ? nothing : *node, kubeflow_section(name)};
    }

    static std::size_t size(const Fields& fields, std::string_view name, std::size_t otherwise) {
        return static_cast<std::size_t>(fields.whole(name, static_cast<std::int64_t>(otherwise)));
    }

    void identity(const Fields& fields) {
        auto& options = out_.options;
        out_.token = read_reference(fields, "token", paths_);
        if (const auto file = fields.text("token_file"); !file.empty()) options.token_file = paths_.of(file);
        const auto* oauth2 = fields.find("oauth2");
        if (oauth2 != nullptr && oauth2->kind == Node::Kind::Map) {
            const auto given = inner(fields, "oauth2");
            flows::kubeflow::OAuth2Options to;
            to.token_url = given.text("token_url");
            if (given.has("token_url"))
                if (const auto fault = fault_of_url(to.token_url); !fault.empty())
                    wrong(fields, "oauth2", "token_url: " + fault);
            to.client_id = given.text("client_id");
            to.scope = given.text("scope");
            to.audience = given.text("audience");
            out_.client_secret = read_reference(given, "client_secret", paths_);
            options.oauth2 = std::move(to);
        }
        int ways = 0;
        for (const auto* way : {"token", "token_file", "oauth2"})
            if (fields.has(way) && ++ways == 2)
                wrong(fields, way, "`token`, `token_file` and `oauth2` are ways to one thing; one is enough");
        options.user_header = fields.text("user_header", options.user_header);
        if (!is_header_name(options.user_header))
            wrong(fields, "user_header", "expected the name of a header");
        headers(fields);
    }

    void headers(const Fields& fields) {
        std::set<std::string> seen;
        const auto check = [&](const char* field, const Node& key) {
            const auto name = lower(key.text);
            std::string fault;
            if (!is_header_name(key.text))
                fault = "is not the name of a header";
            else if (name == "authorization")
                fault = "comes from `token`, `token_file` or `oauth2`";
            else if (name == "cookie")
                fault = "comes from `cookies`";
            else if (name == lower(out_.options.user_header))
                fault = "comes from the team's binding (`user`)";
            else if (name == "host" || name == "content-length" || name == "transfer-encoding")
                fault = "is weir's own to send";
            else if (!seen.insert(name).second)
                fault = "stands here twice";
            if (!fault.empty())
                problems_.push_back(
                    {key.place, path_ + "." + field + ": \"" + printable(key.text, 60) + "\" " + fault});
        };
        if (const auto* node = fields.find("headers"); node != nullptr && node->kind == Node::Kind::Map)
            for (const auto& [key, value] : node->members) {
                check("headers", key);
                if (value.text.empty() || !one_line(value.text))
                    problems_.push_back({value.place, path_ + ".headers." + printable(key.text, 60) +
                                                          ": expected a line of text; some servers do not "
                                                          "survive an empty header"});
                out_.options.headers.emplace_back(key.text, value.text);
            }
        const auto secrets = [&](const char* field, std::vector<std::pair<std::string, Secret>>& into) {
            const auto* node = fields.find(field);
            if (node == nullptr || node->kind != Node::Kind::Map) return;
            for (const auto& [key, value] : node->members) {
                if (std::string_view(field) == "secret_headers")
                    check(field, key);
                else if (!is_header_name(key.text))
                    problems_.push_back({key.place, path_ + ".cookies: \"" + printable(key.text, 60) +
                                                        "\" is not the name of a cookie"});
                into.emplace_back(key.text, read_reference(value, paths_));
            }
        };
        secrets("secret_headers", out_.secret_headers);
        secrets("cookies", out_.cookies);
    }

    void tls(const Fields& fields) {
        const auto given = inner(fields, "tls");
        auto& tls = out_.options.tls;
        const auto file = [&](std::string_view name) {
            const auto text = given.text(name);
            return text.empty() ? text : paths_.of(text);
        };
        tls.ca_file = file("ca_file");
        tls.certificate_file = file("certificate_file");
        tls.key_file = file("key_file");
        tls.verify = given.flag("verify", true);
        if (tls.certificate_file.empty() != tls.key_file.empty())
            wrong(fields, "tls", "`certificate_file` and `key_file` go together");
        if (fields.has("tls") && out_.options.url.starts_with("http://"))
            wrong(fields, "tls", "`url` says http, where no TLS is spoken");
    }

    /// A number the table knows no bounds of.
    void number(const Fields& fields, const std::string& section, double least, bool above, double most,
                double& into) {
        const auto* node = fields.find("requests_per_second");
        if (node == nullptr) return;
        if (node->kind != Node::Kind::Int && node->kind != Node::Kind::Double) return;
        into = node->kind == Node::Kind::Int ? static_cast<double>(node->int_value) : node->double_value;
        if (into > most || into < least || (above && into == least))
            problems_.push_back({node->place, path_ + "." + section + ".requests_per_second: out of range"});
    }

    void limits(const Fields& fields) {
        auto& limits = out_.options.limits;
        limits.in_flight = size(fields, "in_flight", limits.in_flight);
        number(fields, "limits", 0, false, 1e6, limits.requests_per_second);
        limits.answer_bytes = size(fields, "answer_bytes", limits.answer_bytes);
        limits.parameter_bytes = size(fields, "parameter_bytes", limits.parameter_bytes);
        limits.launches = size(fields, "launches", limits.launches);
        limits.tracked = size(fields, "tracked", limits.tracked);
        limits.settled = size(fields, "settled", limits.settled);
    }

    void timeouts(const Fields& fields) {
        auto& timeouts = out_.options.timeouts;
        const auto path = path_ + ".timeouts";
        const auto period = [&](std::string_view name, Duration& into, bool zero = false) {
            read_duration(fields, name, path, into, problems_, zero);
        };
        period("connect", timeouts.connect);
        period("request", timeouts.request);
        period("create", timeouts.create);
        period("server", timeouts.server_timeout, true);
        period("orphan_grace", timeouts.orphan_grace, true);
        period("resolve_cache", timeouts.resolve_cache, true);
        period("retry_min", timeouts.retry_min);
        period("retry_max", timeouts.retry_max);
        if (timeouts.retry_max < timeouts.retry_min)
            problems_.push_back({fields.place(fields.has("retry_max") ? "retry_max" : "retry_min"),
                                 path + ": `retry_max` is not less than `retry_min`"});
    }

    void watch(const Fields& fields) {
        auto& watch = out_.options.watch;
        const auto path = path_ + ".watch";
        const auto period = [&](std::string_view name, Duration& into, bool zero = false) {
            read_duration(fields, name, path, into, problems_, zero);
        };
        period("interval", watch.interval);
        number(fields, "watch", 0, true, 1000, watch.requests_per_second);
        watch.batch = size(fields, "batch", watch.batch);
        period("places_interval", watch.places_interval);
        period("overlap", watch.overlap, true);
        period("lost_after", watch.lost_after, true);
        period("settled_interval", watch.settled_interval);
        period("settled_for", watch.settled_for, true);
        for (const auto* name : {"interval", "places_interval", "settled_interval"})
            if (const auto given = fields.duration(name); given && *given < std::chrono::milliseconds(10))
                problems_.push_back({fields.place(name), path + "." + std::string(name) + ": at least 10ms"});
        if (fields.has("since")) {
            const auto time = parse_rfc3339(fields.text("since"));
            if (time.ok())
                watch.since = *time;
            else
                problems_.push_back({fields.place("since"),
                                     path + ".since: expected a time (2026-05-01T00:00:00Z), found \"" +
                                         printable(fields.text("since"), 60) + "\""});
        }
        const auto* places = fields.find("places");
        if (places == nullptr || places->kind != Node::Kind::List) return;
        for (const auto& item : places->items) {
            const Fields place(item, kubeflow_place_table());
            watch.places.push_back({place.text("team"), place.text("experiment")});
            out_.place_places.push_back(item.place);
        }
    }

    std::string path_;
    const Paths& paths_;
    Problems& problems_;
    KubeflowBackend out_;
};

/// RFC 1123: what Kubernetes calls namespaces.
bool is_namespace(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !name.empty() && name.size() <= 63 && letter(name.front()) && letter(name.back()) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || c == '-'; });
}

} // namespace

KubeflowBackend read_kubeflow(const std::string& name, const Node& node, const Paths& paths,
                              Problems& problems) {
    return KubeflowReader("backends." + name, paths, problems).read(name, node);
}

flows::kubeflow::Binding read_binding(const Node& node, const std::string& path, Problems& problems) {
    const Fields fields(node, binding_table());
    flows::kubeflow::Binding binding;
    const auto wrong = [&](std::string_view name, const std::string& fault) {
        problems.push_back({fields.place(name), path + "." + std::string(name) + ": " + fault});
    };
    const auto text = [&](std::string_view name, std::size_t characters_max) {
        auto value = fields.text(name);
        if (const auto* given = fields.find(name); given != nullptr && given->kind == Node::Kind::String)
            if (const auto fault = flows::fault_of_server_text(value, characters_max); !fault.empty())
                wrong(name, fault);
        return value;
    };
    binding.namespace_ = fields.text("namespace");
    if (const auto* given = fields.find("namespace");
        given != nullptr && given->kind == Node::Kind::String && !is_namespace(binding.namespace_))
        wrong("namespace", "\"" + printable(binding.namespace_, 80) +
                               "\" is not the name of a namespace (a-z 0-9 -, at most 63)");
    binding.experiment = text("experiment", flows::server_name_characters_max);
    binding.service_account = text("service_account", flows::server_text_characters_max);
    binding.user = text("user", flows::server_text_characters_max);
    binding.pipeline_root = text("pipeline_root", 4096);
    if (fields.has("display_name")) {
        binding.display_name = text("display_name", flows::server_text_characters_max);
        if (const auto checked = flows::check_display_name(binding.display_name); !checked.ok())
            wrong("display_name", checked.error().message);
    }
    binding.experiments = fields.texts("experiments");
    for (const auto& name : binding.experiments)
        if (const auto fault = flows::fault_of_server_text(name, flows::server_name_characters_max);
            !fault.empty())
            wrong("experiments", fault);
    return binding;
}

} // namespace weir::config
