#include "client.hpp"

#include <curl/curl.h>
#include <nlohmann/json.hpp>

#include <weir/base/text.hpp>

namespace weir::cli {
namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024 * 1024;

std::size_t take(char* data, std::size_t size, std::size_t count, void* into) {
    auto& body = *static_cast<std::string*>(into);
    if (body.size() + size * count > answer_bytes_max) return 0;
    body.append(data, size * count);
    return size * count;
}

int check_interrupt(void* interrupt, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const Interrupt*>(interrupt)->requested() ? 1 : 0;
}

ErrorKind kind_of(int status) {
    switch (status) {
        case 401:
        case 403: return ErrorKind::Denied;
        case 404: return ErrorKind::NotFound;
        case 409: return ErrorKind::Conflict;
        case 413: return ErrorKind::Exhausted;
        case 501: return ErrorKind::Unsupported;
        case 503: return ErrorKind::Unavailable;
        case 504: return ErrorKind::Timeout;
        default: return status >= 500 ? ErrorKind::Internal : ErrorKind::Invalid;
    }
}

} // namespace

struct Client::Impl {
    explicit Impl(const Environment& given) : environment(given), curl(curl_easy_init()) {}
    ~Impl() { curl_easy_cleanup(curl); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] Error transport_error(CURLcode code) const;
    Error problem(int status, const std::string& body);

    const Environment& environment;
    std::string base;
    CURL* curl;
    std::vector<std::string> problems;
    bool connected = false;
};

Error Client::Impl::transport_error(CURLcode code) const {
    switch (code) {
        case CURLE_ABORTED_BY_CALLBACK: return {ErrorKind::Cancelled, "stopped"};
        case CURLE_COULDNT_CONNECT:
        case CURLE_COULDNT_RESOLVE_HOST:
            return unavailable("no weir server answers at " + base +
                               "; is `weir dev` running? (another address: --server URL, or WEIR_SERVER)");
        case CURLE_OPERATION_TIMEDOUT:
            return {ErrorKind::Timeout,
                    "the server at " + base + " gave no answer in time; what it did is unknown"};
        case CURLE_WRITE_ERROR:
            return exhausted("the answer of " + base + " is over 64 MiB; ask for less by --limit");
        case CURLE_GOT_NOTHING:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
            return unavailable("the server at " + base + " closed the connection without an answer");
        default: return unavailable("cannot talk to " + base + ": " + curl_easy_strerror(code));
    }
}

Error Client::Impl::problem(int status, const std::string& body) {
    std::string detail;
    const auto json = nlohmann::json::parse(body, nullptr, false);
    if (json.is_object()) {
        if (json.contains("detail") && json["detail"].is_string()) detail = json["detail"];
        if (json.contains("problems") && json["problems"].is_array()) {
            for (const auto& one : json["problems"]) {
                if (one.is_string()) problems.push_back(one);
            }
        }
    }
    if (detail.empty()) detail = base + " answered " + std::to_string(status) + "; is it a weir server?";
    return {kind_of(status), detail};
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::open(const Environment& environment) {
    auto base = environment.server;
    while (base.ends_with('/'))
        base.pop_back();
    if (!base.starts_with("http://") && !base.starts_with("https://"))
        return invalid("\"" + environment.server + "\" is not a server's address; expected http://HOST:PORT");
    auto impl = std::make_unique<Impl>(environment);
    if (impl->curl == nullptr) return internal("libcurl could not be set up");
    impl->base = std::move(base);
    return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Result<Reply> Client::get(std::string_view path, const Parameters& parameters) {
    return request("GET", path, parameters, std::nullopt, {});
}

Result<Reply> Client::post(std::string_view path, std::string_view body, std::string_view content_type) {
    return request("POST", path, {}, body, content_type);
}

Result<Reply> Client::remove(std::string_view path, const Parameters& parameters) {
    return request("DELETE", path, parameters, std::nullopt, {});
}

bool Client::connected() const {
    return impl_->connected;
}

const std::vector<std::string>& Client::problems() const {
    return impl_->problems;
}

Result<Reply> Client::request(const char* method, std::string_view path, const Parameters& parameters,
                              std::optional<std::string_view> body, std::string_view content_type) {
    auto url = impl_->base + std::string(path);
    char before = '?';
    for (const auto& [name, value] : parameters) {
        if (value.empty()) continue;
        url += before + percent_encode(name) + "=" + percent_encode(value);
        before = '&';
    }
    impl_->problems.clear();
    CURL* curl = impl_->curl;
    // Keeps the connection, forgets all else.
    curl_easy_reset(curl);
    Reply reply;
    const std::string type = "Content-Type: " + std::string(content_type);
    const std::string principal = "Weir-Principal: " + impl_->environment.principal;
    curl_slist* headers = curl_slist_append(nullptr, principal.c_str());
    headers = curl_slist_append(headers, "Expect:");
    if (!impl_->environment.token.empty())
        headers = curl_slist_append(headers, ("Authorization: Bearer " + impl_->environment.token).c_str());
    if (body) headers = curl_slist_append(headers, type.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 300L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply.body);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &check_interrupt);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &impl_->environment.interrupt);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
    }
    const auto code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    impl_->connected = code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST;
    if (code != CURLE_OK) return impl_->transport_error(code);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply.status = static_cast<int>(status);
    if (reply.status >= 400 || reply.status < 200) return impl_->problem(reply.status, reply.body);
    return reply;
}

} // namespace weir::cli
