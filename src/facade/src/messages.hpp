#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json.hpp"

namespace weir::facade {

/// What a field of a message holds, in JSON.
enum class FieldKind : std::uint8_t {
    Text,
    Flag,
    Int32,
    Int64,     ///< a number or a text of digits
    Time,      ///< RFC 3339
    Word,      ///< an enum: one of `words`, or its number
    Struct,    ///< google.protobuf.Struct: an object of anything
    StructMap, ///< text -> Struct
    ValueMap,  ///< text -> any JSON
    TextMap,
    Message,
    Messages, ///< a list of them
    Texts,    ///< a list of texts
    Numbers,  ///< a list of 64-bit integers
    Any,      ///< anything: left alone
};

struct MessageTable;
struct MessageField {
    std::string_view name; ///< snake_case
    FieldKind kind = FieldKind::Text;
    const MessageTable* message = nullptr;
    std::vector<std::string_view> words; ///< their numbers are their places
    std::string_view oneof;              ///< fields of one name exclude each other
};
struct MessageTable {
    std::string_view name;
    std::vector<MessageField> fields;
};

/// Reads a message as grpc-gateway does: names in snake_case or camelCase, null as absent, unknown names and
/// wrong types refused. The result has names in snake_case, enums as words, 64-bit integers as numbers, and
/// no empty texts, zeros or unset words.
Outcome<Json> read_message(const Json& given, const MessageTable& table);

const MessageTable& pipeline_message();
const MessageTable& pipeline_version_message();
const MessageTable& pipeline_and_version_message();
const MessageTable& experiment_message();
const MessageTable& run_message();
const MessageTable& recurring_run_message();
const MessageTable& filter_message();

/// A member's text, or empty.
std::string text_of(const Json& message, std::string_view name);

} // namespace weir::facade
