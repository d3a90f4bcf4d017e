#include "link.hpp"

#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "nkey.hpp"
#include "subject.hpp"

namespace weir::events::nats {
namespace {

// Milliseconds, as the library wants them.
constexpr std::int64_t connect_timeout = 2000, reconnect_wait = 200, reconnect_jitter = 300;
// A peer that answers nothing is given up after the third ping: 9 seconds.
constexpr std::int64_t ping_interval = 3000;
constexpr int pings_out = 2;
constexpr std::int64_t write_deadline = 5000;

std::int64_t milliseconds(Duration d) {
    return std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

/// The library tells more about the last failure on this thread.
std::string reason(natsStatus status) {
    std::string text = natsStatus_GetText(status);
    natsStatus last = NATS_OK;
    if (const char* more = nats_GetLastError(&last); more != nullptr && last == status && *more != '\0')
        text += " (" + printable(more) + ")";
    return text;
}

} // namespace

Error library_error(std::string_view doing, natsStatus status) {
    return unavailable(std::string(doing) + ": " + natsStatus_GetText(status));
}

Connection::Connection(natsConnection* connection, std::uint64_t number)
    : connection_(connection), number_(number) {
    natsStatistics_Create(&statistics_);
}

Connection::~Connection() {
    natsConnection_Close(connection_);
    natsConnection_Destroy(connection_);
    natsStatistics_Destroy(statistics_);
}

bool Connection::up() const {
    return natsConnection_Status(connection_) == NATS_CONN_STATUS_CONNECTED;
}

bool Connection::given_up() const {
    return natsConnection_IsClosed(connection_);
}

std::uint64_t Connection::epoch() {
    std::uint64_t reconnects = 0;
    std::lock_guard lock(mutex_);
    if (natsConnection_GetStats(connection_, statistics_) == NATS_OK)
        natsStatistics_GetCounts(statistics_, nullptr, nullptr, nullptr, nullptr, &reconnects);
    return number_ << 32 | reconnects;
}

void Connection::close() {
    natsConnection_Close(connection_);
}

Result<std::unique_ptr<Link>> Link::make(const NatsBusOptions& options, std::function<void()> changed) {
    std::unique_ptr<Link> link(new Link());
    link->shared_->changed = std::move(changed);
    link->timeout_ = options.timeout;
    for (const auto& url : options.urls)
        link->urls_ += (link->urls_.empty() ? "" : ", ") + bare_url(url);
    if (natsOptions_Create(&link->options_) != NATS_OK)
        return internal("the NATS client library gives no options");
    WEIR_TRY(link->set_options(options));
    WEIR_TRY(link->set_credentials(options));
    if (options.tls.enabled) WEIR_TRY(link->set_tls(options.tls));
    return link;
}

Status Link::set_options(const NatsBusOptions& options) {
    auto* o = options_;
    std::vector<const char*> urls;
    for (const auto& url : options.urls)
        urls.push_back(url.c_str());
    if (const auto s = natsOptions_SetServers(o, urls.data(), static_cast<int>(urls.size())); s != NATS_OK)
        return invalid("urls: " + urls_ + ": " + reason(s));
    auto* closure = shared_.get();
    const natsStatus all[] = {
        natsOptions_SetName(o, "weir"),
        // Else the library sits on every message for a millisecond.
        natsOptions_SetSendAsap(o, true),
        natsOptions_SetTimeout(o, connect_timeout),
        natsOptions_SetMaxReconnect(o, -1),
        // Nothing is kept for later: it would go out on the next connection before what the broken one lost.
        natsOptions_SetReconnectBufSize(o, 0),
        natsOptions_SetReconnectWait(o, reconnect_wait),
        natsOptions_SetReconnectJitter(o, reconnect_jitter, reconnect_jitter),
        natsOptions_SetPingInterval(o, ping_interval),
        natsOptions_SetMaxPingsOut(o, pings_out),
        natsOptions_SetFailRequestsOnDisconnect(o, true),
        // A frozen server must not hold a writer, who holds the connection's lock and so the pings.
        natsOptions_SetWriteDeadline(o, write_deadline),
        natsOptions_SetReconnectedCB(o, &Link::on_connected, closure),
        natsOptions_SetDisconnectedCB(o, &Link::on_disconnected, closure),
        natsOptions_SetClosedCB(o, &Link::on_closed, closure),
        natsOptions_SetErrorHandler(o, &Link::on_error, closure),
    };
    for (const auto s : all)
        if (s != NATS_OK) return internal("an option of the NATS client library: " + reason(s));
    return {};
}

Status Link::set_credentials(const NatsBusOptions& options) {
    const bool user = !options.user.empty(), token = !options.token.empty();
    const bool credentials = !options.credentials_file.empty(), nkey = !options.nkey_seed_file.empty();
    if (user + token + credentials + nkey > 1)
        return invalid("give one of user and password, token, credentials_file and nkey_seed_file");
    if (!options.password.empty() && !user) return invalid("there is a password but no user");
    auto s = NATS_OK;
    if (user) s = natsOptions_SetUserInfo(options_, options.user.c_str(), options.password.c_str());
    if (token) s = natsOptions_SetToken(options_, options.token.c_str());
    if (credentials) {
        if (std::unique_ptr<FILE, int (*)(FILE*)>(fopen(options.credentials_file.c_str(), "re"), fclose) ==
            nullptr)
            return invalid("credentials_file \"" + options.credentials_file + "\" cannot be read");
        s = natsOptions_SetUserCredentialsFromFiles(options_, options.credentials_file.c_str(), nullptr);
    }
    if (nkey) {
        WEIR_ASSIGN(key, public_key_of_seed_file(options.nkey_seed_file));
        s = natsOptions_SetNKeyFromSeed(options_, key.c_str(), options.nkey_seed_file.c_str());
    }
    if (s != NATS_OK) return invalid("the credentials: " + reason(s));
    return {};
}

Status Link::set_tls(const Tls& tls) {
    if (tls.certificate_file.empty() != tls.key_file.empty())
        return invalid("tls: certificate_file and key_file go together");
    if (const auto s = natsOptions_SetSecure(options_, true); s != NATS_OK)
        return unsupported("tls: the NATS client library was built without it: " + reason(s));
    if (!tls.ca_file.empty())
        if (const auto s = natsOptions_LoadCATrustedCertificates(options_, tls.ca_file.c_str()); s != NATS_OK)
            return invalid("tls: ca_file \"" + tls.ca_file + "\": " + reason(s));
    if (!tls.certificate_file.empty())
        if (const auto s = natsOptions_LoadCertificatesChain(options_, tls.certificate_file.c_str(),
                                                             tls.key_file.c_str());
            s != NATS_OK)
            return invalid("tls: certificate_file \"" + tls.certificate_file + "\" and key_file \"" +
                           tls.key_file + "\": " + reason(s));
    if (!tls.verify_host) natsOptions_SkipServerVerification(options_, true);
    return {};
}

Link::~Link() {
    close();
    natsOptions_Destroy(options_);
}

void Link::keep() {
    std::shared_ptr<Connection> old;
    {
        std::lock_guard lock(mutex_);
        if (closed_ || (connection_ && !connection_->given_up())) return;
        old = std::move(connection_);
        connection_ = nullptr;
    }
    old.reset();
    // Not the library's own retrying of the first connection: it hides why a server refuses us.
    natsConnection* made = nullptr;
    if (const auto s = natsConnection_Connect(&made, options_); s != NATS_OK) {
        std::lock_guard lock(shared_->mutex);
        shared_->last_error = reason(s);
        return;
    }
    {
        std::lock_guard lock(shared_->mutex);
        ++shared_->alive;
    }
    auto connection = std::make_shared<Connection>(made, ++made_);
    {
        std::lock_guard lock(mutex_);
        if (closed_) return;
        connection_ = std::move(connection);
    }
    on_first_connected(made, shared_.get());
}

void Link::close() {
    std::shared_ptr<Connection> connection;
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
        connection = std::move(connection_);
        connection_ = nullptr;
    }
    if (connection) connection->close();
    connection.reset();
    std::unique_lock lock(shared_->mutex);
    shared_->changed = {};
    if (shared_->gone.wait_for(lock, std::chrono::seconds(10), [this] { return shared_->alive <= 0; }))
        return;
    // A callback of the library may still come: what it is given must be there.
    log::error("the NATS client library did not say that its connections are closed");
    static_cast<void>(new std::shared_ptr<Shared>(shared_));
}

Result<std::shared_ptr<Connection>> Link::connected() const {
    std::shared_ptr<Connection> connection;
    {
        std::lock_guard lock(mutex_);
        if (closed_) return unavailable("the bus is closed");
        connection = connection_;
    }
    if (!connection || !connection->up()) return unavailable(detail());
    return connection;
}

Result<std::string> Link::request(const std::string& subject, const std::string& body) const {
    WEIR_ASSIGN(connection, connected());
    natsMsg* answer = nullptr;
    const auto s = natsConnection_Request(&answer, connection->get(), subject.c_str(), body.data(),
                                          static_cast<int>(body.size()), timeout_ms());
    if (s == NATS_NO_RESPONDERS)
        return unavailable("nobody answers " + subject +
                           ": JetStream is not ready or not enabled for this account");
    if (s != NATS_OK) return library_error("request " + subject, s);
    std::string text(natsMsg_GetData(answer), static_cast<std::size_t>(natsMsg_GetDataLength(answer)));
    natsMsg_Destroy(answer);
    return text;
}

std::int64_t Link::timeout_ms() const {
    return milliseconds(timeout_);
}

bool Link::up() const {
    std::lock_guard lock(mutex_);
    return connection_ && connection_->up();
}

std::int64_t Link::reconnects() const {
    std::lock_guard lock(shared_->mutex);
    return shared_->reconnects;
}

std::string Link::detail() const {
    {
        std::lock_guard lock(mutex_);
        char url[512] = "";
        if (connection_ && connection_->up() &&
            natsConnection_GetConnectedUrl(connection_->get(), url, sizeof url) == NATS_OK)
            return bare_url(url);
    }
    std::lock_guard lock(shared_->mutex);
    return "not connected to " + urls_ + (shared_->last_error.empty() ? "" : ": " + shared_->last_error);
}

void Link::on_first_connected(natsConnection*, void* closure) {
    auto& shared = *static_cast<Shared*>(closure);
    std::function<void()> changed;
    {
        std::lock_guard lock(shared.mutex);
        shared.last_error.clear();
        changed = shared.changed;
    }
    if (changed) changed();
}

void Link::on_connected(natsConnection* connection, void* closure) {
    auto& shared = *static_cast<Shared*>(closure);
    {
        std::lock_guard lock(shared.mutex);
        ++shared.reconnects;
    }
    on_first_connected(connection, closure);
}

void Link::on_disconnected(natsConnection* connection, void* closure) {
    auto& shared = *static_cast<Shared*>(closure);
    std::function<void()> changed;
    {
        std::lock_guard lock(shared.mutex);
        const char* why = nullptr;
        natsConnection_GetLastError(connection, &why);
        shared.last_error = why != nullptr && *why != '\0' ? printable(why) : "the connection was lost";
        changed = shared.changed;
    }
    if (changed) changed();
}

void Link::on_closed(natsConnection* connection, void* closure) {
    auto& shared = *static_cast<Shared*>(closure);
    const char* why = nullptr;
    natsConnection_GetLastError(connection, &why);
    std::lock_guard lock(shared.mutex);
    if (why != nullptr && *why != '\0') shared.last_error = printable(why);
    --shared.alive;
    shared.gone.notify_all();
}

void Link::on_error(natsConnection*, natsSubscription*, natsStatus status, void* closure) {
    auto& shared = *static_cast<Shared*>(closure);
    std::lock_guard lock(shared.mutex);
    shared.last_error = natsStatus_GetText(status);
}

} // namespace weir::events::nats
