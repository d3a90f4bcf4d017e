#include <exception>
#include <optional>

#include <nats/nats.h>
#include <support/broker.hpp>

#include <weir/events/nats_bus.hpp>

#include "bus_side.hpp"

namespace weir::bench {
namespace {

constexpr std::int64_t silence_ms = 30'000;

Error failed(const std::string& what, natsStatus status) {
    return unavailable("the bare NATS client cannot " + what + ": " + natsStatus_GetText(status));
}

/// libnats alone: an ordered push consumer.
class BareNats {
  public:
    BareNats() = default;
    BareNats(const BareNats&) = delete;
    ~BareNats() {
        if (subscription_ != nullptr) natsSubscription_Unsubscribe(subscription_);
        natsSubscription_Destroy(subscription_);
        jsCtx_Destroy(context_);
        if (connection_ != nullptr) natsConnection_Close(connection_);
        natsConnection_Destroy(connection_);
        natsOptions_Destroy(options_);
    }

    Status read(const std::string& url, const std::string& stream, std::int64_t events) {
        auto status = natsOptions_Create(&options_);
        if (status == NATS_OK) status = natsOptions_SetURL(options_, url.c_str());
        if (status == NATS_OK) status = natsOptions_SetSendAsap(options_, true);
        if (status == NATS_OK) status = natsConnection_Connect(&connection_, options_);
        if (status == NATS_OK) status = natsConnection_JetStream(&context_, connection_, nullptr);
        if (status != NATS_OK) return failed("connect", status);
        jsSubOptions ordered;
        jsSubOptions_Init(&ordered);
        ordered.Ordered = true;
        ordered.Stream = stream.c_str();
        jsErrCode code{};
        const auto subject = stream + ".>";
        status = js_SubscribeSync(&subscription_, context_, subject.c_str(), nullptr, &ordered, &code);
        // No message is dropped for being late: the server's flow control bounds what is under way.
        if (status == NATS_OK) status = natsSubscription_SetPendingLimits(subscription_, -1, -1);
        if (status != NATS_OK) return failed("subscribe to " + stream, status);
        for (std::int64_t i = 0; i < events; ++i) {
            natsMsg* message = nullptr;
            status = natsSubscription_NextMsg(&message, subscription_, silence_ms);
            if (status != NATS_OK) return failed("receive message " + std::to_string(i + 1), status);
            natsMsg_Destroy(message);
        }
        return {};
    }

  private:
    natsOptions* options_ = nullptr;
    natsConnection* connection_ = nullptr;
    jsCtx* context_ = nullptr;
    natsSubscription* subscription_ = nullptr;
};

class NatsSide final : public BusSide {
  public:
    NatsSide(std::optional<support::Broker> broker, std::string url)
        : broker_(std::move(broker)), url_(std::move(url)) {}

    Result<std::unique_ptr<events::Bus>> open(const std::string& stream) override {
        events::NatsBusOptions options;
        options.urls = {url_};
        options.publish_subject = stream;
        events::NatsStreamOptions one;
        one.stream = stream;
        one.start.at = events::StreamStart::At::Earliest;
        one.create.emplace();
        one.create->subjects = {stream + ".>"};
        options.streams = {one};
        WEIR_ASSIGN(bus, events::open_nats_bus(options));
        return reached(std::move(bus));
    }
    Status bare(const std::string& stream, std::int64_t events) override {
        BareNats client;
        return client.read(url_, stream, events);
    }
    [[nodiscard]] int server_pid() const override { return broker_ ? broker_->pid() : 0; }
    [[nodiscard]] Report facts() const override {
        return {{"kind", "nats"},
                {"server", broker_ ? version_in_log(broker_->folder(), "Version:") : url_},
                {"client", std::string("libnats ") + nats_GetVersion()},
                {"storage", "file, one server"},
                {"bare_client", "js_SubscribeSync, ordered push consumer, messages dropped at once"}};
    }

  private:
    std::optional<support::Broker> broker_;
    std::string url_;
};

} // namespace

Result<std::unique_ptr<BusSide>> open_nats_side(const Options& options) try {
    if (!options.url.empty()) return std::unique_ptr<BusSide>(new NatsSide(std::nullopt, options.url));
    auto broker = support::Broker::start("nats", options.version.empty() ? "debian" : options.version);
    const auto url = broker.url();
    return std::unique_ptr<BusSide>(new NatsSide(std::move(broker), url));
} catch (const std::exception& problem) {
    return unavailable(std::string("no NATS server: ") + problem.what());
}

} // namespace weir::bench
