#include "session.hpp"

#include <charconv>

#include <weir/base/text.hpp>

#include "api.hpp"

namespace weir::events::nats {
namespace {

constexpr int batch = 1024, ahead_messages_max = 4096;
constexpr std::size_t burst = 256;
// Not a multiple of any message's size: a request that ends at exactly this many bytes ends without a word on
// old servers.
constexpr std::size_t batch_bytes = 4 * 1024 * 1024 - 3, ahead_bytes_max = 16 * 1024 * 1024;
constexpr std::size_t message_overhead = 256; ///< of a message in memory, about
constexpr std::int64_t expires_ns = 10'000'000'000;
constexpr Duration overdue = std::chrono::seconds(12);

std::string_view header(natsMsg* message, const char* name) {
    const char* value = nullptr;
    return natsMsgHeader_Get(message, name, &value) == NATS_OK && value != nullptr ? value : "";
}

} // namespace

Session::Session(std::shared_ptr<const StreamSettings> settings, std::shared_ptr<Connection> connection,
                 std::function<void()> notify)
    : settings_(std::move(settings)),
      connection_(std::move(connection)),
      epoch_(connection_->epoch()),
      notify_(std::move(notify)) {}

Session::~Session() {
    // Only after done(), or never subscribed: a subscription is not destroyed while something is delivered to
    // it.
    if (subscription_ != nullptr) natsSubscription_Destroy(subscription_);
}

Status Session::listen() {
    natsInbox* inbox = nullptr;
    if (const auto s = natsInbox_Create(&inbox); s != NATS_OK) return library_error("make an inbox", s);
    inbox_ = inbox;
    natsInbox_Destroy(inbox);
    const auto s = natsConnection_Subscribe(&subscription_, connection_->get(), inbox_.c_str(),
                                            &Session::on_message, this);
    if (s != NATS_OK) {
        subscription_ = nullptr;
        done_ = true;
        return library_error("subscribe", s);
    }
    // What comes is bounded by what is asked for; the library must not drop any of it.
    natsSubscription_SetPendingLimits(subscription_, -1, -1);
    const auto told = natsSubscription_SetOnCompleteCB(subscription_, &Session::on_complete, this);
    // Closed already, with its connection, before anything was sent to it.
    if (told != NATS_OK) {
        done_ = true;
        return library_error("subscribe", told);
    }
    return {};
}

void Session::begin(Start start) {
    std::lock_guard lock(mutex_);
    start_ = std::move(start);
    next_subject_ = "$JS.API.CONSUMER.MSG.NEXT." + settings_->stream + "." + start_.consumer;
    received_ = taken_ = taken_item_ = start_.after;
    ask();
}

void Session::end() {
    over_ = true;
    std::string consumer;
    {
        std::lock_guard lock(mutex_);
        queue_ = {};
        queue_begin_ = queued_bytes_ = 0;
        consumer = start_.consumer;
    }
    if (subscription_ == nullptr) return;
    natsSubscription_Unsubscribe(subscription_);
    if (!consumer.empty()) forget_consumer(*connection_, settings_->stream, consumer);
}

std::string Session::created() const {
    std::lock_guard lock(mutex_);
    return start_.created;
}

bool Session::broken() const {
    if (over_.load()) return true;
    return connection_->epoch() != epoch_ || !connection_->up();
}

std::string Session::why() const {
    std::lock_guard lock(mutex_);
    return why_.empty() ? "the connection was lost" : why_;
}

void Session::give_up_locked(std::string why) {
    if (over_.exchange(true)) return;
    why_ = std::move(why);
}

void Session::give_up(std::string why) {
    {
        std::lock_guard lock(mutex_);
        give_up_locked(std::move(why));
    }
    notify_();
}

void Session::set_gap(Error gap) {
    {
        std::lock_guard lock(mutex_);
        if (!gap_) gap_ = std::move(gap);
    }
    notify_();
}

std::optional<Error> Session::gap() const {
    std::lock_guard lock(mutex_);
    if (queued() > 0) return std::nullopt;
    return gap_;
}

bool Session::continues(std::int64_t after) const {
    std::lock_guard lock(mutex_);
    return after >= taken_item_ && after <= taken_;
}

Taken Session::take(std::size_t events_max, std::size_t bytes_max) {
    Taken out;
    std::lock_guard lock(mutex_);
    if (queue_begin_ == 0 && queued() <= events_max && queued_bytes_ <= bytes_max) {
        std::swap(out, queue_);
        queue_.arrivals.reserve(out.arrivals.size());
        queue_.marks.reserve(out.arrivals.size());
        queued_bytes_ = 0;
    } else {
        std::size_t bytes = 0;
        for (; queued() > 0 && out.arrivals.size() < events_max && bytes < bytes_max; ++queue_begin_) {
            const auto& mark = queue_.marks[queue_begin_];
            bytes += mark.bytes;
            queued_bytes_ -= mark.bytes;
            out.arrivals.push_back(std::move(queue_.arrivals[queue_begin_]));
            out.marks.push_back(mark);
        }
        if (queue_begin_ >= queued()) {
            const auto begin = static_cast<std::ptrdiff_t>(queue_begin_);
            queue_.arrivals.erase(queue_.arrivals.begin(), queue_.arrivals.begin() + begin);
            queue_.marks.erase(queue_.marks.begin(), queue_.marks.begin() + begin);
            queue_begin_ = 0;
        }
    }
    if (queued() == 0) {
        out.upto = received_;
        out.jump_from = pending_jump_;
        pending_jump_ = -1;
    } else {
        out.upto = out.arrivals.empty() ? taken_ : out.arrivals.back().position.value;
    }
    if (!out.arrivals.empty()) taken_item_ = out.arrivals.back().position.value;
    taken_ = out.upto;
    ask();
    return out;
}

Session::Standing Session::standing() const {
    std::lock_guard lock(mutex_);
    return {received_, credit_ == 0, pending_jump_};
}

void Session::advance(std::int64_t received, std::int64_t last) {
    std::lock_guard lock(mutex_);
    if (received_ == received && last > received) received_ = last;
}

void Session::watch(SteadyInstant now) {
    std::lock_guard lock(mutex_);
    if (credit_ > 0 && now - asked_ > overdue) credit_ = 0;
    ask();
}

/// Asks for more where there is room. Two requests are under way at most times, so that the server never
/// waits.
void Session::ask() {
    while (!over_.load() && credit_ <= batch) {
        const auto requests = static_cast<std::size_t>((credit_ + batch - 1) / batch);
        if (queued() + static_cast<std::size_t>(credit_) + batch > ahead_messages_max ||
            (queued_bytes_ + (requests + 1) * batch_bytes > ahead_bytes_max &&
             !(queued() == 0 && credit_ == 0)))
            break;
        const bool any_size = one_of_any_size_;
        if (any_size && credit_ > 0) break;
        const auto body = any_size ? "{\"batch\":1,\"expires\":" + std::to_string(expires_ns) + "}"
                                   : "{\"batch\":" + std::to_string(batch) +
                                         ",\"max_bytes\":" + std::to_string(batch_bytes) +
                                         ",\"expires\":" + std::to_string(expires_ns) + "}";
        const auto s =
            natsConnection_PublishRequest(connection_->get(), next_subject_.c_str(), inbox_.c_str(),
                                          body.data(), static_cast<int>(body.size()));
        if (s != NATS_OK) {
            give_up_locked(std::string("asking for messages failed: ") + natsStatus_GetText(s));
            break;
        }
        one_of_any_size_ = false;
        credit_ += any_size ? 1 : batch;
        asked_ = clock_.steady_now();
        if (any_size) break;
    }
    if (credit_ == 0) was_paused_ = true;
}

void Session::on_message(natsConnection*, natsSubscription*, natsMsg* message, void* closure) {
    auto& session = *static_cast<Session*>(closure);
    if (!session.over_.load()) session.arrived(message);
    natsMsg_Destroy(message);
}

void Session::on_complete(void* closure) {
    // The last access: whoever sees it may destroy the session.
    static_cast<Session*>(closure)->done_ = true;
}

void Session::arrived(natsMsg* message) {
    const char* reply = natsMsg_GetReply(message);
    if (reply == nullptr || *reply == '\0') return status(message);
    const auto place = parse_ack(reply);
    if (!place) return give_up("the reply subject \"" + printable(reply) + "\" is none of JetStream's");
    arrived(message, *place);
}

void Session::arrived(natsMsg* message, const AckPlace& place) {
    const bool ours = settings_->wants(natsMsg_GetSubject(message));
    Arrival arrival;
    Taken::Mark mark;
    if (ours) {
        arrival = arrival_of(message, Position(place.stream_sequence), from_ns(place.time_ns), *settings_);
        mark.bytes = static_cast<std::size_t>(natsMsg_GetDataLength(message)) + message_overhead;
    }
    bool first = false;
    {
        std::lock_guard lock(mutex_);
        if (over_.load()) return;
        if (place.consumer != start_.consumer || place.consumer_sequence != consumer_sequence_ + 1 ||
            place.stream_sequence <= received_) {
            give_up_locked("messages of the consumer were lost on the way");
            first = true;
        } else {
            // With a filter on the server every position may be missing; to ask why makes sense only if the
            // server was behind, when retention may have passed it.
            const bool jumped = place.stream_sequence != received_ + 1;
            const bool suspect = settings_->server_filter().empty() || pending_ > 0 || was_paused_;
            if (jumped && suspect && pending_jump_ < 0) pending_jump_ = received_;
            consumer_sequence_ = place.consumer_sequence;
            received_ = place.stream_sequence;
            pending_ = place.pending;
            was_paused_ = false;
            if (credit_ > 0) --credit_;
            if (ours) {
                mark.jump_from = std::exchange(pending_jump_, -1);
                due_ = due_ || queued() == 0;
                queued_bytes_ += mark.bytes;
                queue_.arrivals.push_back(std::move(arrival));
                queue_.marks.push_back(mark);
            }
            ask();
            // Messages come in bursts: whoever waits is woken for all of them.
            first = due_ && (queued() >= burst || nothing_waits());
            if (first) due_ = false;
        }
    }
    if (first) notify_();
}

/// The library holds nothing more for us just now.
bool Session::nothing_waits() const {
    std::uint64_t many = 0;
    return natsSubscription_QueuedMsgs(subscription_, &many) != NATS_OK || many == 0;
}

void Session::status(natsMsg* message) {
    const auto code = header(message, "Status");
    const auto description = header(message, "Description");
    if (code == "100") return;
    const bool too_large = description.find("Message Size Exceeds MaxBytes") != std::string_view::npos;
    const bool ended = code == "404" || code == "408" || description == "Batch Completed" || too_large ||
                       description.find("Exceeded MaxWaiting") != std::string_view::npos;
    if (!ended) return give_up("the server ended reading: " + printable(code) + " " + printable(description));
    std::lock_guard lock(mutex_);
    const auto left = header(message, "Nats-Pending-Messages");
    int many = batch;
    std::from_chars(left.data(), left.data() + left.size(), many);
    // A request that got nothing since the next message is larger than a request's bytes.
    if (too_large && many >= std::min(credit_, batch)) one_of_any_size_ = true;
    credit_ = std::max(0, credit_ - many);
    ask();
}

} // namespace weir::events::nats
