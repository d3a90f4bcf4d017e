#include "http.hpp"

#include <algorithm>
#include <map>

#include <curl/curl.h>

namespace weir::flows::kubeflow {

namespace {

/// Servers and balancers close what has been idle for a while; a request that must not be sent twice takes no
/// connection that may be about to close.
constexpr long kept_seconds_once = 15;

long in_ms(Duration time) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
    return static_cast<long>(std::clamp<std::int64_t>(ms, 1, 24LL * 3600 * 1000));
}

struct Transfer {
    HttpRequest request;
    std::function<void(HttpReply)> done;
    HttpReply reply;
    curl_slist* headers = nullptr;
    std::size_t answer_bytes = 0;
    bool proxied = false;
    bool no_certificate = false; ///< TLS, and none of ours is shown
    char error[CURL_ERROR_SIZE] = {};

    Transfer() = default;
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    ~Transfer() { curl_slist_free_all(headers); }
};

std::size_t take(char* data, std::size_t size, std::size_t count, void* into) {
    auto& transfer = *static_cast<Transfer*>(into);
    if (transfer.reply.body.size() + size * count > transfer.answer_bytes) return 0;
    transfer.reply.body.append(data, size * count);
    return size * count;
}

int before_request(void* of, char*, char*, int, int) {
    auto& transfer = *static_cast<Transfer*>(of);
    // libcurl sends a request once more when a kept connection dies under it.
    if (transfer.request.once && transfer.reply.sent) return CURL_PREREQFUNC_ABORT;
    if (transfer.request.before_sending && !transfer.request.before_sending()) {
        transfer.reply.held_back = !transfer.reply.sent;
        return CURL_PREREQFUNC_ABORT;
    }
    transfer.reply.sent = true;
    return CURL_PREREQFUNC_OK;
}

std::string fault_of(CURLcode code, const Transfer& transfer) {
    std::string text = transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(code);
    switch (code) {
        case CURLE_WRITE_ERROR:
            return "the answer is over " + std::to_string(transfer.answer_bytes) +
                   " bytes (limits.answer_bytes)";
        case CURLE_OPERATION_TIMEDOUT: return "no answer in time: " + text;
        case CURLE_COULDNT_RESOLVE_HOST: return "the host name is not known: " + text;
        case CURLE_COULDNT_RESOLVE_PROXY: return "the proxy's host name is not known: " + text;
        case CURLE_COULDNT_CONNECT:
            return (transfer.proxied ? "nothing listens at the proxy's address: "
                                     : "nothing listens there: ") +
                   text;
        case CURLE_PEER_FAILED_VERIFICATION:
            return "the server's TLS certificate is not trusted: " + text + "; is tls.ca_file right?";
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CERTPROBLEM: return "TLS failed: " + text;
        case CURLE_SSL_CACERT_BADFILE: return "tls.ca_file cannot be used: " + text;
        case CURLE_ABORTED_BY_CALLBACK: return "the kept connection broke while the request was on its way";
        case CURLE_GOT_NOTHING:
        case CURLE_RECV_ERROR: // with TLS 1.3 a client that must show a certificate learns of it this late
            return text + (transfer.no_certificate ? "; does it want tls.certificate_file?" : "");
        default: return text;
    }
}

} // namespace

