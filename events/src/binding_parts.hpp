#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/events/binding.hpp>

// What the bindings of messages (HTTP, NATS, Kafka) have in common. Private to the events library.
namespace weir::events {

/// A header where it lies in the client library's memory.
struct HeaderView {
    std::string_view name, value;
};

/// A message where it lies in the client library's memory.
struct MessageView {
    std::span<const HeaderView> headers;
    std::string_view subject; ///< NATS: subject; Kafka: topic
    std::string_view key;
    bool has_key = false;
    std::string_view body;
    bool has_body = true;
};

/// Message as a view; `headers` holds its headers' views and outlives it.
MessageView view_of(const Message& message, std::vector<HeaderView>& headers);
/// A copy that stays.
Message message_of(const MessageView& view);

/// decode_nats() and decode_kafka() without a copy of the message: what adapters call.
Result<Decoded> decode_nats_view(const MessageView& message, const DecodeContext& context);
Result<Decoded> decode_kafka_view(const MessageView& message, const DecodeContext& context);
/// The same into an empty event that is there already: events are large, and a copy less each time counts.
/// What an error leaves in it means nothing.
Status decode_kafka_into(const MessageView& message, const DecodeContext& context, Event& event,
                         bool& data_checked);

char lower(char c) noexcept;
std::string lower(std::string_view text);
/// ASCII, without regard to case.
bool equal_names(std::string_view a, std::string_view b) noexcept;
/// Without spaces and tabs at both ends.
std::string_view trim(std::string_view text) noexcept;

/// One round; `invalid` for a lone % and for what is then no UTF-8.
Result<std::string> percent_decode(std::string_view text);

/// True if a content type begins with application/cloudevents, in any case.
bool says_cloudevents(std::string_view content_type) noexcept;
/// `unsupported` unless the content type is the media type `expected` in UTF-8 or ASCII. `header` is how the
/// protocol calls it.
Status check_format(std::string_view content_type, std::string_view expected, std::string_view header);

/// True for a JSON object with a member `specversion`: an event in structured mode that nothing announced.
bool bare_event(std::string_view body);

/// decode_json(), with the content type checked first where there is one.
Result<Decoded> decode_structured(std::string_view content_type, std::string_view header,
                                  std::string_view body, const EventLimits& limits);
/// The context's mapping; without one `invalid` with `otherwise`.
Result<Decoded> decode_by_mapping(const MessageView& message, const DecodeContext& context,
                                  std::string_view otherwise);

/// Makes an event of a message in binary mode, header by header.
class AttributeReader {
  public:
    /// `prefix`: how the protocol begins the names of attributes, for messages: "ce-", "ce_".
    AttributeReader(const EventLimits& limits, std::string_view prefix)
        : limits_(limits), prefix_(prefix), event_(own_) {}
    /// Makes it in `event`, which is empty.
    AttributeReader(const EventLimits& limits, std::string_view prefix, Event& event)
        : limits_(limits), prefix_(prefix), event_(event) {}
    AttributeReader(const AttributeReader&) = delete;
    AttributeReader& operator=(const AttributeReader&) = delete;

    /// A CloudEvents header: `name` without the prefix and in lower case; `value` decoded.
    Status attribute(std::string_view name, std::string value);
    /// Any other header: kept as an extension where its name and value allow it and no attribute has the
    /// name, else left out. Of several with one name the first stays.
    void other(std::string_view name, std::string_view value);
    /// What the protocol says outside of the attributes; loses against an attribute datacontenttype.
    void content_type(std::string_view value) { content_type_ = value; }

    /// The event, its attributes checked and its data not: data_kind is provisional. A body of no bytes is no
    /// data.
    Result<Event> finish(std::string_view body);
    /// The same for one that is made elsewhere.
    Status finish_there(std::string_view body);

  private:
    Status known(unsigned bit, std::string_view name, std::string& member, std::string value);
    void add_others();

    const EventLimits& limits_;
    std::string_view prefix_;
    Event own_;
    Event& event_;
    std::string_view content_type_;
    std::vector<std::pair<std::string, std::string_view>> others_;
    unsigned seen_ = 0;
};

} // namespace weir::events
