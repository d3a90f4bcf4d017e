#include "publisher.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>

#include <nlohmann/json.hpp>

#include <weir/base/text.hpp>

#include "subject.hpp"

namespace weir::events::nats {
namespace {

constexpr std::size_t window_max = 512, window_bytes_max = 4 * 1024 * 1024;
/// Without an acknowledgement for so long, what is under way is sent again.
constexpr Duration ack_wait = std::chrono::seconds(2);
/// Nobody took the message in: soon after its start a server may not know its streams yet.
constexpr Duration pause = std::chrono::milliseconds(100);

constexpr int message_too_large = 10054, other_stream = 10060, stream_sealed = 10109;

/// What the server says about one message.
struct Answer {
    std::optional<Position> position;
    std::optional<Error> error; ///< `unavailable` is worth another try
};

Answer answer_of(natsMsg* message, const std::string& asked) {
    const char* status = nullptr;
    if (natsMsgHeader_Get(message, "Status", &status) == NATS_OK && status != nullptr)
        return {std::nullopt, unavailable("no stream of the NATS server takes in the subject \"" +
                                          printable(asked) + "\"")};
    const std::string_view text(natsMsg_GetData(message),
                                static_cast<std::size_t>(natsMsg_GetDataLength(message)));
    constexpr std::string_view sequence = "\"seq\":";
    std::int64_t number = 0;
    if (text.find("\"error\"") == std::string_view::npos)
        if (const auto at = text.find(sequence); at != std::string_view::npos) {
            auto rest = text.substr(at + sequence.size());
            rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
            std::from_chars(rest.data(), rest.data() + rest.size(), number);
        }
    if (number > 0) return {Position(number), std::nullopt};
    const auto json = nlohmann::json::parse(text, nullptr, false);
    const auto error = json.is_object() ? json.value("error", nlohmann::json()) : nlohmann::json();
    if (!error.is_object()) return {std::nullopt, unavailable("the NATS server answers: " + printable(text))};
    const auto code = error.value("err_code", 0);
    const auto said = "the NATS server says: " + printable(error.value("description", "")) + " (error " +
                      std::to_string(code) + ")";
    if (code == message_too_large) return {std::nullopt, exhausted(said + ": the stream's max_msg_size")};
    if (code == other_stream || code == stream_sealed) return {std::nullopt, invalid(said)};
    return {std::nullopt, unavailable(said)};
}

} // namespace

/// A message made ready to be sent any number of times.
struct Publisher::Ready {
    std::string subject;
    Message message;
    std::size_t bytes = 0; ///< as the server counts them
};

/// One publish(), shared with the answers that come for it.
struct Publisher::Call {
    explicit Call(std::vector<Ready> all) : messages(std::move(all)), positions(messages.size()) {}

    const std::vector<Ready> messages;
    std::mutex mutex;
    std::condition_variable news;
    std::vector<std::optional<Position>> positions;
    std::optional<Error> refused; ///< for good
    std::optional<Error> retry;   ///< the newest reason to try again
    bool changed = false;         ///< look at the connection
    bool progress = false;
    std::size_t first_open = 0; ///< the first without a position

    void told(std::size_t index, Answer answer) {
        std::lock_guard lock(mutex);
        if (answer.position) {
            positions[index] = answer.position;
            while (first_open < positions.size() && positions[first_open])
                ++first_open;
            progress = true;
        } else if (!positions[index]) {
            auto& error = *answer.error;
            (error.kind == ErrorKind::Unavailable ? retry : refused) = std::move(error);
        }
        news.notify_all();
    }
};

/// Where answers come in over one connection.
struct Publisher::Inbox {
    std::shared_ptr<Connection> connection;
    std::string prefix; ///< of reply subjects; the token follows
    natsSubscription* subscription = nullptr;
    std::atomic<bool> done{false};
    std::mutex mutex;
    std::uint64_t next = 0;
    std::unordered_map<std::uint64_t, std::pair<std::weak_ptr<Call>, std::size_t>> open;

    ~Inbox() {
        if (subscription != nullptr) natsSubscription_Destroy(subscription);
    }

