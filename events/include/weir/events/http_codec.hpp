#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>
#include <weir/events/json_codec.hpp>

namespace weir::events {

/// Name and value of one header field, the value as it stood on the wire.
using HttpHeader = std::pair<std::string, std::string>;

/// A message of the HTTP protocol binding 1.0.2, without what belongs to the transport.
struct HttpMessage {
    std::vector<HttpHeader> headers;
    std::string body;
    bool has_body = false; ///< false: an event in binary mode without data
};

enum class HttpMode : std::uint8_t { Binary, Structured, Batch };

/// Which mode a Content-Type (empty: none) asks for: Structured or Batch if it begins with
/// `application/cloudevents` or `application/cloudevents-batch`, in any case, else Binary.
HttpMode http_mode_of(std::string_view content_type);

/// Reads a message in any of the three modes into its events: one, or those of a batch in order, possibly
/// none. Header names compare without case; a value is trimmed, unquoted if it is a quoted string, then
/// decoded from percent-encoding once; bytes that are not UTF-8 are refused. In structured and batch mode
/// `ce-` headers mean nothing. In binary mode JSON bodies are validated and made compact, and a body is text
/// only if its type says so. Errors: `invalid` names the header or attribute; `unsupported` another format,
/// charset or specversion (415); `exhausted` the limit (413). Thread-safe, as is all of this header.
Result<std::vector<Event>> decode_http(std::span<const HttpHeader> headers, std::string_view body,
                                       const BatchLimits& limits = {});

/// Writes a checked event in binary mode. JSON data without a datacontenttype is sent as `application/json`.
HttpMessage encode_http_binary(const Event& event);
HttpMessage encode_http_structured(const Event& event);
HttpMessage encode_http_batch(std::span<const Event> events);

/// Percent-encoding of an attribute value for a header: space, `"`, `%` and all outside of U+0021 to U+007E.
std::string encode_header_value(std::string_view text);
/// The opposite, quoted strings included. `invalid` on a lone `%`, an open quote and invalid UTF-8.
Result<std::string> decode_header_value(std::string_view wire);

} // namespace weir::events
