#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>

namespace weir::events {

/// A message of a bus as it came, before anything was made of it.
struct Message {
    std::vector<std::pair<std::string, std::string>> headers; ///< in order, values as on the wire
    std::string subject;                                      ///< NATS: subject; Kafka: topic
    std::string key;                                          ///< Kafka: the record's key
    bool has_key = false;
    std::string body;
    bool has_body = true; ///< false: a Kafka record without value
    bool operator==(const Message&) const = default;
};

/// A message that is no event: recorded as it came, with the reason, and passed by.
struct Poison {
    std::string reason; ///< one sentence: what was expected, what was found
    Message message;
    std::size_t bytes = 0; ///< of the whole message, also where `message` was cut
    bool cut = false;      ///< the body is longer than dead_letter_bytes_max: only its beginning is kept
};

/// How much of a dead letter's body is kept.
inline constexpr std::size_t dead_letter_bytes_max = 1024 * 1024;

/// Cuts what is too long to be kept.
Poison make_poison(std::string reason, Message message);

/// An event whose data does not read, as a message again: structured, the data as bytes. Every binding reads
/// it.
Message raw_message(const Event& event);

/// A message for people and scripts: {"subject", "headers": [[name, value]...], "key", "body"}. What is no
/// UTF-8 stands under NAME_base64 instead.
std::string message_json(const Message& message);

/// A message as one byte string, for the ledger; and back (`corrupt` if it is not one). Thread-safe.
std::string encode_message(const Message& message);
Result<Message> decode_message(std::string_view bytes);

} // namespace weir::events
