#include <weir/events/json_codec.hpp>

#include <algorithm>
#include <array>
#include <memory>

#include <simdjson.h>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/events/media_type.hpp>

#include "base64.hpp"
#include "rules.hpp"

namespace weir::events {
namespace {

namespace od = simdjson::ondemand;

/// The text has been validated whole, so the parser can only fail for reasons that are ours.
Error surprise(simdjson::error_code error) {
    return internal(std::string("reading validated JSON: ") + simdjson::error_message(error));
}
#define WEIR_JSON_TRY(expr) \
    if (const auto json_error = (expr); json_error != simdjson::SUCCESS) return surprise(json_error)

std::string_view kind_name(od::json_type type) {
    switch (type) {
        case od::json_type::array: return "a list";
        case od::json_type::object: return "an object";
        case od::json_type::number: return "a number";
        case od::json_type::string: return "a string";
        case od::json_type::boolean: return "true or false";
        case od::json_type::null: return "null";
        default: return "something else";
    }
}

/// What stands in the attributes' place in Event.
struct Known {
    std::string_view name;
    std::string Event::*member;
};
constexpr std::array<Known, 7> known_attributes{{{"id", &Event::id},
                                                 {"source", &Event::source},
                                                 {"type", &Event::type},
                                                 {"subject", &Event::subject},
                                                 {"time", &Event::time},
                                                 {"datacontenttype", &Event::datacontenttype},
                                                 {"dataschema", &Event::dataschema}}};

/// Reads the members of one envelope.
class Reader {
  public:
    explicit Reader(const EventLimits& limits) : limits_(limits) {}

    Result<Event> read(od::object object) {
        for (auto field : object) {
            std::string_view name;
            WEIR_JSON_TRY(field.unescaped_key().get(name));
            od::value value;
            WEIR_JSON_TRY(field.value().get(value));
            od::json_type type{};
            WEIR_JSON_TRY(value.type().get(type));
            WEIR_TRY(member(name, value, type));
        }
        WEIR_TRY(finish_extensions());
        if (!specversion_seen_) return attribute_error("specversion", "it is required; expected \"1.0\"");
        WEIR_TRY(finish_data());
        WEIR_TRY(check_but_json(event_, limits_));
        return std::move(event_);
    }

  private:
    Status member(std::string_view name, od::value& value, od::json_type type) {
        if (name == "data") return data(value, type);
        if (name == "data_base64") return data_base64(value, type);
        for (std::size_t i = 0; i < known_attributes.size(); ++i)
            if (known_attributes[i].name == name) return known(i, value, type);
        if (name == "specversion") return specversion(value, type);
        return extension(name, value, type);
    }

    Status once(std::uint32_t bit, std::string_view name) {
        if ((seen_ & bit) != 0) return attribute_error(name, "it is there twice");
        seen_ |= bit;
        return {};
    }

    Status known(std::size_t i, od::value& value, od::json_type type) {
        const auto name = known_attributes[i].name;
        WEIR_TRY(once(1U << i, name));
        if (type == od::json_type::null) return {};
        if (type != od::json_type::string)
            return attribute_error(name, "expected a string, found " + std::string(kind_name(type)));
        std::string_view text;
        WEIR_JSON_TRY(value.get_string().get(text));
        if (text.empty()) return attribute_error(name, "it must not be empty");
        (event_.*known_attributes[i].member) = text;
        return {};
    }

    Status specversion(od::value& value, od::json_type type) {
        WEIR_TRY(once(1U << 20, "specversion"));
        if (type == od::json_type::null) return {};
        if (type != od::json_type::string)
            return attribute_error("specversion",
                                   "expected the string \"1.0\", found " + std::string(kind_name(type)));
        std::string_view text;
        WEIR_JSON_TRY(value.get_string().get(text));
        if (text != "1.0")
            return unsupported("attribute \"specversion\": expected \"1.0\", found " + found(text));
        specversion_seen_ = true;
        return {};
    }

