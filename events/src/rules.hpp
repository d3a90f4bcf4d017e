#pragma once

#include <string>
#include <string_view>

#include <weir/base/json.hpp>
#include <weir/base/result.hpp>
#include <weir/events/event.hpp>

// The grammar of attribute values. Private to the events library.
namespace weir::events {

/// RFC 3986, section 4.1, with a scheme if `absolute`. What is wrong, or empty.
std::string uri_fault(std::string_view text, bool absolute);
/// What is wrong with a String value (CloudEvents 1.0.2, section 3: no control or non-characters), or empty.
std::string text_fault(std::string_view text);
/// True for a media type with optional parameters (RFC 2046).
bool valid_media_type(std::string_view text) noexcept;
/// True for RFC 3339, in years too that no Instant can hold.
bool valid_time(std::string_view text);
/// True for [a-z0-9]+.
bool valid_attribute_name(std::string_view name) noexcept;
/// True for the attributes that CloudEvents defines, `specversion` too, and for the reserved `data`.
bool reserved_name(std::string_view name) noexcept;
/// True for a 32-bit integer in its canonical form.
bool canonical_integer(std::string_view text) noexcept;

/// `attribute "NAME": WHAT`, the form of every refusal.
Error attribute_error(std::string_view name, std::string_view what);
/// What was found, for the end of a sentence: quoted, made printable, shortened.
std::string found(std::string_view text);

/// validate_json(), and `invalid` too where the parser underneath throws instead of answering.
Status valid_json(std::string_view text, const JsonLimits& limits);

/// Validates JSON data whole and makes it compact; a byte order mark goes.
Status make_json_compact(std::string& data, const EventLimits& limits);

/// check() without any look at the data: for codecs that leave it unread.
Status check_attributes(const Event& event, const EventLimits& limits);
/// check() without parsing JSON data: for codecs that have validated it already.
Status check_but_json(const Event& event, const EventLimits& limits);

} // namespace weir::events