    static void on_message(natsConnection*, natsSubscription*, natsMsg* message, void* closure) {
        auto& inbox = *static_cast<Inbox*>(closure);
        std::string_view subject = natsMsg_GetSubject(message);
        std::uint64_t token = 0;
        subject.remove_prefix(std::min(inbox.prefix.size(), subject.size()));
        std::from_chars(subject.data(), subject.data() + subject.size(), token);
        std::shared_ptr<Call> call;
        std::size_t index = 0;
        {
            std::lock_guard lock(inbox.mutex);
            if (const auto at = inbox.open.find(token); at != inbox.open.end()) {
                call = at->second.first.lock();
                index = at->second.second;
                inbox.open.erase(at);
            }
        }
        if (call) call->told(index, answer_of(message, call->messages[index].subject));
        natsMsg_Destroy(message);
    }
    static void on_complete(void* closure) { static_cast<Inbox*>(closure)->done = true; }
};

Publisher::Publisher(const Link& link, const NatsBusOptions& options) : link_(link), options_(options) {}
Publisher::~Publisher() = default;

Result<std::shared_ptr<Publisher::Inbox>> Publisher::inbox() {
    WEIR_ASSIGN(connection, link_.connected());
    std::lock_guard lock(mutex_);
    if (closed_) return unavailable("the bus is closed");
    if (inbox_ && inbox_->connection == connection) return inbox_;
    if (inbox_) {
        natsSubscription_Unsubscribe(inbox_->subscription);
        ended_.push_back(std::move(inbox_));
        inbox_ = nullptr;
    }
    auto made = std::make_shared<Inbox>();
    made->connection = connection;
    natsInbox* name = nullptr;
    if (const auto s = natsInbox_Create(&name); s != NATS_OK) return library_error("make an inbox", s);
    made->prefix = std::string(name) + ".";
    natsInbox_Destroy(name);
    if (const auto s = natsConnection_Subscribe(&made->subscription, connection->get(),
                                                (made->prefix + "*").c_str(), &Inbox::on_message, made.get());
        s != NATS_OK)
        return library_error("subscribe", s);
    natsSubscription_SetPendingLimits(made->subscription, -1, -1);
    if (const auto s = natsSubscription_SetOnCompleteCB(made->subscription, &Inbox::on_complete, made.get());
        s != NATS_OK)
        return library_error("subscribe", s);
    inbox_ = std::move(made);
    return inbox_;
}

Result<std::vector<Publisher::Ready>> Publisher::prepare(const std::string& stream,
                                                         std::span<const Event> events) {
    std::vector<Ready> out;
    out.reserve(events.size());
    std::int64_t bytes_max = 0;
    if (const auto connection = link_.connected(); connection.ok())
        bytes_max = natsConnection_GetMaxPayload((*connection)->get());
    for (const auto& event : events) {
        Ready ready;
        ready.subject = subject_of(options_.publish_subject, event.type);
        ready.message = encode_nats(event, options_.mode);
        ready.message.headers.emplace_back("Nats-Msg-Id", message_id(event));
        ready.message.headers.emplace_back("Nats-Expected-Stream", stream);
        ready.bytes = ready.message.body.size() + 12; // NATS/1.0 and the ends of lines
        for (const auto& [name, value] : ready.message.headers)
            ready.bytes += name.size() + value.size() + 4;
        if (bytes_max > 0 && ready.bytes > static_cast<std::size_t>(bytes_max)) {
            const auto which =
                events.size() == 1 ? std::string("the event") : "event " + std::to_string(out.size() + 1);
            return exhausted(which + " is a message of " + std::to_string(ready.bytes) +
                             " bytes with its headers; max_payload of the NATS server is " +
                             std::to_string(bytes_max) + ": raise it there");
        }
        out.push_back(std::move(ready));
    }
    return out;
}

Status Publisher::send(Inbox& inbox, const std::shared_ptr<Call>& call, const Ready& message,
                       std::size_t index) {
    std::uint64_t token = 0;
    {
        std::lock_guard lock(inbox.mutex);
        token = ++inbox.next;
        // Answers that never came leave their place behind.
        if (token % 65536 == 0)
            std::erase_if(inbox.open, [](const auto& one) { return one.second.first.expired(); });
        inbox.open.emplace(token, std::make_pair(std::weak_ptr<Call>(call), index));
    }
    natsMsg* out = nullptr;
    const auto& body = message.message.body;
    auto s = natsMsg_Create(&out, message.subject.c_str(), (inbox.prefix + std::to_string(token)).c_str(),
                            body.data(), static_cast<int>(body.size()));
    for (const auto& [name, value] : message.message.headers)
        if (s == NATS_OK) s = natsMsgHeader_Set(out, name.c_str(), value.c_str());
    if (s == NATS_OK) s = natsConnection_PublishMsg(inbox.connection->get(), out);
    natsMsg_Destroy(out);
    if (s != NATS_OK) {
        std::lock_guard lock(inbox.mutex);
        inbox.open.erase(token);
        return library_error("publish", s);
    }
    return {};
}

/// Sends, waits, and sends again from the first that has no position, until all have one or time is up.
Status Publisher::run(const std::shared_ptr<Call>& shared) {
    auto& call = *shared;
    const auto& messages = call.messages;
    const auto deadline = clock_.steady_now() + options_.timeout;
    std::optional<Error> why;
    while (clock_.steady_now() < deadline) {
        std::size_t next = 0;
        {
            std::lock_guard lock(call.mutex);
            next = call.first_open;
            call.retry.reset();
            call.changed = false;
        }
        auto way = inbox();
        if (!way.ok()) {
            why = way.error();
            if (closed_.load()) return *why;
            std::unique_lock lock(call.mutex);
            call.news.wait_for(lock, pause, [&] { return call.changed; });
            continue;
        }
        const auto epoch = (*way)->connection->epoch();
        auto heard = clock_.steady_now();
        for (bool again = false; !again;) {
            std::size_t open = 0, bytes = 0;
            {
                std::lock_guard lock(call.mutex);
                open = call.first_open;
            }
            for (auto i = open; i < next; ++i)
                bytes += messages[i].bytes;
            while (next < messages.size() && next - open < window_max &&
                   (bytes < window_bytes_max || next == open)) {
                bytes += messages[next].bytes;
                if (const auto sent = send(**way, shared, messages[next], next); !sent.ok()) {
                    why = sent.error();
                    again = true;
                    break;
                }
                ++next;
            }
            std::unique_lock lock(call.mutex);
            const auto wait = std::min(ack_wait, deadline - clock_.steady_now());
            call.news.wait_for(lock, std::max(wait, Duration(0)),
                               [&] { return call.progress || call.refused || call.retry || call.changed; });
            if (std::exchange(call.progress, false)) heard = clock_.steady_now();
            if (call.refused) return *call.refused;
            if (call.first_open == messages.size()) return {};
            if (call.retry) {
                why = call.retry;
                call.news.wait_for(lock, pause, [] { return false; });
                again = true;
            }
            const auto now = clock_.steady_now();
            if (now - heard >= ack_wait || now >= deadline) again = true;
            call.changed = false;
            lock.unlock();
            if (!(*way)->connection->up() || (*way)->connection->epoch() != epoch) again = true;
        }
    }
    return why && why->kind == ErrorKind::Unavailable
               ? *why
               : unavailable("the NATS server acknowledged nothing for " + format_duration(options_.timeout));
}

Result<std::vector<Position>> Publisher::publish(const std::string& stream, std::span<const Event> events) {
    WEIR_ASSIGN(messages, prepare(stream, events));
    if (messages.empty()) return std::vector<Position>();
    const auto call = std::make_shared<Call>(std::move(messages));
    {
        std::lock_guard lock(mutex_);
        if (closed_) return unavailable("the bus is closed");
        std::erase_if(calls_, [](const auto& one) { return one.expired(); });
        calls_.push_back(call);
    }
    WEIR_TRY(run(call));
    std::vector<Position> out;
    out.reserve(events.size());
    std::lock_guard lock(call->mutex);
    for (const auto& position : call->positions)
        out.push_back(*position);
    return out;
}

void Publisher::changed() {
    std::vector<std::shared_ptr<Call>> calls;
    {
        std::lock_guard lock(mutex_);
        for (const auto& one : calls_)
            if (auto call = one.lock()) calls.push_back(std::move(call));
    }
    for (const auto& call : calls) {
        std::lock_guard lock(call->mutex);
        call->changed = true;
        call->news.notify_all();
    }
}

bool Publisher::sweep() {
    std::vector<std::shared_ptr<Inbox>> done;
    std::lock_guard lock(mutex_);
    const auto split =
        std::stable_partition(ended_.begin(), ended_.end(), [](const auto& i) { return !i->done; });
    done.assign(std::make_move_iterator(split), std::make_move_iterator(ended_.end()));
    ended_.erase(split, ended_.end());
    return ended_.empty();
}

void Publisher::close() {
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
        if (inbox_) {
            natsSubscription_Unsubscribe(inbox_->subscription);
            ended_.push_back(std::move(inbox_));
            inbox_ = nullptr;
        }
    }
    changed();
}

} // namespace weir::events::nats
