#include "messages.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include <weir/base/text.hpp>

namespace weir::facade {
namespace {

std::string camel(std::string_view name) {
    std::string out;
    bool upper = false;
    for (const char c : name) {
        if (c == '_') {
            upper = true;
            continue;
        }
        out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        upper = false;
    }
    return out;
}

Fault wrong_value(std::string_view kind, std::string_view name, const Json& given) {
    return gateway_fault(Code::Invalid, "proto: invalid value for " + std::string(kind) + " field " +
                                            camel(name) + ": " + printable(to_text(given), 80));
}

Outcome<Json> read_integer(const Json& given, const MessageField& field) {
    const bool wide = field.kind == FieldKind::Int64;
    const auto kind = wide ? "int64" : "int32";
    std::int64_t number = 0;
    if (given.is_string()) {
        const auto& text = given.get_ref<const std::string&>();
        const auto end = text.data() + text.size();
        const auto read = std::from_chars(text.data(), end, number);
        if (read.ec != std::errc() || read.ptr != end) return wrong_value(kind, field.name, given);
    } else if (given.is_number_integer() &&
               !(given.is_number_unsigned() && given.get<std::uint64_t>() >> 63)) {
        number = given.get<std::int64_t>();
    } else if (given.is_number_float() && given.get<double>() == std::floor(given.get<double>()) &&
               std::abs(given.get<double>()) < 9e15) {
        number = static_cast<std::int64_t>(given.get<double>());
    } else {
        return wrong_value(kind, field.name, given);
    }
    if (!wide && (number > std::numeric_limits<std::int32_t>::max() ||
                  number < std::numeric_limits<std::int32_t>::min()))
        return wrong_value(kind, field.name, given);
    return Json(number);
}

Outcome<Json> read_word(const Json& given, const MessageField& field) {
    if (given.is_string()) {
        for (const auto word : field.words)
            if (given.get_ref<const std::string&>() == word) return given;
    }
    if (given.is_number_unsigned() && given.get<std::uint64_t>() < field.words.size()) {
        const auto word = field.words[given.get<std::size_t>()];
        if (!word.empty()) return Json(word);
    }
    return wrong_value("enum", field.name, given);
}

Outcome<Json> read_map(const Json& given, const MessageField& field) {
    if (!given.is_object()) return wrong_value("map", field.name, given);
    for (const auto& [key, value] : given.items()) {
        if (field.kind == FieldKind::TextMap && !value.is_string()) return wrong_value("string", key, value);
        if (field.kind == FieldKind::StructMap && !value.is_object())
            return wrong_value("struct", key, value);
    }
    return field.kind == FieldKind::TextMap ? given : as_struct(given);
}

Outcome<Json> read_item(const Json& given, const MessageField& field) {
    if (field.kind == FieldKind::Messages) return read_message(given, *field.message);
    if (field.kind == FieldKind::Numbers) return read_integer(given, {field.name, FieldKind::Int64});
    if (!given.is_string()) return wrong_value("string", field.name, given);
    return given;
}

Outcome<Json> read_list(const Json& given, const MessageField& field) {
    if (!given.is_array()) return wrong_value("repeated", field.name, given);
    auto list = Json::array();
    for (const auto& item : given) {
        WEIR_ASSIGN(read, read_item(item, field));
        list.push_back(std::move(read));
    }
    return list;
}

Outcome<Json> read_field(const Json& given, const MessageField& field) {
    switch (field.kind) {
        case FieldKind::Text:
            if (!given.is_string()) return wrong_value("string", field.name, given);
            return given;
        case FieldKind::Flag:
            if (!given.is_boolean()) return wrong_value("bool", field.name, given);
            return given;
        case FieldKind::Int32:
        case FieldKind::Int64: return read_integer(given, field);
        case FieldKind::Time:
            if (!given.is_string() || !parse_rfc3339(given.get<std::string>()).ok())
                return gateway_fault(Code::Invalid, "proto: invalid google.protobuf.Timestamp value " +
                                                        printable(to_text(given), 80));
            return given;
        case FieldKind::Word: return read_word(given, field);
        case FieldKind::Struct:
        case FieldKind::StructMap:
        case FieldKind::ValueMap:
        case FieldKind::TextMap: return read_map(given, field);
        case FieldKind::Message: return read_message(given, *field.message);
        case FieldKind::Messages:
        case FieldKind::Texts:
        case FieldKind::Numbers: return read_list(given, field);
        case FieldKind::Any: break;
    }
    return given;
}

/// A value that KFP does not tell from one that is not there.
bool is_unset(const Json& value, const MessageField& field) {
    switch (field.kind) {
        case FieldKind::Text: return value.get_ref<const std::string&>().empty();
        case FieldKind::Flag: return !value.get<bool>();
        case FieldKind::Int32:
        case FieldKind::Int64: return field.oneof.empty() && value == 0;
        case FieldKind::Word: return value == field.words[0];
        default: return false;
    }
}

} // namespace

Outcome<Json> read_message(const Json& given, const MessageTable& table) {
    if (!given.is_object())
        return gateway_fault(Code::Invalid, "proto: syntax error: unexpected token " +
                                                printable(to_text(given), 80) + ", expected an object");
    auto out = Json::object();
    std::map<std::string_view, std::string_view> chosen;
    for (const auto& [key, value] : given.items()) {
        const MessageField* field = nullptr;
        for (const auto& candidate : table.fields)
            if (candidate.name == key || camel(candidate.name) == key) field = &candidate;
        if (field == nullptr)
            return gateway_fault(Code::Invalid, "proto: unknown field \"" + printable(key, 80) + "\"");
        if (value.is_null()) continue;
        if (out.contains(field->name))
            return gateway_fault(Code::Invalid,
                                 "proto: duplicate field \"" + std::string(field->name) + "\"");
        WEIR_ASSIGN(read, read_field(value, *field));
        if (!field->oneof.empty() && !chosen.emplace(field->oneof, field->name).second)
            return gateway_fault(Code::Invalid, "proto: error parsing \"" + printable(key, 80) +
                                                    "\", oneof " + std::string(table.name) + "." +
                                                    std::string(field->oneof) + " is already set");
        if (is_unset(read, *field) && field->oneof.empty()) continue;
        out[std::string(field->name)] = std::move(read);
    }
    return out;
}

std::string text_of(const Json& message, std::string_view name) {
    const auto found = message.find(std::string(name));
    return found != message.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace weir::facade
