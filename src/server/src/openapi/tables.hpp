#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

/// What the API says of itself: each route, each object it takes or gives, each query parameter, as tables.
/// The document of
/// `/v1/openapi.json` is written from them (document.cpp); tests hold routes and answers against it.
namespace weir::server::openapi {

/// What a member holds, in JSON.
enum class Kind : std::uint8_t {
    Text,
    Time, ///< RFC 3339
    Uuid,
    Whole, ///< 64 bits
    Flag,
    Any,     ///< any JSON
    Object,  ///< an object of anything
    TextMap, ///< an object of texts
    Texts,   ///< a list of texts
    Uuids,
    Ref, ///< the object `ref`
    Refs ///< a list of them
};

struct Member {
    std::string_view name;
    Kind kind = Kind::Text;
    std::string_view about;
    bool null = false;     ///< may be null
    bool optional = false; ///< may be absent
    std::string_view ref = {};
    std::vector<std::string_view> words = {}; ///< the texts there are; empty: any
};

struct Object {
    std::string_view name;
    std::string_view about;
    std::vector<Member> members;
    bool open = false; ///< other members may stand beside these
};
std::span<const Object> objects();

/// What is sent back, or taken, beside JSON objects.
enum class Shape : std::uint8_t {
    Nothing,
    Json,    ///< the object `object`
    Listing, ///< a page: items of `object`, next, after
    PlainText,
    Metrics,     ///< Prometheus text
    CloudEvents, ///< taken only: CloudEvents
    JsonOrText,  ///< by the query parameter `format`
    Document     ///< an OpenAPI document
};

struct Operation {
    std::string_view method;
    std::string_view pattern; ///< as in the table of routes
    std::string_view id;      ///< operationId
    std::string_view tag;
    std::string_view about;
    std::vector<std::string_view> names = {}; ///< of the {…} segments
    Shape takes = Shape::Nothing;
    std::string_view taken = {};
    Shape gives = Shape::Json;
    std::string_view given = {};
    int status = 200;
    std::vector<int> further = {}; ///< other answers that carry `given`, as 503 of /readyz
};
std::span<const Operation> operations();

struct QueryParameter {
    std::string_view name;
    Kind kind = Kind::Text;
    std::string_view about;
};
std::span<const QueryParameter> query_parameters();

} // namespace weir::server::openapi
