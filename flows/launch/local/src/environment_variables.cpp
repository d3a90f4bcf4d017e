#include "environment_variables.hpp"

#include <cstdlib>
#include <map>

#include <unistd.h>

#include <weir/base/text.hpp>

namespace weir::flows::local {

namespace {

constexpr const char* default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

constexpr std::string_view passed[] = {"PATH",
                                       "HOME",
                                       "USER",
                                       "LOGNAME",
                                       "LANG",
                                       "LC_*",
                                       "LANGUAGE",
                                       "TZ",
                                       "TMPDIR",
                                       "http_proxy",
                                       "https_proxy",
                                       "no_proxy",
                                       "all_proxy",
                                       "HTTP_PROXY",
                                       "HTTPS_PROXY",
                                       "NO_PROXY",
                                       "ALL_PROXY",
                                       "PIP_*",
                                       "SSL_CERT_FILE",
                                       "SSL_CERT_DIR",
                                       "REQUESTS_CA_BUNDLE",
                                       "CURL_CA_BUNDLE",
                                       "LD_LIBRARY_PATH",
                                       "PYENV_ROOT",
                                       "PYENV_VERSION"};

void pass(std::map<std::string, std::string>& entries, std::string_view pattern) {
    for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
        const std::string_view entry = *at;
        const std::size_t equal = entry.find('=');
        if (equal == std::string_view::npos || !glob_match(pattern, entry.substr(0, equal))) continue;
        entries[std::string(entry.substr(0, equal))] = entry.substr(equal + 1);
    }
}

std::map<std::string, std::string> base_entries() {
    std::map<std::string, std::string> entries;
    for (const std::string_view pattern : passed)
        pass(entries, pattern);
    entries.try_emplace("PATH", default_path);
    // These would send packages elsewhere than into the environment being made.
    for (const char* name : {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"})
        entries.erase(name);
    return entries;
}

std::vector<std::string> list(const std::map<std::string, std::string>& entries) {
    std::vector<std::string> lines;
    for (const auto& [name, value] : entries)
        lines.push_back(name + "=" + value);
    return lines;
}

} // namespace

std::string search_path() {
    const char* path = std::getenv("PATH");
    return path != nullptr ? path : default_path;
}

std::vector<std::string> base_environment() {
    return list(base_entries());
}

std::vector<std::string> task_environment(const StoredRequest& request, const FlowSettings& settings,
                                          const std::string& server, const std::string& mark) {
    std::map<std::string, std::string> entries = base_entries();
    for (const std::string& pattern : settings.env_pass)
        pass(entries, pattern);
    for (const auto& [name, value] : settings.env)
        entries[name] = value;
    std::erase_if(entries, [](const auto& entry) { return entry.first.starts_with("WEIR_"); });
    entries["WEIR_RUN_ID"] = request.run;
    entries["WEIR_TEAM"] = request.team;
    entries["WEIR_FLOW"] = request.flow;
    if (!server.empty()) entries["WEIR_SERVER"] = server;
    std::vector<std::string> lines = list(entries);
    lines.push_back(mark);
    return lines;
}

} // namespace weir::flows::local