    Status extension(std::string_view name, od::value& value, od::json_type type) {
        if (!valid_attribute_name(name))
            return attribute_error(printable(name, 64),
                                   "the name of an attribute is made of a-z and 0-9 only");
        if (event_.extensions.size() >= limits_.extensions_max)
            return exhausted("more than " + std::to_string(limits_.extensions_max) + " extension attributes");
        Extension extension{std::string(name), {}, AttributeType::String};
        switch (type) {
            case od::json_type::null: nulls_.push_back(std::move(extension.name)); return {};
            case od::json_type::string: {
                std::string_view text;
                WEIR_JSON_TRY(value.get_string().get(text));
                extension.value = text;
                break;
            }
            case od::json_type::boolean: {
                bool truth = false;
                WEIR_JSON_TRY(value.get_bool().get(truth));
                extension.value = truth ? "true" : "false";
                extension.type = AttributeType::Boolean;
                break;
            }
            case od::json_type::number: {
                const auto token = value.raw_json_token();
                extension.value = token == "-0" ? "0" : std::string(token);
                extension.type = AttributeType::Integer;
                if (!canonical_integer(extension.value))
                    return attribute_error(name, "expected an integer of 32 bits, found " + found(token));
                break;
            }
            default:
                return attribute_error(name, "expected a string, an integer, true or false, found " +
                                                 std::string(kind_name(type)));
        }
        event_.extensions.push_back(std::move(extension));
        return {};
    }

    /// Sorts, and finds names that stood twice, null or not.
    Status finish_extensions() {
        auto& extensions = event_.extensions;
        std::sort(extensions.begin(), extensions.end(),
                  [](const Extension& a, const Extension& b) { return a.name < b.name; });
        for (std::size_t i = 1; i < extensions.size(); ++i)
            if (extensions[i - 1].name == extensions[i].name)
                return attribute_error(extensions[i].name, "it is there twice");
        std::sort(nulls_.begin(), nulls_.end());
        for (std::size_t i = 0; i < nulls_.size(); ++i)
            if ((i > 0 && nulls_[i - 1] == nulls_[i]) || event_.extension(nulls_[i]) != nullptr)
                return attribute_error(nulls_[i], "it is there twice");
        return {};
    }

    Status data(od::value& value, od::json_type type) {
        WEIR_TRY(once(1U << 21, "data"));
        data_type_ = type;
        std::string_view raw;
        switch (type) {
            case od::json_type::array: {
                od::array list;
                WEIR_JSON_TRY(value.get_array().get(list));
                WEIR_JSON_TRY(list.raw_json().get(raw));
                break;
            }
            case od::json_type::object: {
                od::object object;
                WEIR_JSON_TRY(value.get_object().get(object));
                WEIR_JSON_TRY(object.raw_json().get(raw));
                break;
            }
            case od::json_type::string: {
                raw = value.raw_json_token();
                WEIR_JSON_TRY(value.get_string().get(data_text_));
                break;
            }
            default: raw = value.raw_json_token();
        }
        // A token reaches up to the next one, white space included; the text was made compact before.
        event_.data = raw;
        event_.data_kind = DataKind::Json;
        return {};
    }

    Status data_base64(od::value& value, od::json_type type) {
        WEIR_TRY(once(1U << 22, "data_base64"));
        if (type == od::json_type::null) return {};
        if (type != od::json_type::string)
            return attribute_error("data_base64", "expected a string, found " + std::string(kind_name(type)));
        std::string_view text;
        WEIR_JSON_TRY(value.get_string().get(text));
        auto bytes = from_base64(text);
        if (!bytes)
            return attribute_error("data_base64", "expected padded base64 (RFC 4648), found " + found(text));
        bytes_ = std::move(bytes);
        return {};
    }

    /// What kind of data it is follows from datacontenttype, which may stand behind it.
    Status finish_data() {
        const auto& type = event_.datacontenttype;
        const bool says_json = !type.empty() && declares_json(type);
        if (bytes_) {
            if ((seen_ & 1U << 21) != 0)
                return invalid("data and data_base64 exclude each other, found both");
            event_.data = std::move(*bytes_);
            event_.data_kind = DataKind::Binary;
            return says_json ? bytes_as_json() : Status();
        }
        if (event_.data_kind == DataKind::None || says_json || type.empty()) return {};
        if (data_type_ == od::json_type::null) {
            event_.data.clear();
            event_.data_kind = DataKind::None;
            return {};
        }
        if (data_type_ != od::json_type::string)
            return invalid("data: datacontenttype is " + found(type) + ", so a string is expected, found " +
                           std::string(kind_name(data_type_)));
        event_.data = data_text_;
        event_.data_kind = DataKind::Text;
        return {};
    }

    Status bytes_as_json() {
        auto& bytes = event_.data;
        if (const auto valid = valid_json(bytes, {limits_.bytes_max, limits_.json_depth_max}); !valid.ok())
            return valid.error().in("data_base64, which datacontenttype says is JSON");
        std::string compact(bytes.size(), '\0');
        std::size_t size = 0;
        WEIR_JSON_TRY(simdjson::minify(bytes.data(), bytes.size(), compact.data(), size));
        compact.resize(size);
        bytes = std::move(compact);
        event_.data_kind = DataKind::Json;
        return {};
    }

