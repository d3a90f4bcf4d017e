#include "handle.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

#include <weir/base/log.hpp>

namespace weir::events::kafka {
namespace {

Signals* signals_of(const void* opaque) {
    return static_cast<Signals*>(const_cast<void*>(opaque));
}

void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
    const std::string_view what(facility);
    // "Broker unavailable": a leader refused a fetch. Told by the thread that fetches, before it fetches
    // again; it is all that is told of a topic that was deleted and made anew at once.
    if (what == "BROKERUA" && handle != nullptr)
        if (auto* signals = signals_of(rd_kafka_opaque(handle))) {
            signals->disturbed();
            signals->failed(text);
        }
    constexpr int error = 3, notice = 5;
    if (level <= error && handle != nullptr)
        if (auto* signals = signals_of(rd_kafka_opaque(handle))) signals->note(text);
    if (level <= notice)
        log::info("kafka client", {{"facility", what}, {"text", text}});
    else if (level == notice + 1)
        log::debug("kafka client", {{"facility", what}, {"text", text}});
}

void on_error(rd_kafka_t*, int code, const char* reason, void* opaque) {
    auto* signals = signals_of(opaque);
    if (signals == nullptr) return;
    signals->disturbed();
    signals->failed(std::string(rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(code))) + ": " + reason);
}

int on_connect(int socket, const sockaddr* address, int size, const char*, void* opaque) {
    if (auto* signals = signals_of(opaque)) signals->disturbed();
    if (::connect(socket, address, static_cast<socklen_t>(size)) != 0 && errno != EINPROGRESS) return errno;
    return 0;
}

struct DestroyConfiguration {
    void operator()(rd_kafka_conf_t* configuration) const { rd_kafka_conf_destroy(configuration); }
};

} // namespace

std::string Signals::failure() const {
    std::lock_guard lock(mutex_);
    return failure_;
}

void Signals::note(std::string what) {
    std::lock_guard lock(mutex_);
    failure_ = std::move(what);
}

void Signals::failed(std::string what) {
    std::lock_guard lock(mutex_);
    failure_ = std::move(what);
    if (on_failure_) on_failure_();
}

void Signals::on_failure(std::function<void()> called) {
    std::lock_guard lock(mutex_);
    on_failure_ = std::move(called);
}

void DestroyHandle::operator()(rd_kafka_t* handle) const {
    // Not consumer_close(): there is no group to leave.
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Result<Handle> make_handle(rd_kafka_type_t type, const Properties& properties,
                           const std::shared_ptr<Signals>& signals, DeliveryReport report) {
    std::array<char, 512> fault{};
    std::unique_ptr<rd_kafka_conf_t, DestroyConfiguration> configuration(rd_kafka_conf_new());
    for (const auto& [name, value] : properties)
        if (rd_kafka_conf_set(configuration.get(), name.c_str(), value.c_str(), fault.data(), fault.size()) !=
            RD_KAFKA_CONF_OK)
            return invalid("kafka bus: " + std::string(fault.data()));
    rd_kafka_conf_set_opaque(configuration.get(), signals.get());
    rd_kafka_conf_set_log_cb(configuration.get(), on_log);
    rd_kafka_conf_set_error_cb(configuration.get(), on_error);
    if (type == RD_KAFKA_CONSUMER) rd_kafka_conf_set_connect_cb(configuration.get(), on_connect);
    if (report != nullptr) rd_kafka_conf_set_dr_msg_cb(configuration.get(), report);
    auto* handle = rd_kafka_new(type, configuration.get(), fault.data(), fault.size());
    if (handle == nullptr) return invalid("kafka bus: " + std::string(fault.data()));
    (void)configuration.release(); // the handle owns it
    return Handle(handle);
}

Error error_of(rd_kafka_resp_err_t code, const std::string& what) {
    const auto message = what + ": " + rd_kafka_err2str(code);
    switch (code) {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return not_found(message);
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED: return {ErrorKind::Denied, message};
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
            return exhausted(message +
                             "; raise max.message.bytes of the topic, or message.max.bytes of the brokers");
        case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
        case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
        case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
        case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        case RD_KAFKA_RESP_ERR_INVALID_RECORD: return invalid(message);
        default: return unavailable(message);
    }
}

int to_ms(Duration d) {
    const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
    return static_cast<int>(std::clamp<std::int64_t>(count, 1, 24 * 3600 * 1000));
}

} // namespace weir::events::kafka
