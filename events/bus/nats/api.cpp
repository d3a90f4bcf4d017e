#include "api.hpp"

#include <nlohmann/json.hpp>

#include <weir/base/text.hpp>

namespace weir::events::nats {
namespace {

using nlohmann::json;

constexpr int no_message_found = 10037, stream_not_found = 10059, stream_name_exists = 10058;

// A reader that pauses longer finds its consumer gone, and makes another one.
constexpr std::int64_t inactive_threshold_ns = 300'000'000'000;
constexpr int waiting_requests_max = 64;

int error_code(const json& answer) {
    const auto error = answer.find("error");
    return error == answer.end() ? 0 : error->value("err_code", -1);
}

/// What the server says is wrong; success if nothing.
Status answered(const json& answer, const std::string& stream) {
    const auto code = error_code(answer);
    if (code == 0) return {};
    const auto& error = answer["error"];
    const auto said = printable(error.value("description", "")) + " (error " + std::to_string(code) + ")";
    if (code == stream_not_found) return not_found("the NATS server has no stream \"" + stream + "\"");
    if (code == stream_name_exists) return conflict("stream \"" + stream + "\": " + said);
    const int http = error.value("code", 500);
    const auto message = "stream \"" + stream + "\": the NATS server says: " + said;
    return http >= 400 && http < 500 ? invalid(message) : unavailable(message);
}

/// The answer; a refusal stands in it.
Result<json> ask(const Link& link, const std::string& subject, const json& body) {
    WEIR_ASSIGN(text, link.request(subject, body.is_null() ? std::string() : body.dump()));
    auto answer = json::parse(text, nullptr, false);
    if (!answer.is_object()) return internal("the answer to " + subject + " is no JSON object");
    return answer;
}

/// Runs `read`; what is missing in the server's answer is a bug on one of the two sides.
template <class T, class Read>
Result<T> reading(const std::string& what, Read&& read) try {
    return read();
} catch (const json::exception& problem) {
    return internal("the answer to " + what + ": " + printable(problem.what()));
}

Result<std::optional<Found>> find(const Link& link, const std::string& stream, const json& body) {
    const auto subject = "$JS.API.STREAM.MSG.GET." + stream;
    return reading<std::optional<Found>>(subject, [&]() -> Result<std::optional<Found>> {
        WEIR_ASSIGN(answer, ask(link, subject, body));
        if (error_code(answer) == no_message_found) return std::optional<Found>();
        WEIR_TRY(answered(answer, stream));
        const auto& message = answer.at("message");
        WEIR_ASSIGN(time, parse_rfc3339(message.at("time").get<std::string>()));
        return std::optional<Found>(Found{message.at("seq").get<std::int64_t>(), time});
    });
}

} // namespace

Result<StreamState> stream_state(const Link& link, const std::string& stream) {
    const auto subject = "$JS.API.STREAM.INFO." + stream;
    return reading<StreamState>(subject, [&]() -> Result<StreamState> {
        WEIR_ASSIGN(answer, ask(link, subject, nullptr));
        WEIR_TRY(answered(answer, stream));
        const auto& config = answer.at("config");
        const auto& state = answer.at("state");
        StreamState out;
        WEIR_ASSIGN(created, parse_rfc3339(answer.at("created").get<std::string>()));
        out.created = std::to_string(to_ns(created));
        out.first = state.at("first_seq").get<std::int64_t>();
        out.last = state.at("last_seq").get<std::int64_t>();
        // An empty stream says 0 at first, and later its last one or the one behind it.
        if (state.at("messages").get<std::int64_t>() == 0) out.first = out.last + 1;
        out.limits_retention = config.value("retention", "limits") == "limits";
        out.no_ack = config.value("no_ack", false);
        out.in_memory = config.value("storage", "file") == "memory";
        const bool per_subject = config.value("max_msgs_per_subject", -1LL) > 0;
        out.removes = per_subject || state.value("num_deleted", 0LL) > 0 ||
                      config.value("allow_rollup_hdrs", false) || config.value("allow_msg_ttl", false);
        out.keeps_newest_only = per_subject && config.value("max_age", 0LL) == 0 &&
                                config.value("max_bytes", -1LL) <= 0 && config.value("max_msgs", -1LL) <= 0;
        return out;
    });
}

Status create_stream(const Link& link, const std::string& stream, const NatsStreamOptions::Create& settings) {
    const auto subject = "$JS.API.STREAM.CREATE." + stream;
    json body = {{"name", stream},
                 {"subjects", settings.subjects},
                 {"retention", "limits"},
                 {"storage", "file"},
                 {"discard", "old"},
                 {"max_consumers", -1},
                 {"max_msgs", -1},
                 {"max_msgs_per_subject", -1},
                 {"max_msg_size", -1},
                 {"max_bytes", settings.bytes_max},
                 {"max_age", settings.age_max.count()},
                 {"num_replicas", settings.replicas},
                 {"duplicate_window", settings.duplicates.count()}};
    WEIR_ASSIGN(answer, ask(link, subject, body));
    return answered(answer, stream);
}

Result<Consumer> create_consumer(const Link& link, const std::string& stream, std::int64_t after,
                                 const std::string& filter) {
    json config = {{"deliver_policy", "by_start_sequence"},
                   {"opt_start_seq", after + 1},
                   {"ack_policy", "none"},
                   {"replay_policy", "instant"},
                   {"max_waiting", waiting_requests_max},
                   {"mem_storage", true},
                   {"num_replicas", 1},
                   {"inactive_threshold", inactive_threshold_ns}};
    if (!filter.empty()) config["filter_subject"] = filter;
    const auto subject = "$JS.API.CONSUMER.CREATE." + stream;
    return reading<Consumer>(subject, [&]() -> Result<Consumer> {
        WEIR_ASSIGN(answer, ask(link, subject, json::object({{"stream_name", stream}, {"config", config}})));
        WEIR_TRY(answered(answer, stream));
        return Consumer{answer.at("name").get<std::string>(),
                        answer.at("delivered").at("stream_seq").get<std::int64_t>()};
    });
}

void forget_consumer(Connection& connection, const std::string& stream, const std::string& consumer) {
    if (!connection.up()) return;
    natsConnection_PublishString(connection.get(),
                                 ("$JS.API.CONSUMER.DELETE." + stream + "." + consumer).c_str(), "");
}

Result<std::optional<Found>> last_matching(const Link& link, const std::string& stream,
                                           const std::string& filter) {
    return find(link, stream, json::object({{"last_by_subj", filter}}));
}

Result<std::optional<Found>> next_from(const Link& link, const std::string& stream, std::int64_t sequence,
                                       const std::string& filter) {
    return find(link, stream,
                json::object({{"seq", std::max<std::int64_t>(1, sequence)}, {"next_by_subj", filter}}));
}

} // namespace weir::events::nats
