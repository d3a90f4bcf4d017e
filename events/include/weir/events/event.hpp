#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/digest.hpp>
#include <weir/base/ids.hpp>
#include <weir/base/result.hpp>

namespace weir::events {

/// How the data of an event is to be read.
enum class DataKind : std::uint8_t {
    None,
    Json,   ///< `data` is a JSON text, validated whole
    Text,   ///< valid UTF-8
    Binary, ///< any bytes
};

enum class AttributeType : std::uint8_t { String, Boolean, Integer };

/// An extension attribute (CloudEvents 1.0.2, section 3): name [a-z0-9]+, value as its canonical text.
struct Extension {
    std::string name;
    std::string value;
    AttributeType type = AttributeType::String;
    bool operator==(const Extension&) const = default;
};

/// A CloudEvent 1.0 in memory. An empty optional text attribute means it is absent.
struct Event {
    std::string id;     ///< required, unique within source
    std::string source; ///< required, URI-reference
    std::string type;   ///< required
    std::string subject;
    std::string datacontenttype;
    std::string dataschema;
    std::string time;                  ///< RFC 3339 as given
    std::vector<Extension> extensions; ///< sorted by name
    DataKind data_kind = DataKind::None;
    std::string data;
    bool operator==(const Event&) const = default;

    [[nodiscard]] const Extension* extension(std::string_view name) const;
    /// Inserts or replaces, keeping the order.
    void set_extension(std::string name, std::string value, AttributeType type = AttributeType::String);
};

/// Documented limits of one event.
struct EventLimits {
    std::size_t bytes_max = 1024 * 1024;    ///< encoded, whole
    std::size_t attribute_bytes_max = 4096; ///< one attribute value
    std::size_t name_bytes_max = 128;       ///< one extension name (the specification advises 20)
    std::size_t extensions_max = 64;
    std::size_t json_depth_max = 128;
};

/// Bytes of an event as EventLimits::bytes_max counts them: every name, value and the data, and 64 for the
/// frame.
std::size_t weight(const Event& event) noexcept;

/// Checks the rules of CloudEvents 1.0.2 and the limits. `invalid` names the attribute, what was expected and
/// what was found; `exhausted` the limit. Besides, data of kind Json needs a datacontenttype that says JSON
/// or none, and data of the other kinds one that does not say JSON. Thread-safe, as is all of this header.
Status check(const Event& event, const EventLimits& limits = {});

/// SHA-256 over everything that makes the event what it is (not its place or arrival time): two events with
/// the same source and id but different digests are a conflicting duplicate. What a change of binding may
/// change does not count: the type of an extension (its text does) and an implied `application/json`.
Digest digest_of(const Event& event);

/// Looks at data that came unread (Arrival::data_checked false): its kind by datacontenttype as
/// data_kind_of() says, JSON validated whole and made compact. The attributes were checked when it was
/// decoded. Errors as check().
Status read_data(Event& event, const EventLimits& limits = {});

} // namespace weir::events