struct Http::Impl {
    explicit Impl(Settings given) : settings(std::move(given)) {}
    ~Impl() {
        for (auto& [easy, transfer] : transfers) {
            curl_multi_remove_handle(multi, easy);
            curl_easy_cleanup(easy);
        }
        for (CURL* easy : idle)
            curl_easy_cleanup(easy);
        if (multi != nullptr) curl_multi_cleanup(multi);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void prepare(CURL* easy, Transfer& transfer) const;
    void finish(CURL* easy, CURLcode code);

    Settings settings;
    CURLM* multi = nullptr;
    std::map<CURL*, std::unique_ptr<Transfer>> transfers;
    std::vector<CURL*> idle;
};

Http::Http(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Http::~Http() = default;

Result<std::unique_ptr<Http>> Http::make(Settings settings) {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    auto impl = std::make_unique<Impl>(std::move(settings));
    impl->multi = curl_multi_init();
    if (started != CURLE_OK || impl->multi == nullptr) return internal("libcurl could not be set up");
    const auto connections = static_cast<long>(impl->settings.connections);
    curl_multi_setopt(impl->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
    curl_multi_setopt(impl->multi, CURLMOPT_MAXCONNECTS, connections);
    curl_multi_setopt(impl->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    return std::unique_ptr<Http>(new Http(std::move(impl)));
}

void Http::Impl::prepare(CURL* easy, Transfer& transfer) const {
    const HttpRequest& request = transfer.request;
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    if (!request.body.empty() || request.method == "POST") {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, in_ms(settings.connect_timeout));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, in_ms(request.timeout));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &before_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error);
    // An empty text turns off what the environment says of proxies.
    curl_easy_setopt(easy, CURLOPT_PROXY, settings.proxy.c_str());
    if (!settings.proxy.empty()) curl_easy_setopt(easy, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
    if (request.once) curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, kept_seconds_once);
    const TlsOptions& tls = settings.tls;
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
    if (!tls.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca_file.c_str());
    if (!tls.certificate_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.certificate_file.c_str());
    if (!tls.key_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key_file.c_str());
}

void Http::start(HttpRequest request, std::function<void(HttpReply)> done) {
    auto transfer = std::make_unique<Transfer>();
    transfer->request = std::move(request);
    transfer->done = std::move(done);
    transfer->answer_bytes = impl_->settings.answer_bytes;
    transfer->proxied = !impl_->settings.proxy.empty();
    transfer->no_certificate =
        transfer->request.url.starts_with("https:") && impl_->settings.tls.certificate_file.empty();
    for (const std::string& header : transfer->request.headers)
        transfer->headers = curl_slist_append(transfer->headers, header.c_str());
    CURL* easy = nullptr;
    if (!impl_->idle.empty()) {
        easy = impl_->idle.back();
        impl_->idle.pop_back();
        curl_easy_reset(easy);
    } else {
        easy = curl_easy_init();
    }
    if (easy == nullptr) {
        transfer->reply.fault = "libcurl has no memory";
        return transfer->done(std::move(transfer->reply));
    }
    impl_->prepare(easy, *transfer);
    impl_->transfers.emplace(easy, std::move(transfer));
    curl_multi_add_handle(impl_->multi, easy);
}

void Http::Impl::finish(CURL* easy, CURLcode code) {
    const auto found = transfers.find(easy);
    if (found == transfers.end()) return;
    const auto transfer = std::move(found->second);
    transfers.erase(found);
    HttpReply& reply = transfer->reply;
    if (code == CURLE_OK) {
        long status = 0;
        const char* type = nullptr;
        curl_off_t retry_after = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
        curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
        reply.status = static_cast<int>(status);
        if (type != nullptr) reply.content_type = type;
        reply.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(retry_after, 0, 3600));
    } else {
        reply.fault = fault_of(code, *transfer);
        reply.oversize = code == CURLE_WRITE_ERROR;
        reply.timed_out = code == CURLE_OPERATION_TIMEDOUT;
        reply.body.clear();
    }
    curl_multi_remove_handle(multi, easy);
    idle.push_back(easy);
    transfer->done(std::move(reply));
}

void Http::turn(Duration wait) {
    int running = 0;
    curl_multi_perform(impl_->multi, &running);
    int left = 0;
    bool ended = false;
    while (CURLMsg* message = curl_multi_info_read(impl_->multi, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        ended = true;
        impl_->finish(message->easy_handle, message->data.result);
    }
    const auto ms = ended ? 0 : std::clamp<std::int64_t>(wait.count() / 1'000'000, 0, 60'000);
    curl_multi_poll(impl_->multi, nullptr, 0, static_cast<int>(ms), nullptr);
}

void Http::wake() {
    curl_multi_wakeup(impl_->multi);
}

std::size_t Http::open() const {
    return impl_->transfers.size();
}

} // namespace weir::flows::kubeflow