    const EventLimits& limits_;
    Event event_;
    std::uint32_t seen_ = 0;
    bool specversion_seen_ = false;
    std::vector<std::string> nulls_;
    od::json_type data_type_{};
    std::string_view data_text_;
    std::optional<std::string> bytes_;
};

/// A validated text, compact, with the slack behind it that the parser wants.
struct Compact {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
    [[nodiscard]] simdjson::padded_string_view view() const {
        return simdjson::padded_string_view(bytes.get(), size, size + simdjson::SIMDJSON_PADDING);
    }
};

Result<Compact> compact(std::string_view text, const JsonLimits& limits) {
    if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return invalid("the body is empty; expected JSON");
    WEIR_TRY(valid_json(text, limits));
    Compact out;
    out.bytes = std::make_unique<char[]>(text.size() + simdjson::SIMDJSON_PADDING);
    WEIR_JSON_TRY(simdjson::minify(text.data(), text.size(), out.bytes.get(), out.size));
    std::fill_n(out.bytes.get() + out.size, simdjson::SIMDJSON_PADDING, '\0');
    return out;
}

template <class Value>
Error not_that(Value& value, std::string_view expected) {
    od::json_type type{};
    if (const auto error = value.type().get(type); error != simdjson::SUCCESS) return surprise(error);
    return invalid("expected " + std::string(expected) + ", found " + std::string(kind_name(type)));
}

} // namespace

Result<Event> decode_json(std::string_view text, const EventLimits& limits) {
    WEIR_ASSIGN(json, compact(text, {limits.bytes_max + limits.bytes_max / 2, limits.json_depth_max + 1}));
    thread_local od::parser parser;
    od::document document;
    WEIR_JSON_TRY(parser.iterate(json.view()).get(document));
    od::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS)
        return not_that(document, "an event, which is a JSON object");
    return Reader(limits).read(object);
}

Result<std::vector<Event>> decode_json_batch(std::string_view text, const BatchLimits& limits) {
    WEIR_ASSIGN(json, compact(text, {limits.bytes_max, limits.event.json_depth_max + 2}));
    thread_local od::parser parser;
    od::document document;
    WEIR_JSON_TRY(parser.iterate(json.view()).get(document));
    od::array list;
    if (document.get_array().get(list) != simdjson::SUCCESS)
        return not_that(document, "a batch, which is a JSON list of events");
    std::vector<Event> events;
    for (auto item : list) {
        const auto place = "event " + std::to_string(events.size() + 1);
        if (events.size() >= limits.events_max)
            return exhausted("the batch has more than " + std::to_string(limits.events_max) + " events");
        od::value value;
        WEIR_JSON_TRY(item.get(value));
        od::object object;
        if (value.get_object().get(object) != simdjson::SUCCESS)
            return not_that(value, "an event, which is a JSON object").in(place);
        auto event = Reader(limits.event).read(object);
        if (!event.ok()) return event.error().in(place);
        events.push_back(std::move(event).value());
    }
    return events;
}

void append_json(std::string& out, const Event& event) {
    const auto text = [&out](std::string_view name, std::string_view value) {
        if (value.empty()) return;
        out += ",\"";
        out += name;
        out += "\":";
        append_json_string(out, value);
    };
    out += "{\"specversion\":\"1.0\"";
    for (const auto& known : known_attributes)
        text(known.name, event.*known.member);
    for (const auto& extension : event.extensions) {
        out += ",\"" + extension.name + "\":";
        if (extension.type == AttributeType::String)
            append_json_string(out, extension.value);
        else
            out += extension.value;
    }
    switch (event.data_kind) {
        case DataKind::None: break;
        case DataKind::Json: out += ",\"data\":" + event.data; break;
        case DataKind::Text:
            out += ",\"data\":";
            append_json_string(out, event.data);
            break;
        case DataKind::Binary: out += ",\"data_base64\":\"" + to_base64(event.data) + '"'; break;
    }
    out += '}';
}

std::string encode_json(const Event& event) {
    std::string out;
    out.reserve(weight(event) + 128);
    append_json(out, event);
    return out;
}

std::string encode_json_batch(std::span<const Event> events) {
    std::string out = "[";
    for (const auto& event : events) {
        if (out.size() > 1) out += ',';
        append_json(out, event);
    }
    out += ']';
    return out;
}

} // namespace weir::events
