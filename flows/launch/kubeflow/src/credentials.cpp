#include "credentials.hpp"

#include <algorithm>

#include <weir/base/text.hpp>
#include <weir/flows/files.hpp>

#include "json.hpp"
#include "query.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t token_bytes_max = 64 * 1024;
constexpr auto file_look_interval = std::chrono::seconds(1);
constexpr auto fetch_timeout = std::chrono::seconds(15);

bool printable_token(const std::string& token) {
    return std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 127; });
}

} // namespace

Credentials::Credentials(const Clock& clock, const KubeflowOptions& options, Http& http)
    : clock_(clock), options_(options), http_(http), token_(options.token) {
    read_file_if_changed(true);
}

void Credentials::read_file_if_changed(bool anyhow) {
    if (options_.token_file.empty()) return;
    const auto now = clock_.steady_now();
    if (!anyhow && now - file_looked_ < file_look_interval) return;
    file_looked_ = now;
    std::error_code error;
    const auto time = std::filesystem::last_write_time(options_.token_file, error);
    if (!anyhow && !error && time == file_time_ && fault_.empty()) return;
    auto text = read_file(options_.token_file, token_bytes_max);
    if (!text.ok()) {
        fault_ = "the token file cannot be read: " + text.error().message;
        return;
    }
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r' || text->back() == ' '))
        text->pop_back();
    if (text->empty() || !printable_token(*text)) {
        fault_ = "the token file " + options_.token_file + " holds no token";
        return;
    }
    fault_.clear();
    token_ = std::move(*text);
    file_time_ = time;
}

std::vector<std::string> Credentials::build(const std::string& user) const {
    // Expect: libcurl would ask before it sends a large body, and send it again if that is refused.
    std::vector<std::string> headers{"Accept: application/json", "Content-Type: application/json", "Expect:"};
    if (!token_.empty()) headers.push_back("Authorization: Bearer " + token_);
    // An empty one ends the server's process.
    if (!user.empty()) headers.push_back(options_.user_header + ": " + user);
    for (const auto& [name, value] : options_.headers)
        headers.push_back(name + ": " + value);
    std::string cookies;
    for (const auto& [name, value] : options_.cookies)
        cookies += (cookies.empty() ? "" : "; ") + name + "=" + value;
    if (!cookies.empty()) headers.push_back("Cookie: " + cookies);
    return headers;
}

void Credentials::headers(const std::string& user,
                          std::function<void(std::vector<std::string>, std::string)> use) {
    read_file_if_changed(false);
    if (!options_.token_file.empty() && token_.empty()) return use({}, fault_);
    if (options_.oauth2 && (token_.empty() || clock_.steady_now() >= expires_)) {
        waiting_.push_back([this, user, use = std::move(use)](std::string fault) {
            if (!fault.empty()) return use({}, std::move(fault));
            use(build(user), {});
        });
        if (!fetching_) fetch();
        return;
    }
    use(build(user), {});
}

bool Credentials::renew() {
    if (options_.oauth2) {
        token_.clear();
        return true;
    }
    const std::string before = token_;
    read_file_if_changed(true);
    return token_ != before;
}

void Credentials::fetch() {
    fetching_ = true;
    const OAuth2Options& oauth = *options_.oauth2;
    HttpRequest request;
    request.method = "POST";
    request.url = oauth.token_url;
    request.timeout = fetch_timeout;
    request.headers = {"Accept: application/json", "Content-Type: application/x-www-form-urlencoded",
                       "Expect:"};
    request.body = "grant_type=client_credentials&client_id=" + percent_encode(oauth.client_id) +
                   "&client_secret=" + percent_encode(oauth.client_secret);
    if (!oauth.scope.empty()) request.body += "&scope=" + percent_encode(oauth.scope);
    if (!oauth.audience.empty()) request.body += "&audience=" + percent_encode(oauth.audience);
    http_.start(std::move(request), [this](HttpReply reply) { fetched(std::move(reply)); });
}

void Credentials::fetched(HttpReply reply) {
    fetching_ = false;
    std::string fault;
    const std::string where = "no token from " + options_.oauth2->token_url + ": ";
    if (reply.status == 0) {
        fault = where + reply.fault;
    } else if (reply.status != 200) {
        fault = where + "it answered " + std::to_string(reply.status) + " " + printable(reply.body, 200);
    } else {
        const auto document = Document::parse(reply.body);
        const std::string token(document.ok() ? text_of(document->root(), "access_token") : "");
        const std::int64_t seconds = document.ok() ? number_of(document->root(), "expires_in", 300) : 300;
        if (token.empty() || !printable_token(token)) {
            fault = where + "its answer holds no access_token";
        } else {
            token_ = token;
            // Renewed a little early, so that none expires on its way.
            expires_ =
                clock_.steady_now() + std::chrono::seconds(std::clamp<std::int64_t>(seconds - 30, 1, 86'400));
        }
    }
    for (auto& use : std::exchange(waiting_, {}))
        use(fault);
}

} // namespace weir::flows::kubeflow
