#include "record.hpp"

#include <algorithm>
#include <limits>

#include "binding_parts.hpp"

namespace weir::events::kafka {
namespace {

std::string_view text_of(const void* bytes, std::size_t size) {
    return bytes == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(bytes), size);
}

Instant time_of(const rd_kafka_message_t& record, Instant now) {
    auto type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const auto ms = rd_kafka_message_timestamp(&record, &type);
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0) return now;
    constexpr std::int64_t ms_max = std::numeric_limits<std::int64_t>::max() / 1'000'000;
    const auto time = from_ns(std::min(ms, ms_max) * 1'000'000);
    return type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? time : std::min(time, now);
}

} // namespace

void read_record(const rd_kafka_message_t& record, const std::string& topic, DecodeContext context,
                 Instant now, Arrival& arrival) {
    // Reused: a record rarely has more headers than the one before.
    thread_local std::vector<HeaderView> headers;
    headers.clear();
    rd_kafka_headers_t* list = nullptr;
    if (rd_kafka_message_headers(&record, &list) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0;
             rd_kafka_header_get_all(list, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
            headers.push_back({name, text_of(value, size)});
    }
    MessageView view;
    view.headers = headers;
    view.subject = topic;
    view.key = text_of(record.key, record.key_len);
    view.has_key = record.key != nullptr;
    view.body = text_of(record.payload, record.len);
    view.has_body = record.payload != nullptr;

    arrival.position = Position(record.offset + 1);
    arrival.time = time_of(record, now);
    context.place.position = arrival.position.value;
    context.place.time = arrival.time;
    const auto decoded = decode_kafka_into(view, context, arrival.event, arrival.data_checked);
    if (decoded.ok()) return;
    arrival.event = {};
    arrival.data_checked = true;
    arrival.poison = std::make_shared<const Poison>(make_poison(decoded.error().message, message_of(view)));
}

} // namespace weir::events::kafka
