#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>
#include <weir/events/message.hpp>

namespace weir::events {

/// Where a message stands.
struct MessagePlace {
    std::string_view bus, stream; ///< names as configured
    std::int64_t position = 0;    ///< Kafka: offset + 1
    Instant time{};
};

/// How plain JSON becomes events, as configured: each attribute is a CEL expression over `data` (the parsed
/// body), `headers` (a map, names as they came), `subject`, `key`, `stream` (texts) and `position` (int).
/// Constant text is written as a CEL string: `'"ads.order"'`.
struct JsonMappingSettings {
    std::string type;   ///< required; must give a text that is not empty
    std::string source; ///< default: the stream, as "/BUS/STREAM"
    std::string id;     ///< default: the position
    std::string subject, time, dataschema;
    std::map<std::string, std::string> extensions; ///< by name
    std::string data;                              ///< default: the whole body; else what becomes the data
};

/// A compiled mapping. Thread-safe.
class JsonMapping {
  public:
    /// `invalid` names the attribute, and column and reason of the expression.
    static Result<JsonMapping> compile(const JsonMappingSettings& settings);
    ~JsonMapping();
    JsonMapping(JsonMapping&&) noexcept;
    JsonMapping& operator=(JsonMapping&&) noexcept;

    /// An event with checked JSON data. `invalid`: the body is no JSON, or an expression fails or gives no
    /// text, a null leaves an optional attribute away.
    [[nodiscard]] Result<Event> map(const Message& message, const MessagePlace& place,
                                    const EventLimits& limits = {}) const;

  private:
    struct Impl;
    explicit JsonMapping(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace weir::events
